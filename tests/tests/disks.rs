//! Bad disks under the real program: full, read-only, and files that are cut, flipped or missing. Each is told by the
//! name of the file and with its repair, and the repair that the message names is then carried out, word for word.

mod journal;
mod mount;
mod mounted;
mod records;
mod stage;

//! Backups and the way back: whole or refused, and cut off anywhere.

mod broken;
mod killed;
mod made;
mod restored;
mod shelf;
mod support;

//! The simulator judged from outside: by requests made by hand, and by AWS's own clients.

mod faults;
mod organization;
mod people;
mod report;
mod sdk;
mod seeds;
mod server;
mod sessions;
mod support;
mod wire;

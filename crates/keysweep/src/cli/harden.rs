//! No core dumps (promise P12): a dump of this process would hold session credentials.

use rustix::process::{DumpableBehavior, Resource, Rlimit, setrlimit};

use super::error::CliError;

/// Switches core dumps off, for this process and those that it starts, and keeps other processes of the same user
/// from reading its memory.
pub(super) fn no_core_dumps() -> Result<(), CliError> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    let done = limited.and_then(|()| rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable));
    done.map_err(|error| CliError::Harden { source: error.into() })
}

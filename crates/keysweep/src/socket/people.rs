//! Names of users of this machine.

use rustix::process::Uid;

/// The name of the user whom this process runs as.
#[must_use]
pub fn own_name() -> String {
    user_name(rustix::process::geteuid().as_raw())
}

/// The name of a user, or `uid 1234` for one without a name, as in a container.
#[must_use]
pub fn user_name(uid: u32) -> String {
    let named = uzers::get_user_by_uid(Uid::from_raw(uid).as_raw());
    named.map_or_else(|| format!("uid {uid}"), |user| user.name().to_string_lossy().into_owned())
}

//! Users of this machine.

use keysweep_core::state::Actor;
use rustix::process::Uid;

/// What the kernel says of a process that nobody logged in for.
const NOBODY_LOGGED_IN: u32 = u32::MAX;

/// The name of the user that this process runs as.
#[must_use]
pub fn own_name() -> String {
    user_name(rustix::process::geteuid().as_raw())
}

/// Who runs this process.
#[must_use]
pub fn own_actor() -> Actor {
    local(rustix::process::geteuid().as_raw(), login_uid("self"))
}

/// Who runs the process at the other end of a socket, by the user and process IDs that the kernel gives. Nothing that
/// the process says of itself counts, such as `SUDO_USER`.
#[must_use]
pub fn peer_actor(uid: u32, pid: Option<i32>) -> Actor {
    let login = pid.filter(|pid| *pid > 0).and_then(|pid| login_uid(&pid.to_string()));
    local(uid, login)
}

/// The name of a user, or `uid 1234` for one without a name, as in a container.
#[must_use]
pub fn user_name(uid: u32) -> String {
    let named = uzers::get_user_by_uid(Uid::from_raw(uid).as_raw());
    named.map_or_else(|| format!("uid {uid}"), |user| user.name().to_string_lossy().into_owned())
}

fn local(uid: u32, login: Option<u32>) -> Actor {
    Actor::Local { user: user_name(uid), login: login.map(user_name) }
}

/// The user that logged in, which survives `su` and `sudo`; `None` for a daemon, a container, or without /proc.
fn login_uid(process: &str) -> Option<u32> {
    login_uid_of(&std::fs::read_to_string(format!("/proc/{process}/loginuid")).ok()?)
}

fn login_uid_of(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != NOBODY_LOGGED_IN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_login_is_not_taken_for_a_user() {
        assert_eq!(login_uid_of("4294967295"), None);
        assert_eq!(login_uid_of(""), None);
        assert_eq!(login_uid_of("-1\n"), None);
        assert_eq!(login_uid_of("0\n"), Some(0));
        assert_eq!(login_uid_of("1000"), Some(1000));
    }

    #[test]
    fn a_peer_whose_process_is_unknown_has_no_login() {
        let user = user_name(12_345);
        for pid in [None, Some(0), Some(-1)] {
            assert_eq!(peer_actor(12_345, pid), Actor::Local { user: user.clone(), login: None });
        }
    }
}

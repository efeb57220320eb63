//! What the service manager is told: systemd, or nobody. Without one all of this does nothing.

use sd_notify::NotifyState;

use crate::safe::safe;

/// More than anybody reads in one line.
const STATUS_CHARS: usize = 400;

/// The start goes on; what it does.
pub(super) fn starting(status: &str) {
    notify(&[NotifyState::Status(&line(status))]);
}

/// What was started or loaded again is in force.
pub(super) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&line(status))]);
}

/// The configuration is being loaded again, until [`ready`].
pub(super) fn reloading() {
    let status = NotifyState::Status("loading the configuration again");
    // systemd 253 and newer end a service that does not say since when.
    match NotifyState::monotonic_usec_now() {
        Ok(since) => notify(&[NotifyState::Reloading, since, status]),
        Err(error) => tracing::debug!(%error, "service manager not told of the reload"),
    }
}

/// The work gets on.
pub(super) fn alive(status: &str) {
    notify(&[NotifyState::Watchdog, NotifyState::Status(&line(status))]);
}

/// The work stands still: the watchdog is not fed.
pub(super) fn stuck(status: &str) {
    notify(&[NotifyState::Status(&line(status))]);
}

/// No new work begins.
pub(super) fn stopping() {
    let status = NotifyState::Status("stopping: finishing operations in progress, within 30 s");
    notify(&[NotifyState::Stopping, status]);
}

/// A message ends with its line, and what it tells of may hold names of somebody else's.
fn line(status: &str) -> String {
    safe(status).chars().take(STATUS_CHARS).collect()
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "service manager not told");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_status_is_one_line_of_bounded_length() {
        let status = super::line(&format!("sweeps fail: no\nREADY=1 {}", "x".repeat(1_000)));
        assert!(status.starts_with("sweeps fail: no\\u{a}READY=1 xx"), "{status}");
        assert_eq!(status.chars().count(), 400);
    }
}

//! Whether the calls of a task get on, so that whoever bounds concurrency need not wait with them.

use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::sync::watch;
use tokio::time::timeout;

/// AWS answers within tens or hundreds of milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

tokio::task_local! {
    /// Of the task that calls: reaches the SDK's own retries without a parameter in every call.
    static PULSE: Pulse;
}

/// What the calls of one task are doing. Clones are the same.
#[derive(Debug, Clone)]
pub struct Pulse(watch::Sender<Beat>);

#[derive(Debug, Clone, Copy, Default)]
struct Beat {
    /// Calls that have ended.
    ended: u64,
    doing: Doing,
}

#[derive(Debug, Clone, Copy, Default)]
enum Doing {
    /// Nothing that AWS knows of.
    #[default]
    Nothing,
    /// A call waits for its answer.
    Asking,
    /// An attempt has failed; another will follow after a pause.
    Retrying,
}

impl Default for Pulse {
    fn default() -> Self {
        Self(watch::Sender::new(Beat::default()))
    }
}

impl Pulse {
    /// Does work whose calls beat here.
    pub fn of<T>(&self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        PULSE.scope(self.clone(), work)
    }

    /// Waits until a call is stuck: an attempt of it has failed, or two seconds have brought no answer.
    pub async fn is_stuck(&self) {
        let mut beats = self.0.subscribe();
        loop {
            let doing = beats.borrow_and_update().doing;
            // The sender is here: there will be a change.
            match doing {
                Doing::Nothing => drop(beats.changed().await),
                Doing::Asking if timeout(PATIENCE, beats.changed()).await.is_ok() => {}
                Doing::Asking | Doing::Retrying => return,
            }
        }
    }

    /// Waits until the call under way has ended.
    pub async fn goes_on(&self) {
        let mut beats = self.0.subscribe();
        let ended = beats.borrow().ended;
        let _ = beats.wait_for(|beat| beat.ended > ended).await;
    }
}

/// A call begins.
pub(crate) fn begins() {
    beat(|beat| beat.doing = Doing::Asking);
}

/// A call has ended, however it did.
pub(crate) fn ends() {
    beat(|beat| *beat = Beat { ended: beat.ended + 1, doing: Doing::Nothing });
}

/// Nothing happens outside of [`Pulse::of`].
fn beat(change: impl FnOnce(&mut Beat)) {
    let _ = PULSE.try_with(|pulse| pulse.0.send_modify(change));
}

/// Notices attempts that fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempts;

#[dyn_dispatch_hint]
impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Where no other attempt follows, the call ends here and now.
        if context.output_or_error().is_none_or(|output| output.is_err()) {
            beat(|beat| beat.doing = Doing::Retrying);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_is_stuck_after_two_seconds_and_not_before() {
        let pulse = Pulse::default();
        let start = Instant::now();
        let calls = pulse.of(async {
            for wait in [1900, 1900, 9000] {
                begins();
                sleep(Duration::from_millis(wait)).await;
                ends();
                // Nothing is asked for: nothing is stuck.
                sleep(Duration::from_secs(60)).await;
            }
        });
        tokio::select! {
            () = calls => panic!("it was never stuck"),
            () = pulse.is_stuck() => {}
        }
        assert_eq!(start.elapsed(), Duration::from_millis(2 * 61_900 + 2000));
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_when_the_call_ends_even_if_another_begins_at_once() {
        let pulse = Pulse::default();
        let start = Instant::now();
        let calls = pulse.of(async {
            begins();
            beat(|beat| beat.doing = Doing::Retrying);
            sleep(Duration::from_secs(5)).await;
            ends();
            begins();
            std::future::pending::<()>().await;
        });
        let watching = async {
            pulse.is_stuck().await;
            pulse.goes_on().await;
        };
        tokio::select! {
            () = calls => {}
            () = watching => {}
        }
        assert_eq!(start.elapsed(), Duration::from_secs(5));
    }
}

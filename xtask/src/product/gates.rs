//! What a scan may cost.

use std::collections::BTreeMap;
use std::time::Duration;

use super::server::{STALE_PERCENT, USERS};

/// Answers after so long keep the processor busy. What an account costs is held to its gate there: with longer pauses each
/// answer also wakes a sleeping processor with cold caches, which says more about the machine.
pub(super) const BUSY: Duration = Duration::from_millis(5);
/// Processor time of keysweep per account on a busy processor: nine calls of 250 microseconds, of which the SDK alone needs
/// 120 to 196. An answer about all users of an account costs more than one about a single user, and spares several.
const CPU_PER_ACCOUNT: Duration = Duration::from_micros(9 * 250);
/// Memory of keysweep, in MiB.
const PEAK_MIB: f64 = 256.0;
/// Accounts on a page of ListAccounts (Organizations API reference).
const PAGE: u64 = 20;

/// One scan, measured.
#[derive(Debug)]
pub(super) struct Run {
    /// Member accounts; the management account comes on top and is skipped.
    pub(super) accounts: u64,
    /// How long each answer took.
    pub(super) latency: Duration,
    /// Findings in keysweep's answer.
    pub(super) findings: u64,
    /// Accounts that keysweep says it scanned.
    pub(super) scanned: u64,
    /// Accounts that keysweep says it could not scan.
    pub(super) failed: u64,
    /// Calls by action, counted by the simulator.
    pub(super) calls: BTreeMap<String, u64>,
    /// From start to end of the process.
    pub(super) wall: Duration,
    /// User and system time of the process.
    pub(super) cpu: Duration,
    /// Largest resident set.
    pub(super) peak_bytes: u64,
    /// Shortest time the scan could take: calls of one account after another, accounts side by side.
    pub(super) least_wall: Duration,
}

impl Run {
    pub(super) fn total_calls(&self) -> u64 {
        self.calls.values().sum()
    }

    pub(super) fn cpu_per_call(&self) -> Duration {
        Duration::from_secs_f64(self.cpu.as_secs_f64() / (self.total_calls().max(1) as f64))
    }

    pub(super) fn peak_mib(&self) -> f64 {
        self.peak_bytes as f64 / f64::from(1 << 20)
    }

    /// None without latency, where there is no least time.
    pub(super) fn wall_ratio(&self) -> Option<f64> {
        let least = self.least_wall.as_secs_f64();
        (least > 0.0).then(|| self.wall.as_secs_f64() / least)
    }

    /// Every gate that it fails, in words.
    pub(super) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let mut fail = |failed: bool, message: String| {
            if failed {
                failures.push(format!("{} accounts: {message}", self.accounts));
            }
        };
        let expected = expected_calls(self.accounts);
        let actions: std::collections::BTreeSet<&String> = expected.keys().chain(self.calls.keys()).collect();
        for action in actions {
            let [expected, counted] =
                [&expected, &self.calls].map(|calls| calls.get(action).copied().unwrap_or_default());
            fail(expected != counted, format!("{action} was called {counted} times instead of {expected}"));
        }
        let stale = self.accounts * stale_users();
        fail(self.findings != stale, format!("{} findings instead of {stale}", self.findings));
        fail(self.scanned != self.accounts, format!("{} accounts scanned", self.scanned));
        let cpu = self.cpu / u32::try_from(self.accounts.max(1)).unwrap_or(u32::MAX);
        let busy = self.latency <= BUSY;
        fail(
            busy && cpu > CPU_PER_ACCOUNT,
            format!("{cpu:.2?} of CPU per account, above {CPU_PER_ACCOUNT:?}"),
        );
        failures.extend(self.too_much_memory());
        failures
    }

    /// The gates that hold where accounts fail, are throttled or hang: each is accounted for, and costs no memory.
    pub(super) fn failures_in_trouble(&self) -> Vec<String> {
        let Self { accounts, scanned, failed, .. } = self;
        let lost = (scanned + failed != *accounts)
            .then(|| format!("{accounts} accounts: {scanned} scanned, {failed} failed"));
        lost.into_iter().chain(self.too_much_memory()).collect()
    }

    fn too_much_memory(&self) -> Option<String> {
        let peak = self.peak_mib();
        (peak > PEAK_MIB).then(|| format!("{} accounts: {peak:.0} MiB, above {PEAK_MIB:.0}", self.accounts))
    }
}

/// Users of an account that have a stale key.
pub(super) fn stale_users() -> u64 {
    (USERS * STALE_PERCENT + 50) / 100
}

/// Calls of one account with a ready report: three, one for each candidate, and one that
/// returns the identity of every user.
pub(super) fn calls_per_account() -> u64 {
    3 + stale_users() + 1
}

/// Every call of a scan.
pub(super) fn expected_calls(accounts: u64) -> BTreeMap<String, u64> {
    let candidates = accounts * stale_users();
    [
        // The management account is in the list too.
        ("organizations:ListAccounts", (accounts + 1).div_ceil(PAGE)),
        ("organizations:DescribeOrganization", 1),
        ("sts:AssumeRole", accounts),
        ("iam:GenerateCredentialReport", accounts),
        ("iam:GetCredentialReport", accounts),
        ("iam:ListAccessKeys", candidates),
        ("iam:GetAccountAuthorizationDetails", accounts),
    ]
    .map(|(action, count)| (action.to_owned(), count))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_run() -> Run {
        Run {
            accounts: 100,
            latency: BUSY,
            findings: 300,
            scanned: 100,
            failed: 0,
            calls: expected_calls(100),
            wall: Duration::from_secs(1),
            cpu: Duration::from_micros(707 * 200),
            peak_bytes: 30 << 20,
            least_wall: Duration::from_millis(703),
        }
    }

    #[test]
    fn a_hundred_accounts_cost_seven_calls_each_and_seven_for_the_organization() {
        assert_eq!(calls_per_account(), 7);
        assert_eq!(mk_run().total_calls(), 707);
        assert_eq!(mk_run().failures(), Vec::<String>::new());
    }

    #[test]
    fn one_call_too_many_fails() {
        let mut run = mk_run();
        *run.calls.entry("iam:ListUsers".to_owned()).or_default() += 1;
        assert_eq!(run.failures(), ["100 accounts: iam:ListUsers was called 1 times instead of 0"]);
    }

    #[test]
    fn too_much_time_or_memory_or_too_few_findings_fail() {
        let run = Run {
            cpu: Duration::from_micros(100 * 2_251),
            peak_bytes: 257 << 20,
            findings: 299,
            scanned: 99,
            ..mk_run()
        };
        assert_eq!(run.failures().len(), 4, "{:?}", run.failures());
        let idle = Run { latency: BUSY * 10, ..run };
        assert_eq!(idle.failures().len(), 3, "{:?}", idle.failures());
        assert_eq!(
            idle.failures_in_trouble().len(),
            2,
            "an account is lost, and memory: {:?}",
            idle.failures_in_trouble()
        );
    }
}

//! Faults on demand: which calls go wrong, how, and how often.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::SignedDuration;
use wildmatch::WildMatch;

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// `Throttling` 400 from IAM and STS, `ThrottlingException` 400 from CloudTrail, `TooManyRequestsException` 400
    /// from Organizations and 429 from Account Management; no effect.
    Throttle,
    /// `AccessDenied` 403, `AccessDeniedException` 400 from Organizations and CloudTrail and 403 from Account
    /// Management; no effect.
    AccessDenied,
    /// `ServiceFailure` 500, `ServiceException` 500 from Organizations, `InternalFailure` 500 from CloudTrail,
    /// `InternalServerException` 500 from Account Management; no effect.
    ServiceFailure,
    /// `ServiceUnavailable` 503; no effect.
    Unavailable,
    /// Any other refusal, for instance `LimitExceeded` 409 of GenerateCredentialReport; no effect.
    Refuse {
        /// HTTP status.
        status: u16,
        /// AWS's error code.
        code: String,
        /// The message beside it.
        message: String,
    },
    /// A refusal whose message repeats what was sent, credentials and all, as AWS does where it explains a signature
    /// and gateways do where they explain anything; no effect.
    Echo {
        /// HTTP status.
        status: u16,
        /// The error code.
        code: String,
    },
    /// The connection breaks before the call is carried out.
    ResetBefore,
    /// The call is carried out, then the connection breaks: the caller cannot tell.
    AnswerLost,
    /// Carried out and answered after this long (tokio time). Combines with the others.
    Delay(Duration),
    /// Carried out at once, answered after this long (tokio time). Combines with the others.
    LateAnswer(Duration),
    /// Arrives so much later, in the world's time, and is judged and carried out then, whatever has become of the caller:
    /// a process that was stopped, a packet that took its time. Never answered.
    LateArrival(SignedDuration),
    /// Never answered, never carried out. The caller's time limit has to end it.
    Hang,
    /// Last use, key lists and statuses are answered as they were this long ago (24 h at most).
    Stale(SignedDuration),
    /// Carried out, but the answer is cut off in the middle.
    MalformedBody,
    /// Carried out, but the answer is a 200 with a body that is no XML or JSON at all.
    GarbageBody,
    /// Something between caller and AWS answers with a page of its own; no effect.
    Page {
        /// HTTP status.
        status: u16,
        /// The whole body.
        body: String,
    },
    /// A list answers an empty page with a token for what it left out.
    EmptyPage,
}

/// The kinds of [`Fault`], to count them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the fault of the same name")]
pub enum FaultKind {
    Throttle,
    AccessDenied,
    ServiceFailure,
    Unavailable,
    Refuse,
    Echo,
    ResetBefore,
    AnswerLost,
    Delay,
    LateAnswer,
    LateArrival,
    Hang,
    Stale,
    MalformedBody,
    GarbageBody,
    Page,
    EmptyPage,
}

/// A fault together with the calls it strikes.
///
/// Of the calls that match account, Region and action, the first `after` pass, then each is struck with `probability`,
/// until `first` have been struck.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    account: Option<String>,
    region: Option<String>,
    action: WildMatch,
    probability: f64,
    after: u64,
    first: u64,
    seen: u64,
    struck: u64,
    /// Calls that matched, by account and what was rolled for.
    asked: HashMap<(String, String), u64>,
}

/// What a call is aimed at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) account: &'a str,
    pub(crate) action: &'a str,
    pub(crate) region: &'a str,
}

/// Names a rule, to take it away again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleId(u64);

/// What the rules decided for one call.
#[derive(Debug, Default, Clone)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    pub(crate) late: Duration,
    pub(crate) stale: Option<SignedDuration>,
    /// The first other fault that struck.
    pub(crate) fault: Option<Fault>,
}

#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<(RuleId, Rule)>,
    counts: BTreeMap<FaultKind, u64>,
    next: u64,
    seed: u64,
}

impl Fault {
    /// The kind of this fault.
    pub fn kind(&self) -> FaultKind {
        match self {
            Self::Throttle => FaultKind::Throttle,
            Self::AccessDenied => FaultKind::AccessDenied,
            Self::ServiceFailure => FaultKind::ServiceFailure,
            Self::Unavailable => FaultKind::Unavailable,
            Self::Refuse { .. } => FaultKind::Refuse,
            Self::Echo { .. } => FaultKind::Echo,
            Self::ResetBefore => FaultKind::ResetBefore,
            Self::AnswerLost => FaultKind::AnswerLost,
            Self::Delay(_) => FaultKind::Delay,
            Self::LateAnswer(_) => FaultKind::LateAnswer,
            Self::LateArrival(_) => FaultKind::LateArrival,
            Self::Hang => FaultKind::Hang,
            Self::Stale(_) => FaultKind::Stale,
            Self::MalformedBody => FaultKind::MalformedBody,
            Self::GarbageBody => FaultKind::GarbageBody,
            Self::Page { .. } => FaultKind::Page,
            Self::EmptyPage => FaultKind::EmptyPage,
        }
    }

    /// LimitExceeded 409 of GenerateCredentialReport, in AWS's words.
    pub fn report_capacity() -> Self {
        Self::Refuse {
            status: 409,
            code: "LimitExceeded".to_owned(),
            message: "No more capacity to launch new report generation tasks".to_owned(),
        }
    }
}

impl Rule {
    /// Strikes every call of every account until narrowed.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            account: None,
            region: None,
            action: WildMatch::new("*"),
            probability: 1.0,
            after: 0,
            first: u64::MAX,
            seen: 0,
            struck: 0,
            asked: HashMap::new(),
        }
    }

    /// Only calls that count for this account: the caller's own, and for AssumeRole the role's.
    #[must_use]
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Only calls that are signed for this Region.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Only actions like this: `iam:ListAccessKeys`, `organizations:*`.
    #[must_use]
    pub fn action(mut self, pattern: &str) -> Self {
        self.action = WildMatch::new(pattern);
        self
    }

    /// Strikes a matching call with this probability (0 to 1), by the simulator's seed.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Strikes this many calls and then no more.
    #[must_use]
    pub fn first(mut self, calls: u64) -> Self {
        self.first = calls;
        self
    }

    /// Lets this many matching calls pass before the first is struck.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.after = calls;
        self
    }

    fn strikes(&mut self, target: Target<'_>, dice: (u64, u64)) -> bool {
        let other = |own: &Option<String>, asked: &str| own.as_deref().is_some_and(|own| own != asked);
        if other(&self.account, target.account)
            || other(&self.region, target.region)
            || !self.action.matches(target.action)
        {
            return false;
        }
        self.seen += 1;
        if self.seen <= self.after || self.struck >= self.first {
            return false;
        }
        let (account, call) = (target.account, target.call());
        let asked = self.asked.entry((account.to_owned(), call.clone().into_owned())).or_default();
        *asked += 1;
        let strikes = self.probability >= 1.0 || chance((dice, account, call, *asked)) < self.probability;
        self.struck += u64::from(strikes);
        strikes
    }
}

impl<'a> Target<'a> {
    /// What is rolled for. Callers ask CloudTrail in many Regions in parallel, in any order: each Region is by itself.
    fn call(self) -> Cow<'a, str> {
        match self.action.starts_with("cloudtrail:") {
            true => format!("{} {}", self.action, self.region).into(),
            false => self.action.into(),
        }
    }
}

/// A number in `0.0..1.0` that follows from what is rolled for alone: which call is struck does not depend on the
/// order in which calls of other accounts come.
fn chance(rolled_for: impl Hash) -> f64 {
    const BITS: u32 = 32;
    let mut hasher = DefaultHasher::new();
    rolled_for.hash(&mut hasher);
    let high = u32::try_from(hasher.finish() >> BITS).unwrap_or(u32::MAX);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), counts: BTreeMap::new(), next: 0, seed }
    }

    pub(crate) fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    pub(crate) fn add(&mut self, rule: Rule) -> RuleId {
        self.next += 1;
        let id = RuleId(self.next);
        self.rules.push((id, rule));
        id
    }

    pub(crate) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|(other, _)| *other != id);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn count(&self, kind: FaultKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    pub(crate) fn counts(&self) -> BTreeMap<FaultKind, u64> {
        self.counts.clone()
    }

    pub(crate) fn judge(&mut self, target: Target<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        for (id, rule) in &mut self.rules {
            let combines = matches!(rule.fault, Fault::Delay(_) | Fault::LateAnswer(_) | Fault::Stale(_));
            if !combines && verdict.fault.is_some() {
                continue;
            }
            if !rule.strikes(target, (self.seed, id.0)) {
                continue;
            }
            *self.counts.entry(rule.fault.kind()).or_default() += 1;
            match &rule.fault {
                Fault::Delay(delay) => verdict.delay += *delay,
                Fault::LateAnswer(delay) => verdict.late += *delay,
                Fault::Stale(age) => verdict.stale = Some(*age),
                fault @ (Fault::Throttle
                | Fault::AccessDenied
                | Fault::ServiceFailure
                | Fault::Unavailable
                | Fault::Refuse { .. }
                | Fault::Echo { .. }
                | Fault::ResetBefore
                | Fault::AnswerLost
                | Fault::Hang
                | Fault::MalformedBody
                | Fault::GarbageBody
                | Fault::Page { .. }
                | Fault::LateArrival(_)
                | Fault::EmptyPage) => verdict.fault = Some(fault.clone()),
            }
        }
        verdict
    }
}

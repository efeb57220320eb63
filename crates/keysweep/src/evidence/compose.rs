//! From what was read and recorded to a bundle. Everything that is unknown says so.

use jiff::Timestamp;
use keysweep_api::{
    BUNDLE_VERSION, Bundle, BundleApproval, BundleDecision, BundleFact, BundleGranted, BundleKey,
    BundleLifecycle, BundleNotice, BundleRegion, BundleTrail, JournalEnd,
};
use keysweep_core::evidence::{Creation, Opinion, RegionTrail, Trail};
use keysweep_core::facts::{Fact, KeyStatus, LastUse, Ou, Source, Tags};
use keysweep_core::finding::FindingKind;
use keysweep_core::ids::AccountId;
use keysweep_core::lifecycle::{Approval, Granted, Notice, Record, State};
use keysweep_core::owner::Owner;
use keysweep_core::state::{Body, Entry};
use keysweep_core::ticket::Origin;
use keysweep_store::Told;

use super::{Occasion, Subject};
use crate::config::Evidence;
use crate::terms::Effective;

/// Events of one Region in a bundle. Its newest page has up to 50.
const EVENTS: usize = 10;

/// Entries of the journal in a bundle: a key that has more was held and released for years.
const ENTRIES: usize = 400;

/// What no log can show of a deactivated key (AWS: requests that fail authentication are not delivered to CloudTrail).
pub(crate) const QUIET: &str = "no AWS log records calls with an Inactive key: a quiet grace period shows only that no one reactivated the key or recorded an objection";

/// A bundle of what is known now.
pub(super) fn compose(
    now: Timestamp,
    occasion: Occasion<'_>,
    subject: Subject<'_>,
    creation: Option<&Creation>,
    told: Told,
    effective: Effective,
) -> Result<Bundle, serde_json::Error> {
    let Subject { account, record, facts, .. } = subject;
    let unknown =
        effective.as_ref().err().map(|why| format!("which policy applies is unknown: {}", why.join("; ")));
    let (terms, exempt) = effective.unwrap_or_default();
    let Told { mut history, last_seq, head_hash } = told;
    let mut facts_read = facts_of(subject);
    facts_read.push(created_by(creation, &history, record.identity.account));
    let mut limits = limits(subject, &history);
    limits.extend(unknown);
    history.drain(..history.len().saturating_sub(ENTRIES));
    let identity = &record.identity;
    let history = history.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    Ok(Bundle {
        v: BUNDLE_VERSION,
        keysweep: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        purpose: occasion.purpose(),
        decision: decision(occasion),
        journal: JournalEnd { last_seq, head_hash },
        key: BundleKey {
            account_id: identity.account.to_string(),
            account_name: Some(account.name.clone()).filter(|name| !name.is_empty()),
            user_name: facts.user_name.to_string(),
            user_id: identity.user_id.to_string(),
            access_key_id: identity.key.to_string(),
            created_at: identity.created,
        },
        facts: facts_read,
        cloudtrail: trail(&facts.trail),
        policy: terms,
        exempt,
        lifecycle: lifecycle(record),
        history,
        limits,
    })
}

fn decision(occasion: Occasion<'_>) -> Option<BundleDecision> {
    let Occasion::Deletion { origin, why } = occasion else { return None };
    let (ordered_by, order_reason) = match origin {
        Origin::Policy => (None, None),
        Origin::Operator { actor, reason } => (Some(actor.to_string()), Some(reason.clone())),
    };
    Some(BundleDecision { why: why.to_owned(), ordered_by, order_reason })
}

const GET_FINDING: &str = "access-analyzer:GetFindingV2";

/// Who created the key, if CloudTrail told it while it could.
fn created_by(creation: Option<&Creation>, history: &[Entry], of: AccountId) -> BundleFact {
    // The segment of the journal with the entry may be archived, and says no more when it was found.
    let read_at = history.iter().find_map(|entry| match &entry.body {
        Body::KeyCreated { account, .. } if *account == of => Some(entry.at),
        _ => None,
    });
    let unknown = "keysweep found no CreateAccessKey event for this key: CloudTrail event history covers 90 days, so the key \
                   may be older than the first lookup, or the lookup was off, failed, or did not reach the event";
    BundleFact {
        fact: "created_by".to_owned(),
        value: creation.map(|creation| creation.call.by.clone()),
        unknown: creation.is_none().then(|| unknown.to_owned()),
        source: "cloudtrail:LookupEvents".to_owned(),
        read_at: creation.and(read_at),
    }
}

/// Every fact with the operation that tells it.
fn facts_of(subject: Subject<'_>) -> Vec<BundleFact> {
    let Subject { account, facts, record, sighting, .. } = subject;
    let read = |fact: &str, value: Fact<String>, source: &str, at: Option<Timestamp>| {
        let unknown = value.why_unknown().map(ToOwned::to_owned);
        let value = value.known().cloned();
        BundleFact { fact: fact.to_owned(), value, unknown, source: source.to_owned(), read_at: at }
    };
    let now = Some(sighting.at);
    let tags = |tags: &Tags| listed(tags.iter().map(|(key, value)| format!("{key}={value}")));
    let (last_used, last_used_at) = match facts.source {
        Source::Live => ("iam:GetAccessKeyLastUsed", now),
        Source::Report => ("iam:GetCredentialReport", None),
        Source::Cloudtrail => ("cloudtrail:LookupEvents", None),
        Source::AccessAnalyzer => (GET_FINDING, None),
    };
    let ous = |ous: &Vec<Ou>| listed(ous.iter().map(|ou| format!("{} ({})", ou.name, ou.id)));
    let status = match &facts.status {
        KeyStatus::Active => "Active",
        KeyStatus::Inactive => "Inactive",
        KeyStatus::Other(other) => other,
    };
    let mut rows = vec![
        read("status", Fact::Known(status.to_owned()), "iam:ListAccessKeys", now),
        read("created_at", Fact::Known(facts.created.to_string()), "iam:ListAccessKeys", now),
        read("keys_of_user", Fact::Known(facts.keys_of_user().to_string()), "iam:ListAccessKeys", now),
        read("last_use", mapped(&facts.last_use, last_use), last_used, last_used_at),
        read("user_id", mapped(&facts.user_id, ToString::to_string), "iam:GetUser", now),
        read("path", mapped(&facts.path, Clone::clone), "iam:GetUser", now),
        read("tags", mapped(&facts.tags, tags), "iam:GetUser", now),
        read(
            "compromise_policies",
            mapped(&facts.compromise(), |policies| listed(policies.iter().cloned())),
            "iam:ListAttachedUserPolicies",
            now,
        ),
        read("account_tags", mapped(&account.tags, tags), "organizations:ListTagsForResource", None),
        read("account_ous", mapped(&account.ous, ous), "organizations:ListParents", None),
    ];
    if let Some(Owner { name, source, confidence, left, .. }) = record.owner.as_deref() {
        let left = left.as_ref().map(|left| format!("; {} has left", left.name)).unwrap_or_default();
        let value = format!("{name} (confidence: {}{left})", confidence.as_str());
        rows.push(read("owner", Fact::Known(value), source.as_str(), None));
    }
    if let Some(activity) = &record.past.activity {
        let value = last_use(&activity.as_last_use());
        let (fact, source) = match activity.is_of_analyzer() {
            true => ("last_use_in_access_analyzer", GET_FINDING),
            false => ("last_use_in_cloudtrail", "cloudtrail:LookupEvents"),
        };
        rows.push(read(fact, Fact::Known(value), source, None));
    }
    if let Some((at, opinion)) =
        facts.trail.known().and_then(|trail| Some((trail.at, trail.analyzer.as_ref()?)))
    {
        let said = match opinion {
            Opinion::Unread(why) => Fact::Unknown(why.clone()),
            said @ (Opinion::None | Opinion::Unused { .. } | Opinion::Resolved { .. }) => {
                Fact::Known(said.to_string())
            }
        };
        rows.push(read("access_analyzer", said, GET_FINDING, Some(at)));
    }
    rows
}

/// A list in words: an empty one was read, and says so.
fn listed(of: impl Iterator<Item = String>) -> String {
    let all: Vec<_> = of.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn mapped<T>(fact: &Fact<T>, to_text: impl FnOnce(&T) -> String) -> Fact<String> {
    match fact {
        Fact::Known(value) => Fact::Known(to_text(value)),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::NotRead => Fact::NotRead,
    }
}

fn last_use(last_use: &LastUse) -> String {
    match last_use {
        LastUse::Never => "never".to_owned(),
        LastUse::At { at, service, region } => {
            let of = [service, region].into_iter().flatten().cloned().collect::<Vec<_>>().join(" in ");
            if of.is_empty() { at.to_string() } else { format!("{at}, {of}") }
        }
    }
}

fn trail(trail: &Fact<Box<Trail>>) -> BundleTrail {
    let trail = match trail {
        Fact::Known(trail) => trail,
        Fact::Unknown(_) | Fact::NotRead => {
            let missing = trail.why_unknown().map(ToOwned::to_owned);
            return BundleTrail { looked_up_at: None, since: None, missing, regions: Vec::new() };
        }
    };
    let region = |(region, trail): (&String, &RegionTrail)| {
        let (problem, events, newest) = match trail {
            RegionTrail::Read(events) => {
                let count = u64::try_from(events.len()).ok();
                (None, count, events.iter().take(EVENTS).cloned().collect())
            }
            RegionTrail::Unread(why) | RegionTrail::Unclear(why) => (Some(why.clone()), None, Vec::new()),
        };
        BundleRegion { region: region.clone(), problem, events, newest }
    };
    BundleTrail {
        looked_up_at: Some(trail.at),
        since: Some(trail.since),
        missing: trail.gap().map(|gap| gap.to_string()),
        regions: trail.regions.iter().map(region).collect(),
    }
}

/// What the data of a base state says.
#[derive(Default)]
struct Stage<'a> {
    since: Option<Timestamp>,
    finding: Option<FindingKind>,
    watched_seconds: Option<u64>,
    notice: Option<(&'a Notice, Option<Timestamp>)>,
    approval: Option<&'a Approval>,
}

fn stage(state: &State) -> Stage<'_> {
    match state {
        State::Active => Stage::default(),
        State::Flagged(data) => Stage {
            since: Some(data.since),
            finding: Some(data.finding),
            notice: data.notice.as_deref().map(|notice| (notice, notice.deactivation)),
            approval: data.approval.as_deref(),
            ..Stage::default()
        },
        State::Deactivating(data) => {
            Stage { since: Some(data.intent.at), finding: Some(data.flagged.finding), ..Stage::default() }
        }
        State::Deactivated(data) => Stage {
            since: Some(data.since),
            finding: Some(data.finding),
            watched_seconds: Some(data.watch.total.as_secs()),
            notice: data.notice.as_deref().map(|notice| (notice, notice.deletion)),
            approval: data.approval.as_deref(),
        },
        State::Deleting(data) => {
            Stage { since: Some(data.intent.at), finding: Some(data.deactivated.finding), ..Stage::default() }
        }
        State::Deleted(data) => Stage { since: Some(data.since), ..Stage::default() },
        State::Gone(data) => Stage { since: Some(data.since), ..Stage::default() },
    }
}

fn lifecycle(record: &Record) -> BundleLifecycle {
    let Stage { since, finding, watched_seconds, notice, approval } = stage(&record.state);
    BundleLifecycle {
        state: record.state.as_str().to_owned(),
        since,
        finding,
        deactivated_by: record.deactivated_by().map(str::to_owned),
        watched_seconds,
        reactivations: record.past.reactivated,
        past_quarantine: record.past.quarantined.as_deref().cloned(),
        holds: record.holds.iter().map(ToString::to_string).collect(),
        notice: notice.map(|(notice, announced)| BundleNotice {
            at: notice.at,
            delivered: notice.was_delivered(),
            announced,
            owner: notice.owner.clone(),
        }),
        approval: approval.map(|approval| BundleApproval {
            asked_at: approval.asked_at,
            reason: approval.why.clone(),
            approvals_needed: approval.needed,
            approvals: approval.granted.iter().map(granted).collect(),
        }),
    }
}

fn granted(granted: &Granted) -> BundleGranted {
    let Granted { by, reason, at, as_owner } = granted;
    BundleGranted { by: by.to_string(), at: *at, reason: reason.clone(), as_owner: *as_owner }
}

/// What a bundle of this key does not show.
fn limits(subject: Subject<'_>, history: &[Entry]) -> Vec<String> {
    let Subject { config, record, facts, .. } = subject;
    let mut limits = vec![
        "IAM reports the last use of a key to within 15 minutes, and sometimes hours late".to_owned(),
        "CloudTrail event history has management events of the last 90 days, up to about five minutes before the \
         lookup; it has no data events, such as reads and writes of Amazon S3 objects: an empty result does not prove that the \
         key was not used"
            .to_owned(),
    ];
    if let Fact::Known(_) = &facts.trail {
        limits.push(format!(
            "keysweep read the newest page of events in each Region, up to 50; the {EVENTS} newest are in this bundle"
        ));
        let Evidence { regions, .. } = &config.evidence;
        if !regions.is_empty() {
            limits.push(format!(
                "evidence.regions limits the lookup to {}; other Regions were not searched",
                regions.join(", ")
            ));
        }
    }
    if record.past.quarantined.is_some() {
        limits.push(
            "in quarantine, a client shows in CloudTrail unless it makes only data events, and no policy denies \
             sts:GetCallerIdentity or sts:GetSessionToken: a quarantine without a client does not prove that the key was not used"
                .to_owned(),
        );
    }
    if matches!(record.state, State::Deactivated(_) | State::Deleting(_)) {
        limits.push(QUIET.to_owned());
    }
    let delivered = record.notice().is_some_and(Notice::was_delivered);
    limits.push(match delivered {
        true => {
            "a channel accepted the notice to the owner; that does not prove that anyone read it".to_owned()
        }
        false => {
            "no notice to an owner was delivered: the journal alone contains it, if there was one".to_owned()
        }
    });
    if history.len() > ENTRIES {
        limits.push(format!(
            "the journal has {} entries about the key; the newest {ENTRIES} are in this bundle",
            history.len()
        ));
    }
    limits
}

//! Exemptions: those of the configuration, and those that operators grant and end.

use jiff::{Timestamp, ToSpan};
use keysweep_api::{
    Done, EndExemption, ExemptionRow, ExemptionsDocument, GrantExemption, ListExemptions, Operation, Refusal,
    Until,
};
use keysweep_core::facts::KeyFacts;
use keysweep_core::ids::{AccessKeyId, AccountId, UserId, UserName};
use keysweep_core::plan::granted_matches;
use keysweep_core::policy::{Policy, Rule};
use keysweep_core::state::{Body, GrantedExemption, Receipt, State};

use super::show::{find, unknown_key};
use super::{Act, Look};
use crate::access::{Need, Permit, Sight};
use crate::engine::{Engine, Latest};

/// Keys that are named as examples of what an exemption matches.
const EXAMPLES: usize = 5;

/// What is stored with every change stays small. For more, there are rules: `[[policy.exempt]]`.
const MOST: usize = 500;

impl Look for ListExemptions {
    async fn look(self, engine: &Engine, sight: &Sight) -> Result<ExemptionsDocument, Refusal> {
        let (now, config, latest) = (engine.clock().now(), engine.config(), engine.latest());
        let mut exemptions = configured(engine, &config.policy, now, latest.as_deref(), sight);
        // A rule names accounts, users, and a reason: it is shown to those who see a key that it exempts.
        exemptions.retain(|row| sight.is_whole() || !row.examples.is_empty());
        exemptions.extend(granted(engine, &config.policy, latest.as_deref(), sight));
        Ok(ExemptionsDocument { generated_at: now, exemptions })
    }
}

fn configured(
    engine: &Engine,
    policy: &Policy,
    now: Timestamp,
    latest: Option<&Latest>,
    sight: &Sight,
) -> Vec<ExemptionRow> {
    let idle = engine.store().read(|state| state.control().idle_exemptions.clone());
    let exempted = latest.map(|latest| policy.exempted(now, &latest.collection));
    let lapsed: Vec<_> = policy.lapsed_exemptions(now).map(|(rule, _)| rule).collect();
    let rows = policy.exemptions.iter().enumerate().map(|(index, exemption)| {
        let rule = Rule::Exempt(index + 1);
        let matches = exemption.matches.to_string();
        let found = exempted.as_ref().map(|all| {
            let found = all.iter().find(|(of, _)| std::ptr::eq(*of, exemption));
            found.map_or(&[][..], |(_, keys)| keys.as_slice())
        });
        let Found { findings, examples } = Found::new(found, sight);
        ExemptionRow {
            rule: rule.to_string(),
            reason: exemption.reason.clone(),
            until: exemption.until.to_string(),
            lapsed: lapsed.contains(&rule),
            findings,
            examples,
            idle_since: idle.get(&matches).copied(),
            matches,
            number: None,
            by: None,
            since: None,
        }
    });
    rows.collect()
}

/// The findings that an exemption matches now, as far as somebody sees them.
struct Found {
    findings: Option<u64>,
    examples: Vec<String>,
}

impl Found {
    fn new(found: Option<&[&KeyFacts]>, sight: &Sight) -> Self {
        let visible = || found.iter().copied().flatten().filter(|facts| sight.account(facts.account));
        Self {
            findings: found.map(|_| u64::try_from(visible().count()).unwrap_or(u64::MAX)),
            examples: visible().take(EXAMPLES).map(|facts| facts.key.to_string()).collect(),
        }
    }
}

fn granted(engine: &Engine, policy: &Policy, latest: Option<&Latest>, sight: &Sight) -> Vec<ExemptionRow> {
    engine.with_context(policy, |context| {
        let matched = latest.map(|latest| granted_matches(context, &latest.collection));
        let control = context.state.control();
        let visible = control.exemptions.iter().filter(|exemption| sees(sight, context.state, exemption));
        let rows = visible.map(|exemption| {
            let found = matched.as_ref().map(|all| {
                let found = all.iter().find(|(of, _)| of.number == exemption.number);
                found.map_or(&[][..], |(_, keys)| keys.as_slice())
            });
            let Found { findings, examples } = Found::new(found, sight);
            let rule = exemption.rule().to_string();
            ExemptionRow {
                matches: exemption.to_string(),
                reason: exemption.reason.clone(),
                until: exemption.until.to_string(),
                lapsed: !exemption.is_in_force(context.now),
                findings,
                examples,
                idle_since: control.idle_exemptions.get(&rule).copied(),
                rule,
                number: Some(exemption.number),
                by: Some(exemption.by.to_string()),
                since: Some(exemption.since),
            }
        });
        rows.collect()
    })
}

/// Whether somebody sees a granted exemption: its account, or their own key, if it covers that key alone.
fn sees(sight: &Sight, state: &State, exemption: &GrantedExemption) -> bool {
    let record = exemption.key.as_ref().and_then(|key| state.record(key));
    sight.key(exemption.account, record)
}

impl Act for GrantExemption {
    fn need(&self) -> Need {
        Need::key(Self::ROLE, &self.key)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let Self { key, whole_user, until, reason } = self;
        let (config, latest) = (engine.config(), engine.latest());
        let grant = |state: &State, now| {
            let user = User::of(&key, state, latest.as_deref()).ok_or_else(|| unknown_key(&key))?;
            let until = end_of(&config.policy, now, until)?;
            if state.control().exemptions_in_force(now).count() >= MOST {
                return Err(Refusal::Conflict(format!(
                    "{MOST} exemptions are in force: end one that is no longer needed, or write a rule [[policy.exempt]]"
                )));
            }
            let what = match whole_user {
                true => format!("user {} in {} is exempt with every key", user.name, user.account),
                false => format!("{key} is exempt"),
            };
            let body = Body::ExemptionGranted {
                account: user.account,
                user_id: user.id,
                user_name: user.name,
                key: (!whole_user).then(|| key.clone()),
                reason: reason.clone(),
                until,
            };
            Ok((vec![body], format!("{what} until {until}")))
        };
        let (receipts, message) = engine.decide_with_receipts(permit.actor(), grant).await?;
        let number = receipts.first().map_or(0, Receipt::seq);
        engine.request_sweep();
        // An intent that is decided after this finds the exemption; the calls of those before it are waited for.
        let calls = match engine.changes.drained().await {
            0 => String::new(),
            _ => "; calls that were under way have ended".to_owned(),
        };
        Ok(Done {
            message: format!("{message}{calls}; to end it: `keysweep exemptions end {number} --reason TEXT`"),
        })
    }
}

/// The user of a key, by its record or as the last sweep saw it.
struct User {
    account: AccountId,
    id: Option<UserId>,
    name: UserName,
}

impl User {
    fn of(key: &AccessKeyId, state: &State, latest: Option<&Latest>) -> Option<Self> {
        if let Some(record) = state.record(key) {
            let id = Some(record.identity.user_id.clone());
            return Some(Self { account: record.identity.account, id, name: record.user_name.clone() });
        }
        let (account, facts) = find(&latest?.collection, key)?;
        let id = facts.user_id.known().cloned();
        Some(Self { account: account.id, id, name: facts.user_name.clone() })
    }
}

/// The instant at which an exemption ends that is granted now.
fn end_of(policy: &Policy, now: Timestamp, until: Until) -> Result<Timestamp, Refusal> {
    let today = policy.time_zone.to_datetime(now).date();
    let latest = today.checked_add(1.year()).map_or(now, |day| policy.end_of_day(day));
    let end = match until {
        Until::Day(day) => policy.end_of_day(day),
        Until::Days(_) => {
            until.length().and_then(|length| now.checked_add(length).ok()).unwrap_or(Timestamp::MAX)
        }
    };
    if end <= now {
        return Err(Refusal::Conflict(format!("{until} is in the past: name a later end")));
    }
    if end > latest {
        return Err(Refusal::Conflict(format!(
            "{until} is more than a year ahead: name an earlier end, or write a rule [[policy.exempt]]"
        )));
    }
    Ok(end)
}

impl Act for EndExemption {
    /// The least; what is asked of the account of the exemption is known once it is found.
    fn need(&self) -> Need {
        Need { role: Self::ROLE, owner_suffices: false, ..Need::visible() }
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let Self { number, reason } = self;
        let caller = permit.caller();
        let sight = caller.sight(engine);
        // Its account never changes, so that this holds for whatever is decided below.
        let account = engine.store().read(|state| granted_as(state, number, &sight).map(|it| it.account))?;
        caller.authorize(engine, &Need::account(Self::ROLE, account))?;
        let end = |state: &State, now| {
            let exemption = granted_as(state, number, &sight)?;
            if !exemption.is_in_force(now) {
                return Err(Refusal::Conflict(format!(
                    "exemption {number} ended at {}: nothing is left to end",
                    exemption.until
                )));
            }
            let message = format!(
                "exemption {number} of {exemption} has ended; the next sweep decides what comes next"
            );
            let (account, reason) = (exemption.account, reason.clone());
            Ok((vec![Body::ExemptionEnded { account, number, reason }], message))
        };
        engine.decide_and_sweep(permit.actor(), end).await
    }
}

/// A granted exemption, as far as somebody sees it: nobody learns by asking that there is one in another account.
fn granted_as<'s>(state: &'s State, number: u64, sight: &Sight) -> Result<&'s GrantedExemption, Refusal> {
    let all = &state.control().exemptions;
    let found = all.iter().find(|exemption| exemption.number == number);
    found.filter(|exemption| sees(sight, state, exemption)).ok_or_else(|| {
        Refusal::NotFound(format!(
            "there is no granted exemption {number}: `keysweep exemptions list` shows each; those of the configuration are ended \
             there"
        ))
    })
}

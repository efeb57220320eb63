//! The policy for one key, with the exemptions that operators granted: every decision about a change goes through here.

use jiff::Timestamp;

use super::Context;
use crate::facts::{AccountFacts, Collection, KeyFacts, Outcome};
use crate::lifecycle::Record;
use crate::policy::{Resolution, Subject};
use crate::state::{ExemptSubject, GrantedExemption, State};

/// The policy for one key. Of the exemptions that match, configured or granted, the one that lasts longest counts.
///
/// # Errors
/// Every rule that cannot tell whether it matches, with the fact that it lacks.
pub fn resolve(
    context: &Context<'_>,
    account: &AccountFacts,
    facts: &KeyFacts,
) -> Result<Resolution, Vec<String>> {
    let mut resolution = context.policy.resolve(context.now, &subject(account, facts))?;
    let granted = context.state.control().exempting(context.now, granted_subject(account, facts));
    let granted = granted.map(GrantedExemption::as_rule);
    resolution.exempt = match (resolution.exempt, granted) {
        (Some(configured), Some(granted)) if granted.until <= configured.until => Some(configured),
        (configured, granted) => granted.or(configured),
    };
    Ok(resolution)
}

/// Every granted exemption in force, with the keys of candidates that it matches. A key can match several.
#[must_use]
pub fn granted_matches<'a>(
    context: &Context<'a>,
    collection: &'a Collection,
) -> Vec<(&'a GrantedExemption, Vec<&'a KeyFacts>)> {
    let mut granted: Vec<(&GrantedExemption, Vec<&KeyFacts>)> = context
        .state
        .control()
        .exemptions_in_force(context.now)
        .map(|exemption| (exemption, Vec::new()))
        .collect();
    if granted.is_empty() {
        return granted;
    }
    for (account, outcome) in &collection.accounts {
        let Outcome::Scanned(scan) = outcome else { continue };
        for facts in &scan.keys {
            let subject = granted_subject(account, facts);
            let matching = granted.iter_mut().filter(|(exemption, _)| exemption.matches(subject));
            matching.for_each(|(_, found)| found.push(facts));
        }
    }
    granted
}

/// The exemption that an operator granted to a key, or to its user, by the record: it may not say so yet.
pub(super) fn granted_to<'a>(
    state: &'a State,
    record: &Record,
    now: Timestamp,
) -> Option<&'a GrantedExemption> {
    let identity = &record.identity;
    let subject = ExemptSubject {
        account: identity.account,
        key: &identity.key,
        user_id: Some(&identity.user_id),
        user_name: &record.user_name,
    };
    state.control().exempting(now, subject)
}

pub(super) fn subject<'a>(account: &'a AccountFacts, facts: &'a KeyFacts) -> Subject<'a> {
    Subject { account, user_name: &facts.user_name, path: &facts.path, tags: &facts.tags }
}

fn granted_subject<'a>(account: &AccountFacts, facts: &'a KeyFacts) -> ExemptSubject<'a> {
    ExemptSubject {
        account: account.id,
        key: &facts.key,
        user_id: facts.user_id.known(),
        user_name: &facts.user_name,
    }
}

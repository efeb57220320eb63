//! `[[access]]`, and scopes of roles.

use keysweep_core::policy::Match;

use super::Review;
use super::policy::tags_of;
use crate::access::{Grant, Holder, Holding};
use crate::config::channels::SlackApprovals;
use crate::config::model::{AccessSection, Model, ScopeSection};
use crate::config::path::KeyPath;

/// Longer names than any provider gives, and short enough for a line of the log.
const NAME_BYTES: usize = 255;

/// Slack IDs of users begin with one of these (Slack API, "Types: user").
const SLACK_PREFIXES: [char; 2] = ['U', 'W'];

pub(super) fn build(model: &Model, review: &mut Review) -> Vec<Holding> {
    let at = KeyPath::of("access");
    let entries = model.access.iter().enumerate();
    let holdings: Vec<_> =
        entries.filter_map(|(index, entry)| holding(entry, &at.index(index), review)).collect();
    let uses = |wanted: fn(&Holder) -> bool| holdings.iter().position(|holding| wanted(&holding.holder));
    if let Some(index) = uses(|holder| matches!(holder, Holder::OidcGroup(_) | Holder::OidcSubject(_)))
        && model.http.oidc.issuer.is_empty()
    {
        let problem =
            "has no effect: http.oidc.issuer is empty, so that nobody can log in through a provider";
        review.questionable(&at.index(index), problem.to_owned());
    }
    if let Some(index) = uses(|holder| matches!(holder, Holder::LocalUser(_)))
        && model.http.socket.is_empty()
    {
        let problem =
            "has no effect: http.socket is empty, so that only root and the daemon's own user can connect";
        review.questionable(&at.index(index), problem.to_owned());
    }
    if let Some(index) = uses(|holder| matches!(holder, Holder::SlackUser(_)))
        && model.notices.slack.approvals != SlackApprovals::Native
    {
        let problem = "has no effect: notices.slack.approvals is not \"native\"";
        review.questionable(&at.index(index), problem.to_owned());
    }
    holdings
}

fn holding(entry: &AccessSection, at: &KeyPath, review: &mut Review) -> Option<Holding> {
    let named: Vec<Holder> = [
        entry.oidc_group.clone().map(Holder::OidcGroup),
        entry.oidc_subject.clone().map(Holder::OidcSubject),
        entry.local_user.clone().map(Holder::LocalUser),
        entry.slack_user.clone().map(Holder::SlackUser),
    ]
    .into_iter()
    .flatten()
    .collect();
    if entry.role.is_none() {
        let problem = "missing: expected \"viewer\", \"approver\", or \"operator\"";
        review.wrong(&at.key("role"), problem.to_owned());
    }
    let scope = scope(&entry.scope, &at.key("match"), review);
    let [holder] = named.as_slice() else {
        let found = named.iter().map(|holder| holder.setting().0).collect::<Vec<_>>().join(" and ");
        let found = if found.is_empty() { "none".to_owned() } else { found };
        let expected = "exactly one of oidc_group, oidc_subject, local_user, and slack_user";
        review.wrong(at, format!("found {found}, expected {expected}"));
        return None;
    };
    let (key, name) = holder.setting();
    let slack = matches!(holder, Holder::SlackUser(_));
    if *holder == Holder::LocalUser("nobody".to_owned()) {
        let problem = "every user who is unknown to the daemon can appear as nobody: expected another user";
        review.wrong(&at.key(key), problem.to_owned());
    }
    if name.trim() != name || name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control)
    {
        review.unexpected(&at.key(key), name, "1 to 255 characters, without spaces around them");
    } else if slack && !is_slack_id(name) {
        review.unexpected(&at.key(key), name, "the ID of a user, such as \"U012AB3CD\"");
    }
    let role = entry.role?;
    Some(Holding { holder: holder.clone(), grant: Grant { role, scope } })
}

/// The accounts of a role; `None` for all.
pub(super) fn scope(section: &ScopeSection, at: &KeyPath, review: &mut Review) -> Option<Match> {
    let ScopeSection { ous, accounts, account_tags } = section;
    let scope = Match {
        ous: review.ou_ids(&at.key("ous"), ous),
        accounts: review.account_ids(&at.key("accounts"), accounts),
        account_tags: account_tags.clone(),
        ..Match::default()
    };
    tags_of(&at.key("account_tags"), account_tags, review);
    (!section.is_empty()).then_some(scope)
}

fn is_slack_id(text: &str) -> bool {
    text.starts_with(SLACK_PREFIXES)
        && text.len() >= 3
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

//! The account of a change, as it is right before it.

use keysweep_aws::{Aws, Fault};
use keysweep_core::facts::{AccountFacts, Fact};
use keysweep_core::ids::AccountId;
use keysweep_core::ticket::Action;

use crate::causes::in_words;
use crate::collect::{Scope, mk_account};
use crate::config::{Config, ManagementAccount};
use crate::engine::Engine;

/// The account as the last sweep saw it; where this process has made none, as it is looked up alone. What rules read is
/// read afresh right before each change, but for an undo, which no rule restrains.
pub(super) async fn account_facts(
    engine: &Engine,
    aws: &Aws,
    config: &Config,
    id: AccountId,
    action: Action,
) -> AccountFacts {
    let (latest, for_change) = (engine.latest(), !action.is_undo());
    let seen =
        latest.as_ref().and_then(|l| l.collection.accounts.iter().find(|(account, _)| account.id == id));
    let mut account = match seen.map(|(account, _)| account.clone()) {
        Some(account) => account,
        None => look_up(aws, config, id, for_change).await,
    };
    if for_change {
        read_for_rules(aws, config, &mut account).await;
    }
    account
}

/// One account, looked up without listing all: for a change before the first sweep of this process. Where it cannot
/// be told who the management account is, it is taken for another, but for a change.
async fn look_up(aws: &Aws, config: &Config, id: AccountId, for_change: bool) -> AccountFacts {
    let settings = &config.organization;
    let management = match settings.management_account {
        ManagementAccount::Skip | ManagementAccount::Assume => None,
        ManagementAccount::Direct if settings.accounts.is_empty() => aws.management_account().await.ok(),
        ManagementAccount::Direct => aws.caller().await.ok().map(|caller| caller.account),
    };
    // For a change, an account that may be the management account is taken for it: there "direct" only reads.
    let unknown = for_change && management.is_none() && config.policy.management_read_only;
    mk_account(id, unknown || management == Some(id))
}

/// Reads what rules and the choice of accounts ask of Organizations as it is now: an account that was just moved, or
/// tagged, is judged by where it is. What cannot be read is unknown, whatever it was before.
async fn read_for_rules(aws: &Aws, config: &Config, account: &mut AccountFacts) {
    let lists = config.organization.accounts.is_empty();
    if lists && (config.policy.change_reads_ous() || Scope::of(config).chooses_by_ou()) {
        account.ous = fact(aws.parents(account.id).await);
    }
    if config.policy.change_reads_account_tags() {
        account.tags = fact(aws.account_tags(account.id).await);
    }
}

fn fact<T>(read: Result<T, Fault>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(fault) => Fact::Unknown(in_words(&fault)),
    }
}

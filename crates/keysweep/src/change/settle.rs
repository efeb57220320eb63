//! Settles open intents: whatever was under way when a process ended is read from AWS before anything else is done.

use keysweep_aws::Aws;
use keysweep_core::facts::{Fact, LastUse};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::{OpenIntent, OpenQuarantine, Record, State};
use keysweep_core::policy::Subject;
use keysweep_core::state::Actor;
use keysweep_core::ticket::Action;
use keysweep_store::AppendError;

use super::account::account_facts;
use super::outcome::{Attempt, Settled, hold_until, mk_entry};
use super::reread::{Shown, until_it_shows};
use crate::causes::in_words;
use crate::collect::Scope;
use crate::engine::{Engine, Room};

/// Settles every open intent that AWS can be asked about; the others stay open.
pub(crate) async fn open_intents(engine: &Engine, aws: &Aws) -> Result<(), AppendError> {
    let open: Vec<Open> = engine.store().read(|state| state.records().filter_map(open_intent).collect());
    for open in open {
        let record = &open.record;
        let _only_one = engine.changes.key(&record.identity.key).await;
        // The one who wrote it may have settled it meanwhile.
        let still = engine.store().read(|state| state.record(&record.identity.key) == Some(record));
        if still {
            one(engine, aws, &open).await?;
        }
    }
    Ok(())
}

/// Settles the open intent of one key, if it has one. Waits for a change of the key in this process.
pub(crate) async fn of_key(engine: &Engine, aws: &Aws, key: &AccessKeyId) -> Result<(), AppendError> {
    let _only_one = engine.changes.key(key).await;
    let open = engine.store().read(|state| state.record(key).and_then(open_intent));
    match open {
        Some(open) => one(engine, aws, &open).await,
        None => Ok(()),
    }
}

/// A key with an open intent.
struct Open {
    record: Record,
    action: Action,
    intent: OpenIntent,
    last_use: LastUse,
}

fn open_intent(record: &Record) -> Option<Open> {
    let (deactivate, delete) = (Action::Deactivate, Action::Delete);
    if record.undo.is_none()
        && let Some((action, intent)) = record.attachment().map(OpenQuarantine::parts)
    {
        let (intent, last_use) = (intent.clone(), last_use_of(&record.state));
        return Some(Open { record: record.clone(), action, intent, last_use });
    }
    let (action, intent, last_use) = match (record.undo.as_deref(), &record.state) {
        // An undo goes before what it undoes.
        (Some(undo), state) => (Action::Reactivate, undo, last_use_of(state)),
        (None, State::Deactivating(data)) => (deactivate, &data.intent, data.flagged.last_use.clone()),
        (None, State::Deleting(data)) => (delete, &data.intent, data.deactivated.last_use.clone()),
        (
            None,
            State::Active | State::Flagged(_) | State::Deactivated(_) | State::Deleted(_) | State::Gone(_),
        ) => return None,
    };
    Some(Open { record: record.clone(), action, intent: intent.clone(), last_use })
}

fn last_use_of(state: &State) -> LastUse {
    match state {
        State::Flagged(data) => data.last_use.clone(),
        State::Deactivating(data) => data.flagged.last_use.clone(),
        State::Deactivated(data) => data.last_use.clone(),
        State::Deleting(data) => data.deactivated.last_use.clone(),
        State::Active | State::Deleted(_) | State::Gone(_) => LastUse::Never,
    }
}

async fn one(engine: &Engine, aws: &Aws, open: &Open) -> Result<(), AppendError> {
    let Open { record, action, intent, last_use } = open;
    let action = *action;
    let (config, identity) = (engine.config(), &record.identity);
    let account = account_facts(engine, aws, &config, identity.account, Action::Reactivate).await;
    let (account_id, key) = (identity.account, &identity.key);
    let reader = match aws.reader(identity.account, Scope::of(&config).access(&account)).await {
        Ok(reader) => reader,
        Err(fault) => {
            let why = in_words(&fault);
            tracing::warn!(account = %account_id, %key, %action, why, "open intent cannot be settled yet");
            return Ok(());
        }
    };
    let quarantine =
        record.quarantine.as_deref().filter(|_| matches!(action, Action::Quarantine | Action::EndQuarantine));
    let policy = quarantine.map(|quarantine| &quarantine.policy);
    let shown = until_it_shows(&reader, identity, &record.user_name, action, policy, engine.clock()).await;
    // Until then the call may still take effect; what AWS shows already is true at once, and an undo waits for nothing.
    let settled_from = intent.settled_from();
    if !action.is_undo()
        && matches!(shown, Shown::Status(_) | Shown::Unchanged)
        && engine.clock().now() < settled_from
    {
        tracing::info!(account = %account_id, %key, %action, %settled_from, "open intent may still take effect");
        return Ok(());
    }
    let (path, tags) = (Fact::NotRead, Fact::NotRead);
    let subject = Subject { account: &account, user_name: &record.user_name, path: &path, tags: &tags };
    let attempt = Attempt {
        action,
        said: "the process ended before its outcome was written".to_owned(),
        request_id: intent.accepted.clone(),
        accepted: intent.accepted.is_some(),
        last_use: last_use.clone(),
        hold_until: hold_until(engine, &config, &subject),
        // Nothing but an order ends a quarantine that is to go on.
        holds: record.due.is_some() && quarantine.is_some_and(|quarantine| quarantine.interrupted.is_none()),
        is_settled: true,
    };
    match attempt.settled(engine, &config, shown) {
        Settled::Event(event) => {
            tracing::info!(account = %account_id, %key, %action, event = event.name(), "open intent settled");
            let entry = vec![mk_entry(record, event)];
            engine.ledger().record(&Actor::Keysweep, Room::Reserved, entry).await.map(drop)
        }
        Settled::Open(why) => {
            tracing::warn!(account = %account_id, %key, %action, why, "open intent cannot be settled yet");
            Ok(())
        }
    }
}

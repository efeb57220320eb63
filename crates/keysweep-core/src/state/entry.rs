//! One entry of the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::control::TripReason;
use crate::evidence::Creation;
use crate::facts::{Count, Inventory, Place};
use crate::finding::Counts;
use crate::ids::{AccessKeyId, AccountId, UserId, UserName};
use crate::lifecycle::{KeyEvent, RefusedKind, Sighting};
use crate::notice::{Address, ItemId, Posted, Recipient};
use crate::references::{Reference, ReferenceCleared};
use crate::ticket::Action;

/// One entry: what happened, when, and by whom. The store adds the hash of the previous line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts from 1 without a gap.
    pub seq: u64,
    /// Policy time.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Body {
    /// A daemon, or a command without one, opened the journal.
    Started {
        /// Version of the program.
        version: String,
        /// Names the process among all that ever wrote here.
        run: u64,
        /// The configuration in force.
        configuration: Configuration,
        /// Terms that differ from the configuration that was in force before; empty in a new journal.
        changed: BTreeMap<String, Term>,
    },
    /// Another configuration is in force. Its actor is who asked for the reload.
    Configured {
        /// The configuration in force.
        configuration: Configuration,
        /// Terms that differ from the configuration that was in force before.
        changed: BTreeMap<String, Term>,
    },
    /// Something happened to one key.
    Key {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Key.
        #[serde(rename = "access_key_id")]
        key: AccessKeyId,
        /// What.
        #[serde(flatten)]
        event: KeyEvent,
    },
    /// CloudTrail shows who created a key, whether it has a record or not.
    KeyCreated {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Key.
        #[serde(rename = "access_key_id")]
        key: AccessKeyId,
        /// Whose key, and by whom.
        #[serde(flatten)]
        creation: Creation,
    },
    /// An account was scanned.
    AccountScanned {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Its name.
        name: String,
        /// Names of the OUs above it, joined by `/`.
        ou_path: String,
        /// When, on both clocks.
        sighting: Sighting,
        /// Tracked keys that were seen Inactive: the grace that keysweep watched follows from these alone.
        inactive: BTreeSet<AccessKeyId>,
        /// Counts over every user.
        inventory: Inventory,
        /// Which of these counts are incomplete: the last known ones stay in force.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        untold: BTreeSet<Count>,
        /// Keys of which a fact that the policy needs could not be read, and users that could not be read at all.
        unknown_keys: u64,
        /// When the credential report was made; absent in a live scan.
        report_generated_at: Option<Timestamp>,
        /// Where the account is and how it is tagged, as far as a route of notices needs it.
        #[serde(default, skip_serializing_if = "Place::is_unread")]
        place: Place,
    },
    /// The findings of an account changed.
    AccountFindings {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// How many of each.
        findings: Counts,
    },
    /// An account could not be scanned.
    AccountFailed {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// An account is no longer to be scanned. Written when that begins.
    AccountSkipped {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// An account is in no complete listing of the organization any more.
    AccountLeft {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
    },
    /// A change could not even be tried: its session was not to be had. No call was made.
    ChangeFailed {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Key.
        #[serde(rename = "access_key_id")]
        key: AccessKeyId,
        /// Which change.
        action: Action,
        /// How it counts. Not `kind` in the journal: that names the entry.
        #[serde(rename = "refused")]
        kind: RefusedKind,
        /// Why.
        why: String,
    },
    /// An operator lets automatic changes go on in a parked account.
    AccountUnparked {
        /// Account.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Why.
        reason: String,
    },
    /// Newly due keys that are within the limits of the breaker.
    DueAccepted {
        /// Which.
        keys: BTreeSet<AccessKeyId>,
    },
    /// The breaker tripped.
    BreakerTripped {
        /// Why.
        reason: TripReason,
    },
    /// An operator closed the breaker and accepted the set that he was shown.
    BreakerReset {
        /// Why.
        reason: String,
        /// The newly due keys that he accepted; no others are.
        keys: BTreeSet<AccessKeyId>,
        /// How many accounts are the new baseline, where a shrink was accepted.
        accounts: Option<u64>,
    },
    /// An operator, a new data_dir or a restoration stopped every automatic change.
    Paused {
        /// Why.
        reason: String,
    },
    /// An operator ended pauses. Changes go on once none is left.
    Resumed {
        /// Their numbers.
        pauses: BTreeSet<u64>,
        /// Why.
        reason: String,
    },
    /// A rule names an account, OU, root or user that a complete listing lacks.
    ReferenceMissing {
        /// The rule, and what it names.
        #[serde(flatten)]
        reference: Reference,
    },
    /// What a rule names is not missing any more.
    ReferenceCleared {
        /// The rule, and what it names.
        #[serde(flatten)]
        reference: Reference,
        /// Why.
        why: ReferenceCleared,
    },
    /// An operator lets changes go on although a rule names something that is not there.
    RuleAcknowledged {
        /// The rule, and what it names.
        #[serde(flatten)]
        reference: Reference,
        /// Why.
        reason: String,
    },
    /// An operator exempts a key, or a user with every key that they have and will have.
    ExemptionGranted {
        /// Account of the user.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// The user's ID; absent where it could not be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<UserId>,
        /// The user's name.
        user_name: UserName,
        /// Key; absent for the whole user.
        #[serde(rename = "access_key_id", default, skip_serializing_if = "Option::is_none")]
        key: Option<AccessKeyId>,
        /// Why.
        reason: String,
        /// The instant at which it ends.
        until: Timestamp,
    },
    /// An operator ends an exemption that was granted.
    ExemptionEnded {
        /// Account of its user. People who see the account see the entry.
        #[serde(rename = "account_id")]
        account: AccountId,
        /// Its number: that of the entry that granted it.
        number: u64,
        /// Why.
        reason: String,
    },
    /// The journal was put back from a backup: whatever came after that is forgotten. Its actor is who ordered it.
    Restored {
        /// When the backup was made.
        created_at: Timestamp,
        /// Version of the program that made it.
        version: String,
        /// Number of the last entry in it.
        last_seq: u64,
        /// Its SHA-256, in hexadecimal, as it stands in its last line.
        sha256: String,
    },
    /// A message to one recipient is to be sent: its intent.
    MessageComposed {
        /// To whom.
        to: Recipient,
        /// Its items.
        items: BTreeSet<ItemId>,
        /// Not to be sent earlier.
        send_from: Timestamp,
        /// When keysweep gives up.
        give_up: Timestamp,
    },
    /// A channel accepted a message.
    MessageDelivered {
        /// Its number.
        message: u64,
        /// Where it was sent.
        via: Address,
        /// Where Slack keeps it, if it asks for approvals: it is replaced there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        posted: Option<Posted>,
    },
    /// keysweep gave up a message.
    MessageUndeliverable {
        /// Its number.
        message: u64,
        /// Why.
        why: String,
    },
    /// Nothing in a message was true any more when it was to be sent.
    MessageWithdrawn {
        /// Its number.
        message: u64,
    },
    /// An operator has an undeliverable message sent again.
    MessageRetried {
        /// Its number.
        message: u64,
        /// Why.
        reason: String,
        /// When keysweep gives up.
        give_up: Timestamp,
    },
    /// A sweep came to its end.
    SweepFinished {
        /// How long it took.
        took: Duration,
        /// Accounts scanned.
        scanned: u64,
        /// Accounts that failed.
        failed: u64,
        /// Accounts skipped.
        skipped: u64,
        /// Whether the listing of accounts was complete.
        complete: bool,
        /// Keys that are findings, recorded or unknown.
        #[serde(default)]
        keys: u64,
        /// How many of them are unknown, users that could not be read included.
        #[serde(default)]
        unknown_keys: u64,
        /// Stale keys, as the last successful scan of each account counted them; absent in entries of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stale: Option<u64>,
        /// Exemptions that match no finding since this sweep, by their match; those that operators granted by their name.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        idle_exemptions: BTreeSet<String>,
        /// Exemptions that match a finding again, or that are no longer in force.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        busy_exemptions: BTreeSet<String>,
    },
}

/// The configuration in force, without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// SHA-256 over the terms, in hexadecimal.
    pub hash: String,
    /// Every effective term by its name, such as `policy.mode`.
    pub terms: BTreeMap<String, String>,
}

impl Configuration {
    /// The terms that differ from `before`.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> BTreeMap<String, Term> {
        let names = before.terms.keys().chain(self.terms.keys());
        let of = |terms: &BTreeMap<String, String>, name: &String| terms.get(name).cloned();
        names
            .map(|name| (name, Term { before: of(&before.terms, name), now: of(&self.terms, name) }))
            .filter(|(_, term)| term.before != term.now)
            .map(|(name, term)| (name.clone(), term))
            .collect()
    }
}

/// A term that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Its value before; `None` where there was none.
    pub before: Option<String>,
    /// Its value now; `None` where there is none.
    pub now: Option<String>,
}

impl Body {
    /// Its name in the journal.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if let Self::Key { event, .. } = self { event.name() } else { self.into() }
    }
}

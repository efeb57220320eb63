//! Reading the projection.

use std::collections::BTreeMap;

use keysweep_core::evidence::Creation;
use keysweep_core::ids::{AccessKeyId, AccountId};
use keysweep_core::lifecycle::Record;
use keysweep_core::notice::{ItemId, Outbox, Parcel, ParcelId};
use keysweep_core::state::{Control, Entry, State};
use sled::Tree;

use super::pieces::Join;
use super::schema::{self, Applied, SCHEMA};
use super::{APPLIED_KEY, Damage, Projection, SCHEMA_KEY, guarded};

/// What it holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) applied: Applied,
}

impl Projection {
    /// Reads the state and the entry as of which it stands.
    pub(crate) fn load(&self) -> Result<Loaded, Damage> {
        guarded(|| {
            let version = self.meta.get(SCHEMA_KEY)?.ok_or(Damage::Incomplete)?;
            let version = schema::decode_version(&version)?;
            if version > SCHEMA {
                return Err(Damage::Newer(version));
            }
            let mut applied = None;
            each(&self.meta, "meta", APPLIED_KEY, |_, value| {
                applied = Some(schema::decode(value, "meta")?);
                Ok(())
            })?;
            let applied = applied.ok_or(Damage::Incomplete)?;
            if version < SCHEMA {
                return Err(Damage::Older { version, applied });
            }
            let mut records = BTreeMap::new();
            each(&self.records, "records", b"", |name, value| {
                let record: Record = schema::decode(value, "records")?;
                let key = parse_name::<AccessKeyId>(name, "records")?;
                if record.identity.key != key {
                    return Err(Damage::Value { tree: "records", problem: "is the record of another key" });
                }
                records.insert(key, record);
                Ok(())
            })?;
            let mut accounts = BTreeMap::new();
            each(&self.accounts, "accounts", b"", |name, value| {
                let id = parse_name::<AccountId>(name, "accounts")?;
                accounts.insert(id, schema::decode(value, "accounts")?);
                Ok(())
            })?;
            let mut creations: BTreeMap<AccountId, BTreeMap<AccessKeyId, Creation>> = BTreeMap::new();
            each(&self.creations, "creations", b"", |name, value| {
                let (account, key) = parse_creation_name(name)?;
                creations.entry(account).or_default().insert(key, schema::decode(value, "creations")?);
                Ok(())
            })?;
            let mut parcels = Vec::new();
            each(&self.outbox, "outbox", b"", |name, value| {
                let parcel: Parcel = schema::decode(value, "outbox")?;
                if parcel_name(parcel.id()) != name {
                    return Err(Damage::Value { tree: "outbox", problem: "has the name of another" });
                }
                parcels.push(parcel);
                Ok(())
            })?;
            let mut control = Control::default();
            each(&self.control, "control", b"", |_, value| {
                control = schema::decode(value, "control")?;
                Ok(())
            })?;
            let state = State::from_parts(records, accounts, control)
                .with_creations(creations)
                .with_outbox(Outbox::from_parcels(parcels));
            Ok(Loaded { state, applied })
        })
    }

    /// The entries about one key, oldest first.
    pub(crate) fn history(&self, key: &AccessKeyId) -> Result<Vec<Entry>, Damage> {
        guarded(|| {
            let mut prefix = key.as_str().as_bytes().to_vec();
            prefix.push(0);
            let mut entries = Vec::new();
            each(&self.history, "history", &prefix, |_, value| {
                entries.push(schema::decode(value, "history")?);
                Ok(())
            })?;
            Ok(entries)
        })
    }
}

/// Under which name an entry stands in the history of a key.
pub(super) fn history_name(key: &AccessKeyId, seq: u64) -> Vec<u8> {
    let mut name = key.as_str().as_bytes().to_vec();
    name.push(0);
    name.extend_from_slice(&seq.to_be_bytes());
    name
}

/// Under which name the creation of a key stands.
pub(super) fn creation_name(account: AccountId, key: &AccessKeyId) -> Vec<u8> {
    format!("{account}/{key}").into_bytes()
}

fn parse_creation_name(name: &[u8]) -> Result<(AccountId, AccessKeyId), Damage> {
    let slash = name.iter().position(|byte| *byte == b'/').unwrap_or(name.len());
    let (account, key) = name.split_at(slash);
    let key = key.strip_prefix(b"/").unwrap_or_default();
    Ok((parse_name(account, "creations")?, parse_name(key, "creations")?))
}

/// Under which name a thing in the outbox stands.
pub(super) fn parcel_name(id: ParcelId) -> Vec<u8> {
    match id {
        ParcelId::Item(ItemId(entry, place)) => format!("item/{entry}/{place}").into_bytes(),
        ParcelId::Message(number) => format!("message/{number}").into_bytes(),
    }
}

/// Hands on names and values below a prefix, in order.
fn each(
    tree: &Tree,
    name: &'static str,
    prefix: &[u8],
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), Damage>,
) -> Result<(), Damage> {
    let mut join = Join::new(name);
    for pair in tree.scan_prefix(prefix) {
        let (key, piece) = pair?;
        if let Some((name, value)) = join.push(&key, &piece)? {
            take(&name, &value)?;
        }
    }
    join.finish()
}

fn parse_name<T: std::str::FromStr>(name: &[u8], tree: &'static str) -> Result<T, Damage> {
    let parsed = std::str::from_utf8(name).ok().and_then(|text| text.parse().ok());
    parsed.ok_or(Damage::Value { tree, problem: "its key is no key of ours" })
}

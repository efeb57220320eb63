//! P14: no deletion without its evidence bundle, on disk and in the journal.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Inner;

/// A bundle is made right before its deletion.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

impl Inner {
    /// The bundle of the deletion whose call comes now; `wall` is the time of the machine.
    pub(super) fn bundled(&self, account: &str, key: &str, wall: Timestamp) -> Result<(), String> {
        let named = self.bundles.get(key).ok_or("the journal names no bundle for it")?;
        let bundle = self.bundle(named)?;
        let of = |name: &str| bundle.pointer(name).and_then(Value::as_str).unwrap_or_default();
        if of("/key/access_key_id") != key || of("/key/account_id") != account {
            return Err(format!("bundle {named} is about {}", of("/key/access_key_id")));
        }
        let made: Timestamp = of("/made_at").parse().map_err(|error| format!("{error}"))?;
        if wall.duration_since(made).abs() > FRESH {
            return Err(format!("bundle {named} was made at {made}"));
        }
        let read = |fact: &Value| fact.get("fact").is_some_and(|name| name == "last_use");
        let facts = bundle.get("facts").and_then(Value::as_array);
        if !facts.is_some_and(|facts| facts.iter().any(read)) {
            return Err(format!("bundle {named} does not say when it was last used"));
        }
        Ok(())
    }

    /// A new process finds the intent of a deletion, of whatever time: its bundle is there, whatever the power took.
    pub(super) fn deleted_with_bundle(&mut self, line: &Value) {
        let of = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        if of("event") != "intent" || of("action") != "delete" {
            return;
        }
        let key = of("access_key_id");
        // An attempt uses it up.
        let found = match self.bundles.remove(key) {
            Some(named) => self.bundle(&named).map(drop),
            None => Err("the journal names none".to_owned()),
        };
        if let Err(why) = found {
            self.broken("P14", format!("{key} was to be deleted, and its bundle is not there: {why}"));
        }
    }

    /// A bundle that is what its name says.
    fn bundle(&self, named: &str) -> Result<Value, String> {
        let path = self.evidence.join(format!("{named}.json"));
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if hex::encode(Sha256::digest(&bytes)) != named {
            return Err(format!("{} holds something else", path.display()));
        }
        let mut file: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        Ok(file["bundle"].take())
    }
}

//! Uses of access keys: each moves the last use, and management events show in CloudTrail.

use jiff::Timestamp;
use serde_json::Value;

use super::trail::{Event, EventError, Identity};
use super::{KeyHome, LastUse, User, World, trail_region, whole_second};
use crate::key_use::KeyUse;
use crate::ledger::MissedUse;

/// The one call that no policy can deny (AWS STS API reference, GetCallerIdentity).
const UNDENIABLE: &str = "GetCallerIdentity";

impl World {
    /// Somebody uses the key. A use of a key that is not Active fails and is written down as missed. CloudTrail has no
    /// call that AWS could not authenticate (CloudTrail user guide).
    pub(crate) fn use_key(&mut self, used: &KeyUse, at: Timestamp) -> bool {
        let Some(home) = self.keys.get(used.key_id.as_str()).cloned() else {
            self.ledger.miss(missed(used, at, None, None));
            return false;
        };
        let known = self.move_last_use(used, at, &home);
        let denied = known && used.event_name() != UNDENIABLE && self.is_denied(&home);
        let refused = used.clone().error("AccessDenied");
        let used = if denied { &refused } else { used };
        if known && !used.is_data_event() {
            self.record_use(used, at, &home);
        }
        if denied {
            let status = Some("denied".to_owned());
            self.ledger.miss(missed(used, at, Some(home.account.to_string()), status));
        }
        known && !denied
    }

    fn is_denied(&self, home: &KeyHome) -> bool {
        self.find_user(&home.account, &home.user).is_ok_and(User::is_denied)
    }

    /// Moves the last use of a key, and tells whether the use worked.
    fn move_last_use(&mut self, used: &KeyUse, at: Timestamp, home: &KeyHome) -> bool {
        let counts_inactive = self.settings.inactive_use_counts;
        let last = LastUse {
            at: whole_second(at),
            service: self.word(&used.service),
            region: self.word(&used.region),
        };
        let key = self
            .account_to_alter(&home.account)
            .and_then(|account| account.users.get_mut(&home.user))
            .and_then(|user| user.keys.iter_mut().find(|key| *key.id == *used.key_id));
        let Some(key) = key else { return false };
        let (works, status) = (key.is_active(), key.status.to_string());
        if used.reaches_iam && (works || counts_inactive) {
            key.record_use(last);
        }
        if !works {
            self.ledger.miss(missed(used, at, Some(home.account.to_string()), Some(status)));
        }
        works
    }

    fn record_use(&mut self, used: &KeyUse, at: Timestamp, home: &KeyHome) {
        let partition = self.settings.partition.clone();
        let Ok(user) = self.find_user(&home.account, &home.user) else { return };
        let (principal_id, name, arn) =
            (user.id.clone(), user.name.clone(), user.arn(&partition, &home.account));
        let identity = Identity {
            account: home.account.clone(),
            principal_id,
            arn: self.word(&arn),
            name,
            key_id: self.word(&used.key_id),
            role_arn: None,
        };
        let event = Event {
            at: whole_second(at),
            number: self.next_event(),
            region: self.word(trail_region(&partition, &used.service, &used.region)),
            service: self.word(&used.service),
            name: self.word(used.event_name()),
            identity,
            origin: used.origin.clone(),
            error: used.error.clone().map(|code| EventError { code, message: None }),
            parameters: Value::Null,
            response: Value::Null,
            resources: Vec::new(),
            request_id: None,
        };
        self.record_event(&home.account, event);
    }
}

fn missed(used: &KeyUse, at: Timestamp, account: Option<String>, status: Option<String>) -> MissedUse {
    MissedUse { at, account, key_id: used.key_id.clone(), service: used.service.clone(), status }
}

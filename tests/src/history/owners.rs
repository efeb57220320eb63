//! What owners and administrators do to AWS on a day.

use jiff::SignedDuration;
use keysweep::engine::Engine;
use keysweep_sim::{Happening, KeySpec, KeyTruth, KeyUse, RoleSpec, Sim};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::Shared;
use super::operators::{deactivated_by_us, pick};
use super::organization::{
    ENFORCE_ROLE, EXEMPT_OU, EXTERNAL_ID, OUS, QUARANTINE_POLICY, SCAN_ROLE, add_user,
};
use super::rules::{EXEMPT_TAG, OWNER_TAG};

const MANAGEMENT: &str = "100000000000";

/// Something at AWS.
pub(super) fn owner(shared: &Shared, rng: &mut ChaCha8Rng) {
    // What keysweep said before is judged by what was true before.
    shared.oracle.read_journal();
    let (sim, oracle) = (&shared.sim, &shared.oracle);
    let keys: Vec<KeyTruth> = sim.keys().into_iter().filter(|key| key.account != MANAGEMENT).collect();
    let account = shared.accounts[rng.random_range(0..shared.accounts.len())].clone();
    // Owners look after what they were told about.
    let announced = oracle.announced();
    let told: Vec<KeyTruth> = keys.iter().filter(|key| announced.contains(&key.key_id)).cloned().collect();
    let from = if rng.random_bool(0.4) && !told.is_empty() { &told } else { &keys };
    let Some(key) = pick(rng, from) else { return };
    let happen = |what: Happening| sim.happen("owner", what);
    let (user, key_id) = (key.user_id.clone(), key.key_id.clone());
    let deed = match rng.random_range(0..17) {
        0..3 => {
            use_key(shared, rng, &key_id);
            "uses a key"
        }
        3..6 => {
            let by_us = deactivated_by_us(sim);
            let Some(key) = pick(rng, &by_us) else { return };
            sim.set_key_status(key, "Active");
            oracle.woken(key);
            "reactivates a key"
        }
        6 => {
            sim.delete_key(&key_id);
            "deletes a key"
        }
        7 => {
            sim.tag_user(&key.account, &user, EXEMPT_TAG, "please");
            "tags a user"
        }
        8 if oracle.rules().owners && rng.random_bool(0.7) => {
            let name = ["ann@corp.example", "bo@corp.example", "eve@evil.example"][rng.random_range(0..3)];
            sim.tag_user(&key.account, &user, OWNER_TAG, name);
            "says whose a key is"
        }
        8 => {
            sim.untag_user(&key.account, &user, EXEMPT_TAG);
            "untags a user"
        }
        9 => {
            let to = format!("{}-renamed", key.user_name.chars().take(40).collect::<String>());
            sim.rename_user(&key.account, &user, &to);
            "renames a user"
        }
        10 if rng.random_bool(0.3) => {
            let arn = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
            sim.attach_policy(&key.account, &user, arn);
            oracle.incident(&key.user_id);
            "leaks a key"
        }
        10 => {
            happen(Happening::CreateKey { account: key.account.clone(), user, key_id: None });
            "creates a second key"
        }
        11 => {
            let ou = OUS[rng.random_range(0..OUS.len())];
            sim.move_account(&account, ou);
            oracle.moved(&account, ou == EXEMPT_OU);
            "moves an account"
        }
        12 => {
            let state = ["SUSPENDED", "ACTIVE", "ACTIVE", "PENDING_CLOSURE"][rng.random_range(0..4)];
            sim.set_account_state(&account, state);
            "changes the state of an account"
        }
        13 => {
            let role = if rng.random_bool(0.5) { SCAN_ROLE } else { ENFORCE_ROLE };
            if rng.random_bool(0.4) {
                sim.remove_role(&account, role);
                "removes a role"
            } else {
                sim.set_role(&account, RoleSpec::new(role).external_id(EXTERNAL_ID));
                "puts a role back"
            }
        }
        14 if rng.random_bool(0.3) => {
            if rng.random_bool(0.5) {
                make_again(sim, key, rng.random_bool(0.5));
                "makes a user again"
            } else {
                make_key_again(sim, key);
                "makes a key again"
            }
        }
        14 => {
            let name = format!("new-{}", rng.random_range(0..1000));
            if sim.user_id(&account, &name).is_none() {
                add_user(sim, rng, &account, &name);
            }
            "creates a user"
        }
        15 => {
            // Not keysweep's doing, even where keysweep was about to do the same.
            let unsettled = oracle.unsettled();
            let key = pick(rng, &unsettled).filter(|_| rng.random_bool(0.8)).unwrap_or(&key_id);
            sim.set_key_status(key, "Inactive");
            "deactivates a key"
        }
        _ => {
            // Two keys change their roles: the stale one's sibling is used.
            use_key(shared, rng, &key_id);
            "uses a key"
        }
    };
    oracle.count(&format!("owner {deed}"));
    shared.tell(&format!("the owner of {} ({}) {deed}", key.key_id, key.user_name));
}

/// What happens to users in quarantine: programs go on to call and fail, and people look into it.
pub(super) fn of_quarantined(shared: &Shared, rng: &mut ChaCha8Rng) {
    let sim = &shared.sim;
    let keys: Vec<KeyTruth> = sim.keys().into_iter().filter(|key| key.account != MANAGEMENT).collect();
    let arn = |key: &KeyTruth| format!("arn:aws:iam::{}:policy/{QUARANTINE_POLICY}", key.account);
    let has_policy = |key: &&KeyTruth| sim.attached(&key.account, &key.user_name).contains(&arn(key));
    let quarantined: Vec<KeyTruth> = keys.iter().filter(has_policy).cloned().collect();
    let Some(key) = pick(rng, &quarantined) else { return };
    shared.oracle.read_journal();
    let deed = match rng.random_range(0..10) {
        0..3 => {
            use_key(shared, rng, &key.key_id);
            "uses a key in quarantine"
        }
        3 => {
            sim.detach_policy(&key.account, &key.user_name, &arn(key));
            "ends a quarantine"
        }
        4 => {
            let (account, user) = (key.account.clone(), key.user_name.clone());
            sim.happen("owner", Happening::CreateKey { account, user, key_id: None });
            "creates a key in quarantine"
        }
        5 => {
            let account = key.account.clone();
            for key in sim.keys_of(&account, &key.user_name) {
                sim.delete_key(&key.key_id);
            }
            sim.happen("owner", Happening::DeleteUser { account, user: key.user_name.clone() });
            "deletes a user in quarantine"
        }
        6 => {
            sim.attach_policy(&key.account, &key.user_name, "arn:aws:iam::aws:policy/ReadOnlyAccess");
            "attaches a policy in quarantine"
        }
        _ => return,
    };
    shared.oracle.count(&format!("owner {deed}"));
    shared.tell(&format!("the owner of {} ({}) {deed}", key.key_id, key.user_name));
}

/// Some calls are in CloudTrail's event history, and some are not; of some, IAM never hears.
fn use_key(shared: &Shared, rng: &mut ChaCha8Rng, key: &str) {
    let (service, region, logged) = [
        ("s3", "us-east-1", false),
        ("ec2", "eu-west-1", true),
        ("sts", "ap-south-1", true),
        ("sqs", "eu-west-1", false),
    ][rng.random_range(0..4)];
    let mut used = KeyUse::new(key, service, region);
    if logged && rng.random_bool(0.3) {
        used = used.unknown_to_iam();
    }
    if logged && shared.sim.key_status(key).as_deref() == Some("Active") {
        shared.oracle.logged(key);
    }
    shared.sim.use_key_with(used);
}

/// A user is deleted and made again with the same name, and, against all odds, the same key ID.
fn make_again(sim: &Sim, key: &KeyTruth, same_date: bool) {
    let (account, name) = (key.account.clone(), key.user_name.clone());
    for key in sim.keys_of(&account, &name) {
        sim.delete_key(&key.key_id);
    }
    sim.happen("owner", Happening::DeleteUser { account: account.clone(), user: name.clone() });
    if sim.user_id(&account, &name).is_some() {
        return;
    }
    let created = if same_date { key.created } else { key.created - SignedDuration::from_hours(24) };
    sim.user(&account, &name).path("/ci/").key(KeySpec::new().id(&key.key_id).created(created)).add();
}

/// A key is deleted, and the same user gets another with, against all odds, the same ID.
fn make_key_again(sim: &Sim, key: &KeyTruth) {
    sim.delete_key(&key.key_id);
    let created = key.created - SignedDuration::from_hours(24);
    sim.user(&key.account, &key.user_name).key(KeySpec::new().id(&key.key_id).created(created)).add();
}

/// The owners of all keys that are due tag their users: after the scan that the changes were planned on, and before each
/// of them is looked at again.
pub(super) fn object(shared: &Shared, engine: &Engine) {
    let due: Vec<String> = engine.store().read(|state| {
        let due = state.records().filter(|record| record.due.is_some());
        due.map(|record| record.identity.key.to_string()).collect()
    });
    for key in due.iter().filter_map(|key| shared.sim.key(key)) {
        shared.sim.tag_user(&key.account, &key.user_id, EXEMPT_TAG, "please");
    }
    shared.oracle.count("owners object to changes in flight");
}

/// The owner deactivates the key whose change is on its way, too.
pub(super) fn do_the_same(shared: &Shared, key: &str) {
    shared.sim.set_key_status(key, "Inactive");
    shared.oracle.count("owner deactivates a key beside keysweep");
}

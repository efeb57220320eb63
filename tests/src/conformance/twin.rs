//! The organization of the other side, once more in our simulator: the same accounts, users, keys and dates.

use std::sync::Arc;

use keysweep::clock::Clock;
use keysweep_core::quarantine::QuarantinePolicy;
use keysweep_sim::{Hub, KeySpec, Settings, Sim};

use super::moto::{Account, Key, Truth, User};

/// Name and e-mail of the account that moto makes for whoever creates an organization.
const MANAGEMENT: &str = "master";

/// When every account was made, as the other side's reports have it.
const JOINED: &str = "2020-01-01T00:00:00Z";

/// The simulator, filled with what is true on the other side.
///
/// # Errors
/// If the truth knows no management account.
pub fn twin(truth: &Truth) -> Result<Sim, String> {
    let management = truth.accounts.iter().find(|account| account.account_name == "management");
    let management = management.ok_or("the truth knows no management account")?.account_id.clone();
    let clock = Clock::system();
    let settings = Settings {
        management_account: management.clone(),
        hub_account: management.clone(),
        hub: Hub::User("keysweep-hub".to_owned()),
        ..Settings::default()
    };
    let sim = Sim::with_settings(Arc::new(move || clock.now()), settings);
    let joined = JOINED.parse().map_err(|error| format!("{JOINED}: {error}"))?;
    for account in &truth.accounts {
        sim.account(&account.account_id).joined(joined).add();
        add_account(&sim, truth, account, account.account_id == management);
        for user in &account.users {
            add_user(&sim, account, user);
        }
    }
    sim.ship_policy(QuarantinePolicy::default().as_str());
    Ok(sim)
}

fn add_account(sim: &Sim, truth: &Truth, account: &Account, management: bool) {
    let name = if management { MANAGEMENT } else { &account.account_name };
    let expected = &truth.expected_accounts;
    let mut made = sim.account(&account.account_id).name(name).email(format!("{name}@example.com"));
    if !management {
        made = made.tag("team", name).tag("without value", "");
    }
    if !account.ou_path.is_empty() {
        made = made.ou(&account.ou_path);
    }
    if !expected.failed.contains(&account.account_id) {
        made =
            made.role(&truth.roles.scan, &truth.external_id).role(&truth.roles.enforce, &truth.external_id);
    }
    if expected.skipped.contains(&account.account_id) && !management {
        made = made.state("CLOSED");
    }
    made.add();
}

fn add_user(sim: &Sim, account: &Account, user: &User) {
    let mut made = sim
        .user(&account.account_id, &user.user_name)
        .user_id(&user.user_id)
        .created(user.created_at)
        .path(&user.path);
    for (key, value) in &user.tags {
        made = made.tag(key, value);
    }
    if let Some(policy) = &user.managed_policy {
        made = made.attached(format!("arn:aws:iam::{}:policy/{policy}", account.account_id));
    }
    if user.password {
        made = made.password(None);
    }
    for key in &user.keys {
        made = made.key(mk_key(key));
    }
    made.add();
}

fn mk_key(key: &Key) -> KeySpec {
    let made = KeySpec::new().id(&key.access_key_id).created(key.created_at).status(&key.status);
    match key.last_used_at {
        Some(used) => made.used(used, &key.service, &key.region),
        None => made,
    }
}

//! The printed policies, as JSON that can be taken apart, and how they are given to the simulator.

use keysweep::config::Config;
use keysweep::iam::{self, Deletion};
use keysweep_sim::Sim;
use serde_json::Value;

/// The hub of the simulator.
pub(crate) const HUB: &str = "arn:aws:iam::100000000000:user/keysweep-hub";

/// The roles, by name with path.
pub(crate) const SCAN: &str = "keysweep/KeysweepScan";
pub(crate) const ENFORCE: &str = "keysweep/KeysweepEnforce";

/// What `keysweep iam` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    Hub,
    Scan,
    ScanTrust,
    Enforce,
    EnforceTrust,
}

pub(crate) const ALL: [Which; 5] =
    [Which::Hub, Which::Scan, Which::ScanTrust, Which::Enforce, Which::EnforceTrust];

/// One document of each.
#[derive(Debug, Clone)]
pub(crate) struct Policies([Value; 5]);

impl Policies {
    /// What this configuration needs.
    pub(crate) fn printed(config: &Config, now: jiff::Timestamp) -> Self {
        let json = |document| serde_json::to_value::<iam::Document>(document).unwrap();
        let trust = json(iam::trust(config, &HUB.parse().unwrap(), None).unwrap());
        Self([
            json(iam::hub(config).unwrap()),
            json(iam::scan(config).unwrap()),
            trust.clone(),
            json(iam::enforce(config, now, Deletion::Allowed).unwrap()),
            trust,
        ])
    }

    pub(crate) fn of(&self, which: Which) -> &Value {
        &self.0[which as usize]
    }

    pub(crate) fn statement(&mut self, which: Which, sid: &str) -> &mut Value {
        let statements = self.0[which as usize]["Statement"].as_array_mut().unwrap();
        statements.iter_mut().find(|one| one["Sid"] == sid).unwrap_or_else(|| panic!("no {sid} in {which:?}"))
    }

    /// Sids of what is allowed, each with its actions.
    pub(crate) fn allowed(&self, which: Which) -> Vec<(String, Vec<String>)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let statements = self.of(which)["Statement"].as_array().unwrap().iter();
        let allowed = statements.filter(|one| one["Effect"] == "Allow");
        let actions = |one: &Value| one["Action"].as_array().unwrap().iter().map(text).collect();
        allowed.map(|one| (text(&one["Sid"]), actions(one))).collect()
    }

    /// Without one action; and without its statement, if nothing is left of it.
    pub(crate) fn without_action(&self, which: Which, sid: &str, action: &str) -> Self {
        let mut less = self.clone();
        let actions = less.statement(which, sid)["Action"].as_array_mut().unwrap();
        let before = actions.len();
        actions.retain(|one| one != action);
        assert_eq!(actions.len(), before - 1, "{action} in {sid} of {which:?}");
        if actions.is_empty() { self.without_statement(which, sid) } else { less }
    }

    /// Without one statement.
    pub(crate) fn without_statement(&self, which: Which, sid: &str) -> Self {
        let mut less = self.clone();
        less.statement(which, sid);
        less.0[which as usize]["Statement"].as_array_mut().unwrap().retain(|one| one["Sid"] != sid);
        less
    }

    /// Without the condition on one key.
    pub(crate) fn without_condition(&self, which: Which, sid: &str, operator: &str, key: &str) -> Self {
        let mut less = self.clone();
        let conditions = &mut less.statement(which, sid)["Condition"];
        assert!(conditions[operator].as_object_mut().unwrap().remove(key).is_some(), "{key} in {sid}");
        if conditions[operator].as_object().unwrap().is_empty() {
            conditions.as_object_mut().unwrap().remove(operator);
        }
        less
    }

    /// Gives the hub and the roles of these accounts what they may do, and no more.
    pub(crate) fn give(&self, sim: &Sim, accounts: &[&str]) {
        let text = |which| self.of(which).to_string();
        sim.set_hub_policy(Some(&text(Which::Hub))).unwrap();
        for account in accounts {
            for (role, permissions, trust) in
                [(SCAN, Which::Scan, Which::ScanTrust), (ENFORCE, Which::Enforce, Which::EnforceTrust)]
            {
                sim.set_role_policy(account, role, Some(&text(permissions))).unwrap();
                sim.set_trust_policy(account, role, &text(trust)).unwrap();
            }
        }
    }
}

/// Whether a policy is this one, by the name under which the simulator counts its answers.
pub(crate) fn is(which: Which, name: &str) -> bool {
    let of = |prefix: &str, role: &str| name.starts_with(prefix) && name.ends_with(role);
    match which {
        Which::Hub => name == "hub",
        Which::Scan => of("arn:", SCAN),
        Which::ScanTrust => of("trust of ", SCAN),
        Which::Enforce => of("arn:", ENFORCE),
        Which::EnforceTrust => of("trust of ", ENFORCE),
    }
}

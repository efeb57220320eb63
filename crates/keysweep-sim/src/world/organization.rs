//! The tree: one root, organizational units below it. Accounts know their parent themselves.

use std::collections::BTreeMap;

use super::{Actor, Refusal, World};

/// The organization's id.
pub(crate) const ORGANIZATION_ID: &str = "o-keysweepsim";
/// That of accounts that belong to somebody else.
pub(crate) const FOREIGN_ORGANIZATION_ID: &str = "o-somebodyelse";
/// The root's id.
pub(crate) const ROOT_ID: &str = "r-swp1";

#[derive(Debug)]
pub(crate) struct OrgTree {
    /// By id.
    pub(crate) units: BTreeMap<String, Unit>,
}

#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) parent: String,
    pub(crate) tags: BTreeMap<String, String>,
}

impl OrgTree {
    pub(crate) fn new() -> Self {
        Self { units: BTreeMap::new() }
    }

    /// The id of the unit at `path` ("Workloads/Prod", a leading "Root/" may stand before it), made as needed.
    pub(crate) fn unit_at(&mut self, path: &str) -> String {
        let mut at = ROOT_ID.to_owned();
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        if names.peek() == Some(&"Root") {
            names.next();
        }
        for name in names {
            let found = self.units.iter().find(|(_, unit)| unit.parent == at && unit.name == name);
            at = match found {
                Some((id, _)) => id.clone(),
                None => {
                    let id = format!("ou-swp1-{:08x}", self.units.len() + 0x10);
                    let unit = Unit { name: name.to_owned(), parent: at, tags: BTreeMap::new() };
                    self.units.insert(id.clone(), unit);
                    id
                }
            };
        }
        at
    }

    pub(crate) fn exists(&self, id: &str) -> bool {
        id == ROOT_ID || self.units.contains_key(id)
    }

    /// `o-x/r-x/ou-x/ou-y/` of a unit or the root.
    pub(crate) fn path(&self, id: &str) -> String {
        let mut above = Vec::new();
        let mut at = id;
        while let Some((own, unit)) = self.units.get_key_value(at) {
            above.push(own.as_str());
            at = &unit.parent;
        }
        let mut path = format!("{ORGANIZATION_ID}/{ROOT_ID}/");
        for id in above.iter().rev() {
            path.push_str(id);
            path.push('/');
        }
        path
    }
}

impl World {
    pub(crate) fn move_account(
        &mut self,
        account: &str,
        ou_path: &str,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let mut attempt = self.blank_change(account, "organizations:MoveAccount", actor);
        let parent = self.tree.unit_at(ou_path);
        attempt.change.new = Some(parent.clone());
        let outcome = match self.accounts.get_mut(account) {
            Some(found) => {
                attempt.change.old = Some(std::mem::replace(&mut found.parent, parent));
                Ok(())
            }
            None => Err(no_such_account()),
        };
        self.finish(attempt, outcome)
    }

    /// Sets the state; a word AWS does not use yet is shown as it stands, and the account works on.
    pub(crate) fn set_account_state(
        &mut self,
        account: &str,
        state: &str,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let action = if state == "CLOSED" || state == "PENDING_CLOSURE" {
            "organizations:CloseAccount"
        } else {
            "organizations:SetAccountState"
        };
        let mut attempt = self.blank_change(account, action, actor);
        attempt.change.new = Some(state.to_owned());
        let outcome = match self.accounts.get_mut(account) {
            Some(found) => {
                attempt.change.old = Some(found.odd_state.take().unwrap_or_else(|| found.state.to_string()));
                match state.parse() {
                    Ok(state) => found.state = state,
                    Err(_) => found.odd_state = Some(state.to_owned()),
                }
                Ok(())
            }
            None => Err(no_such_account()),
        };
        self.finish(attempt, outcome)
    }

    /// Takes the account out of the organization and out of this world.
    pub(crate) fn remove_account(&mut self, account: &str, actor: &Actor) -> Result<(), Refusal> {
        let attempt = self.blank_change(account, "organizations:RemoveAccountFromOrganization", actor);
        let outcome = match self.accounts.remove(account) {
            Some(_) => {
                self.keys.retain(|_, home| &*home.account != account);
                Ok(())
            }
            None => Err(no_such_account()),
        };
        self.finish(attempt, outcome)
    }
}

fn no_such_account() -> Refusal {
    Refusal::new(400, "AccountNotFoundException", "You specified an account that doesn't exist.")
}

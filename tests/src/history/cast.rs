//! The people of a history: what each may do, as the oracle understands it. It is written to keysweep as `[[access]]` and
//! never read back.

use std::fmt::Write as _;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::rules::EXEMPT_ACCOUNT_TAG;

/// A role, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Viewer,
    Approver,
    Operator,
}

/// Where a role is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    Whole,
    Accounts(Vec<String>),
    /// Accounts with the tag that may exempt them.
    Tagged,
    /// Accounts in the OU that rules may exempt, by its ID.
    Ou(String),
}

/// Somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// The name, in small letters.
    pub(super) name: String,
    /// Another name under which the identity provider knows the same person.
    pub(super) alias: Option<&'static str>,
    pub(super) roles: Vec<(Role, Scope)>,
    /// The address that the identity provider has verified.
    pub(super) email: Option<String>,
}

/// Everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cast(Vec<Person>);

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Operator => "operator",
        }
    }
}

impl Person {
    fn new(name: &str, roles: Vec<(Role, Scope)>) -> Self {
        Self { name: name.into(), alias: None, roles, email: None }
    }

    /// Somebody whose keys are, or could be, their own.
    fn owner(name: &str, email: String, roles: Vec<(Role, Scope)>) -> Self {
        Self { alias: Some("A. N. Other"), email: Some(email), ..Self::new(name, roles) }
    }

    /// The `sub` of the identity provider.
    pub(super) fn subject(&self) -> String {
        format!("sub-{}", self.name)
    }

    /// The ID of a user of Slack.
    pub(super) fn slack_id(&self) -> String {
        format!("U0{}", self.name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), ""))
    }

    /// The highest role anywhere, as a word.
    pub(super) fn calling(&self) -> &'static str {
        match (self.roles.iter().map(|(role, _)| *role).max(), &self.email) {
            (Some(role), _) => role.word(),
            (None, Some(_)) => "owner",
            (None, None) => "stranger",
        }
    }

    /// Whether they hold the role in the whole organization.
    pub(super) fn holds(&self, role: Role) -> bool {
        self.roles.iter().any(|(held, scope)| *held >= role && *scope == Scope::Whole)
    }
}

impl Cast {
    /// `ou` is where somebody is an approver, if OUs are read.
    pub(super) fn of_seed(rng: &mut ChaCha8Rng, accounts: &[String], ou: Option<&str>) -> Self {
        let first = accounts.first().cloned().unwrap_or_default();
        let (mut some, mut others): (Vec<_>, Vec<_>) =
            accounts.iter().cloned().partition(|_| rng.random_bool(0.5));
        // A scope without an account would be one for all.
        if some.is_empty() {
            some.push(first.clone());
        }
        if others.is_empty() {
            others.push(first.clone());
        }
        let in_some = || Scope::Accounts(some.clone());
        let in_others = || Scope::Accounts(others.clone());
        let mut cast = vec![
            Person::new("alice", vec![(Role::Operator, Scope::Whole)]),
            Person::new("bob", vec![(Role::Operator, Scope::Whole)]),
            Person::new("omar", vec![(Role::Operator, Scope::Whole)]),
            Person::new("ivan", vec![(Role::Operator, in_others())]),
            Person::new("dora", vec![(Role::Approver, Scope::Whole)]),
            Person::new("carl", vec![(Role::Viewer, Scope::Whole), (Role::Approver, in_some())]),
            Person { alias: Some("Nadia Two"), ..Person::new("nadia", vec![(Role::Approver, in_others())]) },
            Person::new("vera", vec![(Role::Viewer, Scope::Whole)]),
            Person::new("vito", vec![(Role::Viewer, in_some())]),
            Person::owner("ann", "ann@corp.example".into(), Vec::new()),
            Person::owner("bo", "bo@corp.example".into(), vec![(Role::Viewer, Scope::Whole)]),
            // Nobody believes that tag.
            Person::owner("eve", "eve@evil.example".into(), Vec::new()),
        ];
        // As the simulator makes up the address of an account.
        let of_account = |(n, id): (usize, &String)| {
            Person::owner(&format!("root{n}"), format!("aws+{id}@example.com"), Vec::new())
        };
        cast.extend(accounts.iter().enumerate().map(of_account));
        // What these depend on takes calls to read.
        if rng.random_bool(0.15) {
            cast.push(Person::new("tina", vec![(Role::Approver, Scope::Tagged)]));
        }
        if let Some(ou) = ou {
            cast.push(Person::new("olga", vec![(Role::Approver, Scope::Ou(ou.to_owned()))]));
        }
        Self(cast)
    }

    pub(super) fn people(&self) -> &[Person] {
        &self.0
    }

    /// Somebody: a third are owners.
    pub(super) fn any(&self, rng: &mut ChaCha8Rng) -> Option<&Person> {
        let owners = rng.random_bool(0.33);
        let some: Vec<&Person> = self.0.iter().filter(|person| person.email.is_some() == owners).collect();
        if some.is_empty() { None } else { some.get(rng.random_range(0..some.len())).copied() }
    }

    /// The owner with that address.
    pub(super) fn owner(&self, email: &str) -> Option<&Person> {
        self.0.iter().find(|person| person.email.as_deref() == Some(email))
    }

    /// Whoever has that subject, that ID, or goes by that name.
    pub(super) fn known(&self, id: Option<&str>, name: &str) -> Option<&Person> {
        let by_id = |person: &&Person| id.is_some_and(|id| id == person.subject() || id == person.slack_id());
        let by_name = |person: &&Person| person.name == name.to_lowercase();
        self.0.iter().find(by_id).or_else(|| self.0.iter().find(by_name))
    }

    pub(super) fn to_toml(&self) -> String {
        let mut toml = String::new();
        for person in &self.0 {
            for (role, scope) in &person.roles {
                let (subject, role) = (person.subject(), role.word());
                let _ = write!(toml, "[[access]]\noidc_subject = \"{subject}\"\nrole = \"{role}\"\n");
                let _ = match scope {
                    Scope::Whole => Ok(()),
                    Scope::Accounts(accounts) => writeln!(toml, "match = {{ accounts = {accounts:?} }}"),
                    Scope::Tagged => {
                        writeln!(
                            toml,
                            "match = {{ account_tags = {{ \"{EXEMPT_ACCOUNT_TAG}\" = \"off\" }} }}"
                        )
                    }
                    Scope::Ou(ou) => writeln!(toml, "match = {{ ous = [\"{ou}\"] }}"),
                };
            }
        }
        toml
    }
}

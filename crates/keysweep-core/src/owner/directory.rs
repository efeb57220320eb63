//! The people of a company.

use std::collections::HashMap;

use super::{Contact, EmailAddress};

/// Somebody in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: Option<EmailAddress>,
    /// ID of the Slack user.
    pub slack: Option<String>,
    /// Whether the person still works here.
    pub active: bool,
    /// The person's manager, by name or address.
    pub manager: Option<String>,
}

impl Person {
    /// How the person is reached.
    #[must_use]
    pub fn contact(&self) -> Contact {
        Contact { email: self.email.clone(), slack: self.slack.clone(), webhook: None }
    }
}

/// The people of a company, by name and by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directory {
    people: Vec<Person>,
    /// By lower-case name or address; empty where several have it.
    index: HashMap<String, Option<usize>>,
}

impl Directory {
    /// A directory of these people, in whatever order they come.
    #[must_use]
    pub fn new(mut people: Vec<Person>) -> Self {
        people.sort_by(|a, b| (&a.name, &a.email).cmp(&(&b.name, &b.email)));
        let mut places: HashMap<String, Vec<usize>> = HashMap::with_capacity(2 * people.len());
        for (place, person) in people.iter().enumerate() {
            let email = person.email.as_ref().map(EmailAddress::as_str);
            let mut names: Vec<String> =
                [Some(person.name.as_str()), email].into_iter().flatten().map(key).collect();
            names.dedup();
            names.into_iter().for_each(|name| places.entry(name).or_default().push(place));
        }
        // Somebody who left and came back is listed twice.
        let one_of = |places: Vec<usize>| {
            let works = |place: &&usize| people.get(**place).is_some_and(|person| person.active);
            let active: Vec<usize> = places.iter().filter(works).copied().collect();
            match (active.as_slice(), places.first()) {
                ([one], _) => Some(*one),
                ([], first) => first.copied(),
                _ => None,
            }
        };
        let index = places.into_iter().map(|(name, places)| (name, one_of(places))).collect();
        Self { people, index }
    }

    /// How many people who can be reached by another directory cannot be by this one.
    #[must_use]
    pub fn lost_from(&self, before: &Self) -> usize {
        let works = |person: &&Person| person.active && person.contact().is_reachable();
        let lost = before.people.iter().filter(works).filter(|person| {
            let name = person.email.as_ref().map_or(person.name.as_str(), EmailAddress::as_str);
            !self.find(name).as_ref().is_some_and(works)
        });
        lost.count()
    }

    /// How many people it lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Whether it lists nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Who has this name or address. Several who have it are nobody.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Person> {
        self.index.get(&key(name)).copied().flatten().and_then(|place| self.people.get(place))
    }

    /// Whether several people have this name.
    #[must_use]
    pub fn is_ambiguous(&self, name: &str) -> bool {
        self.index.get(&key(name)).is_some_and(Option::is_none)
    }
}

fn key(name: &str) -> String {
    name.trim().to_lowercase()
}

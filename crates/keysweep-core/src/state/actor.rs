//! Who acts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who wrote an entry of the journal. Decisions look at the variant, never at a name: a person, a token or an owner may
/// be called `keysweep`, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// The program itself.
    Keysweep,
    /// A user of the machine that data_dir is on.
    Local {
        /// The user that the command ran as.
        user: String,
        /// The user that logged in, as the kernel keeps it across `sudo` and `su`; `None` where it does not say.
        login: Option<String>,
    },
    /// The holder of an HTTP token.
    Token {
        /// Name of the token in the configuration.
        name: String,
        /// How it was presented.
        #[serde(default, skip_serializing_if = "TokenUse::is_api")]
        by: TokenUse,
    },
    /// Somebody who signed in through an identity provider.
    Oidc {
        /// `sub`: never assigned to anybody else.
        subject: String,
        /// Name to show.
        name: String,
    },
    /// A user of Slack.
    Slack {
        /// User ID.
        id: String,
        /// Name to show.
        name: String,
    },
    /// Whoever followed a signed link.
    Link {
        /// The owner that the link was sent to.
        owner: String,
    },
}

/// How a token was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUse {
    /// With the request, as scripts do.
    #[default]
    Api,
    /// At the login to the page.
    Page,
}

impl TokenUse {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_api(&self) -> bool {
        *self == Self::Api
    }
}

impl Actor {
    /// The holder of a token that came with the request.
    #[must_use]
    pub fn token(name: impl Into<String>) -> Self {
        Self::Token { name: name.into(), by: TokenUse::Api }
    }

    /// The way that a decision came.
    #[must_use]
    pub fn channel(&self) -> &'static str {
        match self {
            Self::Keysweep => "keysweep",
            Self::Local { .. } => "cli",
            Self::Token { by: TokenUse::Api, .. } => "api",
            Self::Token { by: TokenUse::Page, .. } | Self::Oidc { .. } => "page",
            Self::Slack { .. } => "slack",
            Self::Link { .. } => "link",
        }
    }

    /// A user of this machine whose login is unknown.
    #[must_use]
    pub fn local(user: impl Into<String>) -> Self {
        Self::Local { user: user.into(), login: None }
    }

    /// Whether both may be the same person. Nothing tells that a local user and the holder of a token are two people if they
    /// go by one name.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let subject = |actor: &Self| match actor {
            Self::Oidc { subject: id, .. } | Self::Slack { id, .. } => Some((actor.channel(), id.clone())),
            Self::Keysweep | Self::Local { .. } | Self::Token { .. } | Self::Link { .. } => None,
        };
        let same_id = subject(self).is_some_and(|id| subject(other) == Some(id));
        same_id || self.person().to_lowercase() == other.person().to_lowercase()
    }

    /// By what name somebody goes.
    fn person(&self) -> &str {
        match self {
            Self::Keysweep => "keysweep",
            Self::Local { user, login } => login.as_ref().unwrap_or(user),
            Self::Token { name, .. } | Self::Oidc { name, .. } | Self::Slack { name, .. } => name,
            Self::Link { owner } => owner,
        }
    }

    /// Whether nobody but the program itself acted.
    #[must_use]
    pub fn is_keysweep(&self) -> bool {
        match self {
            Self::Keysweep => true,
            Self::Local { .. }
            | Self::Token { .. }
            | Self::Oidc { .. }
            | Self::Slack { .. }
            | Self::Link { .. } => false,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keysweep => f.write_str("keysweep"),
            Self::Local { user, login } => {
                if is_plain(user) {
                    f.write_str(user)?;
                } else {
                    write!(f, "local user {user:?}")?;
                }
                match login.as_ref().filter(|login| *login != user) {
                    Some(login) => write!(f, " (login {login})"),
                    None => Ok(()),
                }
            }
            Self::Token { name, .. } => write!(f, "token {name}"),
            Self::Oidc { subject, name } => write!(f, "{name} (OIDC {subject})"),
            Self::Slack { id, name } => write!(f, "{name} (Slack {id})"),
            Self::Link { owner } => write!(f, "link to {owner}"),
        }
    }
}

/// Whether the name of a local user cannot be read as any other actor.
fn is_plain(user: &str) -> bool {
    let number = user.strip_prefix("uid ").unwrap_or(user);
    let usual = |c: char| c.is_alphanumeric() || "._-@\\$".contains(c);
    user != "keysweep" && !number.is_empty() && number.chars().all(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_every() -> Vec<Actor> {
        let name = || "keysweep".to_owned();
        vec![
            Actor::Keysweep,
            Actor::local("keysweep"),
            Actor::Local { user: "root".into(), login: Some(name()) },
            Actor::Local { user: name(), login: Some(name()) },
            Actor::token(name()),
            Actor::Token { name: name(), by: TokenUse::Page },
            Actor::Oidc { subject: "00u1".into(), name: name() },
            Actor::Slack { id: "U012".into(), name: name() },
            Actor::Link { owner: name() },
        ]
    }

    #[test]
    fn an_actor_called_keysweep_is_not_the_program() {
        for (n, actor) in mk_every().iter().enumerate() {
            assert_eq!(actor.is_keysweep(), n == 0, "{actor:?}");
            assert_eq!(actor.to_string() == "keysweep", n == 0, "{actor}");
        }
        for user in ["token keysweep", "link to keysweep", "", " keysweep", "ann (Slack U1)", "uid "] {
            assert!(Actor::local(user).to_string().starts_with("local user "), "{user:?}");
        }
        for user in ["ann", "uid 1000", "svc-x.y", "CORP\\ann", "ann@corp"] {
            assert_eq!(Actor::local(user).to_string(), user);
        }
    }

    #[test]
    fn the_stored_form_of_each_actor_is_its_own_and_is_read_back() {
        let stored = [
            r#""keysweep""#,
            r#"{"local":{"user":"keysweep","login":null}}"#,
            r#"{"local":{"user":"root","login":"keysweep"}}"#,
            r#"{"local":{"user":"keysweep","login":"keysweep"}}"#,
            r#"{"token":{"name":"keysweep"}}"#,
            r#"{"token":{"name":"keysweep","by":"page"}}"#,
            r#"{"oidc":{"subject":"00u1","name":"keysweep"}}"#,
            r#"{"slack":{"id":"U012","name":"keysweep"}}"#,
            r#"{"link":{"owner":"keysweep"}}"#,
        ];
        for (actor, json) in mk_every().into_iter().zip(stored) {
            assert_eq!(serde_json::to_string(&actor).unwrap(), json);
            assert_eq!(serde_json::from_str::<Actor>(json).unwrap(), actor);
        }
        for wrong in [r#""ann""#, r#"{"local":"ann"}"#, r#"{"local":{"user":"a","login":null,"x":1}}"#] {
            assert!(serde_json::from_str::<Actor>(wrong).is_err(), "{wrong}");
        }
    }
}

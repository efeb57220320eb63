//! Sessions of people who have logged in to the page. A restart keeps them, in one small file in data_dir.
//!
//! A session is known by 256 random bits in a cookie, of which only the SHA-256 is stored. Roles are not part of it: they
//! follow from the configuration in force at each request, so that removing someone's role takes effect at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use keysweep_core::state::{Actor, TokenUse};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Caller, Grant, Holder, Holding};
use crate::config::{Http, SessionLife};

/// Name of the file in data_dir.
const FILE: &str = "sessions.json";

/// More people than have the page of one organization open. The session that was not used for the longest gives way.
const MOST: usize = 2_000;

/// How old the time of last use in the file may be: not each request is written.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// How far a clock is set back by a usual correction.
const CORRECTION: Duration = Duration::from_secs(300);

/// Random bytes in the cookie.
const BYTES: usize = 32;

/// Who has logged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Who {
    /// The holder of a token.
    Token {
        /// Its name in the configuration.
        name: String,
        /// Its SHA-256, in hexadecimal: another token of the same name is not this one.
        sha256: String,
    },
    /// A person whom the identity provider has named.
    Oidc {
        /// Issuer of the provider: a `sub` means nobody at any other.
        issuer: String,
        /// `sub`.
        subject: String,
        /// Name to show.
        name: String,
        /// The verified e-mail address.
        email: Option<String>,
        /// The groups at the time of the login.
        groups: BTreeSet<String>,
    },
}

/// One session, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Names it among all sessions of this data_dir.
    pub number: u64,
    /// Who has logged in.
    pub who: Who,
    /// When.
    pub since: Timestamp,
    /// When it was last used, to about a minute.
    pub seen: Timestamp,
    /// The address of the client at login.
    pub client: String,
}

/// Every session.
#[derive(Debug)]
pub struct Sessions {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    kept: Kept,
    /// What the next page of a session says. Not worth a write to the disk.
    said: HashMap<String, Said>,
}

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// The number of the next session.
    next: u64,
    /// By the SHA-256 of the cookie, in hexadecimal.
    sessions: BTreeMap<String, Session>,
}

/// The outcome of a decision, for the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether it was done.
    pub good: bool,
    /// In words.
    pub text: String,
}

/// A session that is in use.
#[derive(Debug, Clone)]
pub struct Live {
    /// As people see it.
    pub session: Session,
    /// What forms must repeat, so that no other page can send them.
    pub csrf: String,
    id: String,
}

impl Who {
    /// The person, as the journal names them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match self {
            Self::Token { name, .. } => Actor::Token { name: name.clone(), by: TokenUse::Page },
            Self::Oidc { subject, name, .. } => Actor::Oidc { subject: subject.clone(), name: name.clone() },
        }
    }

    /// The person with the roles that the configuration gives; `None` if the token is revoked, or the provider is no longer
    /// the configured one.
    #[must_use]
    pub fn caller(&self, http: &Http, holdings: &[Holding]) -> Option<Caller> {
        match self {
            Self::Token { name, sha256 } => {
                let digest = sha256.parse().ok()?;
                let token = http.tokens.iter().find(|token| token.name == *name && token.digest == digest)?;
                Some(Caller::new(self.actor(), vec![token.grant()]))
            }
            Self::Oidc { issuer, subject, name: _, email, groups } => {
                http.oidc.as_ref().filter(|oidc| oidc.issuer == *issuer)?;
                let grants = holdings.iter().filter(|holding| match &holding.holder {
                    Holder::OidcGroup(group) => groups.contains(group),
                    Holder::OidcSubject(named) => named == subject,
                    Holder::LocalUser(_) | Holder::SlackUser(_) => false,
                });
                let grants: Vec<Grant> = grants.map(|holding| holding.grant.clone()).collect();
                Some(Caller::new(self.actor(), grants).with_email(email.clone()))
            }
        }
    }
}

impl Session {
    fn is_over(&self, life: SessionLife, now: Timestamp) -> bool {
        let after = |at: Timestamp, span: Duration| at.checked_add(span).unwrap_or(Timestamp::MAX);
        // A clock that was set back by more than a correction must not keep a session alive.
        let before = after(now, CORRECTION) < self.since;
        before || now >= after(self.since, life.lifetime) || now >= after(self.seen, life.idle)
    }
}

impl Sessions {
    /// Reads the sessions in data_dir. A file that cannot be read ends all sessions.
    #[must_use]
    pub fn open(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let kept = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "all sessions end: their file is damaged");
                Kept::default()
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "all sessions end: their file could not be read");
                Kept::default()
            }
        };
        Self { path, inner: Mutex::new(Inner { kept, said: HashMap::new() }) }
    }

    /// Begins a session, and gives the value of its cookie. It is always a new one: a cookie from before the login is
    /// worth nothing after it.
    ///
    /// # Errors
    /// The system has no random numbers, or the file cannot be written.
    pub fn begin(&self, who: Who, client: String, now: Timestamp) -> io::Result<(SecretString, Session)> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let cookie = SecretString::from(hex::encode(bytes));
        let mut inner = self.lock();
        let kept = &mut inner.kept;
        if kept.sessions.len() >= MOST {
            let oldest =
                kept.sessions.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| id.clone());
            oldest.and_then(|id| kept.sessions.remove(&id));
        }
        kept.next += 1;
        let session = Session { number: kept.next, who, since: now, seen: now, client };
        let id = id_of(cookie.expose_secret());
        kept.sessions.insert(id.clone(), session.clone());
        if let Err(error) = self.save(kept) {
            kept.sessions.remove(&id);
            return Err(error);
        }
        Ok((cookie, session))
    }

    /// The session of a cookie, which is being used now.
    #[must_use]
    pub fn find(&self, cookie: &str, life: SessionLife, now: Timestamp) -> Option<Live> {
        let id = id_of(cookie);
        let mut inner = self.lock();
        let kept = &mut inner.kept;
        let session = kept.sessions.get_mut(&id)?;
        if session.is_over(life, now) {
            kept.sessions.remove(&id);
            self.save_or_warn(kept);
            return None;
        }
        let since_seen = now.duration_since(session.seen);
        let live = session.clone();
        if since_seen.unsigned_abs() >= SEEN_EVERY {
            session.seen = now;
            self.save_or_warn(kept);
        }
        Some(Live { session: live, csrf: csrf_of(cookie), id })
    }

    /// Every session that is not over, oldest first.
    #[must_use]
    pub fn list(&self, life: SessionLife, now: Timestamp) -> Vec<Session> {
        let inner = self.lock();
        let live = inner.kept.sessions.values().filter(|session| !session.is_over(life, now));
        let mut sessions: Vec<_> = live.cloned().collect();
        sessions.sort_by_key(|session| session.number);
        sessions
    }

    /// Ends the sessions that are chosen, and gives them.
    ///
    /// # Errors
    /// The file cannot be written: they are over for this process, and may be back after a restart.
    pub fn end(&self, chosen: impl Fn(&Session) -> bool) -> io::Result<Vec<Session>> {
        let mut inner = self.lock();
        let kept = &mut inner.kept;
        let ended: Vec<_> = kept.sessions.values().filter(|session| chosen(session)).cloned().collect();
        kept.sessions.retain(|_, session| !chosen(session));
        if !ended.is_empty() {
            self.save(kept)?;
        }
        Ok(ended)
    }

    /// Leaves something for the next page of a session to say.
    pub fn say(&self, live: &Live, said: Said) {
        let mut inner = self.lock();
        let Inner { kept, said: all } = &mut *inner;
        all.retain(|id, _| kept.sessions.contains_key(id));
        if kept.sessions.contains_key(&live.id) {
            all.insert(live.id.clone(), said);
        }
    }

    /// What the page of a session is to say, once.
    #[must_use]
    pub fn heard(&self, live: &Live) -> Option<Said> {
        self.lock().said.remove(&live.id)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save_or_warn(&self, kept: &Kept) {
        if let Err(error) = self.save(kept) {
            tracing::warn!(path = %self.path.display(), %error, "sessions could not be saved");
        }
    }

    /// Replaces the file as a whole.
    fn save(&self, kept: &Kept) -> io::Result<()> {
        let new = self.path.with_extension("json.new");
        let bytes = serde_json::to_vec(kept).map_err(io::Error::other)?;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &self.path)
    }
}

impl Live {
    /// Whether a form repeats what it was given.
    #[must_use]
    pub fn accepts(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }
}

fn id_of(cookie: &str) -> String {
    hex::encode(Sha256::digest(cookie))
}

/// Follows from the cookie, which nobody else knows, and does not reveal it.
fn csrf_of(cookie: &str) -> String {
    hex::encode(Sha256::new().chain_update(b"keysweep form\n").chain_update(cookie).finalize())
}

#[cfg(test)]
mod tests;

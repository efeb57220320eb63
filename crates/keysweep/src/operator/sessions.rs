//! Sessions of people who have logged in.

use keysweep_api::{Done, ListSessions, Operation, Refusal, RevokeSessions, SessionRow, SessionsDocument};

use super::{Act, Look};
use crate::access::{Need, Permit, Session, Sight};
use crate::engine::Engine;

impl Look for ListSessions {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn look(self, engine: &Engine, _: &Sight) -> Result<SessionsDocument, Refusal> {
        let (config, now) = (engine.config(), engine.clock().operational());
        let row = |session: Session| {
            let caller = session.who.caller(&config.http, &config.access);
            SessionRow {
                number: session.number,
                person: session.who.actor().to_string(),
                role: caller.and_then(|caller| caller.best_role()),
                since: session.since,
                seen: session.seen,
                client: session.client,
            }
        };
        let sessions = engine.sessions().list(config.http.session, now);
        Ok(SessionsDocument { generated_at: now, sessions: sessions.into_iter().map(row).collect() })
    }
}

impl Act for RevokeSessions {
    fn need(&self) -> Need {
        Need::organization(Self::ROLE)
    }

    async fn act(self, engine: &Engine, permit: &Permit<'_>) -> Result<Done, Refusal> {
        let Self { number, reason } = self;
        let ended = engine.sessions().end(|session| number.is_none_or(|number| session.number == number));
        let ended = ended.map_err(|error| {
            Refusal::Unavailable(format!(
                "sessions ended until keysweep restarts, but could not be saved: {error}"
            ))
        })?;
        for session in &ended {
            let (person, by) = (session.who.actor(), permit.actor());
            tracing::warn!(session = session.number, %person, %by, reason, "a session was revoked");
        }
        match (ended.as_slice(), number) {
            ([], Some(number)) => Err(Refusal::NotFound(format!("there is no session {number}"))),
            ([], None) => Err(Refusal::Conflict("nobody is logged in".to_owned())),
            ([session], _) => {
                Ok(Done { message: format!("ended session {} of {}", session.number, session.who.actor()) })
            }
            (ended, _) => Ok(Done { message: format!("ended {} sessions", ended.len()) }),
        }
    }
}

//! A provider, a clock, and keysweep's side.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use keysweep_oidc::{Answer, LoginError, Person, Provider, Settings};

use crate::op::{CLIENT, Op, SECRET};

pub(crate) struct Stage {
    pub(crate) op: Op,
    pub(crate) provider: Provider,
    seconds: Arc<AtomicI64>,
}

pub(crate) fn start_time() -> Timestamp {
    "2026-11-30T10:00:00Z".parse().unwrap()
}

pub(crate) fn settings(issuer: &str) -> Settings {
    Settings {
        issuer: issuer.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(SECRET.into()),
        redirect_url: "https://keysweep.example.com/login/done?from=op".to_owned(),
        scopes: vec!["profile".to_owned(), "email".to_owned()],
        groups_claim: "groups".to_owned(),
        ca_pem: None,
        timeout: Duration::from_secs(60),
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::at(Op::start(start_time(), None).await, change)
    }

    pub(crate) fn at(op: Op, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(&op.issuer);
        change(&mut settings);
        let seconds = Arc::new(AtomicI64::new(start_time().as_second()));
        let hands = seconds.clone();
        let clock = move || Timestamp::from_second(hands.load(Ordering::SeqCst)).unwrap();
        Self { op, provider: Provider::new(settings, Arc::new(clock)).unwrap(), seconds }
    }

    /// Sets the clocks of both sides.
    pub(crate) fn pass(&self, seconds: i64) {
        let now = self.seconds.fetch_add(seconds, Ordering::SeqCst) + seconds;
        self.op.state().now = Timestamp::from_second(now).unwrap();
    }

    /// A whole login.
    pub(crate) async fn login(&self) -> Result<Person, LoginError> {
        let begun = self.provider.begin().await?;
        let (code, state) = self.op.authorize(&begun.authorize_url);
        self.provider.finish(begun.pending, answer(&code, &state, "")).await
    }

    /// A login that fails, and its error.
    pub(crate) async fn fault(&self) -> String {
        let error = self.login().await.expect_err("the login should fail");
        let shown = error.to_string();
        assert!(!shown.contains('\n') && !shown.contains(SECRET), "{shown}");
        shown
    }
}

pub(crate) fn answer(code: &str, state: &str, more: &str) -> Answer {
    Answer::parse(&format!("code={code}&state={state}{more}")).unwrap()
}

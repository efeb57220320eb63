//! What people do with the buttons and modals of a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use keysweep_api::{Decide, Refusal};
use keysweep_core::lifecycle::Record;
use keysweep_core::state::Actor;
use keysweep_core::ticket::Planned;
use keysweep_notify::FailureKind;
use keysweep_notify::slack::socket::{Click, Event, Person, Reply, Submission};
use keysweep_notify::slack::{Modal, Slack, SlackMessage, TextInput};
use serde::{Deserialize, Serialize};

use crate::access::{Caller, Holder};
use crate::config::SlackBot;
use crate::engine::Engine;
use crate::metrics::{SlackEvent, SlackRefusal};
use crate::operator::{self, Act as _};
use crate::people::request::{RequestName, Verdict, page_of};

/// The input of a modal.
const REASON: &str = "reason";

/// What handles the events of one session.
pub(super) struct Desk<'a> {
    pub(super) engine: &'a Arc<Engine>,
    /// The settings that the session began with.
    pub(super) bot: &'a SlackBot,
    pub(super) slack: &'a Slack,
    /// ID of the workspace of the bot token.
    pub(super) team: String,
}

/// What a modal is about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// [`RequestName`].
    request: String,
    /// The conversation of the message.
    channel: String,
}

/// Why nothing was decided.
#[derive(Debug)]
struct No {
    why: SlackRefusal,
    /// In words for the person.
    text: String,
}

impl No {
    fn new(why: SlackRefusal, text: impl Into<String>) -> Self {
        Self { why, text: text.into() }
    }

    fn malformed() -> Self {
        Self::new(SlackRefusal::Malformed, "keysweep does not understand this button.")
    }

    fn deletion(page: Option<String>) -> Self {
        let place = page.map_or_else(
            || "with `keysweep approvals approve`".to_owned(),
            |page| format!("on the page: {page}"),
        );
        Self::new(
            SlackRefusal::Deletion,
            format!("A deletion cannot be approved in Slack. Approve it {place}"),
        )
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        let why = match &refusal {
            // Whether the key is visible was asked before.
            Refusal::NotFound(_) => {
                let text = "Nothing was decided: this request is no longer open.";
                return Self::new(SlackRefusal::Conflict, text);
            }
            Refusal::Forbidden(_) => SlackRefusal::Forbidden,
            Refusal::Conflict(_) => SlackRefusal::Conflict,
            Refusal::Malformed(_) => SlackRefusal::Malformed,
            Refusal::Unauthenticated(_)
            | Refusal::NotAllowed(_)
            | Refusal::TooLarge(_)
            | Refusal::TooMany(_)
            | Refusal::Internal(_)
            | Refusal::Aws(_)
            | Refusal::Unavailable(_) => SlackRefusal::Unavailable,
        };
        Self::new(why, format!("Nothing was decided: {refusal}"))
    }
}

impl Desk<'_> {
    pub(super) async fn handle(&self, event: Event) {
        match event {
            Event::Click(click) => {
                // A button of somebody else, or one that is a link.
                let Some(verdict) = Verdict::of(&click.action_id) else { return };
                self.engine.metrics().slack.received(SlackEvent::Click);
                if let Err(no) = self.clicked(verdict, &click).await {
                    self.refuse(&no, &click.user, &click.channel).await;
                }
            }
            Event::Submitted(submission, reply) => {
                self.engine.metrics().slack.received(SlackEvent::Submission);
                self.submission(submission, reply).await;
            }
            Event::Closed(_) => {}
        }
    }

    async fn clicked(&self, verdict: Verdict, click: &Click) -> Result<(), No> {
        let name: RequestName = click.value.parse().map_err(|_| No::malformed())?;
        let caller = self.caller(&click.user, &click.team)?;
        self.may(&caller, verdict, &name)?;
        operator::is_asked(self.engine, &name.key, name.action, &name.request)?;
        match verdict {
            Verdict::Claim if self.looks_already(&caller, &name) => Ok(()),
            Verdict::Claim => self.decide(&caller, verdict, &name, String::new()).await,
            Verdict::Approve | Verdict::Deny => self.ask_for_reason(verdict, &name, click).await,
        }
    }

    async fn submission(&self, submission: Submission, reply: Reply) {
        let metadata = serde_json::from_str::<Metadata>(&submission.private_metadata).ok();
        let reason = match reason(&submission) {
            Ok(reason) => reason,
            Err(expected) => {
                // Too late, the modal has closed; the person can click again.
                let _ = reply.refuse(&BTreeMap::from([(REASON.to_owned(), expected)]));
                return;
            }
        };
        let outcome = self.submitted(&submission, metadata.as_ref(), reason).await;
        reply.accept();
        if let Err(no) = outcome {
            let channel = metadata.map(|metadata| metadata.channel).unwrap_or_default();
            self.refuse(&no, &submission.user, &channel).await;
        }
    }

    async fn submitted(
        &self,
        submission: &Submission,
        metadata: Option<&Metadata>,
        reason: String,
    ) -> Result<(), No> {
        let name = metadata.and_then(|metadata| metadata.request.parse::<RequestName>().ok());
        let verdict = Verdict::of(&submission.callback_id).filter(|verdict| *verdict != Verdict::Claim);
        let (Some(name), Some(verdict)) = (name, verdict) else { return Err(No::malformed()) };
        let caller = self.caller(&submission.user, &submission.team)?;
        self.may(&caller, verdict, &name)?;
        self.decide(&caller, verdict, &name, reason).await
    }

    /// The person with the roles that the configuration in force gives.
    fn caller(&self, user: &Person, team: &str) -> Result<Caller, No> {
        if team != self.team {
            let text =
                "Nothing was decided: only members of the workspace that keysweep belongs to can decide.";
            return Err(No::new(SlackRefusal::Workspace, text));
        }
        let config = self.engine.config();
        if config.channels.slack.as_ref() != Some(self.bot) {
            let text = "Nothing was decided: keysweep has just loaded another configuration. Try again.";
            return Err(No::new(SlackRefusal::Unavailable, text));
        }
        let held = config.access.iter().filter(|holding| match &holding.holder {
            Holder::SlackUser(id) => *id == user.id,
            Holder::OidcGroup(_) | Holder::OidcSubject(_) | Holder::LocalUser(_) => false,
        });
        let grants = held.map(|holding| holding.grant.clone()).collect();
        let actor = Actor::Slack { id: user.id.clone(), name: user.name.clone() };
        Ok(Caller::new(actor, grants).with_slack(user.id.clone()))
    }

    /// Whether the person may do this at all.
    fn may(&self, caller: &Caller, verdict: Verdict, name: &RequestName) -> Result<(), No> {
        let need = mk_decide(verdict, name, String::new()).need();
        if caller.authorize(self.engine, &need).is_err() {
            // The same for a key that exists and for one that does not.
            let text = format!(
                "Nothing was decided: you ({}) have no role that permits this. [[access]] in the configuration of \
                 keysweep says who may decide.",
                caller.actor()
            );
            return Err(No::new(SlackRefusal::Forbidden, text));
        }
        if verdict == Verdict::Approve && name.action == Planned::Delete {
            return Err(No::deletion(self.bot.page.as_ref().map(|page| page_of(page, &name.key))));
        }
        Ok(())
    }

    /// A second click on "I am looking at it" is not worth an entry.
    fn looks_already(&self, caller: &Caller, name: &RequestName) -> bool {
        let now = self.engine.clock().now();
        self.engine.store().read(|state| {
            let approval = state.record(&name.key).and_then(Record::approval);
            let claim = approval.and_then(|approval| approval.claimed(now));
            claim.is_some_and(|claim| claim.by == *caller.actor())
        })
    }

    async fn decide(
        &self,
        caller: &Caller,
        verdict: Verdict,
        name: &RequestName,
        reason: String,
    ) -> Result<(), No> {
        let done = operator::act(self.engine, caller, mk_decide(verdict, name, reason)).await?;
        tracing::info!(by = %caller.actor(), message = done.message, "decided in Slack");
        Ok(())
    }

    async fn ask_for_reason(&self, verdict: Verdict, name: &RequestName, click: &Click) -> Result<(), No> {
        let metadata = Metadata { request: name.to_string(), channel: click.channel.clone() };
        let does = match verdict {
            Verdict::Approve => "Approve",
            Verdict::Deny | Verdict::Claim => "Deny",
        };
        let change = match name.action {
            Planned::Deactivate => "deactivation",
            Planned::Delete => "deletion",
        };
        let failed = |why: String| {
            tracing::warn!(why, "a modal could not be opened in Slack");
            No::new(SlackRefusal::Unavailable, "Slack did not open the form. Click the button again.")
        };
        let modal = Modal {
            title: format!("{does} {change}"),
            context: self.about(name),
            submit: does.to_owned(),
            input: TextInput::reason(REASON, "Reason, recorded in the audit log"),
            callback_id: verdict.id().to_owned(),
            private_metadata: serde_json::to_string(&metadata).map_err(|error| failed(error.to_string()))?,
        };
        let opened = self.slack.open_modal(&click.trigger_id, &modal).await;
        opened.map(drop).map_err(|failure| failed(failure.to_string()))
    }

    /// What is decided on, in plain text.
    fn about(&self, name: &RequestName) -> String {
        let RequestName { key, action, .. } = name;
        let what = match action {
            Planned::Deactivate => "Deactivation",
            Planned::Delete => "Deletion",
        };
        self.engine.store().read(|state| {
            let Some(record) = state.record(key) else { return format!("{what} of access key {key}") };
            let id = record.identity.account;
            let account =
                state.account(id).map(|account| account.name.as_str()).filter(|name| !name.is_empty());
            let account = account.map_or_else(|| id.to_string(), |name| format!("{name} ({id})"));
            let why = record.approval().map(|approval| format!("\nWhy it is asked: {}", approval.why));
            format!(
                "{what} of access key {key} of user {} in account {account}{}",
                record.user_name,
                why.unwrap_or_default()
            )
        })
    }

    /// Tells the person why nothing was decided.
    async fn refuse(&self, no: &No, user: &Person, channel: &str) {
        self.engine.metrics().slack.refused(no.why);
        tracing::warn!(user = user.id, name = user.name, why = no.text, "a decision in Slack was refused");
        let Err(failure) = self.slack.whisper(channel, &user.id, &no.text).await else { return };
        let sent = match failure.kind {
            // The app or the person is not in the conversation.
            FailureKind::Rejected => {
                let text = no.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let message = SlackMessage { text, blocks: Vec::new(), thread: None };
                self.slack.post(&user.id, &message).await.map(drop)
            }
            FailureKind::Temporary | FailureKind::Misconfigured => Err(failure),
        };
        if let Err(failure) = sent {
            tracing::warn!(user = user.id, error = %failure, "the person was not told why");
        }
    }
}

fn mk_decide(verdict: Verdict, name: &RequestName, reason: String) -> Decide {
    Decide { key: name.key.clone(), decision: name.decision(verdict), reason }
}

/// The reason as auditors read it: on one line.
fn reason(submission: &Submission) -> Result<String, String> {
    let typed = submission.fields.get(REASON).map(String::as_str).unwrap_or_default();
    keysweep_api::reason(&typed.split_whitespace().collect::<Vec<_>>().join(" "))
}

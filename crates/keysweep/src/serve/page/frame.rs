//! What every view shows around its own content.

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use keysweep_api::StopRow;
use sha2::{Digest as _, Sha256};

use super::query::Query;
use super::words::{When, spaced, when};
use crate::safe::safe_lines;

const STYLE: &str = include_str!("../../../templates/page.css");

/// The script of the page, served at [`SCRIPT_PATH`]. It only keeps what is shown up to date.
pub(in crate::serve) const SCRIPT: &str = include_str!("../../../templates/page.js");

/// Path of [`SCRIPT`].
pub(in crate::serve) const SCRIPT_PATH: &str = "/page.js";

/// What a view is shown with.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Frame {
    /// Now, from which distances are counted.
    pub(in crate::serve) now: Timestamp,
    /// Version of keysweep.
    pub(in crate::serve) version: String,
    /// `policy.mode`.
    pub(in crate::serve) mode: String,
    /// What the mode means, in words.
    pub(in crate::serve) mode_means: String,
    /// What stops all automatic changes.
    pub(in crate::serve) stops: Vec<StopRow>,
    /// Who has logged in; `None` where nobody had to.
    pub(in crate::serve) person: Option<Person>,
    /// The token of the session for forms; `None` shows no forms.
    pub(in crate::serve) csrf: Option<String>,
    /// Which forms are shown.
    pub(in crate::serve) can: Can,
    /// The outcome of the last decision.
    pub(in crate::serve) said: Option<Said>,
    /// Whether there is a way to log in.
    pub(in crate::serve) login: bool,
    /// Views beside the usual ones: path and label.
    pub(in crate::serve) more: Vec<(&'static str, &'static str)>,
    /// How often a view refreshes.
    pub(in crate::serve) refresh: Refresh,
    /// Path and query of this view, to which a decision returns.
    pub(in crate::serve) here: String,
}

/// How often a view refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) struct Refresh {
    /// Seconds between two refreshes.
    pub(in crate::serve) seconds: u32,
    /// The same in words, after "every".
    pub(in crate::serve) words: &'static str,
}

impl Refresh {
    /// Every minute.
    pub(in crate::serve) const MINUTE: Self = Self { seconds: 60, words: "minute" };

    /// Every few seconds.
    #[cfg(feature = "demo")]
    pub(in crate::serve) const SECONDS: Self = Self { seconds: 5, words: "5 seconds" };
}

/// Who has logged in.
#[derive(Debug, Clone)]
pub(in crate::serve) struct Person {
    /// Name for display.
    pub(in crate::serve) name: String,
    /// Role in words, such as `approver in 3 accounts`.
    pub(in crate::serve) role: String,
}

/// What the person can do somewhere. Each operation checks again for the key or account that it is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::serve) struct Can {
    /// Decide on requests, hold, release, and undo.
    pub(in crate::serve) approve: bool,
    /// Everything else.
    pub(in crate::serve) operate: bool,
    /// Decide on requests about their own keys where the policy permits that.
    pub(in crate::serve) own: bool,
}

/// The outcome of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct Said {
    /// Whether it was done.
    pub(in crate::serve) good: bool,
    /// In words.
    pub(in crate::serve) text: String,
}

/// A view that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Overview,
    Keys,
    Approvals,
    Holds,
    Accounts,
    Calendar,
    Notices,
    Audit,
    Sessions,
    /// None of them, such as the login.
    Other,
}

/// In the order of the navigation.
const VIEWS: [(View, &str, &str); 9] = [
    (View::Overview, "/", "Overview"),
    (View::Keys, "/keys", "Keys"),
    (View::Approvals, "/approvals", "Approvals"),
    (View::Holds, "/holds", "Holds"),
    (View::Accounts, "/accounts", "Accounts"),
    (View::Calendar, "/calendar", "Calendar"),
    (View::Notices, "/notices", "Notices"),
    (View::Audit, "/audit", "Audit log"),
    (View::Sessions, "/sessions", "Sessions"),
];

/// What the template `base.html` is filled with.
pub(super) struct Shell<'a> {
    pub(super) style: &'static str,
    pub(super) script: &'static str,
    pub(super) frame: &'a Frame,
    pub(super) title: String,
    pub(super) nav: Vec<NavItem>,
    pub(super) as_of: Option<When>,
    /// Whether the view has a field to fill in. Without a script, such a view must not reload by itself.
    pub(super) fields: bool,
    pub(super) stops: Vec<Stop<'a>>,
    pub(super) csrf: &'a str,
    pub(super) approve: bool,
    pub(super) operate: bool,
    pub(super) own: bool,
    /// Why there are no forms, and where decisions are made instead.
    pub(super) hint: Option<Hint>,
    pub(super) login: Option<String>,
}

pub(super) struct NavItem {
    pub(super) href: &'static str,
    pub(super) label: &'static str,
    pub(super) current: bool,
}

pub(super) struct Stop<'a> {
    pub(super) row: &'a StopRow,
    pub(super) since: When,
}

pub(super) struct Hint {
    pub(super) text: &'static str,
    pub(super) login: Option<String>,
}

impl Frame {
    /// The shell of a view. `as_of` is the time of what it shows; `fields`, whether it has fields for everyone.
    pub(super) fn shell(
        &self,
        view: View,
        title: impl Into<String>,
        as_of: Option<Timestamp>,
        fields: bool,
    ) -> Shell<'_> {
        let forms = self.csrf.is_some();
        let (approve, operate) = (forms && self.can.approve, forms && self.can.operate);
        let shown = VIEWS.into_iter().filter(|(it, ..)| *it != View::Sessions || self.can.operate);
        Shell {
            style: STYLE,
            script: SCRIPT_PATH,
            frame: self,
            title: title.into(),
            nav: shown
                .map(|(it, href, label)| NavItem { href, label, current: it == view })
                .chain(self.more.iter().map(|(href, label)| NavItem {
                    href,
                    label,
                    current: self.here.split('?').next() == Some(*href),
                }))
                .collect(),
            // It is made after the frame.
            as_of: as_of.map(|at| when(self.now.max(at), at)),
            fields,
            stops: self.stops.iter().map(|row| Stop { row, since: when(self.now, row.since) }).collect(),
            csrf: self.csrf.as_deref().unwrap_or_default(),
            approve,
            operate,
            own: forms && self.can.own,
            hint: self.hint(),
            login: self.login_path(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        let may_decide = self.can.approve || self.can.operate || self.can.own;
        let text = match &self.csrf {
            Some(_) if may_decide => return None,
            Some(_) => "Your role permits no decisions.",
            None => {
                "Decisions are made on the command line or through the API; keysweep --help lists the commands."
            }
        };
        Some(Hint { text, login: self.login_path() })
    }

    /// Where somebody who has not logged in can do so, and come back.
    fn login_path(&self) -> Option<String> {
        let offered = self.login && self.person.is_none();
        offered.then(|| Query::default().with("next", Some(&self.here)).href("/login"))
    }

    /// An instant, seen from now.
    pub(super) fn when(&self, at: Timestamp) -> When {
        when(self.now, at)
    }

    /// An instant that may be unknown.
    pub(super) fn maybe(&self, at: Option<Timestamp>) -> Option<When> {
        at.map(|at| self.when(at))
    }

    /// Whether keysweep only shows what it would do.
    pub(super) fn observes(&self) -> bool {
        self.mode == "observe"
    }
}

/// The HTML of a view. A name that turns the order of what is read is written out.
pub(super) fn html(view: &impl askama::Template) -> Result<String, askama::Error> {
    Ok(safe_lines(&view.render()?).into_owned())
}

/// What browsers are told to load for every view: the style sheet, known by its hash, and the script.
pub(in crate::serve) fn view_policy() -> HeaderValue {
    policy_with(STYLE)
}

/// The policy of views with this style sheet.
pub(super) fn policy_with(style: &str) -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A state, an overlay or a step, with the class of its colour.
pub(super) struct Chip {
    pub(super) text: String,
    pub(super) class: &'static str,
}

/// The chip of a state, an overlay, a severity, a reach or a step, by its name in JSON.
pub(super) fn chip(name: &str) -> Chip {
    let class = match name {
        "incident" | "critical" | "failed" | "undeliverable" | "delete" | "root_key" | "deleting"
        | "left" => "bad",
        "deactivate" | "quarantine" | "approval" | "high" | "flagged" | "deactivating" | "pending"
        | "parked" | "out_of_reach" | "lapsed" | "approval_expires" => "note",
        "deactivated" | "hold" | "exempt" => "info",
        "scanned" | "delivered" | "active" => "good",
        _ => "plain",
    };
    Chip { text: spaced(name), class }
}

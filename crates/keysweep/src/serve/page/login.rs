//! Where people log in, and where they learn why something was refused.

use askama::Template;

use super::frame::{Frame, Shell, View, html};

/// What the view of the login shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Login<'a> {
    /// Name of the identity provider, if there is one.
    pub(in crate::serve) provider: Option<&'a str>,
    /// Whether a token can be pasted.
    pub(in crate::serve) tokens: bool,
    /// Why the last attempt failed.
    pub(in crate::serve) failure: Option<&'a str>,
    /// Where to go after the login: a path of ours.
    pub(in crate::serve) next: &'a str,
}

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    shell: Shell<'a>,
    login: Login<'a>,
}

/// The view of the login.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn login(frame: &Frame, login: Login<'_>) -> Result<String, askama::Error> {
    html(&Page { shell: outside(frame, "Log in"), login })
}

/// What the view of a refusal shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Denied<'a> {
    /// In a few words, such as `Not permitted`.
    pub(in crate::serve) title: &'a str,
    /// The reason as a sentence.
    pub(in crate::serve) why: &'a str,
    /// A way back: a path of ours.
    pub(in crate::serve) back: &'a str,
}

#[derive(Template)]
#[template(path = "denied.html")]
struct DeniedPage<'a> {
    shell: Shell<'a>,
    denied: Denied<'a>,
}

/// The view of a refusal, such as 403 and 404.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn denied(frame: &Frame, denied: Denied<'_>) -> Result<String, askama::Error> {
    html(&DeniedPage { shell: frame.shell(View::Other, denied.title, None, false), denied })
}

/// The shell for somebody who has not logged in: there is nothing that they could go to.
fn outside<'a>(frame: &'a Frame, title: &str) -> Shell<'a> {
    Shell { nav: Vec::new(), stops: Vec::new(), login: None, ..frame.shell(View::Other, title, None, true) }
}

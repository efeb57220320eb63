//! The mailbox of the demo.

use askama::Template;

use super::frame::{Frame, Shell, View, html};

/// A message as it would have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct Letter {
    /// Names its files.
    pub(in crate::serve) number: u32,
    /// Recipient.
    pub(in crate::serve) to: String,
    /// Subject.
    pub(in crate::serve) subject: String,
    /// Beginning of the text.
    pub(in crate::serve) text: String,
    /// Whether there is more of it.
    pub(in crate::serve) more: bool,
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct Page<'a> {
    shell: Shell<'a>,
    letters: &'a [Letter],
}

/// The mailbox.
///
/// # Errors
/// If the template cannot be written out.
pub(in crate::serve) fn mailbox(frame: &Frame, letters: &[Letter]) -> Result<String, askama::Error> {
    html(&Page { shell: frame.shell(View::Other, "Mailbox", Some(frame.now), false), letters })
}

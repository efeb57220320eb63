//! The mailbox of the demo: the messages that keysweep would send, as their readers would see them.

use std::fs;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::pages::{Visitor, frame, html};
use crate::serve::app::App;
use crate::serve::page::{Letter, mailbox};
use crate::serve::router::{failed, told};

/// Where the mailbox is.
pub(in crate::serve) const MAILBOX: &str = "/mailbox";

/// Letters on the page, newest first.
const LETTERS: usize = 50;

/// Lines of a letter on the page.
const LINES: usize = 24;

/// A letter brings its own styles, and links that lead to the page of an answer.
const LETTER_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'";

pub(in crate::serve) async fn show_mailbox(visitor: Visitor, State(app): State<Arc<App>>) -> Response {
    let shown = frame(&app, &visitor);
    let letters = app.work(|app| app.engine().mailbox().map(letters)).await;
    match letters.flatten() {
        Some(Ok(letters)) => html(StatusCode::OK, mailbox(&shown, &letters)),
        Some(Err(error)) => failed("the mailbox", &error.to_string()).into_response(),
        None => told(StatusCode::NOT_FOUND, "There is no mailbox.\n").into_response(),
    }
}

pub(in crate::serve) async fn show_letter(
    _: Visitor,
    State(app): State<Arc<App>>,
    Path(number): Path<u32>,
) -> Response {
    let file = app.engine().mailbox().map(|folder| folder.join(format!("{number:03}.html")));
    match file.and_then(|file| fs::read_to_string(file).ok()) {
        Some(letter) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (CONTENT_SECURITY_POLICY, HeaderValue::from_static(LETTER_POLICY)),
            ];
            (headers, letter).into_response()
        }
        None => told(StatusCode::NOT_FOUND, "There is no such message.\n").into_response(),
    }
}

/// The newest letters in the folder.
fn letters(folder: &FilePath) -> std::io::Result<Vec<Letter>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u32> =
            name.to_str().and_then(|name| name.strip_suffix(".txt")).and_then(|name| name.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable_by(|one: &u32, other| other.cmp(one));
    let letter = |number: u32| {
        let text = fs::read_to_string(folder.join(format!("{number:03}.txt")))?;
        let mut lines = text.lines();
        let mut header = |name: &str| {
            let line = lines.next().unwrap_or_default();
            line.strip_prefix(name).unwrap_or(line).to_owned()
        };
        let (to, subject) = (header("To: "), header("Subject: "));
        let rest: Vec<&str> = lines.skip_while(|line| line.is_empty()).collect();
        let shown = rest.get(..LINES).unwrap_or(&rest).join("\n");
        Ok(Letter { number, to, subject, text: shown, more: rest.len() > LINES })
    };
    numbers.into_iter().take(LETTERS).map(letter).collect()
}

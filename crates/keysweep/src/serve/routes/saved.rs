//! Lists as files. They are written a few rows at a time while they are read: there may be many.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use keysweep_core::render::FindingRow;
use tokio::sync::OwnedSemaphorePermit;

use super::pages::{Visitor, keys_query, refused};
use crate::causes::in_words;
use crate::export;
use crate::operator::{Found, find};
use crate::serve::app::App;
use crate::serve::router::failed;

/// How a list is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Csv,
    Json,
}

/// The keys that a filter admits: all of them, as they were when the first was asked for.
pub(in crate::serve) async fn save_keys(
    visitor: Visitor,
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let list = match keys_query(uri.query()) {
        Ok(query) => query.list,
        Err(refusal) => return refused(&app, &visitor, &refusal),
    };
    let (form, name, kind) = match uri.path().ends_with(".csv") {
        true => (Form::Csv, "keys.csv", "text/csv; charset=utf-8"),
        false => (Form::Json, "keys.json", "application/json"),
    };
    let place = app.place().await;
    let caller = visitor.asker.caller.clone();
    let found = Arc::clone(&app).work(move |app| find(app.engine(), &caller, &list.filter, list.sort)).await;
    let found = match found {
        Some(Ok(found)) => found,
        Some(Err(refusal)) => return refused(&app, &visitor, &refusal),
        None => return failed("the list", "the work was broken off").into_response(),
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    let file = File { app, found: Arc::new(found), form, part: 0, _place: place };
    let body = Body::from_stream(stream::try_unfold(file, File::next));
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, disposition)], body).into_response()
}

/// A file that is being read.
struct File {
    app: Arc<App>,
    found: Arc<Found>,
    form: Form,
    /// The part that is read next.
    part: usize,
    /// Given back once the file is read, or its reader is gone.
    _place: Option<OwnedSemaphorePermit>,
}

impl File {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        // An empty list has one part, too.
        let last = self.found.pages().saturating_sub(1);
        if self.part > last {
            return Ok(None);
        }
        let (found, form, part) = (Arc::clone(&self.found), self.form, self.part);
        let made = Arc::clone(&self.app).work(move |app| {
            let rows = found.page(app.engine(), part);
            form.part(&found, &rows, part == 0, part == last)
        });
        let bytes = made.await.ok_or_else(|| io::Error::other("the work was broken off"))??;
        self.part += 1;
        Ok(Some((bytes.into(), self)))
    }
}

impl Form {
    fn part(self, found: &Found, rows: &[FindingRow], first: bool, last: bool) -> io::Result<Vec<u8>> {
        let failed = |error: export::ExportError| io::Error::other(in_words(&error));
        let mut out = Vec::new();
        match self {
            Self::Csv => export::csv_part(&mut out, &export::FINDING, rows, first).map_err(failed)?,
            Self::Json => {
                if first {
                    let (at, collected) = (found.at(), found.collected_at());
                    let collected = serde_json::to_string(&collected)?;
                    let total = found.total();
                    let head = format!(
                        "{{\"generated_at\":\"{at}\",\"collected_at\":{collected},\"total\":{total},\"findings\":["
                    );
                    out.extend(head.into_bytes());
                }
                for (index, row) in rows.iter().enumerate() {
                    out.extend(if first && index == 0 { &b"\n"[..] } else { &b",\n"[..] });
                    serde_json::to_writer(&mut out, row)?;
                }
                if last {
                    out.extend(b"\n],\"next_cursor\":null}\n");
                }
            }
        }
        Ok(out)
    }
}

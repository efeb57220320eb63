//! The page.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::serve::app::App;
use crate::serve::auth::Viewer;
use crate::serve::page;
use crate::serve::router::failed;

pub(in crate::serve) async fn landing(_: Viewer, State(app): State<Arc<App>>) -> Response {
    match app.work(|app| page::render(app.engine(), &app.missing())).await {
        Some(Ok(html)) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Some(Err(error)) => failed("the page", &error.to_string()).into_response(),
        None => failed("the page", "the work was broken off").into_response(),
    }
}

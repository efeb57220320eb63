//! Health and readiness, for orchestrators.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::serve::app::App;
use crate::serve::router::{Told, told};

pub(in crate::serve) async fn healthy(State(app): State<Arc<App>>) -> Told {
    match app.health().unhealthy(app.engine().clock().instant()) {
        None => told(StatusCode::OK, "keysweep works\n"),
        Some(why) => told(StatusCode::SERVICE_UNAVAILABLE, format!("keysweep is unhealthy: {why}\n")),
    }
}

pub(in crate::serve) async fn ready(State(app): State<Arc<App>>) -> Told {
    let missing = app.missing();
    if missing.is_empty() {
        return told(StatusCode::OK, "keysweep is ready\n");
    }
    let list: String = missing.iter().map(|what| format!("- {what}\n")).collect();
    told(StatusCode::SERVICE_UNAVAILABLE, format!("keysweep is not ready:\n{list}"))
}

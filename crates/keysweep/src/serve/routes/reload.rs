//! Reloads of the configuration.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::reload::{By, ReloadError};
use crate::serve::app::App;
use crate::serve::auth::Operator;
use crate::serve::router::{Told, told};

pub(in crate::serve) async fn reload(Operator(actor): Operator, State(app): State<Arc<App>>) -> Told {
    match app.reloads().ask(By::Operator(actor)).await {
        Ok(in_force) => told(StatusCode::OK, in_force),
        Err(error) => {
            let status = match error {
                ReloadError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
                ReloadError::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
                ReloadError::Busy | ReloadError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            };
            told(status, format!("The previous configuration stays in effect.\n{error}\n"))
        }
    }
}

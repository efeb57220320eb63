//! What each path answers.

pub(super) mod answer;
pub(super) mod api;
pub(super) mod health;
pub(super) mod landing;
pub(super) mod metrics;
pub(super) mod reload;

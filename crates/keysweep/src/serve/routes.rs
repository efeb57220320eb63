//! What each path answers.

pub(super) mod answer;
pub(super) mod api;
pub(super) mod decisions;
mod form;
pub(super) mod health;
pub(super) mod login;
#[cfg(feature = "demo")]
pub(super) mod mailbox;
pub(super) mod metrics;
pub(super) mod pages;
pub(super) mod reload;
pub(super) mod saved;
#[cfg(feature = "demo")]
pub(super) mod wall;

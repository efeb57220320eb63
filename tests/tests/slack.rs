//! Decisions on requests for approval in Slack, and messages that are replaced there: the real engine against a Slack stub
//! that Slack's own clients have proven (test `channels`).

mod checked;
mod decided;
mod refused;
mod replaced;
mod stage;

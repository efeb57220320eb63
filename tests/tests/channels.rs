//! Channels against servers, receivers and clients that we did not write: aiosmtpd and OpenSMTPD, the reference libraries of
//! Standard Webhooks, and Slack's clients.

mod mail;
mod program;
mod slack;
mod socket;
mod webhooks;

//! The page for people, one view per module: each is a function of a document and of what every view shows.
//!
//! Nothing is loaded but one style sheet, which the browser is told by its hash, and one script of ours, without which
//! every view works, too.

mod accounts;
mod answer;
mod approvals;
mod audit;
#[cfg(feature = "demo")]
mod blocks;
mod calendar;
mod filter;
mod frame;
mod groups;
mod holds;
mod key;
mod keys;
mod login;
#[cfg(feature = "demo")]
mod mailbox;
mod notices;
mod overview;
mod query;
mod rows;
#[cfg(test)]
mod samples;
mod sessions;
mod timeline;
mod trend;
#[cfg(test)]
mod views;
#[cfg(feature = "demo")]
mod wall;
mod words;

pub(super) use self::accounts::accounts;
pub(super) use self::answer::{Told, answer_page, answer_policy};
pub(super) use self::approvals::approvals;
pub(super) use self::audit::audit;
pub(super) use self::calendar::calendar;
pub(super) use self::frame::{Can, Frame, Person, Refresh, SCRIPT, SCRIPT_PATH, Said, view_policy};
pub(super) use self::groups::{Grouped, Groups};
pub(super) use self::holds::holds;
pub(super) use self::key::key;
pub(super) use self::keys::{Keys, keys};
pub(super) use self::login::{Denied, Login, denied, login};
#[cfg(feature = "demo")]
pub(super) use self::mailbox::{Letter, mailbox};
pub(super) use self::notices::notices;
pub(super) use self::overview::{Overview, overview};
pub(super) use self::query::{Group, KeysQuery};
pub(super) use self::sessions::sessions;
#[cfg(feature = "demo")]
pub(super) use self::wall::{Posting, WALL, Wall, wall};

//! Who may do what: roles with their scopes, the people and tokens that have them, and what each of them sees.
//!
//! [`Caller`] is a person or token that has proven its identity. [`authorize`](Caller::authorize) is the only way to a
//! [`Permit`], without which no operation decides anything; [`Sight`] limits what is shown. A scope names accounts only:
//! anyone who can tag a user must not be able to widen a role by it.

mod caller;
mod grant;
mod login;
mod need;
mod session;
mod sight;

pub use self::caller::{Caller, Permit};
pub use self::grant::{Grant, Holder, Holding};
pub use self::login::{CALLBACK, Client, LoginFault, Logins, Started};
pub use self::need::{About, Need};
pub use self::session::{Live, Said, Session, Sessions, Who};
use self::sight::Addresses;
pub use self::sight::Sight;

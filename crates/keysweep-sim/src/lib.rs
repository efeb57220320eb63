//! An AWS Organization in a box: Organizations, STS, IAM, CloudTrail, and Account Management in the protocols that real
//! clients speak, in memory or on a loopback socket, with faults on demand, use over time and a ledger of every change.
//!
//! It shares no type with the program it judges: an oracle that shares types shares bugs.
//!
//! ```
//! use keysweep_sim::{HandClock, KeySpec, Sim};
//!
//! let clock = HandClock::at("2026-01-01T00:00:00Z".parse()?);
//! let sim = Sim::new(clock.clock());
//! let prod = sim.account("111122223333").name("prod").ou("Workloads").role("keysweep/KeysweepScan", "x1").add();
//! let user = sim.user(&prod, "svc-a").path("/ci/").tag("team", "ci").key(KeySpec::new()).add();
//! assert_eq!(sim.key_status(&user.keys[0]).as_deref(), Some("Active"));
//! # Ok::<(), jiff::Error>(())
//! ```
//!
//! * [`Sim`] is the handle: builders, setters, getters, and the ways in: [`Sim::connector`], [`Sim::serve`], [`Sim::answer`].
//! * [`KeyUse`] and [`Origin`] say what CloudTrail shows of uses and changes.
//! * [`faults`] says what goes wrong and when, [`script`] what happens by itself, [`ledger`] what happened.
//! * [`seed`] makes whole organizations up.

mod builder;
mod clock;
mod connector;
pub mod faults;
mod key_use;
pub mod ledger;
mod origin;
mod policy;
pub mod script;
pub mod seed;
mod server;
mod settings;
mod sim;
pub mod watch;
mod wire;
mod world;

pub use builder::{AccountBuilder, KeySpec, RoleSpec, UserBuilder, UserRef};
pub use clock::{Clock, HandClock};
pub use faults::{Fault, FaultKind, Rule};
pub use key_use::KeyUse;
pub use ledger::{Change, Judged, MissedUse, Who};
pub use origin::Origin;
pub use policy::PolicyError;
pub use script::{Happening, Trigger};
pub use server::Server;
pub use settings::{AccountFields, Hub, Settings};
pub use sim::{ConnectionLost, KeyTruth, Sim};
pub use watch::Watcher;
pub use world::{AnalyzerFinding, LastUse};

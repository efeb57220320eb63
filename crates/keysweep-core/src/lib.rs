//! What is true of access keys and what should happen to them.
//!
//! Everything here is a value or a pure function of values: no IO, no clock, no async. The present is always an
//! argument (`now`), so that a plan made today can be made again tomorrow, in a test or from the journal.
//!
//! * [`ids`], [`facts`]: what AWS calls things, and what could be read of them;
//! * [`evidence`]: what CloudTrail shows of a key right before a change;
//! * [`quarantine`]: the managed policy that makes a client show itself before its key is deactivated;
//! * [`policy`]: what the operator wants, validated and resolved for one key;
//! * [`lifecycle`]: the state of one key and the one transition function;
//! * [`state`]: the records of all keys and what restrains changes, as the journal tells it;
//! * [`plan`]: from facts, records and policy to entries, effects, and waits, each with its reason;
//! * [`owner`]: to whom a key belongs, and how that person is reached;
//! * [`notice`]: what people are told, and the outbox through which it reaches them;
//! * [`effect`]: what a plan wants done: changes, and what people are told;
//! * [`finding`]: what is found in an account, and how bad it is;
//! * [`references`]: whether what rules name exists;
//! * [`ticket`]: the witness values without which no change can be asked for;
//! * [`render`]: the forms of findings and plans that people and programs read;
//! * [`words`]: reasons in sentences.

pub mod effect;
pub mod evidence;
pub mod facts;
pub mod finding;
pub mod ids;
pub mod lifecycle;
pub mod notice;
pub mod owner;
pub mod plan;
pub mod policy;
pub mod quarantine;
pub mod references;
pub mod render;
pub mod state;
pub mod ticket;
pub mod words;

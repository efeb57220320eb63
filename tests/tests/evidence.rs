//! What keysweep looks up before it acts, what it keeps of that, and which keys a person has to decide about.

mod analyzer;
mod bundles;
mod creators;
mod honeytokens;
mod lookups;
mod quarantine;
mod reactivations;

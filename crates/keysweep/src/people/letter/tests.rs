//! Letters of every kind, and letters about hostile names.

mod fixture;
mod goldens;
mod hostile;
mod overrides;
mod requests;
mod words;

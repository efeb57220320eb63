//! The page in Chromium, and the API under generated requests: what a unit test of a template or a route cannot see.

mod decisions;
mod driver;
mod entrance;
mod links;
mod live;
mod newcomer;
mod provider;
mod schema;
mod stage;
mod views;
mod walk;

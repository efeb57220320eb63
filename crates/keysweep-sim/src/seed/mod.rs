//! Seeded, made-up organizations.

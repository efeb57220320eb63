//! What stops every automatic change of one key.

use std::fmt;

use crate::lifecycle::{Hold, INCIDENT_REMEDY, Incident};

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "by {} until {until:.0}: {}", self.by, self.reason),
            None => write!(f, "by {} until released: {}", self.by, self.reason),
        }
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policies, since } = self;
        let policies = policies.join(", ");
        write!(f, "incident: AWS attached {policies} to the user (seen since {since:.0}); {INCIDENT_REMEDY}")
    }
}

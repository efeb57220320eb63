//! The JSON schemas of what commands print as JSON.

use keysweep_core::render::ScanDocument;
use schemars::{Schema, schema_for};

use crate::doctor::DoctorDocument;
use keysweep_api::{BundleFile, KeyDocument, KeysDocument, NoticesDocument, PlanDocument};

/// The name of each schema, and the schema.
#[must_use]
pub fn all() -> [(&'static str, Schema); 7] {
    [
        ("scan", schema_for!(ScanDocument)),
        ("plan", schema_for!(PlanDocument)),
        ("keys", schema_for!(KeysDocument)),
        ("key", schema_for!(KeyDocument)),
        ("notices", schema_for!(NoticesDocument)),
        ("doctor", schema_for!(DoctorDocument)),
        ("evidence", schema_for!(BundleFile)),
    ]
}

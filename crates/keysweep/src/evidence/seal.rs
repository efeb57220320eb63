//! From a bundle to the bytes of its file.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keysweep_api::{Algorithm, Bundle, BundleFile, Signature};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::value::RawValue;

use super::FileError;
use crate::signing::signing_key;

/// The bytes of a bundle's file: one line, signed where there is a key.
pub(super) fn seal(bundle: &Bundle, key: Option<&Path>) -> Result<Vec<u8>, FileError> {
    let content = serde_json::to_string(bundle)?;
    let signature =
        key.map(|file| signing_key(file).map(|key| sign(&key, content.as_bytes()))).transpose()?;
    let mut bytes = serde_json::to_vec(&BundleFile { bundle: RawValue::from_string(content)?, signature })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn sign(key: &Ed25519KeyPair, content: &[u8]) -> Signature {
    Signature {
        algorithm: Algorithm::Ed25519,
        public_key: STANDARD.encode(key.public_key()),
        value: STANDARD.encode(key.sign(content)),
    }
}

//! The key that signs evidence bundles, from its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ring::signature::Ed25519KeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretSlice};

/// Why bundles cannot be signed. Nothing of what the file holds is part of it.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The file cannot be read.
    #[error("read the signing key {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such key in it.
    #[error(
        "{} does not contain an Ed25519 private key in PKCS #8 PEM format: create one with `openssl genpkey -algorithm ed25519 -out \
         FILE`", path.display()
    )]
    NoKey {
        /// Which.
        path: PathBuf,
    },
}

/// The key in a file.
///
/// # Errors
/// [`SigningError`] if there is none.
pub(crate) fn signing_key(file: &Path) -> Result<Ed25519KeyPair, SigningError> {
    let pem = fs::read(file).map_err(|source| SigningError::Read { path: file.into(), source })?;
    let pem: SecretSlice<u8> = pem.into();
    let none = || SigningError::NoKey { path: file.into() };
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose_secret()).map_err(|_| none())?;
    // OpenSSL leaves out the public key, which PKCS #8 allows.
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(|_| none())
}

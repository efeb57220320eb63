//! TLS as a client: rustls with ring, and the roots to trust.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

/// A configuration that trusts the system's root certificates, and those in `ca_pem` too.
///
/// # Errors
/// `ca_pem` is not PEM or has no usable certificate.
pub(crate) fn client_config(ca_pem: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Some systems ship certificates that webpki does not take; the rest of the store is good without them.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = ca_pem {
        add(&mut roots, pem)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| format!("could not set up TLS: {error}"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), String> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        // The parser's message repeats lines of the file.
        let certificate = certificate.map_err(|_| "the CA certificates are not valid PEM".to_owned())?;
        roots.add(certificate).map_err(|error| format!("a CA certificate cannot be used: {error}"))?;
    }
    if roots.len() == before { Err("the CA file holds no certificate".to_owned()) } else { Ok(()) }
}

/// The error of TLS that caused an error, if it was one.
pub(crate) fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // An `io::Error` skips what it wraps when asked for its source.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = error.downcast_ref::<rustls::Error>();
        let found = found.or_else(|| wrapped.and_then(|inner| tls_error(inner)));
        if found.is_some() {
            return found;
        }
        cause = error.source();
    }
    None
}

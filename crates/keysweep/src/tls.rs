//! The certificate and the key with which HTTP is served over TLS, from their files to what handshakes use.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, KeyUsage};

use crate::config::TlsFiles;

/// A long chain has some tens of kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// The only protocol that is spoken inside.
const ALPN: &[u8] = b"http/1.1";

/// The end of the year 9999, in seconds since 1970: later than a certificate can say (RFC 5280, section 4.1.2.5).
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_800);

/// What the files of `http.tls` hold at one moment.
pub struct Pair {
    files: TlsFiles,
    cert: Vec<u8>,
    key: SecretSlice<u8>,
}

/// Tells apart what files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

/// A certificate with its key: what the server proves who it is by. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    server: Arc<ServerConfig>,
    leaf: CertificateDer<'static>,
    cert: PathBuf,
    fingerprint: Fingerprint,
}

/// What handshakes use from now on, while those that are done go on with what they used.
#[derive(Debug)]
pub struct Live(RwLock<Identity>);

/// Which of the two files something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `http.tls.cert_file`.
    Certificate,
    /// `http.tls.key_file`.
    Key,
}

/// Why files give no identity. Nothing of what they hold is part of it: somebody may have confused them.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which of the two.
        part: Part,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A path leads to something else than a file.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// Which of the two.
        part: Part,
        /// The path.
        path: PathBuf,
    },
    /// A file holds far more than it should.
    #[error("{} is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// Which of the two.
        part: Part,
        /// The file.
        path: PathBuf,
    },
    /// A file is damaged.
    #[error("{} is not PEM: {why}", path.display())]
    NotPem {
        /// Which of the two.
        part: Part,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no certificate in the file.
    #[error("{} holds no certificate: expected -----BEGIN CERTIFICATE-----", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// What the file calls a certificate is none.
    #[error("the first certificate in {} cannot be read", path.display())]
    BadCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no private key in the file.
    #[error("{} holds no private key: expected -----BEGIN PRIVATE KEY-----", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key wants a passphrase.
    #[error("the private key in {} is encrypted, and there is nobody to ask for the passphrase", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// What the file calls a key is none that could be used.
    #[error("the private key in {} cannot be used: expected RSA, ECDSA (P-256, P-384) or Ed25519", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is that of another certificate.
    #[error("the private key in {} is not that of the first certificate in {}", key.display(), cert.display())]
    Mismatch {
        /// The file with the certificate.
        cert: PathBuf,
        /// The file with the key.
        key: PathBuf,
    },
    /// TLS could not be set up.
    #[error("tls cannot be set up with {}", path.display())]
    Setup {
        /// The file with the certificate.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

impl IdentityError {
    /// Which of the two files it is about.
    #[must_use]
    pub fn part(&self) -> Part {
        match self {
            Self::Read { part, .. }
            | Self::NotAFile { part, .. }
            | Self::TooLarge { part, .. }
            | Self::NotPem { part, .. } => *part,
            Self::NoCertificate { .. } | Self::BadCertificate { .. } | Self::Setup { .. } => {
                Part::Certificate
            }
            Self::NoKey { .. } | Self::EncryptedKey { .. } | Self::BadKey { .. } | Self::Mismatch { .. } => {
                Part::Key
            }
        }
    }
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// One of them is none, or cannot be read.
    pub fn read(files: &TlsFiles) -> Result<Self, IdentityError> {
        Ok(Self {
            files: files.clone(),
            cert: read(&files.cert, Part::Certificate)?,
            key: read(&files.key, Part::Key)?.into(),
        })
    }

    /// Tells this content from any other.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let (cert, key) = (Sha256::digest(&self.cert), Sha256::digest(self.key.expose_secret()));
        Fingerprint(Sha256::new().chain_update(cert).chain_update(key).finalize().into())
    }

    /// What the files hold, if it goes together.
    ///
    /// # Errors
    /// What is missing or does not fit, with the file.
    pub fn identity(&self) -> Result<Identity, IdentityError> {
        let (cert, key) = (self.files.cert.clone(), self.files.key.clone());
        let chain = certificates(&self.cert, &cert)?;
        let Some(leaf) = chain.first().cloned() else {
            return Err(IdentityError::NoCertificate { path: cert });
        };
        if EndEntityCert::try_from(&leaf).is_err() {
            return Err(IdentityError::BadCertificate { path: cert });
        }
        let private = private_key(self.key.expose_secret(), &key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        if provider.key_provider.load_private_key(private.clone_key()).is_err() {
            return Err(IdentityError::BadKey { path: key });
        }
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|source| IdentityError::Setup { path: cert.clone(), source })?;
        let mut server =
            builder.with_no_client_auth().with_single_cert(chain, private).map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    IdentityError::Mismatch { cert: cert.clone(), key }
                }
                source => IdentityError::Setup { path: cert.clone(), source },
            })?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Identity { server: Arc::new(server), leaf, cert, fingerprint: self.fingerprint() })
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the files and what they hold.
    ///
    /// # Errors
    /// What cannot be read, is missing or does not fit, with the file.
    pub fn load(files: &TlsFiles) -> Result<Self, IdentityError> {
        Pair::read(files)?.identity()
    }

    /// That of the files that it came from.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Why clients will not take this certificate at this time, if its dates are the reason.
    #[must_use]
    pub fn doubt(&self, now: Timestamp) -> Option<String> {
        let now = u64::try_from(now.as_second()).ok()?;
        let file = self.cert.display();
        match self.judged_at(Duration::from_secs(now)) {
            Some(webpki::Error::CertExpired { not_after, .. }) => {
                let when = timestamp(not_after)?;
                Some(format!("the certificate in {file} expired at {when}: clients refuse it"))
            }
            Some(webpki::Error::CertNotValidYet { not_before, .. }) => {
                let when = timestamp(not_before)?;
                Some(format!("the certificate in {file} is not valid before {when}: clients refuse it"))
            }
            _ => None,
        }
    }

    /// When the certificate expires, if it ever does.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        // webpki tells the dates of a certificate only where they are the reason to refuse it.
        match self.judged_at(END_OF_TIME) {
            Some(webpki::Error::CertExpired { not_after, .. }) => timestamp(not_after),
            _ => None,
        }
    }

    /// What is wrong with the certificate at a time. Its dates come first; who issued it is nobody's question here,
    /// so that it is always something.
    fn judged_at(&self, since_1970: Duration) -> Option<webpki::Error> {
        let leaf = EndEntityCert::try_from(&self.leaf).ok()?;
        let time = UnixTime::since_unix_epoch(since_1970);
        leaf.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("cert", &self.cert).finish_non_exhaustive()
    }
}

impl Live {
    /// Begins with an identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self(RwLock::new(identity))
    }

    /// Goes on with another.
    pub fn replace(&self, identity: Identity) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// The one in use.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the next handshake uses.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.identity().server
    }
}

/// What is wrong with the file of the key, whatever is wrong with that of the certificate.
///
/// # Errors
/// If it gives no private key.
pub(crate) fn check_key(files: &TlsFiles) -> Result<(), IdentityError> {
    let pem = SecretSlice::from(read(&files.key, Part::Key)?);
    private_key(pem.expose_secret(), &files.key).map(|_| ())
}

/// Reads a file that is one: opening a pipe would wait for whoever writes into it.
fn read(path: &Path, part: Part) -> Result<Vec<u8>, IdentityError> {
    let failed = |source| IdentityError::Read { part, path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(IdentityError::NotAFile { part, path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(IdentityError::TooLarge { part, path: path.to_owned() });
    }
    Ok(bytes)
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    all.map_err(|error| not_pem(&error, Part::Certificate, path))
}

fn private_key(pem: &[u8], path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) if is_encrypted(pem) => {
            Err(IdentityError::EncryptedKey { path: path.to_owned() })
        }
        Err(PemError::NoItemsFound) => Err(IdentityError::NoKey { path: path.to_owned() }),
        // The older form of an encrypted key has headers, which are no base64.
        Err(_) if is_encrypted(pem) => Err(IdentityError::EncryptedKey { path: path.to_owned() }),
        Err(error) => Err(not_pem(&error, Part::Key, path)),
    }
}

fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
}

/// The messages of the parser repeat lines of the file.
fn not_pem(error: &PemError, part: Part, path: &Path) -> IdentityError {
    let why = match error {
        PemError::MissingSectionEnd { .. } => "a section has no end",
        PemError::IllegalSectionStart { .. } => "the line with which a section begins is damaged",
        PemError::Base64Decode(_) => "a section is not base64",
        PemError::SectionTooLarge => "a section is too large",
        _ => "it cannot be read",
    };
    IdentityError::NotPem { part, path: path.to_owned(), why }
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

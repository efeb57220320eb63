//! From a file back to its bundle, and whether it is what keysweep wrote.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keysweep_api::{BUNDLE_VERSION, Bundle, BundleFile, Signature};
use keysweep_core::ids::{AccessKeyId, BundleId};
pub(crate) use keysweep_store::Witnessed;
use keysweep_store::{JournalError, bundle_id, witness};
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;

/// What stands before the 32 bytes of an Ed25519 key in `SubjectPublicKeyInfo` (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Larger is no bundle.
const MAX_BYTES: u64 = 16 << 20;

/// A file whose form is that of a bundle.
#[derive(Debug)]
pub(crate) struct Checked {
    /// SHA-256 of the file.
    pub(crate) id: BundleId,
    /// What is in it.
    pub(crate) bundle: Bundle,
    file: BundleFile,
}

/// Why a file is no bundle, or not the one that it says.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("the file is not an evidence bundle")]
    Form(#[source] serde_json::Error),
    /// It is far too large.
    #[error("the file is not an evidence bundle: it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// A newer keysweep wrote it.
    #[error(
        "the bundle has version {found}, this keysweep knows up to {BUNDLE_VERSION}: install a newer one"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// What names the key in it is not the name of one.
    #[error("the bundle does not contain a valid access key ID")]
    NoKey,
    /// There is no public key in the file.
    #[error("{} holds no Ed25519 public key: expected what `openssl pkey -pubout` prints", path.display())]
    NoPublicKey {
        /// Which.
        path: PathBuf,
    },
    /// Nobody signed it.
    #[error("the bundle is not signed")]
    Unsigned,
    /// Another key signed it, or it was altered since.
    #[error(
        "the signature is not valid for this public key: another key signed the bundle, or the bundle was altered"
    )]
    BadSignature,
    /// The journal cannot be read, or is broken.
    #[error("read the journal")]
    Journal(#[from] JournalError),
}

/// What every version has.
#[derive(serde::Deserialize)]
struct Peek {
    v: u64,
}

impl Checked {
    /// The bundle in a file.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub(crate) fn of_file(path: &Path) -> Result<Self, CheckError> {
        let failed = |source| CheckError::Read { path: path.into(), source };
        let mut bytes = Vec::new();
        File::open(path).map_err(failed)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        Self::of_bytes(&bytes)
    }

    /// Reads the form of a file, and believes nothing of what it says.
    ///
    /// # Errors
    /// If it is no bundle that this version knows.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Self, CheckError> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(CheckError::TooLarge);
        }
        let file: BundleFile = serde_json::from_slice(bytes).map_err(CheckError::Form)?;
        let peek: Peek = serde_json::from_str(file.bundle.get()).map_err(CheckError::Form)?;
        if peek.v > BUNDLE_VERSION {
            return Err(CheckError::Newer { found: peek.v });
        }
        let bundle = serde_json::from_str(file.bundle.get()).map_err(CheckError::Form)?;
        Ok(Self { id: bundle_id(bytes), bundle, file })
    }

    /// Its signature, not verified.
    pub(crate) fn signature(&self) -> Option<&Signature> {
        self.file.signature.as_ref()
    }
}

/// Whether the owner of the public key in a PEM file signed the bundle.
///
/// # Errors
/// If nobody signed it, or somebody else, or there is no key in the file.
pub(crate) fn against_key(checked: &Checked, key: &Path) -> Result<(), CheckError> {
    let none = || CheckError::NoPublicKey { path: key.into() };
    let pem = fs::read(key).map_err(|source| CheckError::Read { path: key.into(), source })?;
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(&pem).map_err(|_| none())?;
    let key = spki.strip_prefix(&SPKI).filter(|key| key.len() == 32).ok_or_else(none)?;
    let signature = checked.signature().ok_or(CheckError::Unsigned)?;
    let value = STANDARD.decode(&signature.value).map_err(|_| CheckError::BadSignature)?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(checked.file.bundle.get().as_bytes(), &value)
        .map_err(|_| CheckError::BadSignature)
}

/// What the journal of a data_dir tells of the bundle. A daemon may run.
///
/// # Errors
/// If the journal cannot be read, or is broken.
pub(crate) fn against_journal(checked: &Checked, data_dir: &Path) -> Result<Witnessed, CheckError> {
    let Bundle { key, journal, .. } = &checked.bundle;
    let key: AccessKeyId = key.access_key_id.parse().map_err(|_| CheckError::NoKey)?;
    Ok(witness(data_dir, &key, &checked.id, &journal.head_hash)?)
}

#[cfg(test)]
mod tests {
    use keysweep_api::{BundleKey, BundleLifecycle, BundleTrail, JournalEnd};
    use keysweep_core::lifecycle::event::Purpose;

    use super::*;
    use crate::evidence::seal::seal;

    /// `openssl genpkey -algorithm ed25519`, and what `openssl pkey -pubout` prints of it.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
                           MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                           -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
                          MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                          -----END PUBLIC KEY-----\n";

    fn mk_bundle() -> Bundle {
        let at = "2026-11-29T12:00:00Z".parse().unwrap();
        Bundle {
            v: BUNDLE_VERSION,
            keysweep: "0.1.0".to_owned(),
            made_at: at,
            purpose: Purpose::Deletion,
            decision: None,
            journal: JournalEnd { last_seq: 7, head_hash: "0".repeat(64) },
            key: BundleKey {
                account_id: "111122223333".to_owned(),
                account_name: Some("prod".to_owned()),
                user_name: "svc-\u{7f}\u{e9}\u{202e}\"old".to_owned(),
                user_id: "AIDAEXAMPLE000000001".to_owned(),
                access_key_id: "AKIAEXAMPLE000000001".to_owned(),
                created_at: at,
            },
            facts: Vec::new(),
            cloudtrail: BundleTrail { looked_up_at: None, since: None, missing: None, regions: Vec::new() },
            policy: Vec::new(),
            exempt: None,
            lifecycle: BundleLifecycle {
                state: "deactivated".to_owned(),
                since: Some(at),
                finding: None,
                deactivated_by: None,
                watched_seconds: Some(1_209_600),
                reactivations: 0,
                past_quarantine: None,
                holds: Vec::new(),
                notice: None,
                approval: None,
            },
            history: Vec::new(),
            limits: vec!["nothing".to_owned()],
        }
    }

    fn mk_file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_signed_bundle_is_believed_to_its_key_alone() {
        let (private, public) = (mk_file(PRIVATE), mk_file(PUBLIC));
        let bytes = seal(&mk_bundle(), Some(private.path())).unwrap();
        let checked = Checked::of_bytes(&bytes).unwrap();
        assert_eq!(checked.bundle, mk_bundle());
        against_key(&checked, public.path()).unwrap();
        let other = mk_file(&PUBLIC.replace("11qY", "11qZ"));
        assert!(matches!(against_key(&checked, other.path()), Err(CheckError::BadSignature)));
        assert!(matches!(against_key(&checked, private.path()), Err(CheckError::NoPublicKey { .. })));
        let unsigned = Checked::of_bytes(&seal(&mk_bundle(), None).unwrap()).unwrap();
        assert!(matches!(against_key(&unsigned, public.path()), Err(CheckError::Unsigned)));
    }

    #[test]
    fn any_altered_byte_of_the_bundle_shows_in_the_signature_and_in_the_hash() {
        let (private, public) = (mk_file(PRIVATE), mk_file(PUBLIC));
        let bytes = seal(&mk_bundle(), Some(private.path())).unwrap();
        let id = bundle_id(&bytes);
        let end = bytes.windows(12).position(|part| part == b",\"signature\"").unwrap();
        for at in 10..end {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert_ne!(bundle_id(&altered), id);
            if let Ok(checked) = Checked::of_bytes(&altered) {
                assert!(against_key(&checked, public.path()).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn what_is_no_bundle_says_so() {
        for bytes in [&b""[..], b"{}", b"[]", b"\xff\xfe", b"{\"bundle\":{},\"signature\":null}"] {
            assert!(matches!(Checked::of_bytes(bytes), Err(CheckError::Form(_))), "{bytes:?}");
        }
        let newer = Bundle { v: BUNDLE_VERSION + 1, ..mk_bundle() };
        assert!(matches!(
            Checked::of_bytes(&seal(&newer, None).unwrap()),
            Err(CheckError::Newer { found: 2 })
        ));
        let twice = [seal(&mk_bundle(), None).unwrap(), seal(&mk_bundle(), None).unwrap()].concat();
        assert!(Checked::of_bytes(&twice).is_err());
    }

    #[test]
    fn a_key_that_cannot_sign_names_its_file_and_shows_nothing_of_it() {
        for text in
            ["", "secret", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", PUBLIC]
        {
            let file = mk_file(text);
            let error = seal(&mk_bundle(), Some(file.path())).unwrap_err().to_string();
            assert!(error.contains(&file.path().display().to_string()), "{error}");
            assert!(!error.contains("secret") && !error.contains("c2Vj"), "{error}");
        }
        let error = seal(&mk_bundle(), Some(Path::new("/nonexistent/key.pem"))).unwrap_err();
        assert_eq!(error.to_string(), "read the signing key /nonexistent/key.pem");
    }
}

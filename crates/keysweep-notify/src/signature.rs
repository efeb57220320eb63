//! Signatures of [Standard Webhooks](https://www.standardwebhooks.com), symmetric ones.
//!
//! The specification's own crate for Rust lags behind it, and this is all that a sender needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// Bytes that the specification asks of a secret.
const LENGTH: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that messages are signed with.
pub(crate) struct SigningKey(hmac::Key);

impl SigningKey {
    /// Reads a secret, `whsec_` and base64.
    pub(crate) fn parse(secret: &SecretString) -> Result<Self, String> {
        let text = secret.expose_secret().trim();
        let encoded = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| format!("a webhook secret must begin with {PREFIX}, followed by base64"))?;
        let bytes = STANDARD
            .decode(encoded)
            .map_err(|_| format!("a webhook secret is not valid base64 after {PREFIX}"))?;
        if !LENGTH.contains(&bytes.len()) {
            let (least, most) = (LENGTH.start(), LENGTH.end());
            return Err(format!(
                "a webhook secret must have {least} to {most} bytes, and has {}",
                bytes.len()
            ));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    fn sign(&self, signed: &[u8]) -> String {
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.0, signed)))
    }
}

/// The value of the header `webhook-signature`: one signature per key, so that a receiver can have either one while
/// a secret is rotated. `timestamp` is in seconds since 1970.
pub(crate) fn signatures(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    keys.iter().map(|key| key.sign(&signed)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_key(secret: &str) -> Result<SigningKey, String> {
        SigningKey::parse(&secret.into())
    }

    /// The test of the reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn sign(keys: &[SigningKey]) -> String {
        signatures(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#)
    }

    #[test]
    fn the_reference_signature_is_reproduced() {
        assert_eq!(sign(&[mk_key(SECRET).unwrap()]), SIGNATURE);
        assert_eq!(sign(&[mk_key(&format!("{SECRET}\n")).unwrap()]), SIGNATURE, "a file ends with a newline");
    }

    #[test]
    fn each_secret_adds_a_signature_in_order() {
        let other = format!("whsec_{}", STANDARD.encode([7; 64]));
        let both = sign(&[mk_key(&other).unwrap(), mk_key(SECRET).unwrap()]);
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(second, SIGNATURE);
        assert_ne!(first, SIGNATURE);
    }

    #[test]
    fn secrets_of_the_wrong_form_are_refused_without_repeating_them() {
        let mk_secret = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![b'x'; bytes]));
        for bytes in [24, 32, 64] {
            assert!(mk_key(&mk_secret(bytes)).is_ok(), "{bytes}");
        }
        let refused = [
            (mk_secret(23), "24 to 64 bytes, and has 23"),
            (mk_secret(65), "24 to 64 bytes, and has 65"),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), "begin with whsec_"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!".to_owned(), "base64"),
            ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(), "begin with whsec_"),
        ];
        for (secret, why) in refused {
            let error = mk_key(&secret).err().unwrap();
            assert!(error.contains(why), "{error}");
            assert!(!error.contains(secret.trim_start_matches("whsec_")), "{error}");
        }
    }
}

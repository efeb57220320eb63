//! Keys and signatures of the provider.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// A key for ES256.
pub(crate) struct Key {
    pub(crate) id: String,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn generate(id: &str) -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { id: id.to_owned(), pair }
    }

    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// As in a key set.
    pub(crate) fn jwk(&self) -> Value {
        let (x, y) = self.public()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": encode(x), "y": encode(y) })
    }

    fn sign(&self, input: &str) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap().as_ref().to_vec()
    }
}

/// How a token is signed.
pub(crate) enum Sign {
    /// By the key, as the header says.
    Key,
    /// `alg: none`, without a signature.
    None,
    /// HS256 with these bytes as the key.
    Hmac(Vec<u8>),
    /// By the key, and changed afterwards.
    Forged,
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token. `header` is added to the usual one.
pub(crate) fn token(key: &Key, sign: &Sign, header: &Value, claims: &Value) -> String {
    let algorithm = match sign {
        Sign::Key | Sign::Forged => "ES256",
        Sign::None => "none",
        Sign::Hmac(_) => "HS256",
    };
    let mut complete = json!({ "alg": algorithm, "kid": key.id, "typ": "JWT" });
    for (name, value) in header.as_object().unwrap() {
        complete[name] = value.clone();
    }
    complete.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let input = format!("{}.{}", encode(complete.to_string()), encode(claims.to_string()));
    let signature = match sign {
        Sign::Key => key.sign(&input),
        Sign::None => Vec::new(),
        Sign::Hmac(secret) => {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes()).as_ref().to_vec()
        }
        Sign::Forged => {
            let mut claims = claims.clone();
            claims["sub"] = "root".into();
            let signature = key.sign(&input);
            let input = format!("{}.{}", encode(complete.to_string()), encode(claims.to_string()));
            return format!("{input}.{}", encode(signature));
        }
    };
    format!("{input}.{}", encode(signature))
}

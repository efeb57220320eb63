//! Links by which an owner answers a notice without logging in.
//!
//! A link can only delay or undo a change: a colleague to whom the message was forwarded can cause no other change. It names
//! one key, one purpose, and one recipient, is valid only for what it was sent for, and expires. All of it is signed, so
//! keysweep stores no links; a new secret revokes all of them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::notice::{Audience, Item, NoticeKind};
use keysweep_core::ticket::Planned;
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use super::letter::Links;

/// Path before the token.
pub(crate) const PATH: &str = "/answer";

/// Bytes of the signature: 128 bits, which nobody guesses.
const SIGNATURE: usize = 16;

/// First byte of a token. Another form has another number.
const VERSION: u8 = 1;

/// How long a link is valid whatever else is true. What it was sent for ends most of them sooner.
const VALID_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// No token is longer: names of owners are cut off.
const LONGEST_NAME: usize = 120;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Hold the key.
    StillNeeded,
    /// Say that the key is not needed any more.
    NoLongerNeeded,
    /// Set a deactivated key Active again.
    Reactivate,
    /// Show the key.
    Show,
}

impl Purpose {
    fn code(self) -> u8 {
        match self {
            Self::StillNeeded => 1,
            Self::NoLongerNeeded => 2,
            Self::Reactivate => 3,
            Self::Show => 4,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::StillNeeded, Self::NoLongerNeeded, Self::Reactivate, Self::Show]
            .into_iter()
            .find(|purpose| purpose.code() == code)
    }
}

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is for.
    pub purpose: Purpose,
    /// The key.
    pub key: AccessKeyId,
    /// The entry of the journal that it was sent for.
    pub entry: u64,
    /// Name of the owner it was sent to.
    pub recipient: String,
    /// Until when it is valid at most.
    pub expires: Timestamp,
}

/// Why a token is not a link. It says no more: who guesses learns nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link is invalid or has expired")]
pub struct Invalid;

/// Makes and reads links.
#[derive(Clone)]
pub struct LinkMaker {
    key: hmac::Key,
    base: String,
}

impl fmt::Debug for LinkMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkMaker").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Link {
    /// When the message with it was written.
    #[must_use]
    pub(crate) fn written_at(&self) -> Timestamp {
        self.expires.checked_sub(VALID_FOR).unwrap_or(Timestamp::MIN)
    }
}

impl LinkMaker {
    /// `base` is the URL of the page, without a slash at its end.
    #[must_use]
    pub fn new(secret: &SecretString, base: impl Into<String>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()), base: base.into() }
    }

    /// The link as it stands in a message.
    #[must_use]
    pub fn url(&self, link: &Link) -> String {
        format!("{}{PATH}/{}", self.base, self.token(link))
    }

    fn token(&self, link: &Link) -> String {
        let Link { purpose, key, entry, recipient, expires } = link;
        let recipient: String = shortened(recipient);
        let mut bytes = vec![VERSION, purpose.code()];
        bytes.extend_from_slice(&expires.as_second().to_be_bytes());
        bytes.extend_from_slice(&entry.to_be_bytes());
        bytes.push(u8::try_from(key.as_str().len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(key.as_str().as_bytes());
        bytes.extend_from_slice(recipient.as_bytes());
        let tag = hmac::sign(&self.key, &bytes);
        bytes.extend(tag.as_ref().iter().take(SIGNATURE));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// If it was not made with this secret, or has expired.
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Link, Invalid> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Invalid)?;
        let split = bytes.len().checked_sub(SIGNATURE).ok_or(Invalid)?;
        let (signed, signature) = bytes.split_at_checked(split).ok_or(Invalid)?;
        // In constant time: how much of a guess is right shows in nothing.
        let whole = hmac::sign(&self.key, signed);
        let expected = whole.as_ref().get(..SIGNATURE).ok_or(Invalid)?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(signature, expected)) {
            return Err(Invalid);
        }
        let link = parse(signed).ok_or(Invalid)?;
        if now < link.expires { Ok(link) } else { Err(Invalid) }
    }

    /// The links of a notice to its owner.
    #[must_use]
    pub(crate) fn links(&self, item: &Item, recipient: &str, now: Timestamp) -> Option<Links> {
        if item.audience != Audience::Owner || item.owner.is_none() {
            return None;
        }
        let url = |purpose| {
            let expires = now.checked_add(VALID_FOR).unwrap_or(Timestamp::MAX);
            let (key, recipient) = (item.key.clone(), recipient.to_owned());
            Some(self.url(&Link { purpose, key, entry: item.id.0, recipient, expires }))
        };
        let ahead = match item.kind {
            NoticeKind::DeactivationAhead | NoticeKind::DeletionAhead | NoticeKind::Reminder => item.change,
            NoticeKind::Deactivated => Some(Planned::Delete),
            NoticeKind::Deleted
            | NoticeKind::ApprovalRequest
            | NoticeKind::Outcome
            | NoticeKind::HoldEnding
            | NoticeKind::ExemptionEnding
            | NoticeKind::Reactivated
            | NoticeKind::OwnerMissing
            | NoticeKind::Undeliverable => None,
        };
        let deleted = item.kind == NoticeKind::Deleted;
        Some(Links {
            still_needed: ahead
                .filter(|change| *change == Planned::Deactivate)
                .and_then(|_| url(Purpose::StillNeeded)),
            no_longer_needed: ahead.and_then(|_| url(Purpose::NoLongerNeeded)),
            show: if deleted { None } else { url(Purpose::Show) },
            reactivate: ahead
                .filter(|change| *change == Planned::Delete)
                .and_then(|_| url(Purpose::Reactivate)),
        })
    }
}

/// A name as a token keeps it.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

fn parse(bytes: &[u8]) -> Option<Link> {
    let (&version, rest) = bytes.split_first()?;
    let (&purpose, rest) = rest.split_first()?;
    let (expires, rest) = rest.split_first_chunk::<8>()?;
    let (entry, rest) = rest.split_first_chunk::<8>()?;
    let (&length, rest) = rest.split_first()?;
    let (key, recipient) = rest.split_at_checked(usize::from(length))?;
    if version != VERSION {
        return None;
    }
    Some(Link {
        purpose: Purpose::of(purpose)?,
        key: AccessKeyId::from_str(std::str::from_utf8(key).ok()?).ok()?,
        entry: u64::from_be_bytes(*entry),
        recipient: String::from_utf8(recipient.to_vec()).ok()?,
        expires: Timestamp::from_second(i64::from_be_bytes(*expires)).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mk_maker(secret: &str) -> LinkMaker {
        LinkMaker::new(&secret.to_owned().into(), "https://keysweep.example.com")
    }

    fn mk_link(purpose: Purpose) -> Link {
        Link {
            purpose,
            key: "AKIAIOSFODNN7EXAMPLE".parse().unwrap(),
            entry: 4711,
            recipient: "Dana Ito".into(),
            expires: "2026-12-31T00:00:00Z".parse().unwrap(),
        }
    }

    fn now() -> Timestamp {
        "2026-12-01T00:00:00Z".parse().unwrap()
    }

    fn token(maker: &LinkMaker, link: &Link) -> String {
        let url = maker.url(link);
        url.strip_prefix("https://keysweep.example.com/answer/").unwrap().to_owned()
    }

    #[test]
    fn a_link_says_what_was_signed_until_it_expires() {
        let maker = mk_maker("secret");
        for purpose in [Purpose::StillNeeded, Purpose::NoLongerNeeded, Purpose::Reactivate, Purpose::Show] {
            let link = mk_link(purpose);
            let token = token(&maker, &link);
            assert!(
                token.len() < 200 && token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            );
            assert_eq!(maker.read(&token, now()), Ok(link.clone()));
            assert_eq!(maker.read(&token, link.expires), Err(Invalid));
            assert_eq!(mk_maker("another secret").read(&token, now()), Err(Invalid), "rotated");
        }
    }

    #[test]
    fn a_changed_link_is_invalid() {
        let maker = mk_maker("secret");
        let token = token(&maker, &mk_link(Purpose::Show));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                assert_eq!(
                    maker.read(&URL_SAFE_NO_PAD.encode(changed), now()),
                    Err(Invalid),
                    "{place}.{bit}"
                );
            }
        }
        for length in 0..bytes.len() {
            assert_eq!(maker.read(&URL_SAFE_NO_PAD.encode(&bytes[..length]), now()), Err(Invalid));
        }
        let longer = [&bytes[..], b"x"].concat();
        assert_eq!(maker.read(&URL_SAFE_NO_PAD.encode(longer), now()), Err(Invalid));
    }

    proptest! {
        #[test]
        fn nonsense_is_invalid(text in "\\PC{0,300}") {
            prop_assert_eq!(mk_maker("secret").read(&text, now()), Err(Invalid));
        }

        #[test]
        fn names_of_any_length_and_alphabet_fit(name in "\\PC{0,400}") {
            let maker = mk_maker("secret");
            let link = Link { recipient: name.clone(), ..mk_link(Purpose::Show) };
            let read = maker.read(&token(&maker, &link), now()).unwrap();
            prop_assert_eq!(read.recipient, shortened(&name));
        }
    }
}

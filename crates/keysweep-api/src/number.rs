//! Numbers that may be text, as in a path or a query.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn read<T: TryFrom<u64>, E: serde::de::Error>(self) -> Result<T, E> {
        let number = match self {
            Self::Number(number) => Some(number),
            Self::Text(text) => text.parse().ok(),
        };
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| E::custom("expected a number"))
    }
}

pub(crate) fn required<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    Number::deserialize(from)?.read()
}

pub(crate) fn optional<'de, D: Deserializer<'de>, T: TryFrom<u64>>(from: D) -> Result<Option<T>, D::Error> {
    Option::<Number>::deserialize(from)?.map(Number::read).transpose()
}

//! Ids in the shapes AWS gives them.

use jiff::Timestamp;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An access key id of 20 characters, the same for the same number.
pub(crate) fn mint_key_id(number: u64) -> String {
    mint("AKIA", number)
}

/// A user id of 21 characters.
pub(crate) fn mint_user_id(number: u64) -> String {
    mint("AIDAX", number)
}

/// The id of temporary credentials.
pub(crate) fn mint_session_key_id(number: u64) -> String {
    mint("ASIA", number)
}

/// The id of a role.
pub(crate) fn mint_role_id(number: u64) -> String {
    mint("AROAX", number)
}

/// Drops what is below a second: IAM keeps none.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The account named in an ARN.
pub(crate) fn account_of_arn(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// Sixteen characters that look random and differ for every number.
fn mint(prefix: &str, number: u64) -> String {
    let mut id = String::with_capacity(prefix.len() + 16);
    id.push_str(prefix);
    // An odd multiplier is a bijection of 64 bits; 13 characters of five bits hold them all.
    let mut bits = u128::from(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
        | (u128::from(number & 0x7FFF) << 64);
    for _ in 0..16 {
        let index = usize::try_from(bits & 31).unwrap_or_default();
        id.push(BASE32.get(index).map_or('A', |byte| char::from(*byte)));
        bits >>= 5;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_lengths_of_aws_and_do_not_repeat() {
        let ids: std::collections::BTreeSet<String> = (0..10_000).map(mint_key_id).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 20 && id.starts_with("AKIA")));
        assert_eq!(mint_user_id(7).len(), 21);
    }

    #[test]
    fn the_account_is_read_from_an_arn() {
        assert_eq!(account_of_arn("arn:aws:iam::111122223333:role/x/Y"), Some("111122223333"));
        assert_eq!(account_of_arn("nonsense"), None);
    }
}

//! Names of the roles that keysweep assumes, and their ARNs in an account.

use std::fmt;
use std::str::FromStr;

use keysweep_core::ids::AccountId;

/// A part of AWS with accounts, ARNs and endpoints of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partition {
    /// `aws`: the public regions.
    Aws,
    /// `aws-us-gov`: GovCloud.
    UsGov,
    /// `aws-cn`: China.
    China,
    /// `aws-eusc`: the European Sovereign Cloud.
    Eusc,
    /// `aws-iso`.
    Iso,
    /// `aws-iso-b`.
    IsoB,
    /// `aws-iso-e`.
    IsoE,
    /// `aws-iso-f`.
    IsoF,
}

impl Partition {
    /// The partition that a Region is in, by the patterns of the table that the SDK resolves endpoints with, which it
    /// keeps to itself; `None` if no pattern matches.
    #[must_use]
    pub fn known(region: &str) -> Option<Self> {
        let (rest, number) = region.rsplit_once('-')?;
        let (place, direction) = rest.rsplit_once('-')?;
        let is_number = (1..=2).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let is_word = !direction.is_empty() && direction.bytes().all(|b| b.is_ascii_lowercase());
        if !is_number || !is_word || region.len() > 32 {
            return None;
        }
        match place {
            "us" | "eu" | "ap" | "sa" | "ca" | "me" | "af" | "il" | "mx" => Some(Self::Aws),
            "us-gov" => Some(Self::UsGov),
            "cn" => Some(Self::China),
            "eusc-de" => Some(Self::Eusc),
            "us-iso" => Some(Self::Iso),
            "us-isob" => Some(Self::IsoB),
            "eu-isoe" => Some(Self::IsoE),
            "us-isof" => Some(Self::IsoF),
            _ => None,
        }
    }

    /// The partition of a Region that the configuration has accepted: `aws` for any that is not
    /// [known](Self::known).
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        Self::known(region).unwrap_or(Self::Aws)
    }

    /// The Region in which CloudTrail records global service events, such as calls to IAM; `None` where AWS does not
    /// document it (CloudTrail user guide, "Global service events"; AWS GovCloud (US) user guide, "AWS CloudTrail").
    #[must_use]
    pub fn home(self) -> Option<&'static str> {
        match self {
            Self::Aws => Some("us-east-1"),
            Self::UsGov => Some("us-gov-west-1"),
            Self::China | Self::Eusc | Self::Iso | Self::IsoB | Self::IsoE | Self::IsoF => None,
        }
    }

    /// Its name in ARNs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::UsGov => "aws-us-gov",
            Self::China => "aws-cn",
            Self::Eusc => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("role {text:?}: expected {expected}")]
pub struct ParseRoleError {
    text: String,
    expected: &'static str,
}

/// The role to assume in every account: a name with an optional path (`keysweep/KeysweepScan`), or a whole ARN with
/// `{account}` where the account goes.
#[derive(Clone, PartialEq, Eq)]
pub struct RoleName(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    /// Path and name, without a slash in front.
    Name(String),
    /// What stands before and after the account.
    Arn(String, String),
}

impl RoleName {
    /// The role of scans unless configured otherwise.
    #[must_use]
    pub fn scan() -> Self {
        Self(Form::Name("keysweep/KeysweepScan".to_owned()))
    }

    /// The role of changes unless configured otherwise.
    #[must_use]
    pub fn enforce() -> Self {
        Self(Form::Name("keysweep/KeysweepEnforce".to_owned()))
    }

    /// The ARN of the role in an account. A role that was given as an ARN keeps the partition it was given with.
    #[must_use]
    pub fn arn(&self, partition: Partition, account: AccountId) -> String {
        match &self.0 {
            Form::Name(name) => format!("arn:{partition}:iam::{account}:role/{name}"),
            Form::Arn(before, after) => format!("{before}{account}{after}"),
        }
    }

    /// The ARN of the role in every account, as IAM policies write it: `*` stands where the account goes.
    #[must_use]
    pub fn arn_in_every_account(&self, partition: Partition) -> String {
        match &self.0 {
            Form::Name(name) => format!("arn:{partition}:iam::*:role/{name}"),
            Form::Arn(before, after) => format!("{before}*{after}"),
        }
    }
}

impl FromStr for RoleName {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = |expected| ParseRoleError { text: text.chars().take(80).collect(), expected };
        if text.starts_with("arn:") {
            let expected = "arn:PARTITION:iam::{account}:role/NAME";
            let (before, after) = text.split_once("{account}").ok_or_else(|| refused(expected))?;
            let name = after.strip_prefix(":role/").ok_or_else(|| refused(expected))?;
            let partition = before.strip_prefix("arn:").and_then(|rest| rest.strip_suffix(":iam::"));
            let known = partition.is_some_and(|p| p.starts_with("aws") && !p.contains(':'));
            if !known || !valid_name(name) {
                return Err(refused(expected));
            }
            return Ok(Self(Form::Arn(before.to_owned(), after.to_owned())));
        }
        let name = text.strip_prefix('/').unwrap_or(text);
        if !valid_name(name) {
            return Err(refused(
                "a role name of at most 64 letters, digits or +=,.@_-, with an optional path",
            ));
        }
        Ok(Self(Form::Name(name.to_owned())))
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Name(name) => f.write_str(name),
            Form::Arn(before, after) => write!(f, "{before}{{account}}{after}"),
        }
    }
}

impl fmt::Debug for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// IAM API reference: `roleNameType` is 1 to 64 of `\w+=,.@-`, `pathType` at most 512 printable characters.
/// A path is held to the same characters as a name: what else AWS allows there nobody uses.
fn valid_name(text: &str) -> bool {
    let valid = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
    };
    let (path, name) = text.rsplit_once('/').map_or((None, text), |(path, name)| (Some(path), name));
    valid(name) && name.len() <= 64 && path.is_none_or(|p| p.len() <= 510 && p.split('/').all(valid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_account() -> AccountId {
        "000000000042".parse().unwrap()
    }

    #[test]
    fn a_role_with_a_path_becomes_an_arn_of_the_partition() {
        let role: RoleName = "keysweep/KeysweepScan".parse().unwrap();
        let arn = role.arn(Partition::of_region("us-gov-west-1"), mk_account());
        assert_eq!(arn, "arn:aws-us-gov:iam::000000000042:role/keysweep/KeysweepScan");
        let everywhere = role.arn_in_every_account(Partition::Aws);
        assert_eq!(everywhere, "arn:aws:iam::*:role/keysweep/KeysweepScan");
    }

    #[test]
    fn an_arn_with_a_place_for_the_account_is_kept() {
        let role: RoleName = "arn:aws-cn:iam::{account}:role/x/Audit".parse().unwrap();
        assert_eq!(role.arn(Partition::Aws, mk_account()), "arn:aws-cn:iam::000000000042:role/x/Audit");
        assert_eq!(role.arn_in_every_account(Partition::Aws), "arn:aws-cn:iam::*:role/x/Audit");
        assert_eq!(role.to_string(), "arn:aws-cn:iam::{account}:role/x/Audit");
    }

    #[test]
    fn what_names_no_role_is_refused() {
        for text in [
            "",
            "/",
            "a//b",
            "role with blanks",
            "x/",
            "arn:aws:iam::111122223333:role/Fixed",
            "arn:aws:iam::{account}:user/NotARole",
            "arn:aws:sts::{account}:role/X",
            "role*",
        ] {
            assert!(text.parse::<RoleName>().is_err(), "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_region_is_where_the_sdk_finds_it() {
        use aws_sdk_iam::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
        for (region, partition, suffix) in [
            ("eu-central-1", Some("aws"), "amazonaws.com"),
            ("mx-central-1", Some("aws"), "amazonaws.com"),
            ("il-central-1", Some("aws"), "amazonaws.com"),
            ("us-gov-west-1", Some("aws-us-gov"), "us-gov.amazonaws.com"),
            ("cn-north-1", Some("aws-cn"), "amazonaws.com.cn"),
            ("eusc-de-east-1", Some("aws-eusc"), "amazonaws.eu"),
            ("us-iso-east-1", Some("aws-iso"), "c2s.ic.gov"),
            ("us-isob-east-1", Some("aws-iso-b"), "sc2s.sgov.gov"),
            ("eu-isoe-west-1", Some("aws-iso-e"), "cloud.adc-e.uk"),
            ("us-isof-south-1", Some("aws-iso-f"), "csp.hci.ic.gov"),
            // The SDK takes what it does not know for one of `aws`.
            ("xx-central-1", None, "amazonaws.com"),
        ] {
            assert_eq!(Partition::known(region).map(Partition::as_str), partition, "{region}");
            let params = Params::builder().region(region).build().unwrap();
            let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
            assert!(endpoint.url().trim_end_matches('/').ends_with(suffix), "{region}: {}", endpoint.url());
        }
        for text in
            ["", "Frankfurt", "eu-central", "EU-central-1", "us-east-1 ", "aws-global", "eu--1", "us-iso-1"]
        {
            assert!(
                Partition::known(text).is_none_or(|p| text == "us-iso-1" && p == Partition::Aws),
                "{text}"
            );
        }
    }

    #[test]
    fn a_region_names_its_partition() {
        assert_eq!(Partition::of_region("eu-central-1"), Partition::Aws);
        assert_eq!(Partition::of_region("cn-north-1"), Partition::China);
        assert_eq!(Partition::of_region("eusc-de-east-1"), Partition::Eusc);
    }
}

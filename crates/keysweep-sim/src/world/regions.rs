//! Regions: which there are, and which of them an account has enabled.

use std::collections::BTreeMap;

use super::World;

/// Enabled in every account, and not to be disabled (Account Management reference guide, Enable or disable Regions).
const DEFAULT: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Some of the Regions that an account has to opt in to.
const OPT_IN: &[&str] =
    &["af-south-1", "ap-east-1", "eu-central-2", "eu-south-1", "il-central-1", "me-south-1"];

const GOV: &[&str] = &["us-gov-east-1", "us-gov-west-1"];
const CHINA: &[&str] = &["cn-north-1", "cn-northwest-1"];

/// Services with one endpoint for all Regions of a partition.
const GLOBAL_SERVICES: &[&str] = &["account", "cloudfront", "iam", "organizations", "route53"];

/// What stands for a Region where there is none.
const NO_REGION: &[&str] = &["", "N/A", "aws-global", "global"];

/// The Region that has IAM and everything global, its events among it.
pub(crate) fn home_region(partition: &str) -> &'static str {
    match partition {
        "aws-us-gov" => "us-gov-west-1",
        "aws-cn" => "cn-north-1",
        _ => "us-east-1",
    }
}

/// The Region in whose trail a use of a service shows. A call to a global endpoint shows in the home Region.
pub(crate) fn trail_region<'a>(partition: &str, service: &str, region: &'a str) -> &'a str {
    match GLOBAL_SERVICES.contains(&service) || NO_REGION.contains(&region) {
        true => home_region(partition),
        false => region,
    }
}

impl World {
    /// All Regions with the opt-in status of an account.
    pub(crate) fn regions(&self, account: &str) -> BTreeMap<&str, &str> {
        let (default, opt_in): (_, &[_]) = match self.settings.partition.as_str() {
            "aws-us-gov" => (GOV, &[]),
            "aws-cn" => (CHINA, &[]),
            _ => (DEFAULT, OPT_IN),
        };
        let own = self.accounts.get(account).into_iter().flat_map(|account| &account.regions);
        let default = default.iter().map(|name| (*name, "ENABLED_BY_DEFAULT"));
        let opt_in = opt_in.iter().map(|name| (*name, "DISABLED"));
        default.chain(opt_in).chain(own.map(|(name, status)| (name.as_str(), status.as_str()))).collect()
    }

    /// Whether calls in a Region get through. While a Region is being enabled or disabled, they do not. A status that
    /// AWS does not use yet is only shown.
    pub(crate) fn is_enabled(&self, account: &str, region: &str) -> bool {
        let regions = self.regions(account);
        regions.get(region).is_some_and(|status| !["DISABLED", "DISABLING", "ENABLING"].contains(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_services_and_global_endpoints_show_in_the_home_region() {
        assert_eq!(trail_region("aws", "iam", "eu-west-1"), "us-east-1");
        assert_eq!(trail_region("aws", "sts", "aws-global"), "us-east-1");
        assert_eq!(trail_region("aws", "sts", "eu-west-1"), "eu-west-1");
        assert_eq!(trail_region("aws-us-gov", "iam", "N/A"), "us-gov-west-1");
    }

    #[test]
    fn seventeen_regions_are_enabled_by_default() {
        assert_eq!(DEFAULT.len(), 17);
        assert!(DEFAULT.iter().all(|name| !OPT_IN.contains(name)));
    }
}

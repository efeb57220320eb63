//! What IAM Access Analyzer says of a key: AWS's own opinion of what is unused.

use std::fmt;
use std::str::FromStr;

use aws_sdk_accessanalyzer::types::{
    AnalyzerConfiguration, Criterion, FindingDetails, FindingStatus, FindingSummaryV2,
};
use jiff::Timestamp;
use keysweep_core::evidence::{Activity, Opinion};
use keysweep_core::ids::{AccessKeyId, AccountId, UserName};

use crate::aws::{Aws, passes};
use crate::convert::{past_timestamp, timestamp};
use crate::fault::Fault;
use crate::pages::paged;
use crate::reader::Reader;

const SHOW: &str = "access-analyzer:GetAnalyzer";
const LIST: &str = "access-analyzer:ListFindingsV2";
const GET: &str = "access-analyzer:GetFindingV2";

/// What has to be permitted to ask an analyzer, which is the resource of each. `GetFindingV2` and `ListFindingsV2` have the
/// actions of the older operations (Access Analyzer API reference, both).
pub const ANALYZER_ACTIONS: [&str; 3] = [SHOW, "access-analyzer:GetFinding", "access-analyzer:ListFindings"];

/// The type of a finding about an access key (Access Analyzer API reference, `FindingSummaryV2`).
const UNUSED_KEY: &str = "UnusedIAMUserAccessKey";

/// An analyzer for unused access, by its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analyzer {
    arn: String,
    region: String,
    account: AccountId,
}

/// A text that is no ARN of an analyzer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the ARN of an analyzer, such as \"arn:aws:access-analyzer:us-east-1:111122223333:analyzer/unused\""
)]
pub struct ParseAnalyzerError;

impl Analyzer {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The account that it is in.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// The Region that it is in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Display for Analyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn)
    }
}

impl FromStr for Analyzer {
    type Err = ParseAnalyzerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let ["arn", partition, "access-analyzer", region, account, resource] = parts[..] else {
            return Err(ParseAnalyzerError);
        };
        let name = resource.strip_prefix("analyzer/").unwrap_or_default();
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        // Access Analyzer API reference, `CreateAnalyzer`: letters, digits, dots, underscores, and hyphens.
        let named = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        match account.parse() {
            Ok(account) if plain(partition) && plain(region) && named(name) => {
                Ok(Self { arn: text.to_owned(), region: region.to_owned(), account })
            }
            Ok(_) | Err(_) => Err(ParseAnalyzerError),
        }
    }
}

impl Reader {
    /// What an analyzer says of a key of this user of the account, by the hub's own credentials:
    /// `access-analyzer:ListFindingsV2` for the user, and `access-analyzer:GetFindingV2` for each finding about a key, since
    /// only that names the key. `now` is policy time.
    ///
    /// # Errors
    /// If a call fails, or an answer tells too little.
    pub async fn opinion(
        &self,
        analyzer: &Analyzer,
        (path, user): (&str, &UserName),
        key: &AccessKeyId,
        now: Timestamp,
    ) -> Result<Opinion, Fault> {
        let user_arn = format!("arn:{}:iam::{}:user{path}{user}", self.hub.partition, self.account.id);
        let mut newest: Option<(bool, Timestamp, Opinion)> = None;
        for finding in self.findings(analyzer, &user_arn).await? {
            let Some((holds, at, opinion)) = self.finding(analyzer, &finding, key, now).await? else {
                continue;
            };
            // One that holds says more than any that is resolved.
            if newest.as_ref().is_none_or(|(held, then, _)| (*held, *then) < (holds, at)) {
                newest = Some((holds, at, opinion));
            }
        }
        Ok(newest.map_or(Opinion::None, |(_, _, opinion)| opinion))
    }

    async fn findings(&self, analyzer: &Analyzer, user_arn: &str) -> Result<Vec<FindingSummaryV2>, Fault> {
        let operation = || format!("list findings of {analyzer} about {user_arn}");
        let client = self.hub.analyzer_client(&analyzer.region);
        let ask = async |token: Option<String>| {
            let call = || {
                let list = client.list_findings_v2().analyzer_arn(&analyzer.arn);
                let list =
                    list.filter("findingType", equals(UNUSED_KEY)).filter("resource", equals(user_arn));
                list.set_next_token(token.clone()).send()
            };
            self.hub.observed(LIST, operation, self.hub.patiently(call, passes)).await
        };
        let mut found = Vec::new();
        paged(LIST, operation, ask, |page| {
            for finding in page.findings() {
                // A filter that is not understood must not make another user's finding ours.
                if finding.resource() == Some(user_arn) {
                    found.push(finding.clone());
                }
            }
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Whether a finding holds, since when it says so, and what it says, if it is about this key.
    async fn finding(
        &self,
        analyzer: &Analyzer,
        finding: &FindingSummaryV2,
        key: &AccessKeyId,
        now: Timestamp,
    ) -> Result<Option<(bool, Timestamp, Opinion)>, Fault> {
        let operation = || format!("get finding {} of {analyzer}", finding.id());
        let client = self.hub.analyzer_client(&analyzer.region);
        let ask = async |token: Option<String>| {
            let call = || {
                let get = client.get_finding_v2().analyzer_arn(&analyzer.arn).id(finding.id());
                get.set_next_token(token.clone()).send()
            };
            self.hub.observed(GET, operation, self.hub.patiently(call, passes)).await
        };
        let mut found = None;
        paged(GET, operation, ask, |page| {
            let of_key = page.finding_details().iter().find_map(|details| match details {
                FindingDetails::UnusedIamUserAccessKeyDetails(of) if of.access_key_id() == key.as_str() => {
                    Some(of.clone())
                }
                _ => None,
            });
            if let Some(details) = of_key {
                found = Some((details, page.status().clone(), *page.updated_at()));
            }
            Ok(())
        })
        .await?;
        let bug = |what: String| Fault::bug(GET, operation(), what);
        let Some((details, status, updated)) = found else { return Ok(None) };
        let used = details.last_accessed().map(|at| past_timestamp("lastAccessed", Some(at), now));
        let last_use = used.transpose().map_err(bug)?.map(|at| Activity::of_analyzer(at, &analyzer.region));
        let at = timestamp("updatedAt", Some(&updated)).map_err(bug)?;
        Ok(Some(match status {
            // Archived by people or a rule of theirs; the analyzer finds it unused all the same.
            FindingStatus::Active | FindingStatus::Archived => (true, at, Opinion::Unused { last_use }),
            FindingStatus::Resolved => (false, at, Opinion::Resolved { at, last_use }),
            other => return Err(bug(format!("answer shows a status that keysweep does not know: {other}"))),
        }))
    }
}

/// An analyzer as AWS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzerSeen {
    /// Its type: `ORGANIZATION_UNUSED_ACCESS` is what a second opinion about every account needs.
    pub kind: String,
    /// Its status, such as `ACTIVE`.
    pub status: String,
    /// After how many days without use it has a finding, where it tells that.
    pub age_days: Option<i32>,
}

impl Aws {
    /// An analyzer of the hub's own account; `access-analyzer:GetAnalyzer`.
    ///
    /// # Errors
    /// If the call fails, or shows another analyzer.
    pub async fn analyzer(&self, analyzer: &Analyzer) -> Result<AnalyzerSeen, Fault> {
        let operation = || format!("get {analyzer}");
        let client = self.hub.analyzer_client(&analyzer.region);
        let call = || client.get_analyzer().analyzer_name(analyzer.name()).send();
        let answer = self.hub.observed(SHOW, operation, self.hub.patiently(call, passes)).await?;
        let bug = |what: &str| Fault::bug(SHOW, operation(), what.to_owned());
        let seen = answer.analyzer().ok_or_else(|| bug("answer lacks the analyzer"))?;
        // By its name, AWS finds one of the caller's account.
        if seen.arn() != analyzer.arn {
            return Err(bug(&format!("answer is about {}", seen.arn())));
        }
        let age_days = match seen.configuration() {
            Some(AnalyzerConfiguration::UnusedAccess(unused)) => unused.unused_access_age(),
            _ => None,
        };
        let (kind, status) = (seen.r#type().as_str().to_owned(), seen.status().as_str().to_owned());
        Ok(AnalyzerSeen { kind, status, age_days })
    }

    /// Whether findings of an analyzer can be listed: the first of them; `access-analyzer:ListFindingsV2`.
    ///
    /// # Errors
    /// If the call fails.
    pub async fn try_findings(&self, analyzer: &Analyzer) -> Result<(), Fault> {
        let operation = || format!("list findings of {analyzer}");
        let client = self.hub.analyzer_client(&analyzer.region);
        let call = || {
            let list = client.list_findings_v2().analyzer_arn(&analyzer.arn).max_results(1);
            list.filter("findingType", equals(UNUSED_KEY)).send()
        };
        self.hub.observed(LIST, operation, self.hub.patiently(call, passes)).await.map(drop)
    }
}

fn equals(value: &str) -> Criterion {
    Criterion::builder().eq(value).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_analyzer_is_named_by_its_arn() {
        let arn = "arn:aws-cn:access-analyzer:cn-north-1:111122223333:analyzer/unused_access.90-days";
        let analyzer: Analyzer = arn.parse().unwrap();
        assert_eq!((analyzer.arn(), analyzer.region.as_str()), (arn, "cn-north-1"));
        for wrong in [
            "",
            "unused",
            "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/",
            "arn:aws:access-analyzer:us-east-1:1111:analyzer/unused",
            "arn:aws:access-analyzer::111122223333:analyzer/unused",
            "arn:aws:access-analyzer:us-east-1:111122223333:archive-rule/unused",
            "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/unused/archive-rule/x",
            "arn:aws:iam::111122223333:role/analyzer",
            "arn:aws:access-analyzer:us-east-1:111122223333:analyzer/unused:x",
        ] {
            assert_eq!(wrong.parse::<Analyzer>(), Err(ParseAnalyzerError), "{wrong}");
        }
    }
}

//! Looks for a key in CloudTrail, in every Region at the same time.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::Timestamp;
use keysweep_aws::Reader;
use keysweep_core::evidence::{RegionTrail, Trail};
use keysweep_core::facts::Fact;
use keysweep_core::ids::AccessKeyId;

use crate::causes::in_words;
use crate::clock::Clock;
use crate::config::Evidence;

/// What CloudTrail shows of a key: one call for the Regions that are enabled in the account, and one for each
/// of those that the configuration wants. Unknown if the Regions are.
pub(crate) async fn trail(
    reader: &Reader,
    key: &AccessKeyId,
    evidence: &Evidence,
    clock: &Clock,
) -> Fact<Box<Trail>> {
    let at = clock.now();
    let since = at.checked_sub(evidence.lookback).unwrap_or(Timestamp::MIN);
    let mut regions = match reader.enabled_regions().await {
        Ok(regions) => regions,
        Err(fault) => return Fact::Unknown(in_words(&fault)),
    };
    if !evidence.regions.is_empty() {
        regions.retain(|region| evidence.regions.contains(region));
    }
    let looks = regions.into_iter().map(async |region| {
        let seen = reader.activity(key, &region, since, at).await;
        (region, seen.unwrap_or_else(|fault| RegionTrail::Unread(in_words(&fault))))
    });
    let regions: BTreeMap<_, _> = join_all(looks).await.into_iter().collect();
    Fact::Known(Trail { at, since, regions, analyzer: None }.into())
}

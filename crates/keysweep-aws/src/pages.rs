//! Following pages without being led in circles.

use std::collections::HashSet;

use aws_sdk_accessanalyzer::operation as analyzer;
use aws_sdk_account::operation as account;
use aws_sdk_cloudtrail::operation as cloudtrail;
use aws_sdk_iam::operation as iam;
use aws_sdk_organizations::operation as organizations;

use crate::fault::Fault;

/// A page of a listing.
pub(crate) trait Page {
    /// Whether it says that another follows, and the marker to ask for that one with.
    fn next(&self) -> (bool, Option<&str>);
}

/// IAM says whether a listing goes on.
macro_rules! truncated_pages {
    ($($page:ty),* $(,)?) => {$(
        impl Page for $page {
            fn next(&self) -> (bool, Option<&str>) {
                (self.is_truncated(), self.marker())
            }
        }
    )*};
}

/// Organizations, Account Management, Access Analyzer, and CloudTrail end a listing by leaving the token out.
macro_rules! pages_with_token {
    ($($page:ty),* $(,)?) => {$(
        impl Page for $page {
            fn next(&self) -> (bool, Option<&str>) {
                let token = self.next_token();
                (token.is_some_and(|token| !token.is_empty()), token)
            }
        }
    )*};
}

truncated_pages!(
    iam::get_account_authorization_details::GetAccountAuthorizationDetailsOutput,
    iam::list_access_keys::ListAccessKeysOutput,
    iam::list_attached_user_policies::ListAttachedUserPoliciesOutput,
    iam::list_users::ListUsersOutput,
);

pages_with_token!(
    account::list_regions::ListRegionsOutput,
    analyzer::get_finding_v2::GetFindingV2Output,
    analyzer::list_findings_v2::ListFindingsV2Output,
    cloudtrail::lookup_events::LookupEventsOutput,
    organizations::list_accounts::ListAccountsOutput,
    organizations::list_accounts_for_parent::ListAccountsForParentOutput,
    organizations::list_organizational_units_for_parent::ListOrganizationalUnitsForParentOutput,
    organizations::list_parents::ListParentsOutput,
    organizations::list_roots::ListRootsOutput,
    organizations::list_tags_for_resource::ListTagsForResourceOutput,
);

/// Asks for every page of a listing, and hands each on.
///
/// # Errors
/// If a page cannot be had, `take` cannot read it, or it does not lead to the end of the listing.
pub(crate) async fn paged<P: Page, F: Future<Output = Result<P, Fault>>>(
    api: &'static str,
    operation: impl Fn() -> String,
    ask: impl Fn(Option<String>) -> F,
    mut take: impl FnMut(&P) -> Result<(), String>,
) -> Result<(), Fault> {
    let (mut pages, mut marker) = (Pages::default(), None);
    loop {
        let page = ask(marker).await?;
        let next = take(&page).and_then(|()| Ok(pages.next(&page)?));
        marker = next.map_err(|what| Fault::bug(api, operation(), what))?;
        if marker.is_none() {
            return Ok(());
        }
    }
}

/// The markers that a listing has shown so far.
#[derive(Default)]
pub(crate) struct Pages {
    seen: HashSet<String>,
}

impl Pages {
    /// The marker to ask with next; `None` after the last page.
    ///
    /// # Errors
    /// A page that claims to be truncated and carries no marker would cut the listing short; a marker that comes
    /// again would never end it. Both are errors, since a listing that is not complete proves nothing.
    pub(crate) fn next(&mut self, page: &impl Page) -> Result<Option<String>, &'static str> {
        let (truncated, marker) = page.next();
        if !truncated {
            return Ok(None);
        }
        let marker = marker.filter(|marker| !marker.is_empty()).ok_or("truncated page without a marker")?;
        if self.seen.insert(marker.to_owned()) {
            Ok(Some(marker.to_owned()))
        } else {
            Err("page with a marker that was there before")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_page(truncated: bool, marker: Option<&str>) -> impl Page {
        let page = iam::list_users::ListUsersOutput::builder().set_users(Some(Vec::new()));
        page.is_truncated(truncated).set_marker(marker.map(str::to_owned)).build().unwrap()
    }

    #[test]
    fn a_truncated_page_without_a_marker_is_an_error_and_so_is_a_marker_seen_before() {
        let mut pages = Pages::default();
        let mut next = |truncated, marker| pages.next(&mk_page(truncated, marker));
        assert!(next(true, None).is_err());
        assert!(next(true, Some("")).is_err());
        assert_eq!(next(true, Some("a")), Ok(Some("a".to_owned())));
        assert_eq!(next(true, Some("b")), Ok(Some("b".to_owned())));
        assert!(next(true, Some("a")).is_err());
        assert_eq!(next(false, Some("c")), Ok(None));
    }

    #[test]
    fn a_token_that_is_missing_or_empty_ends_a_listing() {
        let page = |token: Option<&str>| {
            let page = organizations::list_roots::ListRootsOutput::builder();
            page.set_next_token(token.map(str::to_owned)).build()
        };
        let mut pages = Pages::default();
        assert_eq!(pages.next(&page(Some("a"))), Ok(Some("a".to_owned())));
        assert_eq!(pages.next(&page(Some(""))), Ok(None));
        assert_eq!(pages.next(&page(None)), Ok(None));
    }

    #[tokio::test]
    async fn every_page_is_asked_for_once_and_a_circle_is_a_fault() {
        let listing = [("", Some("a")), ("a", Some("b")), ("b", None)];
        let follow = async |listing: &[(&str, Option<&'static str>)]| {
            let (asked, mut taken) = (std::cell::RefCell::new(Vec::new()), 0);
            let ask = async |marker: Option<String>| {
                let marker = marker.unwrap_or_default();
                let next = listing.iter().find(|(of, _)| *of == marker).unwrap().1;
                asked.borrow_mut().push(marker);
                Ok(mk_page(next.is_some(), next))
            };
            let take = |_: &_| {
                taken += 1;
                Ok(())
            };
            let end = paged("iam:ListUsers", || "list users".into(), ask, take).await;
            (end.map_err(|fault| fault.cause().to_string()), asked.into_inner(), taken)
        };
        assert_eq!(follow(&listing).await, (Ok(()), vec![String::new(), "a".into(), "b".into()], 3));
        let circle = [("", Some("a")), ("a", Some("b")), ("b", Some("a"))];
        let why = "page with a marker that was there before".to_owned();
        assert_eq!(follow(&circle).await, (Err(why), vec![String::new(), "a".into(), "b".into()], 3));
    }
}

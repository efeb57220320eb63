//! Following pages without being led in circles.

use std::collections::HashSet;

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
    pub(crate) fn next(
        &mut self,
        truncated: bool,
        marker: Option<&str>,
    ) -> Result<Option<String>, &'static str> {
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

    /// As [`Pages::next`], for services that end a listing by leaving the token out.
    pub(crate) fn next_token(&mut self, token: Option<&str>) -> Result<Option<String>, &'static str> {
        self.next(token.is_some_and(|token| !token.is_empty()), token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_page_without_a_marker_is_an_error_and_so_is_a_marker_seen_before() {
        let mut pages = Pages::default();
        assert!(pages.next(true, None).is_err());
        assert!(pages.next(true, Some("")).is_err());
        assert_eq!(pages.next(true, Some("a")), Ok(Some("a".to_owned())));
        assert_eq!(pages.next(true, Some("b")), Ok(Some("b".to_owned())));
        assert!(pages.next(true, Some("a")).is_err());
        assert_eq!(pages.next(false, Some("c")), Ok(None));
    }
}

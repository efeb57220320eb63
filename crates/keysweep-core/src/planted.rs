//! Mistakes that a programmer could make, to be planted one at a time: the simulated-time suite must notice each.
//!
//! Each is one small line at the place where it would be made, behind [`planted!`](crate::planted!), and without the
//! feature `planted-bugs` that line says `false`: no package holds a trace of them.
//!
//! Which bug is planted is the only global of keysweep. A bug strikes in the journal's thread and in the SDK's as well
//! as in the planner, and nothing that is handed to all of them could carry it without being in the way of the product.
//! So whoever plants a bug has the whole process to himself: one history at a time.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(not(debug_assertions))]
compile_error!("planted bugs are for tests: a release is built without the feature `planted-bugs`");

/// Whether this bug is planted, by the name of its variant.
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::planted($crate::planted::Bug::$bug)
    };
}

/// A text that names no bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no planted bug is named {0:?}")]
pub struct UnknownBug(String);

/// Declares each bug once: its variant, what was forgotten, its name, and what it breaches.
macro_rules! bugs {
    ($($promise:literal { $($(#[doc = $doc:literal])+ $bug:ident = $name:literal,)+ })+) => {
        /// A mistake. The comment of each says what the programmer did, or forgot.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($($(#[doc = $doc])+ $bug,)+)+
        }

        impl Bug {
            /// Every bug.
            pub const ALL: &[Self] = &[$($(Self::$bug,)+)+];

            /// Its name on a command line and in reports.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $($(Self::$bug => $name,)+)+
                }
            }

            /// The promise that it breaches: `P1` to `P12`; `lifecycle` where a rule of the lifecycle is broken that is
            /// no promise of its own.
            #[must_use]
            pub fn promise(self) -> &'static str {
                match self {
                    $($(Self::$bug => $promise,)+)+
                }
            }
        }
    };
}

bugs! {
    "P1" {
        /// Took the mode of `[policy]` and not that of the override that matches.
        ModeOfBase = "mode-of-base",
        /// Took every mode that changes keys for one that deletes them.
        DeleteInModeDeactivate = "delete-in-mode-deactivate",
    }
    "P2" {
        /// Trusted the plan: right before a change the key is read, and nothing is decided again.
        SkipRecheck = "skip-recheck",
        /// Took a denied `GetAccessKeyLastUsed` for a key that was never used.
        DeniedIsNeverUsed = "denied-is-never-used",
        /// Forgot to pass on the user's tags when a key is read again: an exemption by tag no longer matches.
        TagsNotReadAgain = "tags-not-read-again",
    }
    "P3" {
        /// Measured the time in which no process ran by the wall clock, and counted it as watched.
        DowntimeCounts = "downtime-counts",
        /// Counted the span between two sightings whatever its length.
        LongSpansCount = "long-spans-count",
        /// Measured watched spans by the wall clock alone, which may jump.
        WallClockAlone = "wall-clock-alone",
        /// Measured grace from the date of the deactivation, and not by what was watched.
        GraceByDate = "grace-by-date",
        /// Forgot to look at the status of a key that was deactivated: one that is Active again stays in its grace.
        ReactivationNotNoticed = "reactivation-not-noticed",
        /// Forgot that last use may be told late: a deactivated key whose last use moved is deleted all the same.
        UseAfterDeactivationIgnored = "use-after-deactivation-ignored",
    }
    "P4" {
        /// Forgot the sync: entries are acknowledged that the disk does not have.
        SyncForgotten = "sync-forgotten",
        /// Acknowledged entries before they were written: calls go out whose intent never reaches the journal.
        AnswerBeforeWriting = "answer-before-writing",
        /// Forgot that a process may have ended in the middle of a change: open intents are not settled.
        OpenIntentsForgotten = "open-intents-forgotten",
    }
    "P5" {
        /// Took a call without an answer for one that worked, without reading AWS.
        UnclearIsDone = "unclear-is-done",
        /// Took a call without an answer for one that was refused: the key is not held, and is tried again.
        UnclearIsRefused = "unclear-is-refused",
        /// Forgot the hold of a key whose deactivation was sent and does not show.
        NoHoldAfterUnclear = "no-hold-after-unclear",
        /// Sent a change again when its answer was lost.
        BlindRetry = "blind-retry",
        /// Gave the session of a change no deadline: a call that is late is carried out.
        DeadlineForgotten = "deadline-forgotten",
        /// Left the SDK's retries on for changes.
        SdkRetriesChanges = "sdk-retries-changes",
    }
    "P6" {
        /// Looked up an operator's key by its user: another key of the same user is changed.
        SiblingKey = "sibling-key",
        /// Took users of the same name for the same user.
        UserIdNotCompared = "user-id-not-compared",
        /// Took keys of the same ID for the same key, whenever they were made.
        CreationDateNotCompared = "creation-date-not-compared",
    }
    "P7" {
        /// Asked the pause before an undo, too.
        PauseBlocksUndo = "pause-blocks-undo",
        /// Asked the breaker before an undo, too.
        BreakerBlocksUndo = "breaker-blocks-undo",
        /// Asked the caps before an undo, too.
        CapBlocksUndo = "cap-blocks-undo",
        /// Asked for a hold before an undo, too.
        HoldBlocksUndo = "hold-blocks-undo",
        /// Forgot the hold of a key that somebody else reactivated.
        NoHoldAfterReactivation = "no-hold-after-reactivation",
        /// Forgot the hold of a key that keysweep reactivated.
        NoHoldAfterUndo = "no-hold-after-undo",
    }
    "P8" {
        /// Compared with `>` where `>=` was meant: one change a day too many in the organization.
        CapOffByOne = "cap-off-by-one",
        /// Forgot the cap per account.
        AccountCapIgnored = "account-cap-ignored",
        /// Kept the changes of the day in memory only: a restart forgets them.
        CapsForgottenAtStart = "caps-forgotten-at-start",
        /// Took a pause to stop only what becomes due after it.
        PauseSparesDue = "pause-spares-due",
        /// Forgot to look at what restrains changes once more before the intent: a pause in between is not seen.
        NoLastLook = "no-last-look",
        /// Acknowledged a pause without waiting for the calls under way.
        PauseDoesNotWait = "pause-does-not-wait",
        /// Forgot that many keys due at once trip the breaker.
        SurgeIgnored = "surge-ignored",
        /// Forgot to count changes that fail: neither is an account parked nor does the breaker trip.
        FailuresNotCounted = "failures-not-counted",
        /// Forgot that our clock may be wrong.
        SkewIgnored = "skew-ignored",
    }
    "P9" {
        /// Took an exemption that cannot be judged for one that does not match.
        UnknownIsNotExempt = "unknown-is-not-exempt",
        /// Took a flagged key of which a fact is unknown for one that is no longer stale: its notice is lost.
        UnknownClears = "unknown-clears",
    }
    "P10" {
        /// Forgot holds when the records are rebuilt from the journal.
        HoldLostInRebuild = "hold-lost-in-rebuild",
        /// Forgot that a denial holds the key: the next sweep asks again.
        DenialForgotten = "denial-forgotten",
        /// Forgot that a new data_dir may be one that was lost: it does not start paused.
        NewDataDirNotPaused = "new-data-dir-not-paused",
        /// Read the journal without comparing its hashes.
        BrokenChainAccepted = "broken-chain-accepted",
        /// Believed records that know more than the journal does.
        StoreAheadAccepted = "store-ahead-accepted",
    }
    "P11" {
        /// Took the keys of a user that could not be read for gone.
        UnreadIsGone = "unread-is-gone",
        /// Looked for a user by its name only: one that was renamed is gone.
        RenamedIsGone = "renamed-is-gone",
        /// Ended the list of accounts at an empty page.
        EmptyPageEndsListing = "empty-page-ends-listing",
        /// Read the first page of every listing.
        FirstPageAlone = "first-page-alone",
    }
    "lifecycle" {
        /// Rounded idle time up to the next day.
        ThresholdADayShort = "threshold-a-day-short",
        /// Measured idle time from the creation, whatever was used since.
        IdleSinceCreation = "idle-since-creation",
        /// Gave notice and did not wait.
        NoticePeriodSkipped = "notice-period-skipped",
        /// Kept the notice over a hold: after it, the key is changed without a new one.
        NoticeOutlivesHold = "notice-outlives-hold",
        /// Forgot to ask for approval.
        ApprovalNotRequired = "approval-not-required",
        /// Forgot the window.
        WindowIgnored = "window-ignored",
        /// Forgot that a user under AWS's quarantine is an incident.
        IncidentIgnored = "incident-ignored",
    }
}

/// No bug.
const NONE: usize = usize::MAX;

static PLANTED: AtomicUsize = AtomicUsize::new(NONE);

/// Plants one bug in this process, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(NONE, |bug| bug as usize), Ordering::SeqCst);
}

/// Whether this bug is planted.
#[must_use]
pub fn planted(bug: Bug) -> bool {
    PLANTED.load(Ordering::SeqCst) == bug as usize
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|bug| bug.name() == name);
        found.copied().ok_or_else(|| UnknownBug(name.to_owned()))
    }
}

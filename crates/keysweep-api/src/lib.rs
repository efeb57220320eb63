//! What operators can ask keysweep: the requests, the reply to each, the reasons for which something is refused, the
//! OpenAPI document, and a client.
//!
//! The command line and every listener of the daemon speak in these types. There is no server here and nothing that
//! decides.

mod approvals;
mod bundle;
mod client;
mod documents;
mod exemptions;
mod find;
mod notices;
mod number;
mod once;
mod openapi;
mod operation;
mod overview;
mod pattern;
mod reason;
mod refusal;
mod request_ref;
mod requests;
mod sessions;
mod until;

pub use self::approvals::{
    ApprovalsDocument, DecideApprovals, DecidedApprovals, HeldKey, HoldsDocument, ListApprovals, ListHolds,
    PendingApproval, RefusedApproval,
};
pub use self::bundle::{
    Algorithm, BUNDLE_VERSION, Bundle, BundleApproval, BundleDecision, BundleFact, BundleFile, BundleGranted,
    BundleKey, BundleLifecycle, BundleNotice, BundleRegion, BundleTrail, JournalEnd, Signature,
};
pub use self::client::{ANSWER_WITHIN, ClientError, call};
pub use self::documents::{
    ApprovalRow, BreakerDocument, BreakerKey, Done, EvidenceDocument, HoldRow, JournalBytes, KeyDocument,
    KeyRow, KeysDocument, MissingRow, OwnerRow, ParkedAccount, PauseRow, PlanDocument, PolicyTerm,
    QuarantineRow, RulesDocument, UnknownOrigin,
};
pub use self::exemptions::{EndExemption, ExemptionRow, ExemptionsDocument, GrantExemption, ListExemptions};
pub use self::find::{FindingsDocument, KeyFilter, KeyOrder, ListFindings};
pub use self::notices::{
    ListNotices, MessageItem, MessageRow, MessageStatus, NoticePreview, NoticesDocument, PreviewNotice,
    RetryNotice,
};
pub use self::openapi::openapi;
pub use self::operation::{BASE, OPENAPI, Operation, Role, Verb, decode, encode};
pub use self::overview::{
    AccountRow, AccountsDocument, CalendarDay, CalendarDocument, CalendarEvent, CountRow, JournalDocument,
    JournalRow, ListAccounts, ListJournal, ShowCalendar, ShowStatus, StatusDocument, StopRow, SweepRow,
    TrendPoint,
};
pub use self::reason::reason;
pub use self::refusal::{PROBLEM_JSON, Problem, Refusal};
pub use self::request_ref::RequestRef;
pub use self::requests::{
    AcknowledgeRule, Decide, Decision, GatherEvidence, ListKeys, ListRules, Pause, ResetBreaker, Resume,
    ShowBreaker, ShowEvidence, ShowKey, ShowPlan, UnparkAccount, ViewJournal, Which,
};
pub use self::sessions::{ListSessions, RevokeSessions, SessionRow, SessionsDocument};
pub use self::until::Until;

//! Every view, with made-up documents.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use keysweep_api::{KeyFilter, KeyOrder, ListAccounts, ListFindings, ListJournal};

use super::accounts::accounts;
use super::approvals::approvals;
use super::audit::audit;
use super::calendar::calendar;
use super::frame::{Can, Frame, SCRIPT, Said, policy_with, view_policy};
use super::holds::holds;
use super::key::key;
use super::keys::{Keys, grouped, keys};
use super::login::{Denied, Login, denied, login};
use super::notices::notices;
use super::overview::{Overview, overview};
use super::query::{Group, KeysQuery};
use super::samples::{self, Cast, NASTY, key_id, operator, stops, visitor};
use super::sessions::sessions;

const NONE: Cast = Cast { rows: 0, nasty: false };
const ONE: Cast = Cast { rows: 1, nasty: false };
const MANY: Cast = Cast { rows: 24, nasty: false };
const HOSTILE: Cast = Cast { rows: 24, nasty: true };

fn filter(cast: Cast) -> KeyFilter {
    KeyFilter {
        q: Some(cast.name(0, "deploy")),
        owner: Some(cast.name(1, "Dana Reyes")),
        state: Some("flagged".into()),
        ..KeyFilter::default()
    }
}

fn keys_view(frame: &Frame, cast: Cast, query: &KeysQuery) -> String {
    let found = samples::findings(cast);
    let ous = BTreeMap::from([
        ("111122223333".to_owned(), cast.name(0, "Root/Workloads")),
        ("222233334444".to_owned(), cast.name(1, "Root/Shared")),
    ]);
    keys(frame, Keys { query, found: &found, ous: &ous }).unwrap()
}

fn overview_of(frame: &Frame, cast: Cast) -> String {
    let (status, next, breaker) = (samples::status(cast), samples::findings(cast), samples::breaker(cast));
    let breaker = (cast.rows > 0).then_some(&breaker);
    overview(frame, Overview { status: &status, next: &next, breaker }).unwrap()
}

/// Every view by its name, for somebody with this frame.
fn every(cast: Cast, frame: &Frame) -> Vec<(&'static str, String)> {
    let filtered = KeysQuery {
        list: ListFindings { filter: filter(cast), sort: KeyOrder::Idle, ..ListFindings::default() },
        group: None,
    };
    let grouping = |group| KeysQuery { group: Some(group), ..KeysQuery::default() };
    let (held, exempt) = samples::holds(cast);
    let journal = ListJournal { actor: Some(cast.name(0, "ann")), ..ListJournal::default() };
    let account = ListAccounts {
        q: Some(cast.name(0, "prod")),
        reach: Some("failed".into()),
        ..ListAccounts::default()
    };
    let back = |why| Denied { title: "Not permitted", why, back: "/keys" };
    vec![
        ("overview", overview_of(frame, cast)),
        ("keys", keys_view(frame, cast, &KeysQuery::default())),
        ("keys-filtered", keys_view(frame, cast, &filtered)),
        ("keys-by-account", keys_view(frame, cast, &grouping(Group::Account))),
        ("keys-by-ou", keys_view(frame, cast, &grouping(Group::Ou))),
        ("key-flagged", key(frame, &key_id(0), &samples::key(cast, "flagged")).unwrap()),
        ("key-deactivated", key(frame, &key_id(0), &samples::key(cast, "deactivated")).unwrap()),
        ("key-gone", key(frame, &key_id(0), &samples::key(cast, "gone")).unwrap()),
        ("approvals", approvals(frame, &KeyFilter::default(), &samples::approvals(cast)).unwrap()),
        ("approvals-filtered", approvals(frame, &filter(cast), &samples::approvals(cast)).unwrap()),
        ("holds", holds(frame, &held, &exempt).unwrap()),
        ("accounts", accounts(frame, &account, &samples::accounts(cast)).unwrap()),
        ("audit", audit(frame, &journal, &samples::journal(cast)).unwrap()),
        ("calendar", calendar(frame, &samples::calendar(cast)).unwrap()),
        ("notices", notices(frame, &samples::notices(cast)).unwrap()),
        ("sessions", sessions(frame, &samples::sessions(cast)).unwrap()),
        ("denied", denied(frame, back(&cast.name(0, "Your role permits no deletion of this key."))).unwrap()),
        ("login", login(frame, sign_in(&cast.name(0, "Example SSO"), &cast.name(1, "/keys?q=a"))).unwrap()),
    ]
}

fn sign_in<'a>(provider: &'a str, next: &'a str) -> Login<'a> {
    Login { provider: Some(provider), tokens: true, failure: Some("Unknown or revoked token."), next }
}

/// Everything by everybody.
static ALL: LazyLock<Vec<(String, String)>> = LazyLock::new(every_page);

fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|(name, html)| (name.as_str(), html.as_str()))
}

fn every_page() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (size, cast) in [("none", NONE), ("one", ONE), ("many", MANY), ("hostile", HOSTILE)] {
        let here = "/keys?q=a&state=flagged";
        let said = |good| Some(Said { good, text: cast.name(0, "The key is on hold until 2026-12-22.") });
        let stopped = Frame { stops: stops(cast), said: said(false), ..operator(cast, here) };
        let observing = Frame { mode: "observe".into(), ..visitor(cast, here) };
        let frames = [
            ("operator", Frame { said: said(true), ..operator(cast, here) }),
            ("stopped", stopped),
            ("visitor", observing),
        ];
        for (who, frame) in frames {
            let pages = every(cast, &frame).into_iter();
            all.extend(pages.map(|(view, html)| (format!("{size}-{who}-{view}"), html)));
        }
    }
    all
}

fn view(name: &str) -> &'static str {
    all().find(|(it, _)| *it == name).unwrap().1
}

#[test]
fn names_of_others_are_text_on_every_view() {
    for (name, html) in all() {
        for raw in ["<script>", "<img", "onerror=alert(1)>", "\u{202e}", "\u{7}", "\0", "\r"] {
            assert!(!html.contains(raw), "{name}: {raw:?}");
        }
        assert_eq!(html.matches("<script").count(), 1, "{name}");
    }
    let hostile = view("hostile-operator-overview");
    assert!(hostile.contains("safe\\u{202e}gpj.exe") && hostile.contains("&#60;script&#62;"), "{hostile}");
    assert!(hostile.contains(NASTY[4]));
}

#[test]
fn nothing_is_loaded_from_elsewhere_and_no_style_or_script_is_inline() {
    let policy = view_policy();
    for (name, html) in all() {
        for never in ["http://", "https://", "@import", "url(", " style=", " onclick=", "javascript:"] {
            assert!(!html.to_lowercase().contains(never), "{name}: {never}");
        }
        let sources: Vec<&str> = html.match_indices(" src=").map(|(at, _)| &html[at..at + 14]).collect();
        assert_eq!(sources.iter().filter(|it| !it.contains("x onerror")).count(), 1, "{name}: {sources:?}");
        assert!(html.contains("<script src=\"/page.js\" defer></script>"), "{name}");
        let sheet = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        assert!(policy == policy_with(sheet), "{name}");
    }
    assert!(!SCRIPT.contains("eval") && !SCRIPT.contains("innerHTML"));
}

#[test]
fn only_the_login_may_send_a_form_elsewhere() {
    assert!(view_policy().to_str().unwrap().contains("form-action 'self';"));
}

#[test]
fn every_field_has_a_label_and_every_id_is_there_once() {
    for (name, html) in all() {
        let ids: Vec<&str> = values(html, " id=\"");
        for id in &ids {
            assert_eq!(ids.iter().filter(|it| it == &id).count(), 1, "{name}: id {id}");
        }
        let labelled = values(html, "<label for=\"");
        for id in &labelled {
            assert!(ids.contains(id), "{name}: a label for {id}");
        }
        for tag in tags(html, &["<input ", "<select "]) {
            let hidden = ["type=\"hidden\"", "type=\"radio\"", "type=\"checkbox\""];
            let id = values(tag, " id=\"");
            let is_labelled = id.first().is_some_and(|id| labelled.contains(id));
            assert!(is_labelled || hidden.iter().any(|it| tag.contains(it)), "{name}: {tag}");
        }
    }
}

#[test]
fn a_form_that_decides_has_the_token_and_the_way_back() {
    let mut forms = 0;
    for (name, html) in all().filter(|(name, _)| !name.ends_with("-login")) {
        for form in html
            .split("<form ")
            .skip(1)
            .filter(|form| form.starts_with("method=\"post\"") || form.contains("method=\"post\" action"))
        {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains("name=\"csrf\" value=\"c5rf\""), "{name}: {form}");
            assert!(form.contains("name=\"next\" value=\"/"), "{name}: {form}");
            assert!(form.contains("/logout") || form.contains("name=\"reason\""), "{name}: {form}");
            forms += 1;
        }
        assert!(!name.contains("-visitor-") || !html.contains("method=\"post\""), "{name}");
    }
    assert!(forms > 500, "{forms}");
}

#[test]
fn without_a_script_only_a_view_without_fields_reloads_by_itself() {
    let mut reloads = 0;
    for (name, html) in all() {
        let fields = tags(html, &["<input ", "<select ", "<textarea "]);
        let fields = fields.iter().any(|tag| !tag.contains("type=\"hidden\""));
        let refresh = html.contains("http-equiv=\"refresh\"");
        assert!(!(refresh && fields), "{name}");
        assert!(refresh || fields || name.ends_with("-denied"), "{name}");
        reloads += usize::from(refresh);
    }
    assert!(reloads > 20, "{reloads}");
}

#[test]
fn a_stop_shows_on_every_view_of_somebody_who_is_in() {
    for (name, html) in all().filter(|(name, _)| name.starts_with("many-stopped-")) {
        let shown = html.contains("keysweep resume 88 --reason TEXT") && html.contains("by ann: incident 42");
        assert_eq!(shown, !name.ends_with("-login"), "{name}");
    }
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    for (name, html) in all() {
        let levels: Vec<u32> = html
            .match_indices("<h")
            .filter_map(|(at, _)| html[at + 2..].chars().next()?.to_digit(10))
            .collect();
        assert_eq!(levels.first(), Some(&1), "{name}");
        assert_eq!(levels.iter().filter(|&&level| level == 1).count(), 1, "{name}");
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{name}: {levels:?}");
    }
}

#[test]
fn the_undo_comes_before_everything_else_about_a_deactivated_key() {
    let html = view("many-operator-key-deactivated");
    let place = |what: &str| html.find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(place("value=\"reactivate\"") < place("<h2>What happens next"));
    assert!(!view("many-operator-key-flagged").contains("value=\"reactivate\""));
    let visitor = view("many-visitor-key-deactivated");
    assert!(visitor.contains("keysweep keys reactivate AKIAIOSFODNN70000000 --reason TEXT"));
}

#[test]
fn only_operators_can_order_and_only_what_the_state_permits() {
    let flagged = view("many-operator-key-flagged");
    assert!(flagged.contains("value=\"deactivate\"") && !flagged.contains("value=\"delete\">"));
    let deactivated = view("many-operator-key-deactivated");
    assert!(
        deactivated.contains("name=\"decision\" value=\"delete\"")
            && deactivated.contains("name=\"confirm\"")
    );
    let gone = view("many-operator-key-gone");
    assert!(gone.contains("value=\"forget\"") && !gone.contains("name=\"confirm\""));
    let approver = Frame { can: Can { approve: true, ..Can::default() }, ..operator(MANY, "/") };
    let html = key(&approver, &key_id(0), &samples::key(MANY, "deactivated")).unwrap();
    assert!(html.contains("value=\"reactivate\"") && !html.contains("value=\"forget\""));
    assert!(!html.contains("Orders of an operator"));
}

#[test]
fn an_owner_decides_only_where_the_policy_permits() {
    let owner = Frame { can: Can { own: true, ..Can::default() }, ..operator(MANY, "/") };
    let html = approvals(&owner, &KeyFilter::default(), &samples::approvals(MANY)).unwrap();
    let cards: Vec<&str> = html.split("<ul class=\"cards\">").nth(1).unwrap().split("<h2>").skip(1).collect();
    for card in cards {
        let permitted = card.contains("The owner of the key can approve, too.");
        assert_eq!(card.contains("value=\"approve\""), permitted, "{card}");
    }
    assert!(!html.contains("/approvals/decide"));
}

#[test]
fn approving_takes_a_choice_so_that_enter_decides_nothing() {
    let html = view("many-operator-approvals");
    assert!(html.contains("name=\"decision\" value=\"approve\" required"));
    assert!(!html.contains("checked"));
    assert_eq!(html.matches("name=\"request\" value=\"120-1f2e3d4c\"").count(), 3, "card, claim, and bulk");
    assert!(html.contains("<b>carol</b> is looking at it until"));
    assert!(html.contains("Decide on all 24 requests shown"));
    assert!(!view("one-operator-approvals").contains("/approvals/decide"));
    let filtered = view("many-operator-approvals-filtered");
    let (_, bulk) = filtered.split_once("action=\"/approvals/decide\"").unwrap();
    assert!(bulk.contains("<input type=\"hidden\" name=\"q\" value=\"deploy\">"));
}

#[test]
fn a_filter_is_shown_removable_and_kept_by_every_link() {
    let html = view("many-operator-keys-filtered");
    assert!(html.contains("aria-label=\"Remove filter State: flagged\""));
    assert!(html.contains("href=\"/keys?q=deploy&#38;owner=Dana+Reyes&#38;sort=idle\""), "without the state");
    for link in ["/keys.csv?q=deploy", "/keys.json?q=deploy"] {
        assert!(
            html.contains(&format!("{link}&#38;owner=Dana+Reyes&#38;state=flagged&#38;sort=idle")),
            "{link}"
        );
    }
    assert!(html.contains("sort=idle&#38;cursor=c%2B%2F%3D%26\" rel=\"next\""));
    assert!(html.contains("aria-sort=\"descending\""));
}

#[test]
fn groups_count_their_rows_and_lead_to_them() {
    let found = samples::findings(Cast { rows: 9, nasty: false });
    let query = KeysQuery {
        list: ListFindings {
            filter: KeyFilter { q: Some("x".into()), ..KeyFilter::default() },
            ..ListFindings::default()
        },
        group: Some(Group::Owner),
    };
    let groups = grouped(&found.findings, Group::Owner, &query, &BTreeMap::new());
    assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), 9);
    let nobody = groups.iter().find(|group| group.name == "no owner known").unwrap();
    assert_eq!((nobody.count, nobody.href.as_deref()), (2, Some("/keys?q=x&owner=-")));
    assert!(groups.windows(2).all(|pair| pair[0].count >= pair[1].count));
    let unknown = grouped(&found.findings, Group::Ou, &query, &BTreeMap::new());
    assert_eq!((unknown.len(), unknown[0].href.as_deref()), (1, None));
}

#[test]
fn an_empty_view_says_what_that_means() {
    let texts = [
        ("overview", "No sweep has completed yet."),
        ("overview", "The trend begins once sweeps have completed on two days."),
        ("keys", "Nothing is known yet."),
        ("keys-filtered", "No key matches."),
        ("approvals", "No request waits for a decision."),
        ("holds", "No key is on hold."),
        ("holds", "[[policy.exempt]]"),
        ("accounts", "No account matches."),
        ("audit", "No entry matches."),
        ("calendar", "Nothing is scheduled"),
        ("notices", "No channel is configured"),
        ("sessions", "Nobody is logged in"),
        ("key-flagged", "keysweep does not track the key"),
    ];
    for (name, text) in texts {
        assert!(view(&format!("none-operator-{name}")).contains(text), "{name}: {text}");
    }
}

#[test]
fn an_exemption_that_matched_nothing_for_90_days_is_pointed_out() {
    let html = view("many-operator-holds");
    assert!(html.contains("1 exemption has matched no finding for 90 days or more."), "{html}");
    assert!(html.contains("<span class=\"bad\">none since 2026-07-25 02:30 UTC (120 days ago)</span>"));
}

#[test]
fn observe_says_would_and_a_visitor_learns_where_to_decide() {
    let html = view("many-visitor-overview");
    assert!(html.contains("What keysweep would do next") && !html.contains("What happens next"));
    assert!(html.contains("Log in</a> to make decisions."));
    assert!(html.contains("href=\"/login?next=%2Fkeys%3Fq%3Da%26state%3Dflagged\""));
    let nobody = Frame { login: false, ..visitor(MANY, "/") };
    assert!(overview_of(&nobody, MANY).contains("Decisions are made on the command line"));
}

#[test]
fn an_id_never_breaks_out_of_its_path() {
    let mut list = samples::accounts(ONE);
    list.accounts[0].account_id = "../../pause\"?x".into();
    list.accounts[0].parked_until = Some(samples::ago(-1));
    let html = accounts(&operator(ONE, "/"), &ListAccounts::default(), &list).unwrap();
    assert!(html.contains("action=\"/accounts/..%2F..%2Fpause%22%3Fx/unpark\""), "{html}");
}

#[test]
fn every_view_is_written_for_a_browser_to_look_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp/page");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, html) in all() {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
    std::fs::write(folder.join("page.js"), SCRIPT).unwrap();
    std::fs::write(folder.join("policy.txt"), view_policy().as_bytes()).unwrap();
}

/// The values of an attribute.
fn values<'a>(html: &'a str, before: &str) -> Vec<&'a str> {
    html.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Every tag that begins like this.
fn tags<'a>(html: &'a str, begins: &[&str]) -> Vec<&'a str> {
    let (_, body) = html.split_once("<body").unwrap();
    let of = |begin: &&str| {
        body.match_indices(*begin)
            .map(|(at, _)| &body[at..=at + body[at..].find('>').unwrap()])
            .collect::<Vec<_>>()
    };
    begins.iter().flat_map(of).collect()
}

//! What each view shows.

use super::*;

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
    let grouped = |group| {
        let list = ListFindings {
            filter: KeyFilter { q: Some("x".into()), ..KeyFilter::default() },
            ..ListFindings::default()
        };
        samples::groups(Cast { rows: 9, nasty: false }, &KeysQuery { list, group: Some(group) })
    };
    let groups = grouped(Group::Owner);
    assert_eq!(groups.iter().map(|group| group.count).sum::<u64>(), 9);
    let nobody = groups.iter().find(|group| group.name == "no owner known").unwrap();
    assert_eq!((nobody.count, nobody.href.as_deref()), (2, Some("/keys?q=x&owner=-")));
    assert!(groups.windows(2).all(|pair| pair[0].count >= pair[1].count));
    let unknown = grouped(Group::Ou).into_iter().find(|group| group.name == "OU not known").unwrap();
    assert_eq!(unknown.href, None);
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
        ("holds", "Nothing is exempt."),
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
fn a_granted_exemption_says_by_whom_and_operators_can_end_it() {
    let html = view("many-operator-holds");
    assert!(html.contains("<code>exemption 123</code>") && html.contains("</b>: "), "{html}");
    assert_eq!(html.matches("action=\"/exemptions/123/end\"").count(), 1, "{html}");
    assert_eq!(html.matches("action=\"/exemptions/").count(), 1, "those of the configuration end there");
    let approver = Frame { can: Can { approve: true, ..Can::default() }, ..operator(MANY, "/") };
    let (held, exempt) = samples::holds(MANY);
    let html = holds(&approver, &held, &exempt).unwrap();
    assert!(html.contains("<code>exemption 123</code>") && !html.contains("action=\"/exemptions/"), "{html}");
}

#[test]
fn operators_can_exempt_a_key_or_its_user() {
    let html = view("many-operator-key-flagged");
    assert_eq!(html.matches("/exempt\"").count(), 1, "{html}");
    assert!(html.contains("name=\"until\" type=\"date\" required"));
    let approver = Frame { can: Can { approve: true, ..Can::default() }, ..operator(MANY, "/") };
    let html = key(&approver, &key_id(0), &samples::key(MANY, "flagged")).unwrap();
    assert!(html.contains("value=\"hold\"") && !html.contains("/exempt\""), "{html}");
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

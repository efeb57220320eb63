//! What holds for every view.

use super::*;

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
fn no_form_leads_elsewhere() {
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
fn an_id_never_breaks_out_of_its_path() {
    let mut list = samples::accounts(ONE);
    list.accounts[0].account_id = "../../pause\"?x".into();
    list.accounts[0].parked_until = Some(samples::ago(-1));
    let html = accounts(&operator(ONE, "/"), &ListAccounts::default(), &list).unwrap();
    assert!(html.contains("action=\"/accounts/..%2F..%2Fpause%22%3Fx/unpark\""), "{html}");
}

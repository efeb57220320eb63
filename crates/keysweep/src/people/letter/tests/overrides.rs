//! Templates of operators.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use keysweep_core::notice::{Audience, NoticeKind};

use super::super::{Draft, Letter, Writer, sample};
use super::fixture::{NOW, mk_item};

fn mk_overrides(name: &str, text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), text.to_owned())])
}

fn refused(name: &str, text: &str) -> String {
    Writer::new(&mk_overrides(name, text)).err().unwrap()
}

fn write(name: &str, text: &str, account: &str) -> Letter {
    let message = sample::message(Audience::Owner);
    let item = mk_item(NoticeKind::Deactivated);
    let draft = Draft {
        message: &message,
        items: vec![&item],
        account_name: &|_| Some(account.to_owned()),
        at: NOW.parse().unwrap(),
        time_zone: &TimeZone::UTC,
        links: &|_| None,
        page: None,
        requests: &|_| None,
    };
    Writer::new(&mk_overrides(name, text)).unwrap().write(&draft).unwrap()
}

#[test]
fn a_mistake_names_its_template_and_line() {
    let unclosed = refused("mail.txt", "{{ intro }}\n{% for section in sections %}\n");
    assert!(unclosed.starts_with("template mail.txt, line "), "{unclosed}");
    let misspelled = refused("mail.html", "<p>\n{{ intor }}");
    assert!(misspelled.starts_with("template mail.html, line 2: undefined value"), "{misspelled}");
    let nested = refused("slack.txt", "{{ headline }}\n{% for s in sections %}{{ s.tittle }}{% endfor %}");
    assert!(nested.starts_with("template slack.txt, line 2: undefined value"), "{nested}");
    let filter = refused("subject.txt", "{{ headline|shout }}");
    assert!(filter.starts_with("template subject.txt, line 1: "), "{filter}");
}

#[test]
fn a_mistake_in_a_rare_branch_is_found() {
    for (audience, kind) in
        [("team", "undeliverable"), ("protect", "owner_missing"), ("owner", "hold_ending")]
    {
        let text = format!(
            "{{{{ headline }}}}{{% for s in sections %}}{{% if audience == '{audience}' and s.kind == '{kind}' %}}\
             {{{{ nothing }}}}{{% endif %}}{{% endfor %}}"
        );
        assert!(refused("mail.txt", &text).starts_with("template mail.txt, line 1: "));
    }
    let no_page = "{{ headline }}{% if not page %}{{ nothing }}{% endif %}";
    assert!(refused("mail.txt", no_page).contains("undefined value"));
    let rest = "{{ headline }}{% if rest %}{{ rest.nothing }}{% endif %}";
    assert!(refused("mail.txt", rest).contains("undefined value"));
}

#[test]
fn an_unknown_name_is_refused() {
    assert_eq!(
        refused("mail.htm", ""),
        "unknown template \"mail.htm\": expected one of subject.txt, mail.txt, mail.html, slack.txt"
    );
}

#[test]
fn a_template_that_loops_runs_out_of_fuel() {
    let text = "{% for a in range(9999) %}{% for b in range(9999) %}{% set c = a %}{% endfor %}{% endfor %}";
    let why = refused("mail.txt", text);
    assert!(why.starts_with("template mail.txt, line 1: takes too many steps"), "{why}");
}

#[test]
fn a_template_cannot_read_files_or_make_megabytes() {
    let include = refused("mail.txt", "{% include '/etc/hostname' %}");
    assert!(include.starts_with("template mail.txt, line 1: "), "{include}");
    let long = refused("mail.txt", "{% for n in range(9000) %}{{ intro }}{{ intro }}{% endfor %}");
    assert!(long.contains("the limit is 1048576"), "{long}");
}

#[test]
fn an_empty_subject_or_slack_text_is_refused() {
    assert_eq!(refused("subject.txt", "\n"), "template subject.txt: the subject is empty");
    assert_eq!(refused("slack.txt", " \n"), "template slack.txt: the text is empty");
}

#[test]
fn values_are_escaped_for_where_they_go() {
    let show = "{% for s in sections %}{% for k in s.keys %}{{ k.account }}{% endfor %}{% endfor %}";
    let letter = write("mail.html", show, "<b>&\"'");
    assert!(letter.html.starts_with("&lt;b&gt;&amp;&quot;&#x27; (111122223333)"), "{}", letter.html);
    let letter = write("slack.txt", show, "<!here> *a* @here & `x`");
    assert_eq!(letter.slack_text, "&lt;!here&gt; \u{2217}a\u{2217} \u{ff20}here &amp; 'x' (111122223333)");
    let letter = write("subject.txt", &format!("{show} \nsecond line"), "a\nb");
    assert_eq!(letter.subject, "a b (111122223333) second line");
}

#[test]
fn the_text_of_slack_txt_takes_the_place_of_the_blocks() {
    let letter = write("slack.txt", "*{{ headline }}*\n<https://wiki.example.com/keys|What is this?>", "a");
    let text = "*Access key AKIAIOSFODNN70000000 in a was deactivated*\n<https://wiki.example.com/keys|What is this?>";
    assert_eq!(letter.slack_text, text);
    assert_eq!(letter.slack_blocks.len(), 1);
    assert_eq!(letter.slack_blocks[0]["text"]["text"], text);
}

#[test]
fn a_long_slack_txt_is_cut_to_what_slack_accepts() {
    let letter = write("slack.txt", "{% for n in range(2000) %}\n{{ n }} {{ headline }}\n{% endfor %}", "a");
    let size: usize = letter.slack_blocks.iter().map(|block| block.to_string().chars().count()).sum();
    assert!(size <= 12_500 && letter.slack_blocks.len() <= 50, "{size}");
    assert!(letter.slack_text.ends_with('…'));
}

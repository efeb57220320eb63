//! `[owners]`: contacts, domains, and the directory.

use keysweep_core::owner::OwnerSource;

use super::*;
use crate::config::load_to_serve;

#[test]
fn owners_are_read_with_their_contacts_and_the_directory() {
    let people = mk_file("name,email,active\nDana,dana@corp.example,true\n");
    let config = load_text(&format!(
        "[owners]\nsources = [\"account_email\", \"user_tags\"]\nallowed_domains = [\"example.com\"]\n\
         directory_file = {:?}\ndefault = \"Dana\"\n[[owners.contact]]\nmatch = \"pay*\"\nslack = \"#pay-team\"\n",
        people.path()
    ))
    .unwrap();
    let owners = &config.policy.owners;
    let in_order: Vec<_> = owners.in_order().collect();
    assert_eq!(in_order, [OwnerSource::AccountEmail, OwnerSource::UserTags, OwnerSource::Default]);
    assert_eq!(owners.tags, ["Owner", "owner", "Contact", "Email", "Team"]);
    assert_eq!(owners.contacts[0].contact().slack.as_deref(), Some("#pay-team"));
    let directory = owners.directory.clone().unwrap().unwrap();
    assert_eq!(directory.find("dana").unwrap().email.as_ref().unwrap().as_str(), "dana@corp.example");
    assert_eq!(warnings(&config), Vec::<String>::new());
}

#[test]
fn every_mistake_in_owners_is_told_at_once() {
    let text = "
        [owners]
        sources = [\"user_tags\", \"creator\", \"user_tags\"]
        tags = [\"Own*\"]
        allowed_domains = [\"*.example.com\", \"example\", \"ex\u{430}mple.com\", \"example.com\"]
        [[owners.contact]]
        email = \"dana@example.com\"
        [[owners.contact]]
        match = \"pay\"
        [[owners.contact]]
        match = \"web\"
        email = \"Dana <dana@example.com>\"
        slack = \"@dana\"
        [[owners.contact]]
        match = \"web\"
        slack = \"#Web\"
        [[owners.contact]]
        match = \"web\"
        url = \"https://example.com\"
    ";
    insta::assert_snapshot!(problems(text).join("\n"), @r##"
    owners.sources[3]: user_tags is listed twice
    owners.tags[1]: found "Own*", expected the whole key of a tag: only its value is a glob
    owners.allowed_domains[1]: found "*.example.com", expected a domain such as "example.com"
    owners.allowed_domains[2]: found "example", expected a domain such as "example.com"
    owners.allowed_domains[3]: found "exаmple.com", expected a domain such as "example.com"
    owners.contact[1].match: missing: expected a name, or a glob such as "payments*"
    owners.contact[2]: expected at least one of email, slack, and webhook
    owners.contact[3].email: found "Dana <dana@example.com>", expected an e-mail address such as "dana@example.com"
    owners.contact[3].slack: found "@dana", expected a channel such as "#payments", or an ID such as "U024BE7LH"
    owners.contact[4].slack: found "#Web", expected a channel such as "#payments", or an ID such as "U024BE7LH"
    owners.contact[5].url: no such key
    "##);
}

#[test]
fn what_names_nobody_is_a_warning() {
    let text = "
        [organization]
        accounts = [\"111122223333\"]
        [evidence]
        creators = false
        [owners]
        sources = [\"creator\", \"account_email\", \"account_tags\"]
        tags = []
    ";
    insta::assert_snapshot!(warnings(&load_text(text).unwrap()).join("\n"), @r#"
    owners.sources[1]: has no effect: requires evidence.cloudtrail = true and evidence.creators = true
    owners.sources[2]: has no effect: organization.accounts is set, so keysweep does not read e-mail addresses from AWS Organizations
    owners.tags: is empty, so no tag can name an owner
    "#);
    let unused =
        "owners.allowed_domains = [\"example.com\"]\n[[owners.contact]]\nmatch = \"pay\"\nslack = \"#pay\"\n";
    insta::assert_snapshot!(warnings(&load_text(unused).unwrap()).join("\n"), @r#"
    owners.contact: has no effect: owners.sources and owners.default are empty
    owners.allowed_domains: has no effect: owners.sources and owners.default are empty
    "#);
}

#[test]
fn a_directory_that_cannot_be_read_keeps_nobody_from_starting_or_pausing() {
    let people = mk_file("name,active\nDana,perhaps\n");
    let file = mk_file(format!(
        "owners = {{ default = \"dana@example.com\", directory_file = {:?} }}\n",
        people.path()
    ));
    let sources = mk_sources(file.path(), &[]);
    let why =
        format!("{}: line 2: active: found \"perhaps\", expected true or false", people.path().display());
    for config in [load(&sources, mk_now()).unwrap(), load_to_serve(&sources, mk_now()).unwrap().0] {
        assert_eq!(config.policy.owners.directory, Some(Err(why.clone())));
        let expected = format!("owners.directory_file: {why}: keys wait until keysweep can read it");
        assert_eq!(warnings(&config), [expected]);
    }
}

#[test]
fn a_directory_that_never_ends_is_not_read() {
    let text = "owners = { default = \"dana@example.com\", directory_file = \"/dev/zero\" }\n";
    let directory = load_text(text).unwrap().policy.owners.directory;
    assert_eq!(directory, Some(Err("could not read /dev/zero: not a regular file".into())));
}

#[test]
fn a_default_that_names_nobody_is_a_warning() {
    let config = load_text("owners.default = \"securty\"\n").unwrap();
    assert_eq!(warnings(&config), ["owners.default: \"securty\" matches no [[owners.contact]] entry"]);
}

#[test]
fn rows_of_a_directory_that_are_not_understood_are_warnings() {
    let people = mk_file("name,email\nDana,none\n,\nKim,kim@corp.example\n");
    let config =
        load_text(&format!("owners = {{ default = \"Kim\", directory_file = {:?} }}\n", people.path()))
            .unwrap();
    let at = people.path().display();
    let expected = format!(
        "owners.directory_file: {at}: line 2: email: found \"none\", expected an e-mail address such as \"dana@example.com\"; address ignored"
    );
    assert_eq!(warnings(&config), [expected]);
}

//! To whom a key belongs: whoever is told of it is its owner, and nobody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use keysweep_core::evidence::{Creation, TracedCall};
use keysweep_core::facts::{Fact, KeyFacts};
use keysweep_core::owner::{
    Confidence, Contact, ContactRule, Directory, Owner, OwnerSource, Owners, Person, Traces,
};
use keysweep_core::plan::Next;
use keysweep_core::policy::{ApprovalFor, Mode};
use keysweep_core::render::rows;
use keysweep_core::state::{Body, Control, State};
use proptest::prelude::*;

use crate::mk::*;

const SOURCES: [OwnerSource; 5] = [
    OwnerSource::UserTags,
    OwnerSource::KeyDescription,
    OwnerSource::Creator,
    OwnerSource::AccountTags,
    OwnerSource::AccountEmail,
];

fn mk_owners() -> Owners {
    let contact = Contact { email: Some("payments@example.com".parse().unwrap()), ..Contact::default() };
    Owners {
        sources: SOURCES.to_vec(),
        tags: ["Owner", "owner", "Team"].map(str::to_owned).to_vec(),
        contacts: vec![ContactRule::new("pay*", contact)],
        allowed_domains: vec!["example.com".parse().unwrap()],
        directory: None,
        default: None,
    }
}

fn mk_person(name: &str, active: bool, manager: Option<&str>) -> Person {
    Person {
        name: name.into(),
        email: Some(format!("{}@corp.example", name.to_lowercase()).parse().unwrap()),
        slack: None,
        active,
        manager: manager.map(str::to_owned),
    }
}

fn listing(people: Vec<Person>) -> Option<Result<Arc<Directory>, String>> {
    Some(Ok(Arc::new(Directory::new(people))))
}

/// A world in which owners are looked for, and one key whose user has these tags.
fn mk_world(mode: Mode, tags: &[(&str, &str)]) -> World {
    let mut policy = mk_policy(mode);
    policy.owners = mk_owners();
    let mut world = World::new(policy, vec![mk_key(0)]);
    world.account.email = Fact::Known("root@corp.example".into());
    world.account.tags = Fact::Known([].into());
    tag(&mut world, tags);
    world
}

fn tag(world: &mut World, tags: &[(&str, &str)]) {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    world.keys[0].tags = Fact::Known(tags);
}

fn created_by(world: &mut World, by: &str) {
    let call = TracedCall { at: day(-900), by: by.into(), address: None, user_agent: None, event_id: None };
    let creation = Creation { user_name: world.keys[0].user_name.clone(), call };
    let (account, key) = (world.keys[0].account, world.keys[0].key.clone());
    world.write(day(-1), Body::KeyCreated { account, key, creation });
}

/// Who owns the key after a sweep.
fn owner(world: &mut World, at: Timestamp) -> Option<Owner> {
    world.sweep(at);
    world.record(0).unwrap().owner.as_deref().cloned()
}

fn who(owner: &Option<Owner>) -> Option<(&str, OwnerSource, Confidence, Option<&str>)> {
    owner.as_ref().map(|owner| {
        let email = owner.contact.email.as_ref().map(keysweep_core::owner::EmailAddress::as_str);
        (owner.name.as_str(), owner.source, owner.confidence, email)
    })
}

fn wait(world: &World, at: Timestamp) -> String {
    let plan = keysweep_core::plan::plan(at, &world.policy, &world.state, &world.collection(at));
    match &plan.keys[0].next {
        Next::Wait { wait, .. } => wait.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_source_that_names_somebody_who_can_be_reached_answers() {
    use Confidence::{High, Low, Medium};
    use OwnerSource::{AccountEmail, AccountTags, Creator, KeyDescription, UserTags};
    let key = mk_key_id(0).to_string();
    let id = key.as_str();
    let user = "arn:aws:iam::111111111111:user/team/dana@example.com";
    let session = "arn:aws:sts::111111111111:assumed-role/Admin/dana@example.com";
    type Case<'a> = (
        &'a [(&'a str, &'a str)],
        Option<&'a str>,
        &'a [(&'a str, &'a str)],
        (&'a str, OwnerSource, Confidence, &'a str),
    );
    let cases: [Case<'_>; 14] = [
        (&[("Owner", "Payments")], Some(user), &[], ("Payments", UserTags, High, "payments@example.com")),
        (
            &[("OWNER", "dana@example.com")],
            None,
            &[],
            ("dana@example.com", UserTags, Medium, "dana@example.com"),
        ),
        (
            &[("owner", " dana@example.com ")],
            None,
            &[],
            ("dana@example.com", UserTags, Medium, "dana@example.com"),
        ),
        (
            &[("Team", "Dana/dana@example.com")],
            None,
            &[],
            ("dana@example.com", UserTags, Medium, "dana@example.com"),
        ),
        // Nobody knows who that is: the next one that leads to somebody answers.
        (
            &[("Owner", "somebody"), ("Team", "payroll")],
            None,
            &[],
            ("payroll", UserTags, High, "payments@example.com"),
        ),
        (&[("Owner", "")], None, &[("Team", "pay")], ("pay", AccountTags, Medium, "payments@example.com")),
        (
            &[(id, "laptop of dana@example.com")],
            Some(user),
            &[],
            ("dana@example.com", KeyDescription, Medium, "dana@example.com"),
        ),
        (&[(id, "ci key")], Some(user), &[], ("dana@example.com", Creator, Medium, "dana@example.com")),
        (&[], Some(session), &[("Owner", "pay")], ("dana@example.com", Creator, Medium, "dana@example.com")),
        (
            &[],
            Some("arn:aws:iam::111111111111:root"),
            &[("Owner", "pay")],
            ("pay", AccountTags, Medium, "payments@example.com"),
        ),
        (
            &[],
            Some("arn:aws:iam::111111111111:user/terraform"),
            &[],
            ("root@corp.example", AccountEmail, Low, "root@corp.example"),
        ),
        (
            &[("Owner", "eve@evil.example")],
            None,
            &[],
            ("root@corp.example", AccountEmail, Low, "root@corp.example"),
        ),
        (
            &[("Owner", "dana@sub.example.com")],
            None,
            &[],
            ("root@corp.example", AccountEmail, Low, "root@corp.example"),
        ),
        (&[("CostCenter", "pay")], None, &[], ("root@corp.example", AccountEmail, Low, "root@corp.example")),
    ];
    for (tags, creator, account, (name, source, confidence, email)) in cases {
        let mut world = mk_world(Mode::Observe, tags);
        creator.iter().for_each(|by| created_by(&mut world, by));
        let of_account = account.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        world.account.tags = Fact::Known(of_account.collect());
        let found = owner(&mut world, day(0));
        assert_eq!(who(&found), Some((name, source, confidence, Some(email))), "{tags:?} {creator:?}");
        // The next sweep finds the same, and says nothing more.
        world.sweep(day(1));
        assert_eq!(world.names_of(0).iter().filter(|name| **name == "owner_found").count(), 1);
    }
}

#[test]
fn who_cannot_be_reached_is_shown_and_the_team_is_told_why() {
    let mut world = mk_world(Mode::Observe, &[("Owner", "somebody"), ("Team", "eve@evil.example")]);
    world.account.email = Fact::Known(String::new());
    let found = owner(&mut world, day(0)).unwrap();
    assert_eq!((found.name.as_str(), found.confidence), ("somebody", Confidence::Low));
    assert!(!found.contact.is_reachable());
    let collection = world.collection(day(0));
    let plan = keysweep_core::plan::plan(day(0), &world.policy, &world.state, &collection);
    let row = rows(day(0), &collection, &plan, &world.state).remove(0);
    assert_eq!(row.owner.as_deref(), Some("somebody"));
    assert_eq!(
        (row.owner_source, row.owner_confidence),
        (Some(OwnerSource::UserTags), Some(Confidence::Low))
    );
    assert_eq!(
        row.warnings,
        [
            "owner: tag Owner of the user: \"somebody\" matches no [[owners.contact]] entry",
            "owner: tag Team of the user: the domain of \"eve@evil.example\" is not in owners.allowed_domains",
        ]
    );
}

#[test]
fn nobody_owns_a_key_of_which_no_source_speaks_until_a_default_does() {
    let mut world = mk_world(Mode::Observe, &[]);
    world.account.email = Fact::Known(String::new());
    assert_eq!(owner(&mut world, day(0)), None);
    assert!(!world.names_of(0).contains(&"owner_found"));
    world.policy.owners.default = Some("payroll".into());
    let found = owner(&mut world, day(1));
    let expected = ("payroll", OwnerSource::Default, Confidence::Low, Some("payments@example.com"));
    assert_eq!(who(&found), Some(expected));
    // Nobody looks for owners any more.
    world.policy.owners = Owners::default();
    assert_eq!(owner(&mut world, day(2)), None);
}

#[test]
fn a_source_that_could_not_be_read_ends_the_search_and_the_key_waits() {
    for mode in [Mode::Deactivate, Mode::Delete] {
        let mut world = mk_world(mode, &[]);
        world.keys[0].tags = Fact::Unknown("GetUser: throttled".into());
        world.sweep(day(0));
        assert_eq!(world.record(0).unwrap().owner, None);
        assert!(!world.names_of(0).contains(&"noticed"), "whoever the account's address is would be told");
        assert_eq!(wait(&world, day(0)), "owner: tags of the user: GetUser: throttled");
    }
    // A later source need not be read where an earlier one answers.
    let mut world = mk_world(Mode::Delete, &[("Owner", "pay")]);
    world.account.tags = Fact::Unknown("ListTagsForResource: denied".into());
    world.sweep(day(0));
    assert!(world.names_of(0).contains(&"noticed"));
}

#[test]
fn a_source_that_cannot_be_read_any_more_changes_no_owner_and_no_key() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "pay")]);
    world.sweep(day(0));
    world.keys[0].tags = Fact::Unknown("GetUser: throttled".into());
    assert_eq!(world.run(1, 20), 0, "who has to be told is not known");
    assert_eq!(world.record(0).unwrap().owner.as_ref().unwrap().name, "pay");
    assert!(!world.names_of(0).contains(&"notice_voided"));
    tag(&mut world, &[("Owner", "pay")]);
    assert_eq!(world.run(21, 21), 1, "the notice still counts");
}

#[test]
fn what_is_due_stays_due_while_a_source_cannot_be_read() {
    let mut world = mk_world(Mode::Deactivate, &[]);
    world.policy.owners.sources = vec![OwnerSource::AccountTags];
    world.policy.base.quarantine = Some(days(3));
    (world.keys[0].policies, world.keys[0].password) = (Fact::Known(Vec::new()), Fact::Known(false));
    world.account.tags = Fact::Known([("Owner".to_owned(), "pay".to_owned())].into());
    world.run(0, 7);
    assert!(world.record(0).unwrap().quarantine.is_some());
    let due = world.record(0).unwrap().due.clone();
    world.account.tags = Fact::Unknown("ListTagsForResource: throttled".into());
    assert_eq!(world.run(8, 9), 0);
    assert_eq!(world.record(0).unwrap().due, due);
    assert!(world.record(0).unwrap().quarantine.is_some(), "nothing ends it");
    assert_eq!(wait(&world, day(9)), "owner: tags of the account: ListTagsForResource: throttled");
}

#[test]
fn who_could_not_be_contacted_was_not_told() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "somebody")]);
    world.account.email = Fact::Known(String::new());
    world.run(0, 5);
    let contact = Contact { slack: Some("#somebody".into()), ..Contact::default() };
    world.policy.owners.contacts.push(ContactRule::new("somebody", contact));
    assert_eq!(world.run(6, 12), 0);
    assert_eq!(world.run(13, 13), 1, "a whole notice period after there is somebody to tell");
}

#[test]
fn one_name_in_another_case_is_one_owner() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "payments")]);
    world.run(0, 5);
    tag(&mut world, &[("Owner", "Payments")]);
    assert_eq!(world.run(6, 7), 1);
    assert!(!world.names_of(0).contains(&"notice_voided"));
}

/// 50,000 keys have a few thousand owners.
#[test]
fn keys_of_the_same_owner_share_one_copy_of_it() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "payments")]);
    world.sweep(day(0));
    world.keys.push(KeyFacts { tags: world.keys[0].tags.clone(), ..mk_key(1) });
    world.sweep(day(1));
    let shared = |state: &State| {
        let owner = |key| state.record(&mk_key_id(key)).unwrap().owner.clone().unwrap();
        Arc::ptr_eq(&owner(0), &owner(1))
    };
    assert!(shared(&world.state));

    // As a store loads them: each record from bytes of its own.
    let apart = world.state.records().cloned().map(|mut record| {
        record.owner = record.owner.map(|owner| Arc::new(Owner::clone(&owner)));
        (record.identity.key.clone(), record)
    });
    let state = State::from_parts(apart.collect(), BTreeMap::new(), Control::default());
    assert!(shared(&state));
}

#[test]
fn another_owner_is_told_and_has_the_whole_notice_period() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "pay")]);
    world.run(0, 5);
    tag(&mut world, &[("Owner", "dana@example.com")]);
    assert_eq!(world.run(6, 12), 0);
    assert_eq!(world.run(13, 13), 1);
    let names = world.names_of(0);
    let told = ["noticed", "owner_found", "notice_voided", "noticed"];
    assert_eq!(names.iter().filter(|name| told.contains(name)).copied().collect::<Vec<_>>(), {
        let mut all = vec!["owner_found"];
        all.extend(told);
        all
    });
}

#[test]
fn an_owner_who_changed_since_the_sweep_is_told_before_the_change() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "pay")]);
    world.run(0, 6);
    let ticket = world.sweep(day(7)).take_effects().0.remove(0);
    tag(&mut world, &[("Owner", "dana@example.com")]);
    let refusal = world.recheck(day(7), ticket).unwrap_err();
    let names: Vec<_> = refusal.events.iter().map(keysweep_core::lifecycle::KeyEvent::name).collect();
    assert_eq!(names, ["owner_found", "notice_voided"]);
}

#[test]
fn an_approval_is_void_when_the_key_belongs_to_somebody_else() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "pay")]);
    world.policy.base.approval = ApprovalFor::Deactivate;
    world.sweep(day(0));
    world.approve(day(0), 0);
    tag(&mut world, &[("Owner", "dana@example.com")]);
    world.sweep(day(1));
    assert!(!world.asked(0).unwrap().is_granted());
    assert_eq!(world.asked(0).unwrap().shown.owner.as_deref(), Some("dana@example.com"));
}

#[test]
fn a_notice_from_before_anybody_looked_for_owners_reached_none() {
    let mut world = mk_world(Mode::Deactivate, &[("Owner", "pay")]);
    let owners = std::mem::take(&mut world.policy.owners);
    world.run(0, 5);
    world.policy.owners = owners;
    assert_eq!(world.run(6, 12), 0, "the owner was not told");
    assert_eq!(world.run(13, 13), 1);
}

#[test]
fn an_order_waits_for_no_owner() {
    let mut world = mk_world(Mode::Deactivate, &[]);
    world.keys[0].tags = Fact::Unknown("throttled".into());
    world.sweep(day(0));
    let ada = keysweep_core::state::Actor::local("ada");
    let order = |world: &World| {
        let action = keysweep_core::ticket::Action::Deactivate;
        keysweep_core::plan::ordered(world.record(0).unwrap(), action, &ada, "leak").unwrap()
    };
    let ticket = order(&world);
    assert!(world.recheck(day(0), ticket).is_ok(), "the operator names the key");
    // Nor does another owner stand in its way.
    tag(&mut world, &[("Owner", "pay")]);
    let ticket = order(&world);
    assert!(world.recheck(day(0), ticket).is_ok());
}

#[test]
fn for_an_owner_who_has_left_the_manager_stands_in_and_then_the_account() {
    let mut world = mk_world(Mode::Observe, &[("Owner", "Lee")]);
    created_by(&mut world, "arn:aws:iam::111111111111:user/Kim");
    world.account.tags = Fact::Known([("Team".to_owned(), "pay".to_owned())].into());
    let kim = mk_person("Kim", true, None);
    world.policy.owners.directory = listing(vec![mk_person("Lee", true, Some("Kim")), kim.clone()]);
    let found = owner(&mut world, day(0));
    assert_eq!(who(&found), Some(("Lee", OwnerSource::UserTags, Confidence::High, Some("lee@corp.example"))));

    world.policy.owners.directory =
        listing(vec![mk_person("Lee", false, Some("kim@corp.example")), kim.clone()]);
    let found = owner(&mut world, day(1));
    assert_eq!(
        who(&found),
        Some(("Kim", OwnerSource::UserTags, Confidence::Medium, Some("kim@corp.example")))
    );
    assert_eq!(found.unwrap().left(), Some("Lee"));

    // The manager has left as well, and nobody manages him; whoever created the key is not asked.
    let people = vec![mk_person("Lee", false, Some("Kim")), mk_person("Kim", false, Some("Lee"))];
    world.policy.owners.directory = listing(people);
    let found = owner(&mut world, day(2));
    assert_eq!(
        who(&found),
        Some(("pay", OwnerSource::AccountTags, Confidence::Medium, Some("payments@example.com")))
    );
    assert_eq!(found.unwrap().left(), Some("Lee"));
}

#[test]
fn an_address_that_nobody_lists_is_no_manager() {
    let mut world = mk_world(Mode::Observe, &[("Owner", "Lee")]);
    world.policy.owners.directory = listing(vec![mk_person("Lee", false, Some("kim@example.com"))]);
    let found = owner(&mut world, day(0)).unwrap();
    assert_eq!((found.source, found.left()), (OwnerSource::AccountEmail, Some("Lee")));
}

#[test]
fn somebody_who_came_back_is_there() {
    let directory = Directory::new(vec![mk_person("Lee", true, None), mk_person("Lee", false, None)]);
    assert!(directory.find("lee").unwrap().active);
    let twice = Directory::new(vec![mk_person("Lee", true, None), mk_person("Lee", true, None)]);
    assert!(twice.find("lee").is_none() && twice.is_ambiguous("Lee"));
}

#[test]
fn people_are_lost_who_left_or_cannot_be_contacted_any_more() {
    let before = Directory::new(vec![
        mk_person("Lee", true, None),
        mk_person("Kim", true, None),
        mk_person("Bo", false, None),
    ]);
    let lost = |people: Vec<Person>| Directory::new(people).lost_from(&before);
    assert_eq!(lost(vec![mk_person("Kim", true, None), mk_person("Lee", true, None)]), 0);
    assert_eq!(lost(vec![mk_person("Kim", true, None), mk_person("Lee", false, None)]), 1);
    let unreachable = Person { email: None, ..mk_person("Lee", true, None) };
    assert_eq!(lost(vec![mk_person("Kim", true, None), unreachable]), 1);
    assert_eq!(lost(vec![mk_person("Di", true, None)]), 2);
}

#[test]
fn who_is_not_in_the_directory_any_more_has_left() {
    let mut world = mk_world(Mode::Observe, &[("Owner", "lee@example.com")]);
    let mut lee = mk_person("Lee", true, Some("Kim"));
    lee.email = Some("lee@example.com".parse().unwrap());
    let kim = mk_person("Kim", true, None);
    let bo = mk_person("Bo", true, None);
    world.policy.owners.directory = listing(vec![lee.clone(), kim.clone(), bo.clone()]);
    assert_eq!(owner(&mut world, day(0)).unwrap().name, "Lee");

    // The address is of an allowed domain, and was that of a person.
    world.policy.owners.directory = listing(vec![kim, bo.clone()]);
    let found = owner(&mut world, day(1)).unwrap();
    assert_eq!((found.name.as_str(), found.left()), ("Kim", Some("Lee")));
    world.policy.owners.directory = listing(vec![bo.clone()]);
    for at in [2, 3] {
        let found = owner(&mut world, day(at)).unwrap();
        assert_eq!((found.name.as_str(), found.left()), ("root@corp.example", Some("Lee")));
    }
    // An address that was never a person's is a shared one.
    tag(&mut world, &[("Owner", "oncall@example.com")]);
    let found = owner(&mut world, day(4)).unwrap();
    assert_eq!((found.name.as_str(), found.left()), ("oncall@example.com", None));
    // Whoever comes back is there again.
    tag(&mut world, &[("Owner", "lee@example.com")]);
    world.policy.owners.directory = listing(vec![lee, bo]);
    let found = owner(&mut world, day(5)).unwrap();
    assert_eq!((found.name.as_str(), found.left()), ("Lee", None));
}

#[test]
fn a_contact_whose_address_is_of_somebody_who_has_left_does_not_count() {
    let mut world = mk_world(Mode::Observe, &[("Owner", "pay")]);
    let mut lee = mk_person("Lee", false, None);
    lee.email = Some("payments@example.com".parse().unwrap());
    world.policy.owners.directory = listing(vec![lee]);
    let found = owner(&mut world, day(0)).unwrap();
    assert_eq!((found.source, found.left()), (OwnerSource::AccountEmail, Some("Lee")));
}

#[test]
fn a_name_that_several_have_and_a_directory_that_cannot_be_read_name_nobody() {
    let mut world = mk_world(Mode::Delete, &[("Owner", "Lee")]);
    let mut other = mk_person("Lee", true, None);
    other.email = Some("lee2@corp.example".parse().unwrap());
    world.policy.owners.directory = listing(vec![mk_person("Lee", true, None), other]);
    assert_eq!(owner(&mut world, day(0)).unwrap().source, OwnerSource::AccountEmail);

    world.policy.owners.directory = Some(Err("read people.csv: no such file".into()));
    world.sweep(day(1));
    assert_eq!(wait(&world, day(1)), "owner: owners.directory_file: read people.csv: no such file");
}

#[test]
fn an_owner_is_known_of_keys_that_no_lifecycle_follows_from() {
    let mut world = mk_world(Mode::Delete, &[("Owner", "pay")]);
    world.policy.base.max_age = Some(days(100));
    world.keys[0].last_use = Fact::Known(used_at(day(-1)));
    let collection = world.collection(day(0));
    let plan = world.sweep(day(0));
    assert!(world.record(0).is_none());
    assert_eq!(rows(day(0), &collection, &plan, &world.state)[0].owner.as_deref(), Some("pay"));
}

#[test]
fn a_key_in_use_of_an_unreadable_user_is_no_unknown_key() {
    let mut world = mk_world(Mode::Delete, &[]);
    world.keys[0].last_use = Fact::Known(used_at(day(-1)));
    world.keys[0].tags = Fact::NotRead;
    assert!(world.sweep(day(0)).keys.is_empty());
}

proptest! {
    #[test]
    fn no_text_in_a_tag_sends_a_notice_outside(texts in prop::collection::vec("[ -~\u{430}\u{feff}]{0,40}|[a-z]{1,8}@[a-z.]{1,16}|.{0,8}@example.com.{0,8}", 6)) {
        let mut owners = mk_owners();
        owners.directory = listing(vec![mk_person("Kim", true, None)]);
        let [a, b, c, d, e, f] = <[String; 6]>::try_from(texts).unwrap();
        let key = mk_key_id(0);
        let user_tags = Fact::Known([("Owner".to_owned(), a), ("Team".to_owned(), b), (key.to_string(), c)].into());
        let mut account = mk_account(0);
        account.tags = Fact::Known([("Owner".to_owned(), d), ("Team".to_owned(), e)].into());
        account.email = Fact::Known("root@corp.example".into());
        let call = TracedCall { at: day(0), by: format!("arn:aws:sts::1:assumed-role/r/{f}"), address: None, user_agent: None, event_id: None };
        let creation = Creation { user_name: "u".parse().unwrap(), call };
        let traces = Traces { account: &account, user_tags: &user_tags, key: &key, creation: Some(&creation), before: None };
        let found = owners.find(&traces).unwrap().owner.unwrap();
        let email = found.contact.email.clone().unwrap();
        let allowed = email.as_str().to_lowercase().ends_with("@example.com");
        prop_assert!(allowed || ["kim@corp.example", "root@corp.example"].contains(&email.as_str()), "{email}");
        prop_assert!(email.as_str().matches('@').count() == 1);
    }
}

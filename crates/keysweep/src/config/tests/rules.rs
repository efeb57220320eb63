//! Rules that could match nothing are mistakes: a key marked "never touch" is not touched because of a typing error.

use super::*;

fn mk_exempt(matches: &str) -> String {
    format!("[[policy.exempt]]\nmatch = {{ {matches} }}\nreason = \"never touch\"\nuntil = \"2027-06-30\"\n")
}

#[test]
fn every_rule_that_can_match_nothing_is_reported() {
    let text = r#"
[organization]
exclude_ous = ["ou-AB12-zzzzzzzz"]
exclude_accounts = ["1111-2222-3333"]

[[policy.override]]
match = { ous = ["ou-ab12-zzzz*"], users = ["svc-{a,b}"] }
mode = "observe"

[[policy.exempt]]
match = { users = ["arn:aws:iam::111122223333:user/ci", "break-glass ", "ci-[0-9]"], paths = ["/ci/*"] }
reason = "never touch"
until = "2027-06-30"

[[policy.exempt]]
match = { user_tags = { keep = "true|yes", "team:*" = "x" }, account_tags = { env = "^prod$" } }
reason = "never touch"
until = "2027-06-30"
"#;
    insta::assert_snapshot!(problems(text).join("\n"), @r#"
    organization.exclude_ous[1]: found "ou-AB12-zzzzzzzz", expected the ID in lower case
    organization.exclude_accounts[1]: found "1111-2222-3333", expected an account ID of 12 digits
    policy.override[1].match.ous[1]: found "ou-ab12-zzzz*", expected a whole ID, ou-... or r-...: it is not a glob
    policy.override[1].match.users[1]: found "svc-{a,b}", expected a glob, which knows * and ? only: write each alternative by itself
    policy.exempt[1].match.users[1]: found "arn:aws:iam::111122223333:user/ci", expected the name of a user alone, not its ARN
    policy.exempt[1].match.users[2]: found "break-glass ", expected the same without blanks around it
    policy.exempt[1].match.users[3]: found "ci-[0-9]", expected a glob, which knows * and ? only: write each alternative by itself
    policy.exempt[1].match.paths[1]: found "/ci/*", expected the beginning of a path, such as "/ci/", which needs no wildcard: the field is a prefix, not a glob or regular expression
    policy.exempt[2].match.account_tags.env: found "^prod$", expected a glob such as "*" or "prod-*", not a regular expression
    policy.exempt[2].match.user_tags.keep: found "true|yes", expected one value, or a glob with * and ?: write a rule for each alternative
    policy.exempt[2].match.user_tags."team:*": found "team:*", expected the whole key of a tag: only its value is a glob
    "#);
}

#[test]
fn an_override_is_held_to_the_same_names() {
    for matches in
        ["paths = [\"/ci/*\"]", "users = [\"\"]", "user_tags = { keep = \".*\" }", "ous = [\"ou-x\"]"]
    {
        let rule = format!("[[policy.override]]\nmatch = {{ {matches} }}\nmode = \"observe\"\n");
        assert_eq!(problems(&rule).len(), 1, "{matches}");
        assert_eq!(problems(&mk_exempt(matches)).len(), 1, "{matches}");
    }
}

#[test]
fn tags_that_no_user_can_have_at_once_are_refused() {
    let found = problems(&mk_exempt("user_tags = { Keep = \"a\", keep = \"b\" }"));
    assert!(found[0].contains("are one key for IAM"), "{found:?}");
    // Keys of Organizations differ by case.
    assert!(problems(&mk_exempt("account_tags = { Keep = \"a\", keep = \"b\" }")).is_empty());
}

#[test]
fn what_can_occur_in_a_name_is_accepted() {
    for matches in [
        "users = [\"a,b\"]",
        "users = [\"o.neil+x=y@corp_1\", \"svc-*\", \"?\"]",
        "paths = [\"/\", \"/ci/\"]",
        "user_tags = { \"keysweep:exempt\" = \"*\", \"größe\" = \"a b/c*\" }",
        "ous = [\"r-ab12\", \"ou-ab12-zzzzzzzz\"]",
    ] {
        assert!(problems(&mk_exempt(matches)).is_empty(), "{matches}: {:?}", problems(&mk_exempt(matches)));
    }
}

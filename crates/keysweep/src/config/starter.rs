//! `config init`: a file with what one has to decide, and nothing else.

use std::fmt::Write as _;

use keysweep_core::ids::AccountId;

use super::mistake::Origin;
use super::model::{ManagementAccount, Model};
use super::path::KeyPath;
use super::reference::comment;
use super::schema::Known;
use super::show::{Effective, header};

/// What a new configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// One account, read with keysweep's own credentials; no role, no change.
    Here(AccountId),
    /// The accounts of the organization.
    Organization,
}

const HERE: [&str; 7] = [
    "data_dir",
    "aws.region",
    "organization.accounts",
    "organization.management_account",
    "policy.unused_after",
    "policy.never_used_after",
    "policy.max_age",
];

const ORGANIZATION: [&str; 10] = [
    "data_dir",
    "aws.region",
    "organization.management_account",
    "role.scan",
    "role.enforce",
    "role.external_id_file",
    "policy.mode",
    "policy.unused_after",
    "policy.never_used_after",
    "policy.max_age",
];

/// The text of a new configuration file.
#[must_use]
pub fn starter_toml(what: Starter) -> String {
    let mut model = Model::default();
    let (purpose, keys): (_, &[&str]) = match what {
        Starter::Here(account) => {
            model.organization.accounts = vec![account.to_string()];
            model.organization.management_account = ManagementAccount::Direct;
            let purpose = "Configuration of keysweep for one account, which it reads with its own credentials. It needs no \
                           role, and changes nothing.";
            (purpose, &HERE)
        }
        Starter::Organization => {
            let purpose = "Configuration of keysweep for an organization. The mode observe changes nothing: keep it until \
                           the findings are what you expect.";
            (purpose, &ORGANIZATION)
        }
    };
    let known = Known::new();
    let mut text = String::new();
    let more = "Keys that are not here have their defaults: `keysweep config show` prints them all. After each change, run \
                `keysweep config check`.";
    comment(&mut text, "# ", purpose);
    text.push_str("#\n");
    comment(&mut text, "# ", more);
    let mut section = None;
    for setting in Effective::of(&model, |_| Origin::Default).settings {
        if !keys.contains(&setting.key.as_str()) {
            continue;
        }
        let at = setting.path.parent();
        if section.as_ref() != Some(&at) {
            text.push('\n');
            if at != KeyPath::default() {
                // Writing into a String cannot fail.
                let _ = writeln!(text, "{}", header(&at));
            }
            section = Some(at);
        }
        comment(&mut text, "# ", known.description(&setting.path).unwrap_or_default());
        let _ = writeln!(text, "{} = {}", setting.path.last_key().unwrap_or_default(), setting.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};

    #[test]
    fn a_new_file_is_valid_and_says_what_the_defaults_say() {
        let here = Starter::Here("111122223333".parse().unwrap());
        for (what, keys) in [(here, &HERE[..]), (Starter::Organization, &ORGANIZATION[..])] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("keysweep.toml");
            let text = starter_toml(what);
            std::fs::write(&file, &text).unwrap();
            let config =
                load(&Sources { file: Some(file), ..Sources::default() }, jiff::Timestamp::UNIX_EPOCH);
            let config = config.unwrap_or_else(|why| panic!("{why}\n{text}"));
            assert!(config.warnings.is_empty(), "{:?}", config.warnings);
            let own: Vec<_> = config
                .effective
                .settings
                .iter()
                .filter(|one| one.origin != Origin::Default)
                .map(|one| one.key.as_str())
                .collect();
            assert_eq!(own, keys);
            assert!(!config.policy.changes_anything());
        }
    }
}

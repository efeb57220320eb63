//! The switches of the planted bugs. Alone in its process: which bug is planted is global.
#![cfg(feature = "planted-bugs")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

use keysweep_core::planted;
use keysweep_core::planted::{Bug, plant};

#[test]
fn one_bug_is_planted_at_a_time_and_none_by_itself() {
    assert!(Bug::ALL.iter().all(|bug| !planted::planted(*bug)), "nothing is planted unasked");
    for bug in Bug::ALL {
        plant(Some(*bug));
        let planted: Vec<_> = Bug::ALL.iter().filter(|other| planted::planted(**other)).collect();
        assert_eq!(planted, [bug]);
        assert_eq!(planted!(SkipRecheck), *bug == Bug::SkipRecheck);
    }
    plant(None);
    assert!(!planted!(SkipRecheck));
}

#[test]
fn a_bug_is_found_by_its_name_and_by_no_other() {
    let names: BTreeSet<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
    assert_eq!(names.len(), Bug::ALL.len());
    for bug in Bug::ALL {
        assert_eq!(bug.name().parse(), Ok(*bug));
        let variant = format!("{bug:?}");
        assert_eq!(bug.name().replace('-', ""), variant.to_lowercase());
    }
    assert!("SkipRecheck".parse::<Bug>().is_err());
}

#[test]
fn each_bug_has_its_place_in_the_product() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for name in ["keysweep-core", "keysweep-aws", "keysweep-store", "keysweep"] {
        read(&crates.join(name).join("src"), &mut code);
    }
    for bug in Bug::ALL {
        assert!(code.contains(&format!("planted!({bug:?})")), "{bug:?} is planted nowhere");
    }
}

fn read(folder: &Path, code: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

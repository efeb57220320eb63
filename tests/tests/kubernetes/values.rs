//! The values: which are refused, and whether each has been tried.

use serde_json::Value;

use super::charts::{charts, judged, refused};

#[test]
fn wrong_values_are_refused_with_a_message_that_names_the_key() {
    let mut seen = 0;
    for (line, error) in refused() {
        seen += 1;
        let expected = line.strip_prefix("# refused: ").unwrap();
        let error = error.unwrap_or_else(|| panic!("not refused: {expected}"));
        assert!(error.contains(expected), "{expected}:\n{error}");
    }
    assert!(seen >= 25);
}

/// The paths of everything in a value that is not a mapping with members.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value.as_object().filter(|members| !members.is_empty()) {
        Some(members) => {
            for (key, inner) in members {
                leaves(inner, &format!("{path}/{}", key.replace('/', "~1")), found);
            }
        }
        None => found.push(path.to_owned()),
    }
}

#[test]
fn every_value_has_been_tried_with_another_than_its_default() {
    let defaults = &judged().defaults;
    let mut paths = Vec::new();
    leaves(defaults, "", &mut paths);
    assert!(paths.len() > 60, "{}", paths.len());
    let differs = |path: &str| {
        charts().any(|(_, chart)| {
            let given = chart.given.pointer(path);
            given.is_some_and(|given| Some(given) != defaults.pointer(path))
        })
    };
    // What nobody would set differently in a whole fixture: a number beside others of its kind.
    let tried_beside: [&str; 2] = ["Probe/", "/scrapeTimeout"];
    let beside = |path: &str| tried_beside.iter().any(|part| path.contains(part));
    let untried: Vec<&String> = paths.iter().filter(|path| !differs(path) && !beside(path)).collect();
    assert_eq!(untried, Vec::<&String>::new());
}

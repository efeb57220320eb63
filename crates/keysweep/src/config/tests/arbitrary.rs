//! No input panics.

use proptest::prelude::*;

use super::*;
use crate::config::Effective;
use crate::config::schema::Known;

/// Keys that exist, as they would be written in a file.
fn mk_key() -> impl Strategy<Value = String> {
    let config = load(&Sources::default(), mk_now()).unwrap();
    let Effective { settings } = config.effective;
    let mut keys: Vec<_> = settings.into_iter().map(|setting| setting.key).collect();
    keys.extend(
        ["policy", "policy.override", "policy.exempt", "policy.override.match", "x"].map(str::to_owned),
    );
    prop::sample::select(keys)
}

fn mk_value() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(toml::Value::from),
        prop::sample::select(vec!["90d", "off", "delete", "09:00-08:00", "999999999d", "*"])
            .prop_map(toml::Value::from),
        any::<i64>().prop_map(toml::Value::from),
        any::<f64>().prop_map(toml::Value::from),
        any::<bool>().prop_map(toml::Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(toml::Value::from),
            prop::collection::vec((prop_oneof![mk_key(), any::<String>()], inner), 0..4)
                .prop_map(|entries| toml::Value::Table(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = load(&mk_sources(mk_file(bytes).path(), &[]), mk_now());
    }

    #[test]
    fn arbitrary_values_of_known_keys_never_panic(
        entries in prop::collection::vec((mk_key(), mk_value()), 0..6),
    ) {
        let mut text: String = entries.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let _ = load_text(&text);
        // Most of the above clash with each other; alone they get further.
        for (key, value) in entries {
            text = format!("{key} = {value}\n");
            let _ = load_text(&text);
        }
    }

    #[test]
    fn arbitrary_variables_and_flags_never_panic(name in "[A-Z_]{0,20}", key in mk_key(), value in any::<String>()) {
        let variable = format!("KEYSWEEP__{}", key.to_ascii_uppercase().replace('.', "__"));
        let env = [(format!("KEYSWEEP__{name}"), value.clone()), (variable, value.clone())];
        let sources = Sources { env: env.to_vec(), ..Sources::default() };
        let _ = load(&sources.with_flag("--flag", &key, value), mk_now());
    }

    #[test]
    fn what_loads_is_shown_so_that_it_loads_again(entries in prop::collection::vec((mk_key(), mk_value()), 0..3)) {
        let text: String = entries.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        if let Ok(config) = load_text(&text) {
            let again = load_text(&config.effective.to_toml()).unwrap();
            prop_assert_eq!(again.policy, config.policy);
        }
    }
}

#[test]
fn every_key_that_is_shown_is_known() {
    let known = Known::new();
    for setting in load(&Sources::default(), mk_now()).unwrap().effective.settings {
        assert!(known.kind(&setting.path).is_some(), "{}", setting.key);
        assert!(known.description(&setting.path).is_some(), "{}", setting.key);
    }
}

//! From sources to a configuration.

use figment::value::Value;
use jiff::Timestamp;

use super::Config;
use super::layers::Layers;
use super::mistake::{ConfigError, describe};
use super::model::Model;
use super::path::KeyPath;
use super::schema::{Kind, Known};
use super::show::Effective;
use super::sources::Sources;
use super::validate::{self, Review};
use crate::tls::Identity;

/// More mistakes than anybody reads: a file that has them is not meant for keysweep.
const MAX_MISTAKES: usize = 100;

/// Reads, merges and validates a configuration. `now` tells which exemptions have lapsed.
///
/// The only files that are read are [`Sources::file`], and those that `*_file` keys name or the credentials that stand
/// in for them; but for those of `http.tls` and the signing key: they are for who [serves](load_to_serve), and a pause
/// must not wait for a certificate. For the same reason, a secret of a notice channel that cannot be used is a warning
/// here, and the channel is left out. A directory that cannot be read is a warning: a daemon that does not start undoes
/// nothing.
///
/// # Errors
/// The file is not there or cannot be read; or every mistake that could be found.
pub fn load(sources: &Sources, now: Timestamp) -> Result<Config, ConfigError> {
    Ok(read(sources, now, false, |_, _| ())?.0)
}

/// The same for a process that serves HTTP, with certificate and key where `http.tls` names them. What is wrong with
/// them, with the key that signs evidence, or with the secrets of notice channels, is a mistake among the others.
///
/// # Errors
/// The file is not there or cannot be read; or every mistake that could be found.
pub fn load_to_serve(sources: &Sources, now: Timestamp) -> Result<(Config, Option<Identity>), ConfigError> {
    read(sources, now, true, |config, review| {
        validate::signing_key(&config.evidence, review);
        validate::identity(&config.http, now, review)
    })
}

/// `beyond` reads what not everybody needs.
fn read<T>(
    sources: &Sources,
    now: Timestamp,
    serves: bool,
    beyond: impl FnOnce(&Config, &mut Review) -> T,
) -> Result<(Config, T), ConfigError> {
    let known = Known::new();
    let mut mistakes = Vec::new();
    // Defaults, file, environment, flags.
    let layers = Layers::gather(sources, &known, &mut mistakes)?;
    let mut review = Review::new(layers, mistakes, sources.credentials.clone(), serves);
    refuse_what_is_no_text(&mut review, &known);
    let model = extract(&mut review, &known);
    // Derived values, and validation of the whole.
    let effective = Effective::of(&model, |path| review.layers.origin(path));
    let mut config = validate::build(&model, effective, now, &mut review);
    let beyond = beyond(&config, &mut review);
    let (mut mistakes, warnings) = review.into_parts();
    if mistakes.is_empty() {
        config.warnings = warnings;
        return Ok((config, beyond));
    }
    mistakes.sort_by_key(|mistake| mistake.origin.rank());
    mistakes.truncate(MAX_MISTAKES);
    Err(ConfigError::Invalid(mistakes))
}

/// Deserializes the merged values. serde stops at the first mistake: so each is noted and taken out, which lets the
/// default stand in for it, until the rest can be read.
fn extract(review: &mut Review, known: &Known) -> Model {
    for _ in 0..MAX_MISTAKES {
        let error = match review.layers.root.deserialize::<Model>() {
            Ok(model) => return model,
            Err(error) => error,
        };
        let path = review.layers.path_of(&error.path);
        let problem = describe(&error.kind, &path, known);
        review.wrong(&path, problem);
        if !review.layers.remove(&path) {
            break;
        }
    }
    Model::default()
}

/// Refuses numbers and tables where a text belongs. serde would take a number for the position of an enum's variant:
/// `mode = 2` must not mean "delete".
fn refuse_what_is_no_text(review: &mut Review, known: &Known) {
    let mut wrong = Vec::new();
    find_no_texts(&review.layers.root, &KeyPath::default(), known, &mut wrong);
    wrong.truncate(MAX_MISTAKES);
    for (path, kind) in &wrong {
        review.wrong(path, describe(kind, path, known));
    }
    for (path, _) in &wrong {
        review.layers.remove(path);
    }
}

fn find_no_texts(
    value: &Value,
    path: &KeyPath,
    known: &Known,
    wrong: &mut Vec<(KeyPath, figment::error::Kind)>,
) {
    if !path.steps().is_empty() && known.kind(path) == Some(Kind::Text) {
        if value.as_str().is_none() {
            let kind = figment::error::Kind::InvalidType(value.to_actual(), "a string".to_owned());
            wrong.push((path.clone(), kind));
        }
        return;
    }
    for (key, inner) in value.as_dict().into_iter().flatten() {
        find_no_texts(inner, &path.key(key), known, wrong);
    }
    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
        find_no_texts(inner, &path.index(index), known, wrong);
    }
}

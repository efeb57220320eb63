//! Where state is, whatever else is wrong with a configuration.

use std::path::PathBuf;

use super::layers::Layers;
use super::mistake::Origin;
use super::path::KeyPath;
use super::schema::Known;
use super::sources::Sources;

/// `data_dir` alone. None where it cannot be told for sure: it is itself wrong; or the file cannot be read, and neither
/// environment nor flag has it.
#[must_use]
pub fn data_dir(sources: &Sources) -> Option<PathBuf> {
    let (known, path) = (Known::new(), KeyPath::of("data_dir"));
    let gathered = |sources: &Sources| Layers::gather(sources, &known, &mut Vec::new()).ok();
    let layers = gathered(sources).or_else(|| {
        let layers = gathered(&Sources { file: None, ..sources.clone() })?;
        // What the file says is not known, so that the default may be another's.
        (layers.origin(&path) != Origin::Default).then_some(layers)
    })?;
    let found = PathBuf::from(layers.root.find_ref("data_dir")?.as_str()?);
    found.is_absolute().then_some(found)
}

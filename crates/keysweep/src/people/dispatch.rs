//! What it takes to send messages under one configuration.

use std::sync::Arc;

use super::letter::Writer;
use super::{Carrier, Channels, LinkMaker};
use crate::config;

/// What it takes to send messages: built once for each configuration.
#[derive(Debug)]
pub(crate) struct Dispatch {
    /// What carries them.
    pub(crate) carrier: Arc<dyn Carrier>,
    /// What writes them, or why its templates cannot be used.
    pub(crate) writer: Result<Writer, String>,
    /// What makes the links in them.
    pub(crate) links: Option<LinkMaker>,
}

impl Dispatch {
    /// Sends nothing. `given` carries messages in place of the configured channels.
    pub(crate) fn new(config: &config::Channels, given: Option<Arc<dyn Carrier>>) -> Self {
        let links = config.links.as_ref().map(|links| LinkMaker::new(&links.secret, links.base.clone()));
        Self {
            carrier: given.unwrap_or_else(|| Arc::new(Channels::new(config))),
            writer: Writer::new(&config.templates),
            links,
        }
    }
}

/// Checks templates with samples of every kind of notice.
///
/// # Errors
/// The first that cannot be used, with the line.
pub(crate) fn check_templates(templates: &std::collections::BTreeMap<String, String>) -> Result<(), String> {
    Writer::new(templates).map(drop)
}

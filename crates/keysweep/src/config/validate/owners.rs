//! `[owners]`: where owners are looked for, and how they are reached.

use std::path::Path;
use std::sync::Arc;

use keysweep_core::notice::{ChannelKind, is_slack};
use keysweep_core::owner::{Contact, ContactRule, EmailAddress, OwnerSource, Owners};

use super::notices::{Configured, section_of, webhook_exists};
use super::policy::time_zone;
use super::{Review, names};
use crate::config::directory::{self, Read, Ways};
use crate::config::model::{ContactSection, Model, SourceName};
use crate::config::path::KeyPath;

pub(super) fn build(model: &Model, review: &mut Review) -> Owners {
    let section = &model.owners;
    let at = KeyPath::of("owners");
    let sources: Vec<OwnerSource> = section.sources.iter().copied().map(OwnerSource::from).collect();
    for (index, source) in sources.iter().enumerate() {
        if sources.iter().take(index).any(|before| before == source) {
            review.wrong(&at.key("sources").index(index), format!("{} is listed twice", source.as_str()));
        }
    }
    for (index, tag) in section.tags.iter().enumerate() {
        if let Err(expected) = names::tag_key(tag) {
            review.unexpected(&at.key("tags").index(index), tag, expected);
        }
    }
    let domains = section.allowed_domains.iter().enumerate().filter_map(|(index, text)| {
        let domain = text.parse();
        domain
            .map_err(|expected| review.unexpected(&at.key("allowed_domains").index(index), text, expected))
            .ok()
    });
    let allowed_domains = domains.collect();
    let configured = Configured::of(model);
    let contacts = section.contact.iter().enumerate().filter_map(|(index, contact)| {
        contact_rule(contact, &at.key("contact").index(index), &configured, review)
    });
    let contacts: Vec<ContactRule> = contacts.collect();
    let owners = Owners {
        sources,
        tags: section.tags.clone(),
        contacts,
        allowed_domains,
        directory: None,
        default: (!section.default.is_empty()).then(|| section.default.clone()),
    };
    warn(model, &owners, review);
    let file = &section.directory_file;
    let directory = (!file.is_empty()).then(|| directory::read(Path::new(file)));
    let directory = directory.map(|read| {
        let Read { directory, doubts, ways } = read?;
        warn_of_people(ways, &configured, file, review);
        for doubt in doubts {
            review.questionable(&at.key("directory_file"), format!("{file}: {doubt}"));
        }
        Ok(Arc::new(directory))
    });
    if let Some(Err(why)) = &directory {
        let problem = format!("{why}: keys wait until keysweep can read it");
        review.questionable(&at.key("directory_file"), problem);
    }
    let owners = Owners { directory, ..owners };
    if let Some(why) = owners.default_names_nobody() {
        review.questionable(&at.key("default"), why);
    }
    owners
}

fn contact_rule(
    section: &ContactSection,
    at: &KeyPath,
    configured: &Configured<'_>,
    review: &mut Review,
) -> Option<ContactRule> {
    let Some(name) = section.matches.as_ref().filter(|name| !name.trim().is_empty()) else {
        review
            .wrong(&at.key("match"), "missing: expected a name, or a glob such as \"payments*\"".to_owned());
        return None;
    };
    let email = section.email.as_ref().and_then(|text| {
        let parsed = text.parse::<EmailAddress>();
        parsed.map_err(|expected| review.unexpected(&at.key("email"), text, &expected.to_string())).ok()
    });
    let slack = section.slack.as_ref().filter(|text| {
        let good = is_slack(text);
        if !good {
            let expected = "a channel such as \"#payments\", or an ID such as \"U024BE7LH\"";
            review.unexpected(&at.key("slack"), text, expected);
        }
        good
    });
    let webhook = section.webhook.clone();
    if let Some(name) = &webhook {
        webhook_exists(name, &at.key("webhook"), name, configured, review);
    }
    let contact = Contact { email, slack: slack.cloned(), webhook };
    if !contact.is_reachable() {
        if review.has_mistakes_below(at) {
            return None;
        }
        review.wrong(at, "expected at least one of email, slack, and webhook".to_owned());
        return None;
    }
    let ways = [
        (ChannelKind::Email, contact.email.is_some()),
        (ChannelKind::Slack, contact.slack.is_some()),
        (ChannelKind::Webhook, contact.webhook.is_some()),
    ];
    let ways = ways.into_iter().filter(|(_, set)| *set).map(|(channel, _)| channel);
    if configured.any() && !ways.clone().any(|channel| configured.has(channel)) {
        let sections: Vec<_> = ways.map(section_of).collect();
        let problem = format!("cannot be notified: {} is not configured", sections.join(" or "));
        review.questionable(at, problem);
    }
    let zone = section.time_zone.as_deref().map(|name| time_zone(name, at, review));
    Some(ContactRule::new(name, contact).in_time_zone(zone))
}

/// People who have contact details for other channels only.
fn warn_of_people(ways: Ways, configured: &Configured<'_>, file: &str, review: &mut Review) {
    let unreachable =
        ways.unreachable(configured.has(ChannelKind::Email), configured.has(ChannelKind::Slack));
    if configured.any() && unreachable > 0 {
        let (n, people) = (unreachable, if unreachable == 1 { "person has" } else { "people have" });
        let problem =
            format!("{file}: {n} {people} no contact details for a channel that is configured in [notices]");
        review.questionable(&KeyPath::of("owners.directory_file"), problem);
    }
}

/// What is valid and answers nothing.
fn warn(model: &Model, owners: &Owners, review: &mut Review) {
    let section = &model.owners;
    let at = KeyPath::of("owners");
    let place = |source: SourceName| section.sources.iter().position(|name| *name == source);
    if let Some(index) = place(SourceName::Creator)
        && !(model.evidence.cloudtrail && model.evidence.creators)
    {
        let problem =
            "has no effect: requires evidence.cloudtrail = true and evidence.creators = true".to_owned();
        review.questionable(&at.key("sources").index(index), problem);
    }
    if let Some(index) = place(SourceName::AccountEmail)
        && !model.organization.accounts.is_empty()
    {
        let problem =
            "has no effect: organization.accounts is set, so keysweep does not read e-mail addresses from AWS Organizations".to_owned();
        review.questionable(&at.key("sources").index(index), problem);
    }
    if let Some(index) = place(SourceName::AccountEmail) {
        let configured = Configured::of(model);
        let others = !section.contact.is_empty() || !section.directory_file.is_empty();
        if configured.any() && !configured.has(ChannelKind::Email) && !others {
            let problem = "has no effect on notices: [notices.email] is not configured".to_owned();
            review.questionable(&at.key("sources").index(index), problem);
        }
    }
    let reads_tags = owners.reads_account_tags() || place(SourceName::UserTags).is_some();
    if reads_tags && owners.tags.is_empty() {
        review.questionable(&at.key("tags"), "is empty, so no tag can name an owner".to_owned());
    }
    if !owners.is_configured() {
        let unused = [
            ("contact", !section.contact.is_empty()),
            ("allowed_domains", !section.allowed_domains.is_empty()),
            ("directory_file", !section.directory_file.is_empty()),
        ];
        for (key, _) in unused.into_iter().filter(|(_, set)| *set) {
            let problem = "has no effect: owners.sources and owners.default are empty".to_owned();
            review.questionable(&at.key(key), problem);
        }
    }
}

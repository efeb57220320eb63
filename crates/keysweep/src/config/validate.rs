//! From what was written to what is valid: bad values and contradictions, all at once.

mod access;
mod channels;
mod http;
mod meaning;
mod names;
mod notices;
mod owners;
mod policy;
mod review;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use keysweep_aws::{Analyzer, Partition, RoleName};
use keysweep_core::ids::AccountId;
use keysweep_core::policy::DAY;
use secrecy::SecretString;
use tracing_subscriber::filter::LevelFilter;

pub(super) use self::http::identity;
pub(super) use self::review::Review;
use super::model::{Model, RoleSection};
use super::path::KeyPath;
use super::show::Effective;
use super::{Aws, Backup, Config, Dev, Evidence, Log, Organization, Role, Scan};
use crate::causes::in_words;
use crate::signing;

const MINUTE: Duration = Duration::from_secs(60);

/// unix(7): `sun_path` has 108 bytes, with a NUL at the end.
const LONGEST_SOCKET: usize = 107;

/// Linux, `limits.h`: `PATH_MAX` with a NUL at the end, and `NAME_MAX`.
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;

/// How long a session lives that makes one change.
const CHANGE_SESSION: Duration = Duration::from_secs(900);

const HOUR: Duration = Duration::from_secs(3_600);

/// CloudTrail user guide, "Working with CloudTrail event history".
const LONGEST_LOOKBACK: Duration = Duration::from_secs(90 * 86_400);

/// Right before a change OUs and account tags are read afresh. What plans, lists and gauges show by them should not be
/// older than a day: a key that moved under another rule would show dates that nobody keeps.
const LONGEST_REFRESH: Duration = Duration::from_secs(24 * 3_600);

/// AWS makes a credential report at most every four hours (IAM user guide, "Getting credential reports").
const REPORT_PERIOD: Duration = Duration::from_secs(4 * 3_600);

/// Builds the configuration. Where the review found mistakes the result is not to be used.
pub(super) fn build(model: &Model, effective: Effective, now: Timestamp, review: &mut Review) -> Config {
    data_dir(model, review);
    let http = http::build(model, review);
    let access = access::build(model, review);
    let channels = channels::build(model, &http, &access, review);
    let mut policy = policy::build(model, now, review);
    let of_tokens = http.tokens.iter().filter_map(|token| token.scope.clone());
    policy.scopes =
        of_tokens.chain(access.iter().filter_map(|holding| holding.grant.scope.clone())).collect();
    Config {
        data_dir: model.data_dir.clone(),
        aws: aws(model, review),
        organization: organization(model, review),
        role: role(model, review),
        scan: scan(model, review),
        policy,
        channels,
        evidence: evidence(model, review),
        directory_file: Some(&model.owners.directory_file).filter(|file| !file.is_empty()).map(Into::into),
        backup: backup(model, review),
        http,
        access,
        log: log(model, review),
        dev: Dev { allow_short_periods: model.dev.allow_short_periods },
        warnings: Vec::new(),
        effective,
    }
}

fn data_dir(model: &Model, review: &mut Review) {
    let (at, path) = (KeyPath::of("data_dir"), &model.data_dir);
    if path.as_os_str().is_empty() {
        review.wrong(&at, "found \"\", expected a directory".to_owned());
        return;
    }
    directory(&at, path, review);
    let socket = crate::socket::path(path);
    if std::os::unix::net::SocketAddr::from_pathname(&socket).is_err() {
        let (has, adds) = (path.as_os_str().len(), socket.as_os_str().len() - path.as_os_str().len());
        let most = LONGEST_SOCKET.saturating_sub(adds);
        let problem = format!(
            "found a path of {has} bytes, expected at most {most}: the socket of the daemon is in it, and the system \
             takes {LONGEST_SOCKET} bytes for the path of a socket"
        );
        review.wrong(&at, problem);
    }
}

/// A path that no file system takes.
fn directory(at: &KeyPath, path: &Path, review: &mut Review) {
    let bytes = path.as_os_str().as_bytes();
    let names_fit = path.components().all(|part| part.as_os_str().len() <= LONGEST_NAME);
    if bytes.len() > LONGEST_PATH || bytes.contains(&0) || !names_fit {
        let problem = format!(
            "expected a path of at most {LONGEST_PATH} bytes and {LONGEST_NAME} for each name in it, without NUL"
        );
        review.wrong(at, problem);
    }
}

fn aws(model: &Model, review: &mut Review) -> Aws {
    let section = &model.aws;
    let at = KeyPath::of("aws");
    if Partition::known(&section.region).is_none() {
        review.unexpected(&at.key("region"), &section.region, "a Region such as \"eu-central-1\"");
    }
    if section.operation_timeout.get() > CHANGE_SESSION {
        let expected = "at most 15m: the session of a change lives no longer";
        review.unexpected(&at.key("operation_timeout"), &section.operation_timeout, expected);
    }
    review.positive(&at.key("operation_timeout"), section.operation_timeout);
    review.positive(&at.key("attempt_timeout"), section.attempt_timeout);
    if section.attempt_timeout > section.operation_timeout {
        let problem = format!(
            "found \"{}\", expected at most aws.operation_timeout, which is \"{}\"",
            section.attempt_timeout, section.operation_timeout
        );
        review.contradiction(&at.key("attempt_timeout"), &at.key("operation_timeout"), problem);
    }
    Aws {
        region: section.region.clone(),
        allow_endpoint_override: section.allow_endpoint_override,
        operation_timeout: section.operation_timeout.get(),
        attempt_timeout: section.attempt_timeout.get(),
    }
}

fn organization(model: &Model, review: &mut Review) -> Organization {
    let section = &model.organization;
    let at = KeyPath::of("organization");
    let accounts = review.account_ids(&at.key("accounts"), &section.accounts);
    let exclude_accounts = review.account_ids(&at.key("exclude_accounts"), &section.exclude_accounts);
    let include_ous = review.ou_ids(&at.key("include_ous"), &section.include_ous);
    let exclude_ous = review.ou_ids(&at.key("exclude_ous"), &section.exclude_ous);
    review.positive(&at.key("refresh"), section.refresh);
    if section.refresh.get() > LONGEST_REFRESH {
        let expected = "at most 24h: plans are made by it";
        review.unexpected(&at.key("refresh"), &section.refresh, expected);
    }
    for ou in include_ous.iter().filter(|ou| exclude_ous.contains(ou)) {
        review.wrong(&at.key("exclude_ous"), format!("{ou} is also in organization.include_ous"));
    }
    for account in accounts.iter().filter(|account| exclude_accounts.contains(account)) {
        review.wrong(&at.key("exclude_accounts"), format!("{account} is also in organization.accounts"));
    }
    for (key, ous) in [("include_ous", &include_ous), ("exclude_ous", &exclude_ous)] {
        if !accounts.is_empty() && !ous.is_empty() {
            let problem =
                "selects nothing where organization.accounts lists the accounts: set one of the two";
            review.wrong(&at.key(key), problem.to_owned());
        }
    }
    Organization {
        accounts,
        include_ous,
        exclude_ous,
        exclude_accounts,
        management_account: section.management_account,
        refresh: section.refresh.get(),
    }
}

fn role(model: &Model, review: &mut Review) -> Role {
    let section = &model.role;
    let at = KeyPath::of("role");
    let partition = Partition::of_region(&model.aws.region);
    let expected = "a role name, with its path if it has one, or \"arn:PARTITION:iam::{account}:role/NAME\"";
    for (key, text) in [("scan", &section.scan), ("enforce", &section.enforce)] {
        let theirs = text.strip_prefix("arn:").and_then(|rest| rest.split(':').next());
        if theirs.is_some_and(|name| name != partition.as_str()) {
            let problem = format!(
                "found {text:?}, expected the partition {partition}, which is that of aws.region = {:?}",
                model.aws.region
            );
            review.contradiction(&at.key(key), &KeyPath::of("aws.region"), problem);
        }
    }
    let scan = review.parse(&at.key("scan"), &section.scan, expected).unwrap_or_else(RoleName::scan);
    let enforce =
        review.parse(&at.key("enforce"), &section.enforce, expected).unwrap_or_else(RoleName::enforce);
    // STS API reference, AssumeRole, RoleSessionName.
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&section.session_name.len()) || !section.session_name.chars().all(allowed) {
        let expected = "2 to 64 letters, digits or _+=,.@-";
        review.unexpected(&at.key("session_name"), &section.session_name, expected);
    }
    if !(15 * MINUTE..=HOUR).contains(&section.duration.get()) {
        let expected = "15m to 1h: AWS grants no more to a role that is assumed from a role";
        review.unexpected(&at.key("duration"), &section.duration, expected);
    }
    Role {
        scan,
        enforce,
        external_id: external_id(section, &at.key("external_id_file"), review),
        session_name: section.session_name.clone(),
        duration: section.duration.get(),
    }
}

/// The content of the file, without the line break at its end. Never part of a message.
fn external_id(section: &RoleSection, at: &KeyPath, review: &mut Review) -> Option<SecretString> {
    if section.external_id_file.is_empty() {
        return None;
    }
    let file = &section.external_id_file;
    let bytes = match review.secret(file) {
        Ok(bytes) => bytes,
        Err(why) => {
            review.wrong(at, why);
            return None;
        }
    };
    // STS API reference, AssumeRole, ExternalId.
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if !(2..=1224).contains(&text.len()) || !text.chars().all(allowed) {
        review.wrong(
            at,
            format!("{file} holds no external ID: expected 2 to 1224 letters, digits or _+=,.@:/-"),
        );
        return None;
    }
    Some(SecretString::from(text))
}

fn scan(model: &Model, review: &mut Review) -> Scan {
    let section = &model.scan;
    let at = KeyPath::of("scan");
    review.positive(&at.key("interval"), section.interval);
    review.positive(&at.key("report_max_age"), section.report_max_age);
    if section.interval.get() < MINUTE && !model.dev.allow_short_periods {
        let expected = "at least 1m unless dev.allow_short_periods is true";
        review.unexpected(&at.key("interval"), &section.interval, expected);
    }
    if section.report_max_age.get() < REPORT_PERIOD {
        let problem = format!(
            "{} is less than the 4h for which AWS keeps giving the same report: sweeps in between read live",
            section.report_max_age
        );
        review.questionable(&at.key("report_max_age"), problem);
    }
    if !(1..=1024).contains(&section.concurrency) {
        let problem = format!("found {}, expected a whole number from 1 to 1024", section.concurrency);
        review.wrong(&at.key("concurrency"), problem);
    }
    Scan {
        interval: section.interval.get(),
        concurrency: usize::try_from(section.concurrency).unwrap_or(1),
        source: section.source,
        report_max_age: section.report_max_age.get(),
    }
}

fn evidence(model: &Model, review: &mut Review) -> Evidence {
    let section = &model.evidence;
    let at = KeyPath::of("evidence");
    let partition = Partition::of_region(&model.aws.region);
    for (index, region) in section.regions.iter().enumerate() {
        let at = at.key("regions").index(index);
        match Partition::known(region) {
            None => review.unexpected(&at, region, "a Region such as \"eu-central-1\""),
            Some(theirs) if theirs != partition => {
                let problem = format!(
                    "found {region:?}, expected a Region in partition {partition}, like aws.region = {:?}",
                    model.aws.region
                );
                review.contradiction(&at, &KeyPath::of("aws.region"), problem);
            }
            Some(_) if section.regions.iter().take(index).any(|before| before == region) => {
                review.wrong(&at, format!("{region} is listed twice"));
            }
            Some(_) => {}
        }
    }
    // IAM's own events are there, whatever the Region of the caller.
    if let Some(home) = partition.home()
        && !section.regions.is_empty()
        && !section.regions.iter().any(|region| region == home)
    {
        let problem = format!(
            "does not include {home}, where CloudTrail records calls to IAM and other global services"
        );
        review.questionable(&at.key("regions"), problem);
    }
    let lookback = section.lookback.get();
    if !(DAY..=LONGEST_LOOKBACK).contains(&lookback) {
        let expected = "1d to 90d: CloudTrail keeps events for 90 days";
        review.unexpected(&at.key("lookback"), &section.lookback, expected);
    }
    if section.max_megabytes == 0 {
        review.unexpected(&at.key("max_megabytes"), &section.max_megabytes, "at least 1");
    }
    let file = &section.signing_key_file;
    let signing_key = (!file.is_empty()).then(|| review.secret_path(file));
    let most_bytes = u64::from(section.max_megabytes).saturating_mul(1_000_000);
    let creators = section.creators;
    let access_analyzer = analyzer(model, review);
    let regions = section.regions.clone();
    Evidence { regions, lookback, creators, access_analyzer, signing_key, most_bytes }
}

fn analyzer(model: &Model, review: &mut Review) -> Option<Analyzer> {
    let section = &model.evidence;
    let at = KeyPath::of("evidence").key("access_analyzer");
    if section.access_analyzer.is_empty() {
        return None;
    }
    let analyzer: Analyzer = match section.access_analyzer.parse() {
        Ok(analyzer) => analyzer,
        Err(error) => {
            review.wrong(&at, format!("found {:?}, {error}", section.access_analyzer));
            return None;
        }
    };
    let partition = Partition::of_region(&model.aws.region);
    if Partition::known(analyzer.region()) != Some(partition) {
        let problem = format!(
            "found Region {:?}, expected a Region in partition {partition}, like aws.region = {:?}",
            analyzer.region(),
            model.aws.region
        );
        review.contradiction(&at, &KeyPath::of("aws.region"), problem);
    }
    if !section.cloudtrail {
        let problem = "requires evidence.cloudtrail = true: set it, or set evidence.access_analyzer = \"\"";
        review.contradiction(&at, &KeyPath::of("evidence.cloudtrail"), problem.to_owned());
    }
    Some(analyzer)
}

/// Reads the key that signs evidence bundles. What is wrong with it is a mistake among the others.
pub(in crate::config) fn signing_key(evidence: &Evidence, review: &mut Review) {
    let Some(file) = &evidence.signing_key else { return };
    if let Err(error) = signing::signing_key(file) {
        review.wrong(&KeyPath::of("evidence").key("signing_key_file"), in_words(&error));
    }
}

fn backup(model: &Model, review: &mut Review) -> Option<Backup> {
    let section = &model.backup;
    let at = KeyPath::of("backup");
    if section.every.get() < MINUTE {
        review.unexpected(&at.key("every"), &section.every, "at least 1m");
    }
    if section.keep == 0 {
        review.wrong(&at.key("keep"), "found 0, expected a whole number from 1 on".to_owned());
    }
    if section.directory.is_empty() {
        return None;
    }
    let path = PathBuf::from(&section.directory);
    directory(&at.key("directory"), &path, review);
    let directory = path;
    if !directory.is_absolute() {
        let expected = "an absolute path, or \"\" for no backups";
        review.unexpected(&at.key("directory"), &section.directory, expected);
    }
    if directory.starts_with(&model.data_dir) {
        let problem =
            format!("{} is in data_dir: losing data_dir would also lose the backups", section.directory);
        review.questionable(&at.key("directory"), problem);
    }
    let keep = usize::try_from(section.keep).unwrap_or(usize::MAX);
    Some(Backup { directory, every: section.every.get(), keep })
}

fn log(model: &Model, review: &mut Review) -> Log {
    let level = &model.log.level;
    // A directive without a level would be taken for the name of a module, and a typing error for silence.
    let has_level = |directive: &str| {
        let (_, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        // tracing also reads numbers, and nothing at all as "error".
        let is_word = level.bytes().all(|b| b.is_ascii_alphabetic()) && !level.is_empty();
        is_word && level.parse::<LevelFilter>().is_ok()
    };
    let filter_reads_it = tracing_subscriber::EnvFilter::builder().parse(level).is_ok();
    if !filter_reads_it || !level.split(',').all(has_level) {
        let expected =
            "off, error, warn, info, debug or trace, or a list such as \"info,keysweep_aws=debug\"";
        review.unexpected(&KeyPath::of("log.level"), level, expected);
    }
    Log { format: model.log.format, level: level.clone() }
}

impl Review {
    fn account_ids(&mut self, at: &KeyPath, texts: &[String]) -> Vec<AccountId> {
        self.ids(at, texts, |text| text.parse().map_err(|_| "an account ID of 12 digits"))
    }

    fn ou_ids(&mut self, at: &KeyPath, texts: &[String]) -> Vec<keysweep_core::ids::OuId> {
        self.ids(at, texts, names::ou_id)
    }
}

//! Asking: a daemon where one runs, data_dir itself where none does.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use keysweep_store::OpenOptions;

use super::Exit;
use super::args::{Format, FormatArgs, Global};
use super::config::{data_dir_despite, load};
use super::console::Console;
use super::error::CliError;
use super::{export, scan, view};
use crate::clock::Clock;
use crate::config::Config;
use crate::connect::GivenAws;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::operator::{PlanDocument, Reply, Request, skewed};
use crate::socket;

/// Asks, and hands on every answer but a refusal.
pub(super) async fn ask(global: &Global, request: Request, console: &Console) -> Result<Reply, CliError> {
    let metrics = Metrics::new();
    let config = match load(global, &metrics, console) {
        Ok(config) => config,
        Err(wrong) => return ask_despite(global, wrong, &request, console).await,
    };
    if let Some(reply) = ask_daemon(&config.data_dir, &request, console).await? {
        warn_of_settings(global, console);
        return answered(reply);
    }
    if !is_ours(&config.data_dir)? {
        return Err(CliError::NoDataDir { path: config.data_dir });
    }
    answered(ask_data_dir(config, metrics, request, console).await?)
}

/// A daemon that runs has read its configuration: a mistake that was made since must not stand before a pause or an undo.
async fn ask_despite(
    global: &Global,
    wrong: CliError,
    request: &Request,
    console: &Console,
) -> Result<Reply, CliError> {
    let Some(data_dir) = data_dir_despite(global, &wrong) else { return Err(wrong) };
    let Some(reply) = ask_daemon(&data_dir, request, console).await? else { return Err(wrong) };
    console.warn(&format!("{wrong}\nthe daemon goes on with the configuration that it has, and answers"));
    answered(reply)
}

/// Says that what was set on the command line does not count.
fn warn_of_settings(global: &Global, console: &Console) {
    let ignored: Vec<_> =
        global.set.iter().map(|(key, _)| key.as_str()).filter(|key| *key != "data_dir").collect();
    if !ignored.is_empty() {
        console.warn(&format!(
            "--set {} is ignored: a daemon answers, by its own configuration",
            ignored.join(", ")
        ));
    }
}

/// `plan`: without a daemon and without a data_dir it is planned as if nothing had ever been done.
pub(super) async fn plan(global: &Global, format: FormatArgs, console: &Console) -> Result<Exit, CliError> {
    let metrics = Metrics::new();
    let config = match load(global, &metrics, console) {
        Ok(config) => config,
        Err(wrong) => {
            let document = planned(ask_despite(global, wrong, &Request::Plan, console).await?)?;
            return show_plan(&document, format.format, console);
        }
    };
    let document = match ask_daemon(&config.data_dir, &Request::Plan, console).await? {
        Some(reply) => {
            warn_of_settings(global, console);
            planned(answered(reply)?)?
        }
        None if is_ours(&config.data_dir)? => {
            planned(answered(ask_data_dir(config, metrics, Request::Plan, console).await?)?)?
        }
        None => {
            console
                .explain(&format!("no daemon and no {}: planned without records", config.data_dir.display()));
            scan::plan_without_records(config, metrics, console).await?
        }
    };
    show_plan(&document, format.format, console)
}

fn planned(reply: Reply) -> Result<PlanDocument, CliError> {
    match reply {
        Reply::Plan(document) => Ok(*document),
        Reply::Keys(_)
        | Reply::Key(_)
        | Reply::Done { .. }
        | Reply::Breaker(_)
        | Reply::Rules(_)
        | Reply::JournalView { .. }
        | Reply::Refused { .. } => Err(CliError::WrongReply),
    }
}

fn show_plan(document: &PlanDocument, format: Format, console: &Console) -> Result<Exit, CliError> {
    console.print_until_closed(|out| match format {
        Format::Table => {
            let text = view::plan_table(document, console.screen);
            write!(out, "{text}").map_err(|source| CliError::Output { source })
        }
        Format::Json => export::json(out, document),
        Format::Jsonl => export::json_lines(out, &document.keys),
        Format::Csv => export::csv(out, &export::FINDING, &document.keys),
    })?;
    if let Some(stopped) = &document.stopped {
        console.warn(&format!("nothing automatic happens: {stopped}"));
    }
    let origin = &document.inactive_of_unknown_origin;
    if !origin.is_empty() {
        console.say(&format!(
            "found Inactive, and not by keysweep as far as is recorded: {} keys",
            origin.len()
        ));
        for key in origin.iter().take(20) {
            console.say(&format!("  {} in {}", key.access_key_id, key.account_id));
        }
    }
    console.say(&view::plan_summary(document));
    let gaps = document.coverage.incomplete.iter().cloned();
    Ok(told_of_gaps(gaps.chain(skew_in_words(document.clock_skew_seconds)).collect(), console))
}

/// Says on stderr what is missing, and gives the exit that follows.
pub(super) fn told_of_gaps(gaps: Vec<String>, console: &Console) -> Exit {
    gaps.iter().for_each(|gap| console.warn(gap));
    if gaps.is_empty() { Exit::Done } else { Exit::Incomplete }
}

/// What a clock that is wrong means, for documents that carry the difference in seconds.
pub(super) fn skew_in_words(seconds: Option<i64>) -> Option<String> {
    seconds.map(SignedDuration::from_secs).and_then(skewed)
}

/// Turns a refusal into an error.
pub(super) fn answered(reply: Reply) -> Result<Reply, CliError> {
    match reply {
        Reply::Refused { message } => Err(CliError::Refused(message)),
        reply @ (Reply::Plan(_)
        | Reply::Keys(_)
        | Reply::Key(_)
        | Reply::Done { .. }
        | Reply::Rules(_)
        | Reply::JournalView { .. }
        | Reply::Breaker(_)) => Ok(reply),
    }
}

pub(super) async fn ask_daemon(
    data_dir: &Path,
    request: &Request,
    console: &Console,
) -> Result<Option<Reply>, CliError> {
    let path = socket::path(data_dir);
    let reply = socket::ask(&path, request).await?;
    if reply.is_some() {
        console.explain(&format!("answered by the daemon at {}", path.display()));
    }
    Ok(reply)
}

async fn ask_data_dir(
    config: Config,
    metrics: Arc<Metrics>,
    request: Request,
    console: &Console,
) -> Result<Reply, CliError> {
    console.explain(&format!("no daemon runs: opening {}", config.data_dir.display()));
    let for_undo = request.is_undo();
    let options = OpenOptions { for_undo, ..OpenOptions::default() };
    let opening = Engine::open(Arc::new(config), Clock::system(), metrics, GivenAws::default(), options);
    let (engine, _) = opening.await?;
    let reply = engine.answer(&socket::own_actor(), request).await;
    if let Err(error) = engine.close().await {
        console.warn(&format!("the records will be brought up to date at the next start: {error}"));
    }
    Ok(reply)
}

/// Whether there is a data_dir.
///
/// # Errors
/// We are root and it belongs to somebody else: what root leaves in it the daemon's own user could not write.
pub(super) fn is_ours(data_dir: &Path) -> Result<bool, CliError> {
    match std::fs::metadata(data_dir) {
        Ok(found) if rustix::process::geteuid().is_root() && found.uid() != 0 => {
            Err(CliError::NotOurs { path: data_dir.into(), owner: socket::user_name(found.uid()) })
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(CliError::DataDir { path: data_dir.into(), source }),
    }
}

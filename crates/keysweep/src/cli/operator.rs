//! Asking: a daemon where one runs, data_dir itself where none does.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use keysweep_api::{Decide, Done, Operation, PlanDocument, Refusal, ShowPlan};
use keysweep_store::OpenOptions;

use super::Exit;
use super::args::{Format, FormatArgs, Global};
use super::config::{data_dir_despite, load, load_or_defaults};
use super::console::Console;
use super::error::CliError;
use super::export;
use super::{scan, view};
use crate::access::Caller;
use crate::clock::Clock;
use crate::config::Config;
use crate::connect::Given;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::operator::{self, Act, Look, skewed};
use crate::socket::{self, own_actor};

/// The environment variable that names a socket.
const SOCKET_VARIABLE: &str = "KEYSWEEP_SOCKET";

/// Who runs this command: data_dir is theirs.
fn own_caller() -> Caller {
    Caller::unrestricted(own_actor())
}

/// Looks.
pub(super) async fn look<O: Look>(
    global: &Global,
    asked: O,
    console: &Console,
) -> Result<O::Reply, CliError> {
    ask(global, asked, OpenOptions::default(), console, async |asked: O, engine: &Engine| {
        operator::look(engine, &own_caller(), asked).await
    })
    .await
}

/// Decides, and says what was done.
pub(super) async fn act<O: Act<Reply = Done>>(
    global: &Global,
    asked: O,
    console: &Console,
) -> Result<Exit, CliError> {
    act_in(global, asked, OpenOptions::default(), console).await
}

/// Undoes, and says what was done: on a full disk and with a poisoned journal, too.
pub(super) async fn undo(global: &Global, asked: Decide, console: &Console) -> Result<Exit, CliError> {
    act_in(global, asked, OpenOptions { for_undo: true, ..OpenOptions::default() }, console).await
}

async fn act_in<O: Act<Reply = Done>>(
    global: &Global,
    asked: O,
    options: OpenOptions,
    console: &Console,
) -> Result<Exit, CliError> {
    let Done { message } = order_in(global, asked, options, console).await?;
    console.say(&message);
    Ok(Exit::Done)
}

/// Decides, and gives what came of it.
pub(super) async fn order<O: Act>(
    global: &Global,
    asked: O,
    console: &Console,
) -> Result<O::Reply, CliError> {
    order_in(global, asked, OpenOptions::default(), console).await
}

async fn order_in<O: Act>(
    global: &Global,
    asked: O,
    options: OpenOptions,
    console: &Console,
) -> Result<O::Reply, CliError> {
    let act = async |asked: O, engine: &Engine| operator::act(engine, &own_caller(), asked).await;
    ask(global, asked, options, console, act).await
}

/// Asks a daemon where one runs, and answers from data_dir where none does.
async fn ask<O: Operation>(
    global: &Global,
    asked: O,
    options: OpenOptions,
    console: &Console,
    answer: impl AsyncFnOnce(O, &Engine) -> Result<O::Reply, Refusal>,
) -> Result<O::Reply, CliError> {
    if let Some(path) = named_socket(global) {
        return ask_at(path, &asked, console).await;
    }
    let metrics = Metrics::new();
    let config = match load(global, &metrics, console) {
        Ok(config) => config,
        Err(wrong) => return ask_despite(global, wrong, &asked, console).await,
    };
    if let Some(reply) = ask_daemon(&config.data_dir, &asked, console).await? {
        warn_of_settings(global, console);
        return Ok(reply?);
    }
    if !is_ours(&config.data_dir)? {
        return Err(CliError::NoDataDir { path: config.data_dir });
    }
    in_data_dir(config, metrics, options, console, async |engine: &Engine| answer(asked, engine).await).await
}

/// A daemon that runs has read its configuration: a mistake that was made since must not stand before a pause or an undo.
async fn ask_despite<O: Operation>(
    global: &Global,
    wrong: CliError,
    asked: &O,
    console: &Console,
) -> Result<O::Reply, CliError> {
    let Some(data_dir) = data_dir_despite(global, &wrong) else { return Err(wrong) };
    let Some(reply) = ask_daemon(&data_dir, asked, console).await? else { return Err(wrong) };
    console.warn(&format!("{wrong}\nthe daemon keeps its current configuration and handles this command"));
    Ok(reply?)
}

/// Says that what was set on the command line does not count.
fn warn_of_settings(global: &Global, console: &Console) {
    let ignored: Vec<_> =
        global.set.iter().map(|(key, _)| key.as_str()).filter(|key| *key != "data_dir").collect();
    if !ignored.is_empty() {
        console.warn(&format!(
            "--set {} is ignored: a running daemon uses its own configuration",
            ignored.join(", ")
        ));
    }
}

/// `plan`: without a daemon and without a data_dir it is planned as if nothing had ever been done.
pub(super) async fn plan(global: &Global, format: FormatArgs, console: &Console) -> Result<Exit, CliError> {
    if let Some(path) = named_socket(global) {
        let document = ask_at(path, &ShowPlan {}, console).await?;
        return show_plan(&document, format.format, console);
    }
    let metrics = Metrics::new();
    let config = match load_or_defaults(global, &metrics, console) {
        Ok(config) => config,
        Err(wrong) => {
            let document = ask_despite(global, wrong, &ShowPlan {}, console).await?;
            return show_plan(&document, format.format, console);
        }
    };
    let document = match ask_daemon(&config.data_dir, &ShowPlan {}, console).await? {
        Some(document) => {
            warn_of_settings(global, console);
            document?
        }
        None if is_ours(&config.data_dir)? => {
            let look = async |engine: &Engine| operator::look(engine, &own_caller(), ShowPlan {}).await;
            in_data_dir(config, metrics, OpenOptions::default(), console, look).await?
        }
        None => {
            console
                .explain(&format!("no daemon and no {}: planned without records", config.data_dir.display()));
            scan::plan_without_records(config, metrics, console).await?
        }
    };
    show_plan(&document, format.format, console)
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
        console.warn(&format!("no automatic changes: {stopped}"));
    }
    let origin = &document.inactive_of_unknown_origin;
    if !origin.is_empty() {
        console.say(&format!("Inactive, not recorded as deactivated by keysweep: {} keys", origin.len()));
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

/// The socket that this command was told to use. Users other than the daemon's may not read its configuration.
fn named_socket(global: &Global) -> Option<PathBuf> {
    let named = || std::env::var_os(SOCKET_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    global.socket.clone().or_else(named)
}

/// Asks the daemon at this socket.
async fn ask_at<O: Operation>(path: PathBuf, asked: &O, console: &Console) -> Result<O::Reply, CliError> {
    let Some(answered) = socket::ask(&path, asked).await? else { return Err(CliError::NoDaemon { path }) };
    console.explain(&format!("answered by the daemon at {}", path.display()));
    Ok(answered?)
}

/// Asks the daemon that has `data_dir` open; `None` where none has.
pub(super) async fn ask_daemon<O: Operation>(
    data_dir: &Path,
    asked: &O,
    console: &Console,
) -> Result<Option<Result<O::Reply, Refusal>>, CliError> {
    let path = socket::path(data_dir);
    let Some(answered) = socket::ask(&path, asked).await? else { return Ok(None) };
    console.explain(&format!("answered by the daemon at {}", path.display()));
    Ok(Some(answered))
}

/// Answers from data_dir, which no daemon has open.
async fn in_data_dir<T>(
    config: Config,
    metrics: Arc<Metrics>,
    options: OpenOptions,
    console: &Console,
    answer: impl AsyncFnOnce(&Engine) -> Result<T, Refusal>,
) -> Result<T, CliError> {
    console.explain(&format!("no daemon runs: opening {}", config.data_dir.display()));
    let opening = Engine::open(Arc::new(config), Clock::system(), metrics, Given::default(), options);
    let (engine, _) = opening.await?;
    let answered = answer(&engine).await;
    if let Err(error) = engine.close().await {
        console.warn(&format!("the records will be brought up to date at the next start: {error}"));
    }
    Ok(answered?)
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

//! The configuration of this process, and the commands about it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::Exit;
use super::args::{ConfigCommand, Global, ShowFormat};
use super::console::Console;
use super::error::CliError;
use super::export::{self, Column};
use super::init::init;
use super::table::{Text, Tone, table};
use super::text::count;
use crate::clock::Clock;
use crate::config::{self, Config, DEFAULT_FILE, LogFormat, Setting, Sources};
use crate::logging::{self, Form};
use crate::metrics::Metrics;

/// `config show` as a table or CSV.
const SETTING: [Column<Setting>; 3] = [
    ("key", |setting| setting.key.clone()),
    ("value", |setting| setting.value.to_string()),
    ("origin", |setting| setting.origin.to_string()),
];

/// Where the configuration of this process comes from.
pub(super) fn sources(global: &Global) -> Sources {
    let sources = Sources::of_process(global.config.clone(), std::env::vars_os());
    global.set.iter().fold(sources, |sources, (key, value)| sources.with_flag("--set", key, value))
}

/// Reads the configuration, and sends log messages to stderr from now on: warnings and errors, or as many as
/// `--verbose` asks for.
pub(super) fn load(global: &Global, metrics: &Arc<Metrics>, console: &Console) -> Result<Config, CliError> {
    let config = read(global)?;
    log(quiet_level(console), form(&config, console), metrics, io::stderr, None)?;
    Ok(config)
}

/// The same for a command that changes nothing.
pub(super) fn load_or_defaults(
    global: &Global,
    metrics: &Arc<Metrics>,
    console: &Console,
) -> Result<Config, CliError> {
    let config = read_or_defaults(global, console)?;
    log(quiet_level(console), form(&config, console), metrics, io::stderr, None)?;
    Ok(config)
}

/// Reads the configuration.
pub(super) fn read(global: &Global) -> Result<Config, CliError> {
    Ok(config::load(&sources(global), Clock::system().now())?)
}

/// Reads the configuration for a command that changes nothing. If nobody named a file and there is none at the usual place,
/// the defaults apply, so that it works with nothing but the program.
pub(super) fn read_or_defaults(global: &Global, console: &Console) -> Result<Config, CliError> {
    let mut sources = sources(global);
    let is_missing = |file: &PathBuf| matches!(file.try_exists(), Ok(false));
    if !sources.is_named && sources.file.as_ref().is_some_and(is_missing) {
        console.say(&format!("No configuration file {DEFAULT_FILE}: using the defaults."));
        sources.file = None;
    }
    Ok(config::load(&sources, Clock::system().now())?)
}

/// Where state is. To look at it nothing else of the configuration is needed: what is wrong there is told and stands in
/// nobody's way.
pub(super) fn data_dir(global: &Global, console: &Console) -> Result<PathBuf, CliError> {
    match read(global) {
        Ok(config) => Ok(config.data_dir),
        Err(wrong) => {
            let Some(data_dir) = data_dir_despite(global, &wrong) else { return Err(wrong) };
            console.warn(&wrong.to_string());
            Ok(data_dir)
        }
    }
}

/// The same, where only the configuration is in the way.
pub(super) fn data_dir_despite(global: &Global, wrong: &CliError) -> Option<PathBuf> {
    matches!(wrong, CliError::Config(_)).then(|| config::data_dir(&sources(global))).flatten()
}

/// Reads the configuration of a process that serves HTTP, with everything that it serves by.
pub(super) fn read_to_serve(global: &Global) -> Result<Config, CliError> {
    Ok(config::load_to_serve(&sources(global), Clock::system().now())?.0)
}

/// What a command that ends by itself logs.
pub(super) fn quiet_level(console: &Console) -> &'static str {
    match console.verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    }
}

/// The form of what a command logs that ends by itself: it stands beside its other messages, which are text.
pub(super) fn form(config: &Config, console: &Console) -> Form {
    match config.log.format {
        LogFormat::Auto | LogFormat::Text => Form::Text { colour: console.stderr_colour },
        LogFormat::Json => Form::Json,
    }
}

/// The form of what the daemon logs: programs read it where stderr is no terminal.
pub(super) fn daemon_form(config: &Config, console: &Console) -> Form {
    match config.log.format {
        LogFormat::Auto if !console.stderr_terminal => Form::Json,
        LogFormat::Auto | LogFormat::Text | LogFormat::Json => form(config, console),
    }
}

/// A process has one log. A command that asks twice reads its configuration twice.
static LOG: OnceLock<()> = OnceLock::new();

/// Sends log messages to `writer` from now on, unless the process has a log already.
pub(super) fn log<W>(
    level: &str,
    form: Form,
    metrics: &Arc<Metrics>,
    writer: W,
    traces: Option<logging::Traces>,
) -> Result<(), CliError>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    if LOG.get().is_some() {
        return Ok(());
    }
    let metrics = Arc::clone(metrics);
    logging::init(level, form, writer, Arc::new(move |level| metrics.log.message(level)), traces)?;
    LOG.get_or_init(|| ());
    Ok(())
}

/// `config ...`
pub(super) async fn config(
    global: &Global,
    command: &ConfigCommand,
    console: &Console,
) -> Result<Exit, CliError> {
    match command {
        ConfigCommand::Check => check(&read_to_serve(global)?, &sources(global), console)?,
        ConfigCommand::Show { format } => show(&read_or_defaults(global, console)?, format.format, console)?,
        ConfigCommand::Schema => {
            console.print_until_closed(|out| export::json(out, &config::schema()))?;
        }
        ConfigCommand::Init { here, .. } => return init(global, *here, console).await,
    }
    Ok(Exit::Done)
}

fn check(config: &Config, sources: &Sources, console: &Console) -> Result<(), CliError> {
    for warning in &config.warnings {
        console.warn(&warning.to_string());
    }
    let file = sources.file.as_ref().map_or_else(|| "the defaults".into(), |path| path.display().to_string());
    let warnings = match u64::try_from(config.warnings.len()) {
        Ok(0) | Err(_) => String::new(),
        Ok(n) => format!(", with {}", count(n, "warning", "warnings")),
    };
    console.print_until_closed(|out| {
        writeln!(out, "{file} is valid{warnings}").map_err(|source| CliError::Output { source })
    })
}

fn show(config: &Config, format: ShowFormat, console: &Console) -> Result<(), CliError> {
    let settings = &config.effective.settings;
    console.print_until_closed(|out| {
        let text = match format {
            ShowFormat::Json => return export::json(out, &config.effective),
            ShowFormat::Jsonl => return export::json_lines(out, settings),
            ShowFormat::Csv => return export::csv(out, &SETTING, settings),
            ShowFormat::Toml => config.effective.to_toml(),
            ShowFormat::Table => {
                let row = |setting: &Setting| {
                    let origin = Text::new(setting.origin.to_string(), Tone::Faint);
                    [(&setting.key).into(), setting.value.to_string().into(), origin]
                };
                table(console.screen, ["KEY", "VALUE", "FROM"], settings.iter().map(row).collect())
            }
        };
        write!(out, "{text}").map_err(|source| CliError::Output { source })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::{Screen, Width};

    fn mk_console(terminal: bool) -> Console {
        Console {
            screen: Screen { colour: false, width: Width::Any },
            stderr_terminal: terminal,
            stderr_colour: terminal,
            graded: false,
            verbose: 0,
        }
    }

    #[test]
    fn only_the_daemon_logs_json_unasked() {
        for (format, terminal, command, daemon) in [
            ("auto", true, Form::Text { colour: true }, Form::Text { colour: true }),
            ("auto", false, Form::Text { colour: false }, Form::Json),
            ("text", false, Form::Text { colour: false }, Form::Text { colour: false }),
            ("json", true, Form::Json, Form::Json),
            ("json", false, Form::Json, Form::Json),
        ] {
            let sources = Sources::default().with_flag("--set", "log.format", format);
            let config = config::load(&sources, Clock::system().now()).unwrap();
            let console = mk_console(terminal);
            assert_eq!(form(&config, &console), command, "{format} {terminal}");
            assert_eq!(daemon_form(&config, &console), daemon, "{format} {terminal}");
        }
    }
}

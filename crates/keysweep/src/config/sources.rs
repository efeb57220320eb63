//! Where a configuration is read from. Nothing here touches the environment of the process: the command line hands
//! it in, so that a test can hand in another.

use std::ffi::OsString;
use std::path::PathBuf;

/// The configuration file unless another is named.
pub const DEFAULT_FILE: &str = "/etc/keysweep/keysweep.toml";

/// The environment variable that names the configuration file.
pub const FILE_VARIABLE: &str = "KEYSWEEP_CONFIG";

/// How environment variables that set a key begin. The underscores are two because Kubernetes gives every container
/// variables such as `KEYSWEEP_SERVICE_HOST` where a service is called keysweep.
pub const VARIABLE_PREFIX: &str = "KEYSWEEP__";

/// Where systemd puts the credentials of a service; see systemd.exec(5).
pub const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// A flag of the command line that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Its name with the dashes, for messages: `--listen`.
    pub name: String,
    /// The key: `http.listen`.
    pub key: String,
    /// Its value, as it would stand in an environment variable.
    pub value: String,
}

/// Everything that a configuration is made from, besides the defaults. Later ones win: file, environment, flags.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file; without one the defaults stand.
    pub file: Option<PathBuf>,
    /// Whether somebody named the file.
    pub is_named: bool,
    /// Environment variables. Those that do not begin with [`VARIABLE_PREFIX`] are ignored.
    pub env: Vec<(String, String)>,
    /// Flags.
    pub flags: Vec<Flag>,
    /// Secrets that a service manager hands in, as files of this directory.
    pub credentials: Option<PathBuf>,
}

impl Sources {
    /// The sources of a process: the file is that of `--config`, else that of [`FILE_VARIABLE`], else
    /// [`DEFAULT_FILE`].
    ///
    /// What is not UTF-8 in a variable becomes U+FFFD, which [`super::load`] refuses.
    #[must_use]
    pub fn of_process(config: Option<PathBuf>, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let (mut named, mut credentials) = (None, None);
        let mut variables = Vec::new();
        for (name, value) in env {
            if name == FILE_VARIABLE && !value.is_empty() {
                named = Some(PathBuf::from(value));
            } else if name == CREDENTIALS_VARIABLE && !value.is_empty() {
                credentials = Some(PathBuf::from(value));
            } else {
                variables.push((name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
            }
        }
        variables.retain(|(name, _)| name.starts_with(VARIABLE_PREFIX));
        // The order in which a process sees its environment is nobody's decision.
        variables.sort();
        let named = config.or(named);
        let is_named = named.is_some();
        let file = named.unwrap_or_else(|| DEFAULT_FILE.into());
        Self { file: Some(file), is_named, env: variables, flags: Vec::new(), credentials }
    }

    /// The same with a flag.
    #[must_use]
    pub fn with_flag(mut self, name: &str, key: &str, value: impl Into<String>) -> Self {
        self.flags.push(Flag { name: name.to_owned(), key: key.to_owned(), value: value.into() });
        self
    }
}

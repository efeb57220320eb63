//! Why there are no credentials, in one sentence: what was looked at, and what to do.

use std::path::PathBuf;

use keysweep_aws::{Cause, Fault};

use super::error::CliError;

/// What the process was started with, as far as the SDK looks for credentials there.
#[derive(Debug, Default)]
struct Surroundings {
    /// The profile that is named, if one is.
    profile: Option<String>,
    has_key_id: bool,
    has_secret: bool,
    /// The two files with profiles, and what is in them.
    files: Vec<(PathBuf, String)>,
}

impl Surroundings {
    fn of_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let home = set("HOME").map(PathBuf::from).unwrap_or_default();
        let file = |name: &str, usual: &str| set(name).map_or_else(|| home.join(usual), PathBuf::from);
        let files =
            [file("AWS_CONFIG_FILE", ".aws/config"), file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
        // A file that cannot be read has no profile for the SDK either.
        let read = |path: PathBuf| (path.clone(), std::fs::read_to_string(path).unwrap_or_default());
        Self {
            profile: set("AWS_PROFILE").map(|name| name.to_string_lossy().into_owned()),
            has_key_id: set("AWS_ACCESS_KEY_ID").is_some(),
            has_secret: set("AWS_SECRET_ACCESS_KEY").is_some(),
            files: files.map(read).into(),
        }
    }

    fn has_profile(&self, name: &str) -> bool {
        let heads = [format!("[{name}]"), format!("[profile {name}]")];
        self.files
            .iter()
            .flat_map(|(_, text)| text.lines())
            .any(|line| heads.contains(&line.trim().to_owned()))
    }
}

/// Why AWS did not answer the first question of a command: there are no credentials, or something else.
pub(super) fn without_answer(fault: Fault, otherwise: impl FnOnce(Fault) -> CliError) -> CliError {
    match fault.cause() {
        Cause::NotSent(why) => CliError::Credentials(sentence(why, &Surroundings::of_process())),
        _ => otherwise(fault),
    }
}

fn sentence(why: &str, around: &Surroundings) -> String {
    let Surroundings { profile, has_key_id, has_secret, files } = around;
    let paths: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    let paths = paths.join(" and ");
    let name = profile.as_deref().unwrap_or("default");
    let doctor = "`keysweep doctor` checks the rest";
    match (has_key_id, has_secret, profile) {
        (true, false, _) => format!(
            "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: set both or neither; {doctor}"
        ),
        (false, true, _) => format!(
            "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not: set both or neither; {doctor}"
        ),
        (_, _, Some(profile)) if !around.has_profile(profile) => format!(
            "AWS_PROFILE names the profile {profile}, which is not in {paths}: correct the name, or run \
             `aws configure --profile {profile}`; {doctor}"
        ),
        _ if why.to_ascii_lowercase().contains("sso") => format!(
            "the SSO login of profile {name} is missing or has expired: run `aws sso login --profile {name}`; {doctor}"
        ),
        _ => format!(
            "no AWS credentials in the environment (AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE), in profile {name} \
             of {paths}, or from the role of this container or instance: log in with `aws login` or `aws sso login`, \
             or set AWS_PROFILE; {doctor}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_around(config: &str) -> Surroundings {
        let files =
            vec![("/h/.aws/config".into(), config.to_owned()), ("/h/.aws/credentials".into(), String::new())];
        Surroundings { files, ..Surroundings::default() }
    }

    #[test]
    fn each_way_to_have_none_is_told_with_what_to_do() {
        let config = "[default]\n[profile work]\nsso_session = x\n";
        let none = sentence("no credentials found in chain", &mk_around(""));
        assert!(none.starts_with("no AWS credentials in the environment"), "{none}");
        assert!(none.contains("profile default of /h/.aws/config and /h/.aws/credentials"), "{none}");
        let half = Surroundings { has_key_id: true, ..mk_around(config) };
        assert!(sentence("", &half).starts_with("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"));
        let half = Surroundings { has_secret: true, ..mk_around(config) };
        assert!(sentence("", &half).starts_with("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not"));
        let wrong = Surroundings { profile: Some("wrok".into()), ..mk_around(config) };
        assert!(
            sentence("", &wrong)
                .starts_with("AWS_PROFILE names the profile wrok, which is not in /h/.aws/config and")
        );
        let expired = Surroundings { profile: Some("work".into()), ..mk_around(config) };
        let told = sentence("Profile: the SSO token is expired", &expired);
        assert!(told.contains("run `aws sso login --profile work`"), "{told}");
    }
}

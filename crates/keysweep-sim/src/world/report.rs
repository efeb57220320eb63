//! The credential report: one per account, remade at most every four hours, its bytes fixed in between.

use std::fmt::Write as _;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{Account, Key, User};

const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// The report of an account, as GenerateCredentialReport sees it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// When the report that Get answers was made.
    pub(crate) made: Option<Timestamp>,
    /// Its bytes, once the account was altered after that; until then they are rendered when asked for, so that an
    /// organization of ten thousand ready reports stays small.
    frozen: Option<Bytes>,
    /// Served in place of the real one, whatever it says.
    pub(crate) override_bytes: Option<Bytes>,
    /// Generate calls still to be answered INPROGRESS before COMPLETE; None: nothing under way.
    pub(crate) polls_left: Option<u32>,
}

impl Report {
    /// The report is made now, of what is true now.
    pub(crate) fn complete(&mut self, now: Timestamp) {
        self.made = Some(now);
        self.frozen = None;
        self.polls_left = None;
    }
}

impl Account {
    /// Keeps the bytes of the report as they are, before something changes.
    pub(crate) fn freeze_report(&mut self, partition: &str, lag: SignedDuration) {
        if let (Some(made), None) = (self.report.made, &self.report.frozen) {
            self.report.frozen = Some(self.report_bytes(partition, lag, made));
        }
    }

    /// What GetCredentialReport answers, before base64.
    ///
    /// `now` stands in where there is no report yet.
    pub(crate) fn report_bytes(&self, partition: &str, lag: SignedDuration, now: Timestamp) -> Bytes {
        if let Some(bytes) = self.report.override_bytes.as_ref().or(self.report.frozen.as_ref()) {
            return bytes.clone();
        }
        let made = self.report.made.unwrap_or(now);
        let seen_until = made.checked_sub(lag).unwrap_or(Timestamp::MIN);
        self.render(partition, seen_until).into()
    }

    fn render(&self, partition: &str, seen_until: Timestamp) -> String {
        let extra = self.users.values().any(|user| user.keys.len() > 2);
        let mut out = String::with_capacity(512 + self.users.len() * 320);
        out.push_str(COLUMNS);
        if extra {
            out.push_str(",additional_credentials_info");
        }
        self.root_row(&mut out, partition);
        if extra {
            out.push_str(",N/A");
        }
        for user in self.users.values() {
            user_row(&mut out, user, partition, &self.id, seen_until);
            if extra {
                match user.keys.len().saturating_sub(2) {
                    0 => out.push_str(",N/A"),
                    n => push(&mut out, format_args!(",{n} additional access key(s); use ListAccessKeys")),
                }
            }
        }
        out
    }

    fn root_row(&self, out: &mut String, partition: &str) {
        let used = self.root_password_used.map_or_else(|| "no_information".to_owned(), |at| at.to_string());
        push(out, format_args!("\n<root_account>,arn:{partition}:iam::{}:root,{}", self.id, self.joined));
        push(out, format_args!(",not_supported,{used},not_supported,not_supported,true"));
        for slot in 1..=2 {
            match self.root_keys >= slot {
                true => push(out, format_args!(",true,{},N/A,N/A,N/A", self.joined)),
                false => out.push_str(",false,N/A,N/A,N/A,N/A"),
            }
        }
        out.push_str(",false,N/A,false,N/A");
    }
}

fn user_row(out: &mut String, user: &User, partition: &str, account: &str, seen_until: Timestamp) {
    out.push('\n');
    field(out, &user.name);
    out.push(',');
    field(out, &user.arn(partition, account));
    push(out, format_args!(",{}", user.created));
    match &user.password {
        None => out.push_str(",false,N/A,N/A,N/A"),
        Some(password) => {
            let used = password.used.map_or_else(|| "no_information".to_owned(), |at| at.to_string());
            push(out, format_args!(",true,{used},{},N/A", password.created));
        }
    }
    push(out, format_args!(",{}", user.mfa));
    key_fields(out, user.keys.first(), seen_until);
    key_fields(out, user.keys.get(1), seen_until);
    out.push_str(",false,N/A,false,N/A");
}

fn key_fields(out: &mut String, key: Option<&Key>, seen_until: Timestamp) {
    let Some(key) = key else {
        out.push_str(",false,N/A,N/A,N/A,N/A");
        return;
    };
    push(out, format_args!(",{},{}", key.is_active(), key.created));
    match key.last_use(seen_until) {
        None => out.push_str(",N/A,N/A,N/A"),
        Some(used) => {
            // The report shows no Region for S3 (IAM user guide, credential reports).
            let region = if &*used.service == "s3" { "N/A" } else { &*used.region };
            push(out, format_args!(",{},{region},{}", used.at, used.service));
        }
    }
}

/// One CSV field, quoted only where it has to be: user names may hold commas.
fn field(out: &mut String, text: &str) {
    if !text.contains([',', '"', '\n']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = out.write_fmt(text);
}

//! `evidence`: bundles, and whether one is what keysweep wrote.

use std::path::Path;

use keysweep_api::{Bundle, EvidenceDocument, GatherEvidence, ShowEvidence};
use keysweep_core::ids::AccessKeyId;
use keysweep_core::lifecycle::event::Purpose;

use super::Exit;
use super::args::{BundleFormat, EvidenceArgs, EvidenceCommand, Global};
use super::config::data_dir;
use super::console::Console;
use super::error::CliError;
use super::operator::{look, order};
use super::view::bundle_page;
use crate::evidence::{Checked, Witnessed, against_journal, against_key};

/// `evidence KEY`, and `evidence verify FILE`.
pub(super) async fn evidence(
    global: &Global,
    args: EvidenceArgs,
    console: &Console,
) -> Result<Exit, CliError> {
    let EvidenceArgs { command, key, gather, format } = args;
    match (command, key) {
        (Some(EvidenceCommand::Verify { file, public_key: Some(key) }), _) => with_key(&file, &key, console),
        (Some(EvidenceCommand::Verify { file, public_key: None }), _) => with_journal(global, &file, console),
        (None, Some(key)) => show(global, key, gather, format, console).await,
        // Not reached: clap asks for the key.
        (None, None) => Err(CliError::Usage("name an access key".into())),
    }
}

async fn show(
    global: &Global,
    key: AccessKeyId,
    gather: bool,
    format: BundleFormat,
    console: &Console,
) -> Result<Exit, CliError> {
    let EvidenceDocument { sha256, file } = if gather {
        order(global, GatherEvidence { key }, console).await?
    } else {
        look(global, ShowEvidence { key }, console).await?
    };
    console.explain(&format!("SHA-256 {sha256}"));
    let text = match format {
        BundleFormat::Json => file,
        BundleFormat::Html => bundle_page(file.as_bytes())?,
    };
    console.print(|out| out.write_all(text.as_bytes()).map_err(|source| CliError::Output { source }))?;
    Ok(Exit::Done)
}

/// What an auditor has who has the file and the public key.
fn with_key(file: &Path, key: &Path, console: &Console) -> Result<Exit, CliError> {
    let checked = Checked::of_file(file)?;
    against_key(&checked, key)?;
    say(console, &format!("the signature is valid for the public key in {}", key.display()), &checked)?;
    Ok(Exit::Done)
}

fn with_journal(global: &Global, file: &Path, console: &Console) -> Result<Exit, CliError> {
    let checked = Checked::of_file(file)?;
    let data_dir = data_dir(global, console)?;
    let Witnessed { named, intent, deleted, follows, first_seq } = against_journal(&checked, &data_dir)?;
    let before = checked.bundle.journal.last_seq;
    let (seq, at, purpose) = match named {
        Some(named) => named,
        None if before < first_seq => return Err(CliError::Archived { data_dir, first_seq }),
        None => return Err(CliError::NotNamed { sha256: checked.id.to_string(), data_dir }),
    };
    if (!follows && before >= first_seq) || purpose != checked.bundle.purpose {
        return Err(CliError::Elsewhere { data_dir });
    }
    let what = match (purpose, intent, deleted) {
        (Purpose::Request, _, _) => "; it was made on request, and not for a deletion".to_owned(),
        (Purpose::Deletion, _, Some((seq, at))) => format!("; entry {seq} records the deletion, {at}"),
        (Purpose::Deletion, Some(seq), None) => format!("; entry {seq} is the intent to delete the key"),
        (Purpose::Deletion, None, None) => "; no deletion followed it".to_owned(),
    };
    say(console, &format!("entry {seq} of the journal, written {at}, names this bundle{what}"), &checked)?;
    if !follows {
        console.warn(&format!(
            "could not check entry {before}, which precedes the bundle: entries before {first_seq} are not present"
        ));
    }
    if checked.signature().is_some() {
        console.say("it is signed; to verify the signature, add --public-key PEM_FILE");
    }
    Ok(Exit::Done)
}

/// What was verified, and of what.
fn say(console: &Console, what: &str, checked: &Checked) -> Result<(), CliError> {
    let Bundle { key, made_at, purpose, .. } = &checked.bundle;
    let purpose = match purpose {
        Purpose::Deletion => "before a deletion",
        Purpose::Request => "on request",
    };
    let text = format!(
        "{what}\nkey {} of {} in {}, collected {made_at} {purpose}\nSHA-256 {}\n",
        key.access_key_id, key.user_name, key.account_id, checked.id
    );
    let text = crate::safe::safe_lines(&text).into_owned();
    console.print_until_closed(|out| {
        out.write_all(text.as_bytes()).map_err(|source| CliError::Output { source })
    })
}

//! What `doctor` found.

use crate::cli::console::Screen;
use crate::cli::table::{Text, Tone, table};
use crate::cli::text::{count, safe};
use crate::doctor::{Check, DoctorDocument, Problem, StatementSeen, Verdict};

/// How many accounts of a problem are named: a screen of them is read by nobody.
const NAMED: usize = 10;

/// Every check in a table, and what is not well, one paragraph each.
#[must_use]
pub fn doctor_text(document: &DoctorDocument, screen: Screen) -> String {
    let rows = document.checks.iter().map(|Check { name, verdict, detail }| {
        [name.as_str().into(), Text::new(in_words(*verdict), tone(*verdict)), detail.as_str().into()]
    });
    let mut text = table(screen, ["CHECK", "VERDICT", "FOUND"], rows.collect());
    for problem in &document.problems {
        text.push('\n');
        text += &paragraph(problem);
    }
    text
}

/// What it comes to.
#[must_use]
pub fn doctor_summary(document: &DoctorDocument) -> String {
    let of = |verdict| document.problems.iter().filter(|problem| problem.verdict == verdict).count();
    let parts = [
        (Verdict::Gap, "gap", "gaps"),
        (Verdict::Failed, "question not answered", "questions not answered"),
        (Verdict::CannotTell, "thing that cannot be told", "things that cannot be told"),
        (Verdict::Note, "note", "notes"),
    ];
    let parts = parts.map(|(verdict, one, many)| (of(verdict), one, many));
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(n, _, _)| *n > 0)
        .map(|(n, one, many)| count(u64::try_from(n).unwrap_or(u64::MAX), one, many))
        .collect();
    let found = if parts.is_empty() { "nothing is missing".to_owned() } else { parts.join(", ") };
    format!("{found}; nothing was changed")
}

fn paragraph(problem: &Problem) -> String {
    let Problem { verdict, what, statement, reason, remedy, accounts, .. } = problem;
    let scope = match accounts.as_slice() {
        [] => String::new(),
        [one] => format!("{one}: "),
        many => format!("{} accounts: ", thousands(many.len())),
    };
    let mut lines = vec![format!("{}: {scope}{}", in_words(*verdict), safe(what))];
    if accounts.len() > 1 {
        let named = accounts.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = accounts.len().saturating_sub(NAMED);
        let rest = if more > 0 {
            format!(" and {} more; --format json names all", thousands(more))
        } else {
            String::new()
        };
        lines.push(format!("  accounts: {named}{rest}"));
    }
    if let Some(reason) = reason {
        let example = if accounts.len() > 1 { ", in the first of them" } else { "" };
        lines.push(format!("  because{example}: {}", safe(reason)));
    }
    if let Some(StatementSeen { command, sid }) = statement {
        lines.push(format!("  granted by: {sid} of `{command}`"));
    }
    lines.push(format!("  to do: {}", safe(remedy)));
    lines.join("\n") + "\n"
}

/// `1,203`.
fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::CannotTell => "cannot tell",
        Verdict::Ok | Verdict::Note | Verdict::Failed | Verdict::Gap => verdict.as_str(),
    }
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Gap | Verdict::Failed => Tone::Bad,
        Verdict::CannotTell => Tone::Worth,
        Verdict::Note => Tone::Faint,
        Verdict::Ok => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in
            [(2, "2"), (999, "999"), (1203, "1,203"), (10_000, "10,000"), (1_000_000, "1,000,000")]
        {
            assert_eq!(thousands(n), text);
        }
    }
}

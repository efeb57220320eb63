//! Rules that match nothing.

use super::Screen;
use crate::cli::table::table;
use crate::safe::safe;
use keysweep_api::RulesDocument;

/// References that do not exist, and what matched nothing.
#[must_use]
pub fn rules_text(document: &RulesDocument, screen: Screen) -> String {
    let mut text = String::new();
    if document.missing.is_empty() {
        text += "every account, OU and user that rules name exists, as far as is known\n";
    } else {
        let rows = document.missing.iter().map(|row| {
            let status = row.acknowledged.as_ref().map(|by| format!("acknowledged {by}"));
            [
                (&row.id).into(),
                (&row.what).into(),
                (&row.rule).into(),
                status.unwrap_or_else(|| "stops every automatic change".into()).into(),
            ]
        });
        text += &table(screen, ["ID", "DOES NOT EXIST", "RULE", "STATUS"], rows.collect());
    }
    if document.missing.iter().any(|row| row.stops) {
        text += "\ncorrect the rule, or allow changes again: keysweep rules acknowledge ID --reason TEXT\n";
    }
    for idle in document.matching_nothing.iter().flatten() {
        text += &format!("matches nothing: {}\n", safe(&idle.to_string()));
    }
    text
}

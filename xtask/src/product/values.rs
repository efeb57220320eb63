//! The table of the chart's values, made from the comments in `values.yaml`.

use anyhow::Context as _;

const BEGIN: &str = "<!-- values: begin -->\n";
const END: &str = "<!-- values: end -->";

/// A text with the table between its two marks.
///
/// # Errors
/// If a mark is missing.
pub(super) fn with_table(text: &str, table: &str) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("no line {BEGIN:?}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no line {END:?}"))?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

/// Every key with its default and the comment above it. Only as much YAML is understood as the file uses: mappings
/// indented by two, values that fit on their line, and lists, which are not taken apart.
pub(super) fn table(values: &str) -> String {
    let mut table = "| value | default | meaning |\n|---|---|---|\n".to_owned();
    let mut path: Vec<&str> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut lines = values.lines().peekable();
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        if let Some(said) = text.strip_prefix('#') {
            comment.push(said.trim());
            continue;
        }
        let depth = (line.len() - text.len()) / 2;
        match text.split_once(':') {
            Some((key, default)) if !text.starts_with('-') => {
                path.truncate(depth);
                path.push(key);
                let is_list = lines.peek().is_some_and(|next| next.trim_start().starts_with("- "));
                let default = match default.trim() {
                    "" if is_list => "see [values.yaml](values.yaml)".to_owned(),
                    "" => String::new(),
                    default => format!("`{default}`"),
                };
                if !(default.is_empty() && comment.is_empty()) {
                    table += &format!("| `{}` | {default} | {} |\n", path.join("."), comment.join(" "));
                }
                // What is in a list is not a value of its own.
                if default.starts_with("see") {
                    let within = |next: &&str| next.len() - next.trim_start().len() > depth * 2;
                    while lines.next_if(|next| within(next)).is_some() {}
                }
            }
            _ => {}
        }
        comment.clear();
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_row_with_its_default_and_its_comment() {
        let values = "# Of the file.\n\n# Port,\n# of all.\nport: 9853\nbare:\n  # On.\n  enabled: true\n\
                      # Of a section.\nsection:\n  list:\n    - a: 1\n      b: 2\n  \"c\": \"1\"\n";
        let expected = "| value | default | meaning |\n|---|---|---|\n\
            | `port` | `9853` | Port, of all. |\n\
            | `bare.enabled` | `true` | On. |\n\
            | `section` |  | Of a section. |\n\
            | `section.list` | see [values.yaml](values.yaml) |  |\n\
            | `section.\"c\"` | `\"1\"` |  |\n";
        assert_eq!(table(values), expected);
    }

    #[test]
    fn the_table_stands_between_its_marks() {
        let text = format!("before\n{BEGIN}old\n{END}\nafter");
        assert_eq!(with_table(&text, "new\n").unwrap(), format!("before\n{BEGIN}new\n{END}\nafter"));
        assert!(with_table("no marks", "new\n").is_err());
    }
}

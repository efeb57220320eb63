//! As much XML as the answers of IAM need.

/// The text of the first element of that name.
pub(super) fn text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// The `<member>` elements of a list that holds no other lists.
pub(super) fn members<'a>(xml: &'a str, list: &str) -> Vec<&'a str> {
    let Some(list) = text(xml, list) else { return Vec::new() };
    list.split("<member>")
        .skip(1)
        .filter_map(|rest| rest.split_once("</member>").map(|(member, _)| member))
        .collect()
}

//! Parameters of a call: form fields of the Query protocol, or a JSON object.

use serde_json::Value;

use crate::world::Refusal;

#[derive(Debug, Clone)]
pub(crate) enum Params {
    Query(Vec<(String, String)>),
    Json(Value),
}

impl Params {
    pub(crate) fn query(body: &[u8]) -> Self {
        Self::Query(form_urlencoded::parse(body).into_owned().collect())
    }

    pub(crate) fn json(body: &[u8]) -> Self {
        Self::Json(serde_json::from_slice(body).unwrap_or(Value::Null))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        match self {
            Self::Query(fields) => {
                fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
            }
            Self::Json(object) => object.get(name).and_then(Value::as_str),
        }
    }

    /// The whole body, where it is JSON.
    pub(crate) fn body(&self) -> Option<&Value> {
        match self {
            Self::Query(_) => None,
            Self::Json(object) => Some(object),
        }
    }

    /// A member of a JSON body that is there and not null.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.body()?.get(name).filter(|value| !value.is_null())
    }

    /// Everything there is, on one line.
    pub(crate) fn repeated(&self) -> String {
        match self {
            Self::Query(fields) => {
                fields.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
            }
            Self::Json(object) => object.to_string(),
        }
    }

    pub(crate) fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let field = first_lower(name);
            Refusal::validation(format!(
                "1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// A whole number between `least` and `most`, or `default` where it is left out.
    pub(crate) fn number(&self, name: &str, default: i64, least: i64, most: i64) -> Result<i64, Refusal> {
        let (text, number) = match self {
            Self::Query(_) => match self.get(name) {
                None => return Ok(default),
                Some(text) => (text.to_owned(), text.parse().ok()),
            },
            Self::Json(object) => match object.get(name) {
                None | Some(Value::Null) => return Ok(default),
                Some(value) => (value.to_string(), value.as_i64()),
            },
        };
        let bound = match number {
            Some(number) if number < least => format!("greater than or equal to {least}"),
            Some(number) if number > most => format!("less than or equal to {most}"),
            Some(number) => return Ok(number),
            None => return Err(Refusal::new(400, "MalformedInput", format!("{name} is not a number"))),
        };
        Err(Refusal::validation(format!(
            "1 validation error detected: Value '{text}' at '{}' failed to satisfy constraint: Member must have \
             value {bound}",
            first_lower(name)
        )))
    }

    /// `Tags.member.N.Key` and `.Value`.
    pub(crate) fn tags(&self) -> Vec<(String, String)> {
        (1..)
            .map_while(|n| {
                let key = self.get(&format!("Tags.member.{n}.Key"))?;
                let value = self.get(&format!("Tags.member.{n}.Value")).unwrap_or_default();
                Some((key.to_owned(), value.to_owned()))
            })
            .collect()
    }

    /// The first value of a condition key that `SimulatePrincipalPolicy` is to judge by.
    pub(crate) fn context(&self, key: &str) -> Option<String> {
        let entry = |n: usize| format!("ContextEntries.member.{n}");
        let mut entries = (1..).map_while(|n| Some((n, self.get(&format!("{}.ContextKeyName", entry(n)))?)));
        let (n, _) = entries.find(|(_, name)| name.eq_ignore_ascii_case(key))?;
        self.get(&format!("{}.ContextKeyValues.member.1", entry(n))).map(str::to_owned)
    }

    /// `Name.member.N`.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        (1..).map_while(|n| self.get(&format!("{name}.member.{n}")).map(str::to_owned)).collect()
    }
}

pub(crate) fn first_upper(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

pub(crate) fn first_lower(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

//! The fields of a row, each read with an error that names it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use csv::StringRecord;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::error::{Fault, shown};

/// A JSON object whose fields are read one by one. A value is kept as it is written, because Python's
/// integers have no largest one.
pub(super) struct Record<'l> {
    text: &'l str,
    fields: BTreeMap<String, &'l RawValue>,
}

impl<'l> Record<'l> {
    pub(super) fn parse(text: &'l str) -> Result<Self, Fault> {
        let fields = serde_json::from_str(text)
            .map_err(|error| Fault::new("", "a JSON object", json_error(&error)))?;
        Ok(Self { text, fields })
    }

    /// The whole row.
    pub(super) const fn as_written(&self) -> &'l str {
        self.text
    }

    /// Whether a field has a value.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields
            .get(field)
            .is_some_and(|value| value.get() != "null")
    }

    /// A value as it is written.
    pub(super) fn raw(&self, field: &str) -> Result<&'l str, Fault> {
        self.fields
            .get(field)
            .map(|value| value.get())
            .ok_or_else(|| {
                let there: Vec<&str> = self.fields.keys().map(String::as_str).collect();
                let found = match there[..] {
                    [] => "a row without fields".to_owned(),
                    _ => format!("no such field beside `{}`", there.join("`, `")),
                };
                Fault::new(field, "a value", found)
            })
    }

    /// A value of a type; `expected` is how errors call it.
    pub(super) fn value<T: DeserializeOwned>(
        &self,
        field: &str,
        expected: &str,
    ) -> Result<T, Fault> {
        let raw = self.raw(field)?;
        serde_json::from_str(raw).map_err(|_| Fault::new(field, expected, shown(raw)))
    }

    pub(super) fn text(&self, field: &str) -> Result<String, Fault> {
        self.value(field, "a text")
    }

    /// A text that is not empty.
    pub(super) fn name(&self, field: &str) -> Result<String, Fault> {
        filled(field, self.text(field)?)
    }

    /// A text that may be missing.
    pub(super) fn optional_text(&self, field: &str) -> Result<Option<String>, Fault> {
        match self.has(field) {
            true => self.text(field).map(Some),
            false => Ok(None),
        }
    }

    /// Texts that may be missing.
    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>, Fault> {
        match self.has(field) {
            true => self.value(field, "a list of texts"),
            false => Ok(Vec::new()),
        }
    }

    /// The name of a function or a class of Python.
    pub(super) fn identifier(&self, field: &str) -> Result<String, Fault> {
        let name = self.name(field)?;
        let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        match is_name && !name.starts_with(|c: char| c.is_numeric()) {
            true => Ok(name),
            false => Err(Fault::new(field, "a name of Python", shown(&name))),
        }
    }

    /// An object in a field.
    pub(super) fn inner(&self, field: &str) -> Result<Self, Fault> {
        let raw = self.raw(field)?;
        Self::parse(raw).map_err(|_| Fault::new(field, "an object", shown(raw)))
    }
}

/// A row of CSV by its header.
pub(super) struct Cells<'r> {
    pub(super) header: &'r StringRecord,
    pub(super) record: &'r StringRecord,
}

impl Cells<'_> {
    pub(super) fn text(&self, column: &str) -> Result<&str, Fault> {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|at| self.record.get(at)).ok_or_else(|| {
            let there: Vec<&str> = self.header.iter().collect();
            let found = format!("no such column beside `{}`", there.join("`, `"));
            Fault::new(column, "a column", found)
        })
    }

    /// A text that is not empty.
    pub(super) fn name(&self, column: &str) -> Result<String, Fault> {
        filled(column, self.text(column)?.to_owned())
    }
}

fn filled(field: &str, text: String) -> Result<String, Fault> {
    match text.trim().is_empty() {
        true => Err(Fault::new(field, "a text that is not empty", shown(&text))),
        false => Ok(text),
    }
}

/// What `serde_json` says, without the line, which is always the first of the text it was given.
pub(super) fn json_error(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace(" at line 1 column ", " at column ")
}

/// Python writes `Infinity`, which JSON does not know. A number that is too large for any float means the
/// same to both.
pub(super) fn as_json(line: &str) -> Cow<'_, str> {
    const PYTHON: &str = "Infinity";
    if !line.contains(PYTHON) {
        return line.into();
    }
    let (mut json, mut rest, mut quoted) = (String::new(), line, false);
    while let Some(c) = rest.chars().next() {
        let taken = match (c, quoted) {
            ('\\', true) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            ('I', false) if rest.starts_with(PYTHON) => {
                json.push_str("1e999");
                rest = &rest[PYTHON.len()..];
                continue;
            }
            _ => c.len_utf8(),
        };
        quoted ^= c == '"';
        json.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    json.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_with_their_names() {
        let record = Record::parse(
            r#"{"a": "x", "n": null, "big": 12345678901234567890123, "o": {"i": 1}, "e": " "}"#,
        )
        .expect("an object");
        assert_eq!(record.text("a").as_deref(), Ok("x"));
        assert_eq!(record.raw("big"), Ok("12345678901234567890123"));
        assert_eq!(record.optional_text("n"), Ok(None));
        assert_eq!(record.inner("o").expect("inner").raw("i"), Ok("1"));
        let fault = |result: Result<String, Fault>| result.expect_err("a fault").to_string();
        assert_eq!(
            fault(record.text("o")),
            r#"`o`: expected a text, found `{"i": 1}`"#
        );
        assert_eq!(
            fault(record.text("n")),
            "`n`: expected a text, found `null`"
        );
        assert_eq!(
            fault(record.name("e")),
            "`e`: expected a text that is not empty, found ` `"
        );
        assert_eq!(
            fault(record.text("z")),
            "`z`: expected a value, found no such field beside `a`, `big`, `e`, `n`, `o`"
        );
        assert_eq!(record.identifier("a").as_deref(), Ok("x"));
        let record = Record::parse(r#"{"f": "f()"}"#).expect("an object");
        assert_eq!(
            fault(record.identifier("f")),
            "`f`: expected a name of Python, found `f()`"
        );
    }

    #[test]
    fn infinity_is_a_number() {
        for (line, expected) in [
            ("[1]", "[1]"),
            ("[Infinity, -Infinity]", "[1e999, -1e999]"),
            (
                r#"["Infinity \" Infinity é\\", Infinity]"#,
                r#"["Infinity \" Infinity é\\", 1e999]"#,
            ),
        ] {
            assert_eq!(as_json(line), expected);
        }
    }
}

//! Keys and tokens, which are sent and never shown.

use std::fmt;

use reqwest::header::HeaderValue;

/// An API key or access token.
#[derive(Clone)]
pub struct Secret(String);

/// The environment variable that should hold a key does not, or holds what cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an API key in the environment variable `{variable}`, found {found}")]
pub struct MissingKey {
    /// The variable's name.
    pub variable: String,
    /// What is wrong, without the value.
    pub found: &'static str,
}

impl Secret {
    /// From text that holds it; `None` where it is empty or cannot stand in a header.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        sendable.then(|| Self(text.to_owned()))
    }

    /// From an environment variable, read through `lookup`.
    ///
    /// # Errors
    /// [`MissingKey`] where it is unset, empty, or holds spaces or other text that is no key.
    pub fn from_variable(
        variable: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, MissingKey> {
        let missing = |found| MissingKey {
            variable: variable.to_owned(),
            found,
        };
        let value = lookup(variable).ok_or_else(|| missing("none"))?;
        if value.trim().is_empty() {
            return Err(missing("an empty one"));
        }
        Self::new(&value).ok_or_else(|| missing("one with characters that no key has"))
    }

    /// The value of an `Authorization` header, marked so that HTTP logs leave it out.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The value of a header that holds the key alone, marked likewise.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.0).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The text with every occurrence of the secret taken out: servers echo what they refuse.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "[key]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([key])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_from_the_variable_that_is_named_and_is_not_shown() {
        let lookup = |name: &str| match name {
            "GOOD" => Some(" sk-123 \n".to_owned()),
            "EMPTY" => Some("  ".to_owned()),
            "BAD" => Some("sk 123".to_owned()),
            _ => None,
        };
        let key = Secret::from_variable("GOOD", &lookup).unwrap();
        assert_eq!(key.bearer().unwrap(), "Bearer sk-123");
        assert!(key.bearer().unwrap().is_sensitive());
        assert!(!format!("{key:?} {:?}", key.bearer()).contains("123"));
        assert_eq!(key.redact("bad key sk-123!"), "bad key [key]!");
        for (name, found) in [("EMPTY", "an empty one"), ("NONE", "none")] {
            let error = Secret::from_variable(name, &lookup)
                .unwrap_err()
                .to_string();
            assert!(error.contains(name) && error.contains(found), "{error}");
        }
        let error = Secret::from_variable("BAD", &lookup)
            .unwrap_err()
            .to_string();
        assert!(!error.contains("123"), "{error}");
    }
}

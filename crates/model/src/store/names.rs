//! Names that become paths: each is checked once, at the boundary, and carried as its own type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest id or alias, in bytes.
const NAME_LIMIT: usize = 100;
/// Longest readable part of an id, in bytes.
const SLUG_LIMIT: usize = 64;
/// Hexadecimal digits of the content's hash that an id ends with.
const ID_DIGITS: usize = 8;

macro_rules! checked_name {
    ($(#[$meta:meta])* $name:ident, $check:path) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

checked_name!(
    /// A checkpoint's id: a readable part, a hyphen and the first eight hexadecimal digits of
    /// the hash of its contents, such as `smollm2-135m-q4_1-3f2a91c0`.
    CheckpointId,
    check_id
);
checked_name!(
    /// A name that a user gives to a checkpoint: lower-case letters, digits, `.`, `_`, `-`.
    Alias,
    check_alias
);
checked_name!(
    /// The name of a file directly inside a checkpoint's folder.
    FileName,
    check_file_name
);
checked_name!(
    /// A SHA-256 as 64 lower-case hexadecimal digits.
    Sha256Hex,
    check_sha256
);

impl CheckpointId {
    /// The id of contents with this hash.
    pub(super) fn new(slug: &str, content: &Sha256Hex) -> Result<Self, String> {
        let digits = content.0.get(..ID_DIGITS).unwrap_or_default();
        Self::try_from(format!("{slug}-{digits}"))
    }

    /// Whether the id ends with the first digits of this hash.
    pub(super) fn names(&self, content: &Sha256Hex) -> bool {
        content.0.get(..ID_DIGITS) == self.0.rsplit('-').next()
    }
}

impl Sha256Hex {
    /// From a finished hash.
    pub(crate) fn from_digest(digest: &[u8]) -> Self {
        Self(hex::encode(digest))
    }
}

/// The readable part of an id made from any text: lower-case ASCII letters and digits stay,
/// `.` and `_` stay between them, everything else becomes one hyphen.
pub fn slug(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            out.push(character);
        } else if !out.is_empty() && !out.ends_with(['-', '.', '_']) {
            out.push(if matches!(character, '.' | '_') {
                character
            } else {
                '-'
            });
        }
        if out.len() >= SLUG_LIMIT {
            break;
        }
    }
    let trimmed = out.trim_end_matches(['-', '.', '_']);
    if trimmed.is_empty() {
        "model".to_owned()
    } else {
        trimmed.to_owned()
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
}

fn check_alias(text: &str) -> Result<(), String> {
    let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    // A name ending in `.gguf` would be taken for a file.
    if starts && text.len() <= NAME_LIMIT && text.bytes().all(is_plain) && !text.ends_with(".gguf")
    {
        return Ok(());
    }
    Err(format!(
        "expected a name of at most {NAME_LIMIT} lower-case letters, digits, `.`, `_` and `-` \
         that starts with a letter or digit and does not end in `.gguf`, found {text:?}"
    ))
}

fn check_id(text: &str) -> Result<(), String> {
    let digits = text.rsplit_once('-').map_or("", |(_, digits)| digits);
    if check_alias(text).is_ok() && digits.len() == ID_DIGITS && is_lower_hex(digits) {
        return Ok(());
    }
    Err(format!(
        "expected an id such as `smollm2-135m-q4_1-3f2a91c0`, found {:?}",
        shorten(text)
    ))
}

fn check_file_name(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|b| is_plain(b) || b.is_ascii_uppercase());
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let reserved = ["manifest.json", "evidence"]
        .iter()
        .any(|name| text.eq_ignore_ascii_case(name));
    if plain && starts && text.len() <= 200 && !reserved && !text.ends_with('.') {
        return Ok(());
    }
    Err(format!(
        "expected a plain file name of at most 200 ASCII letters, digits, `.`, `_` and `-`, \
         found {:?}",
        shorten(text)
    ))
}

fn check_sha256(text: &str) -> Result<(), String> {
    if text.len() == 64 && is_lower_hex(text) {
        return Ok(());
    }
    Err(format!(
        "expected a SHA-256 as 64 lower-case hexadecimal digits, found {:?}",
        shorten(text)
    ))
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Hostile names go into messages only in part.
fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_that_leave_the_folder_or_shadow_the_manifest_are_refused() {
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc/passwd",
            ".hidden",
            "a\0b",
            "C:x",
            "manifest.json",
            "Manifest.JSON",
            "evidence",
            "näme",
            "a b",
            "trailing.",
            "-x",
        ] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?}");
        }
        for good in [
            "model.gguf",
            "model-00001-of-00003.safetensors",
            "tokenizer.json",
            "A_1",
        ] {
            assert!(good.parse::<FileName>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn ids_end_with_eight_digits_of_the_hash() {
        let content: Sha256Hex = "3f2a91c0".repeat(8).parse().unwrap();
        let id = CheckpointId::new("smollm2-135m-q4_1", &content).unwrap();
        assert_eq!(id.as_str(), "smollm2-135m-q4_1-3f2a91c0");
        assert!(id.names(&content));
        assert!(!id.names(&"00".repeat(32).parse().unwrap()));
        for bad in [
            "x",
            "x-3f2a91c",
            "x-3F2A91C0",
            "../x-3f2a91c0",
            "-3f2a91c0",
            "x-3f2a91c0.gguf",
        ] {
            assert!(bad.parse::<CheckpointId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn slugs_are_readable_and_always_valid() {
        let table = [
            ("SmolLM2 135M Instruct Q4_1", "smollm2-135m-instruct-q4_1"),
            ("Qwen/Qwen2.5-Coder-0.5B", "qwen-qwen2.5-coder-0.5b"),
            ("..//__", "model"),
            ("", "model"),
            ("Ünïcode", "n-code"),
            ("a--b..c", "a-b.c"),
        ];
        for (text, expected) in table {
            assert_eq!(slug(text), expected, "{text:?}");
        }
        assert_eq!(slug(&"x".repeat(1000)).len(), SLUG_LIMIT);
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_slug_that_makes_an_id(text in ".*") {
            let content: Sha256Hex = "00".repeat(32).parse().unwrap();
            proptest::prop_assert!(CheckpointId::new(&slug(&text), &content).is_ok());
        }
    }
}

//! What a model takes for the end or the beginning of a prompt's part where code spells it.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};
use truefill_model::fim::FimFormat;

/// Shorter ones are markup in any file: `<s>`.
const SHORTEST: usize = 4;

/// The first control text of any FIM format that a text spells.
#[must_use]
pub fn first(text: &str) -> Option<&str> {
    static CONTROL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let mut spelled: Vec<&str> = FimFormat::all()
            .iter()
            .flat_map(FimFormat::control_texts)
            .filter(|token| token.len() >= SHORTEST)
            .collect();
        spelled.sort_unstable();
        spelled.dedup();
        let either: Vec<String> = spelled.into_iter().map(regex::escape).collect();
        RegexBuilder::new(&either.join("|")).build().ok()
    });
    let found = CONTROL.as_ref()?.find(text.as_bytes())?;
    text.get(found.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_texts_of_every_format_are_found() {
        for format in FimFormat::all() {
            for token in format.control_texts().filter(|token| token.len() > 3) {
                let text = format!("x = '{token}'\n");
                assert_eq!(first(&text), Some(token), "{}", format.name());
            }
        }
        // What ends a text is none of a layout's sentinels.
        for end in ["<|endoftext|>", "<|im_end|>", "<|end_of_text|>", "</s>"] {
            assert_eq!(first(&format!("end = '{end}'")), Some(end));
        }
        for text in [
            "a < b",
            "[1]",
            "x[SUF]",
            "<file>",
            "<p>",
            "Vec<String>",
            "<s>",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }
}

//! Prompts as data: versioned templates with named places and no language.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::rows::Context as Row;
use crate::usage::Usage;

/// Bytes of each side of a hole that a question shows, where a recipe does not say otherwise.
pub const SIDE_BYTES: usize = 24_000;

/// A prompt of `prompts/`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Its name and number; a change of the text is a new number.
    pub version: String,
    /// Instructions.
    pub system: String,
    /// What they are applied to.
    pub user: String,
    /// Where it stands below a folder of prompts, without the ending.
    #[serde(skip)]
    pub name: String,
    /// SHA-256 of the file, in hex.
    #[serde(skip)]
    pub sha256: String,
}

impl Prompt {
    /// Reads a prompt; `places` are the names that may stand in `{{…}}`.
    ///
    /// # Errors
    /// Where the file is none, or has a place that nobody fills.
    pub fn parse(text: &str, places: &[&str]) -> Result<Self> {
        let mut prompt: Self = toml::from_str(text)?;
        prompt.sha256 = hex::encode(Sha256::digest(text.as_bytes()));
        ensure!(
            !prompt.system.contains("{{"),
            "expected places in `user` alone, found `{{{{` in `system`, which is the same for every row"
        );
        let mut rest = prompt.user.as_str();
        while let Some(at) = rest.find("{{") {
            let tail = &rest[at + 2..];
            let end = tail.find("}}").context("expected `}}` behind `{{`")?;
            let place = tail[..end].trim();
            ensure!(
                places.contains(&place),
                "expected a place of {places:?} in `{{{{…}}}}`, found `{place}`"
            );
            rest = &tail[end..];
        }
        Ok(prompt)
    }

    /// The prompt `<name>.toml` below `folder`, or the one that is compiled in. A folder of the
    /// user's is laid out as `prompts/` is.
    ///
    /// # Errors
    /// [`Usage`] with the file's name: the recipe names a folder that does not fit.
    pub fn load(
        folder: Option<&Path>,
        name: &str,
        built_in: &str,
        places: &[&str],
    ) -> Result<Self> {
        let mut prompt = match folder {
            None => {
                Self::parse(built_in, places).with_context(|| format!("the prompt `{name}`"))?
            }
            Some(folder) => {
                let path = folder.join(format!("{name}.toml"));
                let shown = path.display();
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    Usage::error(format!("{shown}: expected a prompt: {error}"))
                })?;
                Self::parse(&text, places)
                    .map_err(|error| Usage::error(format!("{shown}: {error:#}")))?
            }
        };
        name.clone_into(&mut prompt.name);
        Ok(prompt)
    }

    /// How a manifest names it.
    #[must_use]
    pub fn row(&self) -> serde_json::Value {
        json!({"prompt": self.name, "version": self.version, "sha256": self.sha256})
    }

    /// The user's part with its places filled. What is filled in is never read as a template.
    #[must_use]
    pub fn render(&self, values: &[(&str, &str)]) -> String {
        fill(&self.user, values)
    }
}

/// Fills the places of a template.
#[must_use]
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        filled.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let Some(end) = tail.find("}}") else {
            rest = &rest[at..];
            break;
        };
        let place = tail[..end].trim();
        if let Some((_, value)) = values.iter().find(|(name, _)| *name == place) {
            filled.push_str(value);
        }
        rest = &tail[end + 2..];
    }
    filled + rest
}

/// What a question shows around a hole: of each side what is nearest to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around<'a> {
    /// What stands before it.
    pub prefix: &'a str,
    /// What stands behind it.
    pub suffix: &'a str,
    /// The row holds more.
    pub shortened: bool,
}

impl<'a> Around<'a> {
    /// Shows at most `side_bytes` of each side, in whole lines where there are such.
    #[must_use]
    pub fn of(context: &'a Row, side_bytes: usize) -> Self {
        let prefix = tail(&context.prefix, side_bytes);
        let suffix = head(&context.suffix, side_bytes);
        let whole = context.prefix.len() + context.suffix.len();
        Self {
            prefix,
            suffix,
            shortened: prefix.len() + suffix.len() < whole,
        }
    }
}

/// At most the last `bytes` of a text, from a line's start where there is one.
#[must_use]
pub fn tail(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut start = text.len() - bytes;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let cut = &text[start..];
    cut.find('\n').map_or(cut, |at| &cut[at + 1..])
}

/// At most the first `bytes` of a text, up to a line's end where there is one.
#[must_use]
pub fn head(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = &text[..end];
    cut.rfind('\n').map_or(cut, |at| &cut[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_templates() {
        let filled = fill("a {{x}} b {{ y }}", &[("x", "{{y}}"), ("y", "2")]);
        assert_eq!(filled, "a {{y}} b 2");
    }

    /// The snapshot holds each text to its version: a change to a text needs a new version.
    #[test]
    fn every_prompt_is_as_its_version_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prompts");
        let mut lines = Vec::new();
        for folder in ["generate", "judge", "select"] {
            for entry in std::fs::read_dir(root.join(folder)).expect("there") {
                let path = entry.expect("one").path();
                let text = std::fs::read_to_string(&path).expect("reads");
                let prompt: Prompt = toml::from_str(&text).expect("a prompt");
                let digest = hex::encode(Sha256::digest(prompt.system + "\n" + &prompt.user));
                let name = path.file_stem().expect("a name").to_string_lossy();
                let (version, digest) = (prompt.version, &digest[..16]);
                lines.push(format!("{folder}/{name} {version} {digest}"));
            }
        }
        lines.sort();
        insta::assert_snapshot!("prompts", lines.join("\n"));
    }

    #[test]
    fn a_place_that_nobody_fills_is_refused() {
        let text = "version = \"a-1\"\nsystem = \"s\"\nuser = \"{{prefix}} {{wat}}\"\n";
        let error = Prompt::parse(text, &["prefix"]).expect_err("refused");
        assert!(error.to_string().contains("`wat`"), "{error}");
        assert!(Prompt::parse(text, &["prefix", "wat"]).is_ok());
        // Nobody fills the instructions.
        let text = "version = \"a-1\"\nsystem = \"In {{language}}.\"\nuser = \"u\"\n";
        let error = Prompt::parse(text, &["language"]).expect_err("refused");
        assert!(error.to_string().contains("`system`"), "{error}");
    }

    #[test]
    fn a_question_shows_the_lines_nearest_to_the_hole() {
        use truefill_syntax::Language;
        let parts = ["one\ntwo\nx = ", "golden", "  # é\nnext\nlast\n"];
        let row = Row::of_file(Language::Python, "o/r", "MIT", "a.py", parts);
        let shown = |side_bytes| {
            let around = Around::of(&row, side_bytes);
            (around.prefix, around.suffix, around.shortened)
        };
        assert_eq!(shown(100), (parts[0], parts[2], false));
        assert_eq!(shown(17), (parts[0], parts[2], false));
        assert_eq!(shown(11), ("two\nx = ", "  # é\n", true));
        assert_eq!(shown(7), ("x = ", "  # é\n", true));
        // Where no line ends within reach, a character is the border.
        assert_eq!(shown(5), ("x = ", "  # ", true));
        assert_eq!(shown(3), (" = ", "  #", true));
        assert_eq!(shown(0), ("", "", true));
    }
}

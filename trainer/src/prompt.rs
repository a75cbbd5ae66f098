//! Prompts as data: versioned templates with named places and no language.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

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
}

impl Prompt {
    /// Reads a prompt; `places` are the names that may stand in `{{…}}`.
    ///
    /// # Errors
    /// Where the file is none, or has a place that nobody fills.
    pub fn parse(text: &str, places: &[&str]) -> Result<Self> {
        let prompt: Self = toml::from_str(text)?;
        for part in [&prompt.system, &prompt.user] {
            let mut rest = part.as_str();
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
        }
        Ok(prompt)
    }

    /// The prompt `name` out of `folder`, or the one that is compiled in.
    ///
    /// # Errors
    /// As [`Prompt::parse`], with the file's name.
    pub fn load(
        folder: Option<&Path>,
        name: &str,
        built_in: &str,
        places: &[&str],
    ) -> Result<Self> {
        let Some(folder) = folder else {
            return Self::parse(built_in, places).with_context(|| format!("the prompt `{name}`"));
        };
        let path = folder.join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{}: expected a prompt", path.display()))?;
        Self::parse(&text, places).with_context(|| path.display().to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_templates() {
        let filled = fill("a {{x}} b {{ y }}", &[("x", "{{y}}"), ("y", "2")]);
        assert_eq!(filled, "a {{y}} b 2");
    }

    #[test]
    fn a_place_that_nobody_fills_is_refused() {
        let text = "version = \"a-1\"\nsystem = \"s\"\nuser = \"{{prefix}} {{wat}}\"\n";
        let error = Prompt::parse(text, &["prefix"]).expect_err("refused");
        assert!(error.to_string().contains("`wat`"), "{error}");
        assert!(Prompt::parse(text, &["prefix", "wat"]).is_ok());
    }
}

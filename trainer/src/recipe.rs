//! Recipes: one TOML file for all steps, a section for each.

use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use crate::usage::Usage;

/// The section `[name]` of a recipe, its defaults where the file or the section is not there. Other
/// sections belong to other steps and are not looked at.
///
/// # Errors
/// Where the file cannot be read, is no TOML, or the section has a key that no step knows.
pub fn section<T: DeserializeOwned + Default>(recipe: Option<&Path>, name: &str) -> Result<T> {
    let Some(path) = recipe else {
        return Ok(T::default());
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: the recipe cannot be read", path.display()))?;
    let wrong = |error: toml::de::Error| Usage::error(format!("{}: {error}", path.display()));
    let mut sections: toml::Table = toml::from_str(&text).map_err(wrong)?;
    let Some(found) = sections.remove(name) else {
        return Ok(T::default());
    };
    found.try_into().map_err(|error: toml::de::Error| {
        let why = error.message();
        Usage::error(format!("{}: section `[{name}]`: {why}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Part {
        seed: u64,
    }

    #[test]
    fn a_section_is_read_and_a_wrong_key_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.toml");
        std::fs::write(&path, "[a]\nseed = 3\n[b]\nsed = 1\n").expect("written");
        let read = |name| section::<Part>(Some(&path), name);
        assert_eq!(read("a").expect("read"), Part { seed: 3 });
        assert_eq!(read("c").expect("read"), Part::default());
        assert_eq!(section::<Part>(None, "a").expect("read"), Part::default());
        let error = read("b").expect_err("refused");
        assert!(error.is::<Usage>());
        let error = error.to_string();
        assert!(
            error.contains("r.toml") && error.contains("`sed`"),
            "{error}"
        );
    }
}

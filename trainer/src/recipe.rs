//! Recipes: one TOML file for all steps, a section for each.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

use crate::usage::Usage;

/// The sections that there are: the models that are asked, and the steps in their order.
const SECTIONS: [&str; 11] = [
    "run", "members", "harvest", "mine", "generate", "judge", "curate", "train", "eval", "promote",
    "ablate",
];

/// The section `[name]` of a recipe, its defaults where the file or the section is not there. Other
/// sections belong to other steps and are not looked at.
///
/// # Errors
/// Where the file cannot be read; [`Usage`] where it is no TOML or the section has a key that no
/// step knows.
pub fn section<T: DeserializeOwned + Default>(recipe: Option<&Path>, name: &str) -> Result<T> {
    let Some(path) = recipe else {
        return Ok(T::default());
    };
    match sections(path)?.remove(name) {
        Some(found) => read(found, &format!("section `[{name}]`"))
            .map_err(|error| Usage::error(format!("{}: {error}", path.display()))),
        None => Ok(T::default()),
    }
}

/// All sections of a recipe.
///
/// # Errors
/// As [`section`].
pub fn sections(path: &Path) -> Result<toml::Table> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{}: the recipe cannot be read", path.display()))?;
    let wrong = |error: String| Usage::error(format!("{}: {error}", path.display()));
    let sections: toml::Table = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    match sections.keys().find(|name| !SECTIONS.contains(&&***name)) {
        None => Ok(sections),
        Some(unknown) => {
            let nearest = nearest(unknown, SECTIONS.iter().copied());
            let hint = nearest.map(|name| format!("; the nearest is `[{name}]`"));
            let known = SECTIONS.map(|name| format!("`[{name}]`")).join(", ");
            Err(wrong(format!(
                "expected the sections {known}, found `{unknown}`{}",
                hint.unwrap_or_default()
            )))
        }
    }
}

/// Reads a part of a recipe; `what` is how errors call it.
///
/// # Errors
/// [`Usage`], which names the nearest key where one is not known.
pub fn read<T: DeserializeOwned>(part: toml::Value, what: &str) -> Result<T> {
    part.try_into().map_err(|error: toml::de::Error| {
        let why = error.message();
        let hint = nearest_key(why).map(|key| format!("; the nearest key is `{key}`"));
        Usage::error(format!("{what}: {why}{}", hint.unwrap_or_default()))
    })
}

/// Takes a recipe's paths from its folder.
pub fn found_from<'p>(recipe: Option<&Path>, paths: impl IntoIterator<Item = &'p mut PathBuf>) {
    let folder = recipe.and_then(Path::parent).unwrap_or(Path::new(""));
    for path in paths {
        *path = folder.join(&*path);
    }
}

/// The same of checkpoints, which may be named as the user's store names them.
pub fn checkpoints_from<'p>(
    recipe: Option<&Path>,
    paths: impl IntoIterator<Item = &'p mut PathBuf>,
) {
    for path in paths {
        let named = path.clone();
        found_from(recipe, [&mut *path]);
        if !path.exists() {
            let stored = crate::checkpoint::find(&named);
            *path = if stored == named {
                path.clone()
            } else {
                stored
            };
        }
    }
}

/// Names the recipe in an error that says what has to be changed in it.
pub fn named(recipe: Option<&Path>) -> impl Fn(anyhow::Error) -> anyhow::Error + use<'_> {
    move |error| match (error.downcast_ref::<Usage>(), recipe) {
        (Some(usage), Some(path)) => Usage::error(format!("{}: {usage}", path.display())),
        _ => error,
    }
}

/// The key that was meant, out of serde's message: it quotes the unknown one first, then all that
/// there are.
fn nearest_key(message: &str) -> Option<&str> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    nearest(quoted.next()?, quoted)
}

/// The name that was meant, if one is much like it.
fn nearest<'a>(unknown: &str, mut known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |key: &str| strsim::normalized_damerau_levenshtein(unknown, key);
    known
        .by_ref()
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
        .filter(|key| likeness(key) > 0.4)
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
        std::fs::write(&path, "[mine]\nseed = 3\n[judge]\nsed = 1\n").expect("written");
        let read = |name| section::<Part>(Some(&path), name);
        assert_eq!(read("mine").expect("read"), Part { seed: 3 });
        assert_eq!(read("curate").expect("read"), Part::default());
        let none = section::<Part>(None, "mine").expect("read");
        assert_eq!(none, Part::default());
        let error = read("judge").expect_err("refused");
        assert!(error.is::<Usage>());
        let error = error.to_string();
        assert!(
            error.contains("r.toml")
                && error.contains("`sed`, expected `seed`; the nearest key is `seed`"),
            "{error}"
        );
    }

    /// Its keys would be silence, and a budget is among them.
    #[test]
    fn a_section_that_nobody_reads_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r.toml");
        for (text, hint) in [
            ("[genrate]\nbudget = 20.0\n", "the nearest is `[generate]`"),
            ("[member.gpt]\nurl = ''\n", "the nearest is `[members]`"),
            ("seed = 3\n", "found `seed`"),
        ] {
            std::fs::write(&path, text).expect("written");
            let error = section::<Part>(Some(&path), "mine").expect_err(text);
            assert!(error.is::<Usage>(), "{error}");
            let error = error.to_string();
            assert!(error.contains(hint) && error.contains("r.toml"), "{error}");
        }
    }

    const DATA: &str = include_str!("../../docs/data.md");
    const TRAIN: &str = include_str!("../../docs/train.md");
    const EVAL: &str = include_str!("../../docs/eval.md");
    const LOOP: &str = include_str!("../../docs/loop.md");

    fn json(value: &impl serde::Serialize) -> serde_json::Value {
        serde_json::to_value(value).expect("JSON")
    }

    /// The rows of a section's table: key and default.
    fn rows<'p>(page: &'p str, heading: &str) -> Vec<(&'p str, &'p str)> {
        let (_, section) = page
            .split_once(&format!("\n## `{heading}`\n"))
            .unwrap_or_else(|| panic!("docs: expected a section `{heading}`"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let lines = section.lines().filter(|line| line.starts_with("| `"));
        lines
            .map(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                (cells[1].trim_matches('`'), cells[3].trim_matches('`'))
            })
            .collect()
    }

    fn assert_section(page: &str, heading: &str, defaults: &serde_json::Value) {
        let rows = rows(page, heading);
        let elsewhere = [
            "local", "teacher", "bands", "scorer", "holes", "sft", "orpo", "dpo", "fgit", "lora",
            "schedule", "adam", "eval", "save", "chat", "decoding", "suite", "server", "axis",
        ];
        let defaults = defaults.as_object().expect("a table");
        let keys: Vec<_> = defaults.keys().map(String::as_str).collect();
        for (key, _) in &rows {
            assert!(
                keys.contains(key),
                "{heading}: `{key}` is no key; there are {keys:?}"
            );
        }
        for (key, default) in defaults {
            if elsewhere.contains(&key.as_str()) {
                continue;
            }
            let row = rows.iter().find(|(known, _)| known == key);
            let (_, shown) = row.unwrap_or_else(|| panic!("{heading}: expected a row of `{key}`"));
            // Numbers of 32 bits have other digits as numbers of 64.
            let near = |number: f64| shown.parse().is_ok_and(|n: f64| (n - number).abs() < 1e-6);
            let text = default.to_string();
            let fits = match default {
                _ if *shown == "required" => true,
                serde_json::Value::Null => *shown == "none",
                serde_json::Value::Number(number) => number.as_f64().is_some_and(near),
                _ => text == *shown,
            };
            assert!(
                fits,
                "{heading}: `{key}`: expected the default {default}, found {shown}"
            );
        }
    }

    /// The example of `docs/mining.md` can be meant, and shows every key, if perhaps as a comment.
    #[test]
    fn the_page_of_mine_has_every_key() {
        let page = include_str!("../../docs/mining.md");
        let (_, example) = page.split_once("```toml\n").expect("an example");
        let (example, _) = example.split_once("```").expect("its end");
        let mut sections: toml::Table = toml::from_str(example).expect("TOML");
        let mine = sections.remove("mine").expect("`[mine]`");
        read::<crate::mine::Recipe>(mine, "the example").expect("a recipe");
        let shows = |key: &str| {
            let mut lines = example.lines().map(|line| line.trim_start_matches("# "));
            let (value, table) = (format!("{key} ="), format!("[mine.{key}]"));
            lines.any(|line| line.starts_with(&value) || line == table)
        };
        let defaults = json(&crate::mine::Recipe::default());
        let mut keys: Vec<&String> = defaults.as_object().expect("a table").keys().collect();
        for table in ["selector", "limits"] {
            keys.extend(defaults[table].as_object().expect("a table").keys());
        }
        for key in keys {
            assert!(shows(key), "docs/mining.md: expected the key `{key}`");
        }
    }

    /// The pages teach every key that there is, with its default, and no other.
    #[test]
    fn the_pages_have_every_key_with_its_default() {
        use crate::generate::Recipe;
        use truefill_remote::api::{EndpointConfig, Protocol};
        let harvest = json(&crate::harvest::HarvestRecipe::default());
        assert_section(LOOP, "[harvest]", &harvest);
        assert_section(LOOP, "[run]", &json(&crate::run::RunRecipe::default()));
        let generate = json(&Recipe::default());
        let judge = json(&crate::judge::JudgeRecipe::default());
        let curate = json(&crate::curate::CurateRecipe::default());
        let scorer: crate::score::ScorerRecipe =
            toml::from_str("name = ''\nmodel = ''").expect("a scorer");
        let member = EndpointConfig::new("", Protocol::OpenaiChat, "");
        let sections = [
            ("[members.NAME]", json(&member)),
            ("[generate]", generate.clone()),
            ("[generate.local]", generate["local"].clone()),
            ("[generate.teacher]", generate["teacher"].clone()),
            ("[judge]", judge),
            ("[[judge.scorer]]", json(&scorer)),
            ("[curate]", curate.clone()),
            ("[curate.bands]", curate["bands"].clone()),
        ];
        for (heading, defaults) in sections {
            assert_section(DATA, heading, &defaults);
        }
        let train = json(&crate::train::recipe::TrainRecipe::default());
        assert_section(TRAIN, "[train]", &train);
        for table in [
            "holes", "sft", "orpo", "dpo", "fgit", "lora", "schedule", "adam", "eval", "save",
        ] {
            assert_section(TRAIN, &format!("[train.{table}]"), &train[table]);
        }
        let eval = json(&crate::eval::recipe::EvalRecipe::default());
        assert_section(EVAL, "[eval]", &eval);
        assert_section(EVAL, "[eval.decoding]", &eval["decoding"]);
        let ablate = json(&crate::ablate::recipe::AblateRecipe::default());
        assert_section(EVAL, "[ablate]", &ablate);
    }
}

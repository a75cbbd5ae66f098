//! Prints the names that occur in at least N of the given folders, one a line, most widely used
//! first: the source of the lists of commonly used names under `src/builtins/data`.
//!
//! ```text
//! cargo run --release -p truefill-syntax --example common_names -- LANGUAGE N FOLDER…
//! ```

#![allow(clippy::print_stdout)]

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::Path,
};

#[path = "files/mod.rs"]
mod files;

use files::indexable_files;
use truefill_syntax::{Language, symbols};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [language, least, folders @ ..] = arguments.as_slice() else {
        println!("usage: common_names LANGUAGE N FOLDER…");
        return;
    };
    let (Ok(language), Ok(least)) = (language.parse::<Language>(), least.parse::<usize>()) else {
        println!("expected the name of a language and a number, found {language} {least}");
        return;
    };
    let mut folders_of: HashMap<String, usize> = HashMap::new();
    for folder in folders {
        let mut names = BTreeSet::new();
        for (path, found) in indexable_files(Path::new(folder)) {
            let same = found == language || (is_script(found) && is_script(language));
            if let (true, Ok(text)) = (same, fs::read_to_string(&path)) {
                names.extend(symbols(found, &text).names);
            }
        }
        for name in names {
            *folders_of.entry(name).or_default() += 1;
        }
    }
    let mut names: Vec<(String, usize)> = folders_of
        .into_iter()
        .filter(|(name, count)| *count >= least && name.len() > 1)
        .collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for (name, _) in names {
        println!("{name}");
    }
}

/// JavaScript and TypeScript share their names.
fn is_script(language: Language) -> bool {
    matches!(
        language,
        Language::JavaScript | Language::TypeScript | Language::Tsx
    )
}

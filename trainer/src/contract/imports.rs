//! One import that names what does not exist.

use truefill_syntax::{Import, is_common_name, is_standard_module, symbols_of};

use super::{Compared, Parsed, Violation, is_tell_tale};

const OTHER: Violation = Violation::OtherChange { expected: "import" };

/// The candidate imports as many names as the golden line, and one package or symbol is another.
pub(super) fn check(compared: &Compared) -> Result<(), Violation> {
    let (golden, rejected) = (compared.golden, &compared.rejected);
    let (before, after) = (imports(golden), imports(rejected));
    if before.is_empty() {
        return Err(Violation::NotAnImport);
    }
    if before.len() != after.len() {
        return Err(OTHER);
    }
    let changed: Vec<(&Import, &Import)> = before
        .iter()
        .zip(&after)
        .filter(|(old, new)| (&old.module, &old.name) != (&new.module, &new.name))
        .collect();
    let renamed = before.iter().zip(&after).any(|(old, new)| {
        (&old.module, &old.name) == (&new.module, &new.name) && old.alias != new.alias
    });
    if renamed {
        // What a file calls an import is its own affair.
        return Err(OTHER);
    }
    let Some((first_old, first_new)) = changed.first() else {
        return Err(Violation::NoChange);
    };
    let one_module = changed.iter().all(|(old, new)| {
        old.name == new.name && old.module == first_old.module && new.module == first_new.module
    });
    if changed.len() > 1 && !one_module {
        return Err(Violation::ManyChanges);
    }
    if first_new.name.is_none() && is_standard_module(golden.language, &first_new.module) {
        return Err(Violation::NameExists(first_new.module.clone()));
    }
    new_part(compared)
}

fn imports(parsed: &Parsed) -> Vec<Import> {
    let symbols = symbols_of(parsed.language, &parsed.text, &parsed.tree);
    symbols
        .imports
        .into_iter()
        .filter(|import| {
            let at = import.module_range.start;
            parsed.hole.contains(&at)
        })
        .collect()
}

/// At least one changed part of the import is new to the file and to the language.
fn new_part(compared: &Compared) -> Result<(), Violation> {
    let rejected = &compared.rejected;
    let mut verdict = Err(Violation::NoNewName);
    for leaf in compared.changed(rejected) {
        let text = rejected.text_of(&leaf);
        if !text.chars().any(char::is_alphabetic) {
            continue;
        }
        if is_tell_tale(text) {
            return Err(Violation::TellTale(text.to_owned()));
        }
        let known = match () {
            () if compared.golden.has_word(text) => Some(Violation::NameInFile(text.to_owned())),
            () if is_common_name(compared.golden.language, text) => {
                Some(Violation::NameExists(text.to_owned()))
            }
            () => None,
        };
        match known {
            None => verdict = Ok(()),
            Some(known) if verdict == Err(Violation::NoNewName) => verdict = Err(known),
            Some(_) => {}
        }
    }
    verdict
}

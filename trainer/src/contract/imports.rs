//! One import that names what does not exist.

use truefill_syntax::{
    Import, Language, is_common_name, is_standard_module, is_standard_name, symbols_of,
};

use super::{Compared, Parsed, Violation};

const OTHER: Violation = Violation::OtherChange { expected: "import" };

/// Modules of Rust's standard library with everything that they hold: of these it is known that
/// `HashTable` is not among them, however much code has a type of that name.
const RUST: &[(&str, &[&str])] = &[
    (
        "std::collections",
        &[
            "BTreeMap",
            "BTreeSet",
            "BinaryHeap",
            "Bound",
            "HashMap",
            "HashSet",
            "LinkedList",
            "TryReserveError",
            "VecDeque",
            "binary_heap",
            "btree_map",
            "btree_set",
            "hash_map",
            "hash_set",
            "linked_list",
            "vec_deque",
        ],
    ),
    ("std::rc", &["Rc", "UniqueRc", "Weak"]),
    (
        "std::cell",
        &[
            "BorrowError",
            "BorrowMutError",
            "Cell",
            "LazyCell",
            "OnceCell",
            "Ref",
            "RefCell",
            "RefMut",
            "SyncUnsafeCell",
            "UnsafeCell",
        ],
    ),
    (
        "std::time",
        &[
            "Duration",
            "Instant",
            "SystemTime",
            "SystemTimeError",
            "TryFromFloatSecsError",
            "UNIX_EPOCH",
        ],
    ),
];

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
    let same =
        |(old, new): &(&Import, &Import)| (&old.module, &old.name) == (&new.module, &new.name);
    let pairs = || before.iter().zip(&after);
    if pairs().any(|pair| same(&pair) && pair.0.alias != pair.1.alias) {
        // What a file calls an import is its own affair.
        return Err(OTHER);
    }
    let Some((_, new)) = pairs().find(|pair| !same(pair)) else {
        return Err(Violation::NoChange);
    };
    let part = changed_part(compared)?;
    exists(compared, new, &part)
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

/// The one word of the import that differs.
fn changed_part(compared: &Compared) -> Result<String, Violation> {
    let text = |parsed: &Parsed| {
        let changed = compared.changed(parsed);
        let ends = changed.first().zip(changed.last());
        ends.map_or_else(String::new, |(first, last)| {
            parsed.text[first.range.start..last.range.end].to_owned()
        })
    };
    let (old, new) = (text(compared.golden), text(&compared.rejected));
    let only_words = same_signs(&old, &new);
    let (old, new) = (words(&old), words(&new));
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - same_start;
    let same_end = (1..=most)
        .take_while(|at| old[old.len() - at] == new[new.len() - at])
        .count();
    let gone = &old[same_start..old.len() - same_end];
    match (gone, &new[same_start..new.len() - same_end]) {
        ([] | [_], [part]) if only_words => Ok((*part).to_owned()),
        ([] | [_], [_]) => Err(OTHER),
        (_, []) => Err(Violation::NoNewName),
        _ => Err(Violation::ManyChanges),
    }
}

/// The names of an import and the parts of its path; `lodash-es` is one part.
fn words(text: &str) -> Vec<&str> {
    text.split(is_sign)
        .filter(|part| !part.is_empty())
        .collect()
}

fn is_sign(c: char) -> bool {
    !(c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// What stands around the words is the same, but for the sign that a further word brings: `@@a/b`
/// for `@a/c` would tell on itself. Spaces, and which quotes, are a matter of style.
fn same_signs(old: &str, new: &str) -> bool {
    let signs = |text: &str| -> Vec<String> {
        let between = text.split(|c| !is_sign(c));
        let plain = between.map(|signs| signs.replace(char::is_whitespace, "").replace('\'', "\""));
        plain.filter(|signs| !signs.is_empty()).collect()
    };
    let (old, new) = (signs(old), signs(new));
    let without = |at: usize| [&new[..at], &new[at + 1..]].concat();
    let further = |at: usize| without(at) == old && old.contains(&new[at]);
    old == new || old.is_empty() || (0..new.len()).any(further)
}

/// The changed part is new to the file, plausible, and no name that the language brings.
fn exists(compared: &Compared, import: &Import, part: &str) -> Result<(), Violation> {
    let golden = compared.golden;
    if !part.chars().any(char::is_alphabetic) {
        return Err(Violation::NoNewName);
    }
    if golden.tells(part) {
        return Err(Violation::TellTale(part.to_owned()));
    }
    if golden.has_word(part) {
        return Err(Violation::NameInFile(part.to_owned()));
    }
    let known = match known_names(golden.language, import) {
        // Where the module's names are all listed, the list decides.
        Some(known) => known,
        // So it does for Go's packages without a host.
        None if golden.language == Language::Go && !is_hosted(&import.module) => {
            is_standard_module(golden.language, &import.module)
        }
        None if import.name.is_none() => {
            is_standard_module(golden.language, &import.module)
                || is_common_name(golden.language, part)
        }
        None => is_common_name(golden.language, part),
    };
    if known {
        return Err(Violation::NameExists(part.to_owned()));
    }
    Ok(())
}

fn is_hosted(module: &str) -> bool {
    module
        .split('/')
        .next()
        .is_some_and(|host| host.contains('.'))
}

/// Whether the import's module has its name; nothing where the module is not listed.
fn known_names(language: Language, import: &Import) -> Option<bool> {
    let name = import.name.as_deref()?;
    if language == Language::Rust {
        let (_, names) = RUST.iter().find(|(module, _)| *module == import.module)?;
        return Some(names.contains(&name));
    }
    is_standard_name(language, &import.module, name)
}

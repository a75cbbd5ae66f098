//! One wrong argument in a call.

use std::ops::Range;

use tree_sitter::{Node, Tree};
use truefill_syntax::{Language, Leaf, NameUse};

use super::declared::{arity, counts_arguments, takes_anything};
use super::names::bare;
use super::{Compared, Parsed, Violation, walk};

/// Lists of arguments in the ten grammars.
pub(crate) const LISTS: &[&str] = &["arguments", "argument_list"];

const OTHER: Violation = Violation::OtherChange {
    expected: "argument",
};

/// One argument of one call is new, gone or called by another keyword, and nothing else differs:
/// a keyword or a name that nobody has, or more or fewer arguments than the window's own
/// declaration takes.
pub(super) fn check(compared: &Compared) -> Result<(), Violation> {
    let (golden, rejected) = (compared.golden, &compared.rejected);
    let (before, after) = (compared.changed(golden), compared.changed(rejected));
    if before.is_empty() && after.is_empty() {
        return Err(Violation::NoChange);
    }
    let (list, old) = lists(compared, &before, &after).ok_or(OTHER)?;
    let start = list.start_byte();
    let old_end = old.map_or(start, |old| old.end_byte());
    // Of a list that was put in whole, the places are the candidate's: the golden text may end before
    // them, or have a character there.
    let same_tail = golden.text.get(old_end..) == rejected.text.get(list.end_byte()..);
    if !same_tail || golden.text.get(..start) != rejected.text.get(..start) {
        return Err(OTHER);
    }
    let before = old.map_or_else(Vec::new, |old| arguments(old, golden));
    let after = arguments(list, rejected);
    let same_start = before
        .iter()
        .zip(&after)
        .take_while(|(a, b)| a.1 == b.1)
        .count();
    let most = before.len().min(after.len()) - same_start;
    let same_end = (1..=most)
        .take_while(|at| before[before.len() - at].1 == after[after.len() - at].1)
        .count();
    let gone = &before[same_start..before.len() - same_end];
    let new = &after[same_start..after.len() - same_end];
    match (gone, new) {
        ([], []) => Err(Violation::NoChange),
        ([], [new]) if is_insertion(golden.in_hole(), rejected.in_hole()) => {
            inserted(compared, old, list, (before.len(), new.0))
        }
        ([_], []) if is_insertion(rejected.in_hole(), golden.in_hole()) => removed(golden, old),
        ([], [_]) | ([_], []) => Err(OTHER),
        ([gone], [new]) => changed(compared, list, gone.0, new.0),
        _ => Err(Violation::ManyChanges),
    }
}

/// The list that the change lies in, in the candidate and in the golden text; a list that was put
/// in whole belongs to a call that had none.
fn lists<'c>(
    compared: &'c Compared,
    before: &[Leaf],
    after: &[Leaf],
) -> Option<(Node<'c>, Option<Node<'c>>)> {
    let place = |leaves: &[Leaf]| Some(leaves.first()?.range.start..leaves.last()?.range.end);
    let beside = |parsed: &'c Parsed, other: Node<'_>| {
        let start = other.start_byte();
        parsed
            .around(&(start..start + 1), LISTS)
            .filter(|list| list.start_byte() == start)
    };
    let (golden, rejected) = (compared.golden, &compared.rejected);
    if let Some(place) = place(after) {
        let list = rejected.around(&place, LISTS)?;
        let old = beside(golden, list);
        return (old.is_some() || before.is_empty()).then_some((list, old));
    }
    let old = golden.around(&place(before)?, LISTS)?;
    Some((beside(rejected, old)?, Some(old)))
}

/// The arguments of a list with their texts, comments left out.
pub(crate) fn arguments<'t>(list: Node<'t>, parsed: &'t Parsed) -> Vec<(Node<'t>, &'t str)> {
    let mut cursor = list.walk();
    list.named_children(&mut cursor)
        .filter(|child| !child.kind().contains("comment"))
        .map(|child| (child, &parsed.text[child.byte_range()]))
        .collect()
}

/// A new argument: its keyword is new, it brings a new name, or there is no place for it.
fn inserted(
    compared: &Compared,
    old: Option<Node<'_>>,
    list: Node<'_>,
    (before, argument): (usize, Node<'_>),
) -> Result<(), Violation> {
    let (golden, rejected) = (compared.golden, &compared.rejected);
    let named = new_name(compared, argument);
    match named {
        Ok(Some(NameUse::Keyword)) if takes_anything(rejected, list) => Err(Violation::MayBeValid),
        Ok(Some(_)) => Ok(()),
        Ok(None) | Err(Violation::NameInFile(_) | Violation::NameExists(_)) => {
            let known = old.and_then(|old| arity(golden, old));
            let full = known.is_some_and(|known| known.takes_no_more(before));
            let plain = arguments(list, rejected)
                .iter()
                .all(|(node, _)| is_plain(rejected, *node));
            if counts_arguments(golden.language) && full && plain {
                return Ok(());
            }
            Err(named.err().unwrap_or(Violation::NoNewName))
        }
        Err(violation) => Err(violation),
    }
}

/// An argument is gone that the function needs.
fn removed(golden: &Parsed, old: Option<Node<'_>>) -> Result<(), Violation> {
    let known = old.and_then(|old| Some((arguments(old, golden), arity(golden, old)?)));
    let (before, known) = known.ok_or(OTHER)?;
    let plain = before.iter().all(|(node, _)| is_plain(golden, *node));
    if plain && known.needs_all(before.len()) {
        Ok(())
    } else {
        Err(OTHER)
    }
}

/// An argument has another keyword and the same value, or one more option in its literal.
fn changed(
    compared: &Compared,
    list: Node<'_>,
    gone: Node<'_>,
    new: Node<'_>,
) -> Result<(), Violation> {
    let (golden, rejected) = (compared.golden, &compared.rejected);
    let keywords = |parsed: &Parsed, node: Node<'_>| -> Vec<String> {
        let leaves = parsed
            .hole_leaves()
            .iter()
            .filter(|leaf| inside(leaf, node));
        let keywords =
            leaves.filter(|leaf| leaf.name == Some(NameUse::Keyword) || is_key(parsed, leaf));
        keywords
            .map(|leaf| parsed.text_of(leaf).to_owned())
            .collect()
    };
    let (before, after) = (keywords(golden, gone), keywords(rejected, new));
    let differ: Vec<&String> = after.iter().filter(|key| !before.contains(key)).collect();
    let [key] = differ[..] else {
        return Err(if differ.is_empty() {
            OTHER
        } else {
            Violation::ManyChanges
        });
    };
    let (old_text, new_text) = (
        &golden.text[gone.byte_range()],
        &rejected.text[new.byte_range()],
    );
    let renamed = before.len() == after.len() && {
        let old_key = before.iter().find(|old| !after.contains(old));
        old_key.is_some_and(|old| old_text.replacen(old.as_str(), key, 1) == new_text)
    };
    let added = before.len() + 1 == after.len() && is_insertion(old_text, new_text);
    if !renamed && !added {
        return Err(Violation::ManyChanges);
    }
    compared.new_to_file(bare(key))?;
    if takes_anything(rejected, list) {
        return Err(Violation::MayBeValid);
    }
    Ok(())
}

/// A key of an object's literal, which stands for keywords in ECMAScript.
pub(crate) fn is_key(parsed: &Parsed, leaf: &Leaf) -> bool {
    let root = parsed.tree.root_node();
    let node = root.descendant_for_byte_range(leaf.range.start, leaf.range.end);
    let pair = node.and_then(|node| node.parent().filter(|pair| pair.kind() == "pair"));
    let key = pair.and_then(|pair| pair.child_by_field_name("key"));
    parsed.language.is_ecmascript() && key.is_some() && key == node
}

/// `longer` is `shorter` with something put in at one place.
fn is_insertion(shorter: &str, longer: &str) -> bool {
    if longer.len() <= shorter.len() {
        return false;
    }
    let (short, long) = (shorter.as_bytes(), longer.as_bytes());
    let start = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let end = short
        .iter()
        .rev()
        .zip(long.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    start + end >= short.len()
}

fn inside(leaf: &Leaf, node: Node<'_>) -> bool {
    leaf.range.start >= node.start_byte() && leaf.range.end <= node.end_byte()
}

/// What the new name of an argument is used as: a keyword must be new; an argument without one
/// brings at least one new name. Nothing where it has no name at all.
fn new_name(compared: &Compared, argument: Node<'_>) -> Result<Option<NameUse>, Violation> {
    let rejected = &compared.rejected;
    let leaves = rejected
        .hole_leaves()
        .iter()
        .filter(|leaf| inside(leaf, argument));
    let mut verdict = Ok(None);
    for leaf in leaves {
        let Some(name_use) = leaf.name else {
            continue;
        };
        let name = bare(rejected.text_of(leaf));
        if compared.golden.tells(name) {
            return Err(Violation::TellTale(name.to_owned()));
        }
        if name_use == NameUse::Keyword {
            // A keyword belongs to its function: that others have one of this name says nothing.
            return compared.new_to_file(name).map(|()| Some(name_use));
        }
        let fresh = compared.fresh(name, leaf.name).map(|()| Some(name_use));
        if fresh.is_ok() && !matches!(verdict, Ok(Some(_))) || verdict == Ok(None) {
            verdict = fresh;
        }
    }
    verdict
}

/// An argument that is given by its place alone, and is one.
pub(crate) fn is_plain(parsed: &Parsed, argument: Node<'_>) -> bool {
    let kind = argument.kind();
    let named = argument.child_by_field_name("name").is_some();
    let unpacks = [
        "splat",
        "spread",
        "unpacking",
        "variadic",
        "block",
        "keyword",
        "pair",
        "generator",
    ];
    // Go: a call that gives several values fills several places.
    let several = parsed.language == Language::Go && kind == "call_expression";
    let inner = argument.named_child(0).filter(|_| kind == "argument");
    let unpacked = inner.is_some_and(|inner| inner.kind().contains("unpacking"));
    let by_name = named && kind == "argument";
    let spread = unpacks.iter().any(|part| kind.contains(part));
    !(by_name || several || unpacked || spread)
}

/// Arguments by place behind arguments by keyword in the lists that touch the hole: errors in
/// these languages, which the grammars let pass.
pub(super) fn misplaced(language: Language, text: &str, tree: &Tree, hole: &Range<usize>) -> usize {
    if !matches!(
        language,
        Language::Python | Language::Ruby | Language::Php | Language::CSharp
    ) {
        return 0;
    }
    let mut count = 0;
    walk(tree, |node| {
        let touches = node.start_byte() <= hole.end && node.end_byte() >= hole.start;
        if touches && LISTS.contains(&node.kind()) {
            count += misplaced_in(language, text, node);
        }
        touches
    });
    count
}

fn misplaced_in(language: Language, text: &str, list: Node<'_>) -> usize {
    let mut cursor = list.walk();
    let (mut by_name, mut unpacked, mut count) = (false, false, 0);
    for argument in list.named_children(&mut cursor) {
        let kind = argument.kind();
        let written = &text[argument.byte_range()];
        if kind.contains("comment") || kind.contains("block") || written.starts_with('&') {
            continue;
        }
        let named = match language {
            Language::Python => kind == "keyword_argument",
            Language::Ruby => kind == "pair",
            _ => argument.child_by_field_name("name").is_some(),
        };
        let splat_of_names = matches!(kind, "dictionary_splat" | "hash_splat_argument");
        let wrong = if named || splat_of_names {
            false
        } else if kind == "list_splat" {
            unpacked
        } else {
            // C# lets a named argument stand in its own place, which is not known here: what it
            // would bring is refused too.
            by_name || unpacked
        };
        count += usize::from(wrong);
        by_name |= named;
        unpacked |= splat_of_names;
    }
    count
}

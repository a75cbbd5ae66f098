//! One more argument in a call.

use tree_sitter::Node;
use truefill_syntax::NameUse;

use super::names::bare;
use super::{Compared, Parsed, Violation, is_tell_tale};

/// Lists of arguments in the ten grammars.
pub(crate) const LISTS: &[&str] = &["arguments", "argument_list"];

const OTHER: Violation = Violation::OtherChange {
    expected: "argument",
};

/// The candidate is the golden text with one argument put into a call, and nothing else.
pub(super) fn check(compared: &Compared) -> Result<(), Violation> {
    let (golden, rejected) = (compared.golden, &compared.rejected);
    if !is_insertion(golden.in_hole(), rejected.in_hole()) {
        return Err(OTHER);
    }
    let inserted = compared.changed(rejected);
    let (Some(first), Some(last)) = (inserted.first(), inserted.last()) else {
        return Err(Violation::NoChange);
    };
    let place = first.range.start..last.range.end;
    let list = rejected.around(&place, LISTS).ok_or(OTHER)?;
    // A list that was inserted whole belongs to a call that had none.
    let old = golden
        .around(&(list.start_byte()..list.start_byte() + 1), LISTS)
        .filter(|old| old.start_byte() == list.start_byte());
    let before = old.map_or_else(Vec::new, |old| arguments(old, golden));
    let after = arguments(list, rejected);
    if after.len() != before.len() + 1 {
        return Err(OTHER);
    }
    let at = (0..before.len())
        .find(|&at| before[at].1 != after[at].1)
        .unwrap_or(before.len());
    let rest = before[at..].iter().zip(&after[at + 1..]);
    if rest.into_iter().any(|(old, new)| old.1 != new.1) {
        return Err(OTHER);
    }
    new_name(compared, after[at].0)
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

/// The arguments of a list with their texts, comments left out.
fn arguments<'t>(list: Node<'t>, parsed: &'t Parsed) -> Vec<(Node<'t>, &'t str)> {
    let mut cursor = list.walk();
    list.named_children(&mut cursor)
        .filter(|child| !child.kind().contains("comment"))
        .map(|child| (child, &parsed.text[child.byte_range()]))
        .collect()
}

/// A keyword must be new; an argument without one brings at least one new name.
fn new_name(compared: &Compared, argument: Node<'_>) -> Result<(), Violation> {
    let rejected = &compared.rejected;
    let leaves = rejected.hole_leaves().iter().filter(|leaf| {
        let inside = argument.byte_range();
        leaf.range.start >= inside.start && leaf.range.end <= inside.end
    });
    let mut verdict = Err(Violation::NoNewName);
    for leaf in leaves {
        if leaf.name.is_none() {
            continue;
        }
        let name = bare(rejected.text_of(leaf));
        if is_tell_tale(name) {
            return Err(Violation::TellTale(name.to_owned()));
        }
        if leaf.name == Some(NameUse::Keyword) {
            // A keyword belongs to its function: that others have one of this name says nothing.
            return compared.new_to_file(name);
        }
        let fresh = compared.fresh(name);
        if verdict.is_err() && fresh.is_ok() || verdict == Err(Violation::NoNewName) {
            verdict = fresh;
        }
    }
    verdict
}

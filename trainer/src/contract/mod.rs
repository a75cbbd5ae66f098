//! The output contract: what makes a text a hard negative, told without running anything.
//!
//! Golden and rejected stand in the same file; tree-sitter says which leaves differ. A negative
//! changes exactly one method, argument, identifier or import (paper "hard negatives", Table 1 and
//! C.1), is one line where the golden completion is, and brings a name that the file does not have
//! and that does not tell on itself (§5.3).

mod arguments;
mod declared;
mod imports;
mod known;
mod names;
mod parsed;

use std::ops::Range;

use truefill_syntax::{Language, Leaf, NameUse};

use crate::rows::HallucinationType;
use crate::sentinels;

pub(crate) use arguments::{LISTS as ARGUMENT_LISTS, arguments, is_key, is_plain};
pub(crate) use declared::{arity, counts_arguments, takes_anything};
pub(crate) use known::is_known;
pub(crate) use names::parts;
pub use parsed::Parsed;
pub(crate) use parsed::walk;

/// Why a candidate is no negative.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Nothing was written.
    #[error("expected a completion, found nothing")]
    Empty,
    /// It is the golden completion.
    #[error("expected another text than the golden completion, found the same")]
    SameAsGolden,
    /// It has another number of lines.
    #[error("expected as many lines as the golden completion has ({expected}), found {found}")]
    Lines {
        /// Lines of the golden completion.
        expected: usize,
        /// Lines of the candidate.
        found: usize,
    },
    /// It is far longer than an edit makes it.
    #[error("expected an edit of the golden completion, found a text of {0} bytes")]
    TooLong(usize),
    /// It spells a token that ends or begins a prompt's part.
    #[error("expected code, found the sentinel `{0}`")]
    Sentinel(String),
    /// The file does not parse as well with it.
    #[error("expected a completion that parses, found one that breaks the file's syntax")]
    BreaksSyntax,
    /// Only white space or comments differ.
    #[error("expected a change of code, found white space or comments alone")]
    NoChange,
    /// More than one thing was changed.
    #[error("expected one change, found more")]
    ManyChanges,
    /// Something else was changed than the type says.
    #[error("expected a change of one {expected}, found another change")]
    OtherChange {
        /// What should have been changed.
        expected: &'static str,
    },
    /// The name stands in the prefix, the suffix or the golden completion.
    #[error("expected a name that the file does not have, found `{0}`")]
    NameInFile(String),
    /// The language or its library brings the name, or its code uses it everywhere.
    #[error("expected a name that does not exist, found `{0}`, which code of the language has")]
    NameExists(String),
    /// The function takes any argument.
    #[error("expected an argument that the function does not take, found one that it may take")]
    MayBeValid,
    /// The change brings no name at all.
    #[error("expected a new name, found none")]
    NoNewName,
    /// The name says that it is invented.
    #[error("expected a plausible name, found `{0}`, which tells on itself")]
    TellTale(String),
    /// The golden text is no import.
    #[error("expected an import line as the golden completion, found none")]
    NotAnImport,
    /// The window is too long.
    #[error("expected a window of at most 512 KiB, found a longer one")]
    Unparsed,
}

impl Violation {
    /// The reason's name in tables.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::SameAsGolden => "same_as_golden",
            Self::Lines { .. } => "lines",
            Self::TooLong(_) => "too_long",
            Self::Sentinel(_) => "sentinel",
            Self::BreaksSyntax => "breaks_syntax",
            Self::NoChange => "no_change",
            Self::ManyChanges => "many_changes",
            Self::OtherChange { .. } => "other_change",
            Self::NameInFile(_) => "name_in_file",
            Self::NameExists(_) => "name_exists",
            Self::MayBeValid => "may_be_valid",
            Self::NoNewName => "no_new_name",
            Self::TellTale(_) => "tell_tale",
            Self::NotAnImport => "not_an_import",
            Self::Unparsed => "unparsed",
        }
    }
}

/// Checks a candidate of one type for the hole of `golden`.
///
/// # Errors
/// The first rule of the contract that it breaks.
pub fn check(golden: &Parsed, kind: HallucinationType, rejected: &str) -> Result<(), Violation> {
    Compared::new(golden, rejected, kind != HallucinationType::Similar)?.check(kind)
}

/// The one type of method, parameter and undefined variable whose contract a text fulfils that was
/// written without a type in mind.
///
/// # Errors
/// [`Violation::OtherChange`] where it fulfils none, and what is wrong with the text as such.
pub fn classify(golden: &Parsed, rejected: &str) -> Result<HallucinationType, Violation> {
    use HallucinationType::{Method, Parameter, UndefinedVariable};
    let compared = Compared::new(golden, rejected, true)?;
    let mut reason = Violation::OtherChange {
        expected: "method, argument or identifier",
    };
    for kind in [Method, UndefinedVariable, Parameter] {
        match compared.check(kind) {
            Ok(()) => return Ok(kind),
            Err(Violation::OtherChange { .. }) => {}
            // The change is of this type, and something else is wrong with it.
            Err(violation) => reason = violation,
        }
    }
    Err(reason)
}

/// The uses of names of which a type exchanges one; none for types that exchange no name.
pub(crate) const fn uses(kind: HallucinationType, language: Language) -> &'static [NameUse] {
    match (kind, language) {
        (HallucinationType::Method, _) => &[NameUse::Call, NameUse::Method],
        // Python's annotations are mostly never evaluated: a wrong one raises nothing.
        (HallucinationType::UndefinedVariable, Language::Python) => &[NameUse::Variable],
        (HallucinationType::UndefinedVariable, _) => &[NameUse::Variable, NameUse::Type],
        _ => &[],
    }
}

/// Whether the hole has what a type changes: a called name, an identifier, a call's arguments.
pub fn has_site(golden: &Parsed, kind: HallucinationType) -> bool {
    let in_hole =
        |range: &Range<usize>| range.start < golden.hole.end && golden.hole.start < range.end;
    let mut leaves = golden.hole_leaves().iter();
    let uses = uses(kind, golden.language);
    match kind {
        HallucinationType::Method | HallucinationType::UndefinedVariable => leaves
            .any(|leaf| in_hole(&leaf.range) && leaf.name.is_some_and(|name| uses.contains(&name))),
        HallucinationType::Parameter => {
            // Ruby calls without parentheses.
            let calls = golden.language == Language::Ruby && leaves.any(|leaf| leaf.name.is_some());
            calls || golden.has_in_hole(ARGUMENT_LISTS)
        }
        HallucinationType::Import | HallucinationType::Similar => true,
    }
}

/// A golden completion and a candidate in the same place.
struct Compared<'a> {
    golden: &'a Parsed,
    rejected: Parsed,
    /// Leaves that are the same in the hole, from its start and from its end.
    same_start: usize,
    same_end: usize,
}

impl<'a> Compared<'a> {
    fn new(golden: &'a Parsed, rejected: &str, lines: bool) -> Result<Self, Violation> {
        plain(golden.in_hole(), rejected, lines)?;
        let rejected = golden.with(rejected).ok_or(Violation::Unparsed)?;
        if rejected.errors > golden.errors {
            return Err(Violation::BreaksSyntax);
        }
        let (before, after) = (golden.hole_leaves(), rejected.hole_leaves());
        let most = before.len().min(after.len());
        let same = |(left, right): (usize, usize)| golden.leaf(left) == rejected.leaf(right);
        let same_start = (0..most).take_while(|&at| same((at, at))).count();
        let same_end = (1..=most - same_start)
            .take_while(|&at| same((before.len() - at, after.len() - at)))
            .count();
        Ok(Self {
            golden,
            rejected,
            same_start,
            same_end,
        })
    }

    fn check(&self, kind: HallucinationType) -> Result<(), Violation> {
        let uses = uses(kind, self.golden.language);
        match kind {
            HallucinationType::Method => self.renamed("called name", uses),
            HallucinationType::UndefinedVariable => self.renamed("identifier", uses),
            HallucinationType::Parameter => arguments::check(self),
            HallucinationType::Import => imports::check(self),
            HallucinationType::Similar => self.similar(),
        }
    }

    /// One name, used as one of `uses`, was replaced by another, wherever it stands in the hole.
    fn renamed(&self, expected: &'static str, uses: &[NameUse]) -> Result<(), Violation> {
        let other = || Violation::OtherChange { expected };
        let (before, after) = (self.changed(self.golden), self.changed(&self.rejected));
        if before.is_empty() && after.is_empty() {
            return Err(Violation::NoChange);
        }
        if before.len() != after.len() {
            return Err(other());
        }
        let mut changes: Vec<((&str, &str), &Leaf, &Leaf)> = Vec::new();
        for (old, new) in before.iter().zip(&after) {
            let pair = (self.golden.text_of(old), self.rejected.text_of(new));
            if pair.0 != pair.1 && !changes.iter().any(|(known, ..)| *known == pair) {
                changes.push((pair, old, new));
            }
        }
        let ((old, new), leaf, other_leaf) = match changes[..] {
            [] => return Err(Violation::NoChange),
            [change] => change,
            _ => return Err(Violation::ManyChanges),
        };
        let used = leaf.name.is_some_and(|name| uses.contains(&name));
        if !used || leaf.kind != other_leaf.kind {
            return Err(other());
        }
        if !self.golden.rebuilds(&before, old, new, &self.rejected) {
            return Err(Violation::ManyChanges);
        }
        self.fresh(new, leaf.name)
    }

    /// FGit's teacher may change anything, so long as code changes.
    fn similar(&self) -> Result<(), Violation> {
        let code = |parsed: &Parsed| {
            let changed = self.changed(parsed);
            changed.iter().any(|leaf| !leaf.comment)
        };
        if !code(self.golden) && !code(&self.rejected) {
            return Err(Violation::NoChange);
        }
        for leaf in self.changed(&self.rejected) {
            let text = self.rejected.text_of(&leaf);
            if leaf.name.is_some() && self.golden.tells(text) {
                return Err(Violation::TellTale(text.to_owned()));
            }
        }
        Ok(())
    }

    /// The leaves of the hole that differ, and what lies between them.
    fn changed(&self, parsed: &Parsed) -> Vec<Leaf> {
        let leaves = parsed.hole_leaves();
        leaves[self.same_start..leaves.len() - self.same_end].to_vec()
    }

    /// The name is new to the file, unknown to the language, and plausible.
    fn fresh(&self, name: &str, name_use: Option<NameUse>) -> Result<(), Violation> {
        self.new_to_file(name)?;
        if is_known(self.golden.language, name, name_use) {
            return Err(Violation::NameExists(name.to_owned()));
        }
        Ok(())
    }

    /// The name is new to the file, and plausible.
    fn new_to_file(&self, name: &str) -> Result<(), Violation> {
        if !names::is_name(name) {
            return Err(Violation::NoNewName);
        }
        if self.golden.tells(name) {
            return Err(Violation::TellTale(name.to_owned()));
        }
        if self.golden.has_word(name) {
            return Err(Violation::NameInFile(name.to_owned()));
        }
        Ok(())
    }
}

/// What can be told without a parser.
fn plain(golden: &str, rejected: &str, lines: bool) -> Result<(), Violation> {
    if rejected.trim().is_empty() {
        return Err(Violation::Empty);
    }
    if rejected == golden {
        return Err(Violation::SameAsGolden);
    }
    let (expected, found) = (line_count(golden), line_count(rejected));
    if lines && expected != found {
        return Err(Violation::Lines { expected, found });
    }
    if rejected.len() > 3 * golden.len() + 200 {
        return Err(Violation::TooLong(rejected.len()));
    }
    match sentinels::first(rejected) {
        Some(sentinel) => Err(Violation::Sentinel(sentinel.to_owned())),
        None => Ok(()),
    }
}

fn line_count(text: &str) -> usize {
    text.matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_languages;

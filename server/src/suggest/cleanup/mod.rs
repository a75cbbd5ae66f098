//! Clean-up of what the model wrote: small rules, one thing each, and the
//! pipeline that applies them in order.
//!
//! A rule only deletes, except [`RuleName::Reindent`]; cleaning what is clean
//! changes nothing. Rules prefer to leave a fault over cutting good code: an
//! overlap is cut only if the brackets fit at least as well without it.

mod brackets;
mod following;
mod indentation;
mod line_rest;
mod noise;
mod repetition;
mod sentinels;
mod unprintable;
mod whitespace;

use super::brackets::Balance;
use super::lines;
use super::surroundings::Surroundings;

/// A rule of the clean-up; serialised in snake case by [`RuleName::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleName {
    /// A sentinel or special token stands in the text: what follows it is no code.
    SentinelLeak,
    /// A character that cannot be seen for what it is.
    Unprintable,
    /// Carriage returns: the editor writes the document's own line breaks.
    CarriageReturn,
    /// A Markdown fence around or after the code.
    Fence,
    /// Lines that belong to a transcript or a patch, not to this file.
    ForeignMarker,
    /// Several lines begun in the middle of a line that goes on.
    MidLine,
    /// The rest of the cursor's line, once more.
    LineOverlap,
    /// The lines after the cursor, once more.
    FollowingOverlap,
    /// A block that is almost the same as the one after the cursor.
    FollowingBlock,
    /// The line or lines above the cursor, once more.
    AboveRepeated,
    /// A line for the third time in a row.
    LineRepeated,
    /// A block of lines, repeated.
    BlockRepeated,
    /// One pattern over and over at the end.
    TailRepeated,
    /// A closing bracket that the text after the cursor already has.
    SurplusCloser,
    /// A closing quote that the rest of the line already has.
    SurplusQuote,
    /// A line that only closes, and equals the next one.
    DuplicateCloser,
    /// Lines that have left the block that the cursor stands in.
    LeftScope,
    /// Indentation that the cursor's line already has.
    FirstIndent,
    /// Tabs against spaces, or a width that is no multiple of the file's.
    Reindent,
    /// A space after a space.
    DoubleSpace,
    /// Spaces and blank lines at the end.
    TrailingSpace,
    /// Comment markers with nothing behind them.
    EmptyComment,
    /// A lone keyword.
    KeywordOnly,
    /// A few marks that say nothing.
    Meaningless,
    /// Equal to what stands there.
    EqualsExisting,
    /// Nothing but whitespace.
    Blank,
}

impl RuleName {
    /// The name in logs, in the journal and in `truefill.why`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SentinelLeak => "sentinel_leak",
            Self::Unprintable => "unprintable",
            Self::CarriageReturn => "carriage_return",
            Self::Fence => "fence",
            Self::ForeignMarker => "foreign_marker",
            Self::MidLine => "mid_line",
            Self::LineOverlap => "line_overlap",
            Self::FollowingOverlap => "following_overlap",
            Self::FollowingBlock => "following_block",
            Self::AboveRepeated => "above_repeated",
            Self::LineRepeated => "line_repeated",
            Self::BlockRepeated => "block_repeated",
            Self::TailRepeated => "tail_repeated",
            Self::SurplusCloser => "surplus_closer",
            Self::SurplusQuote => "surplus_quote",
            Self::DuplicateCloser => "duplicate_closer",
            Self::LeftScope => "left_scope",
            Self::FirstIndent => "first_indent",
            Self::Reindent => "reindent",
            Self::DoubleSpace => "double_space",
            Self::TrailingSpace => "trailing_space",
            Self::EmptyComment => "empty_comment",
            Self::KeywordOnly => "keyword_only",
            Self::Meaningless => "meaningless",
            Self::EqualsExisting => "equals_existing",
            Self::Blank => "blank",
        }
    }

    /// Why a suggestion was dropped by this rule, for the user.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::SentinelLeak => "the model wrote a control token instead of code",
            Self::Unprintable => "the model wrote a character that cannot be shown",
            Self::CarriageReturn | Self::TrailingSpace | Self::DoubleSpace | Self::Blank => {
                "the model suggested nothing but whitespace"
            }
            Self::Fence => "the model wrote a Markdown fence instead of code",
            Self::ForeignMarker => "the model wrote the marks of a patch or transcript",
            Self::MidLine => "the model began a new line in the middle of this one",
            Self::LineOverlap => "the suggestion repeats the rest of this line",
            Self::FollowingOverlap | Self::FollowingBlock => {
                "the suggestion repeats the lines that follow"
            }
            Self::AboveRepeated => "the suggestion repeats the lines above",
            Self::LineRepeated | Self::BlockRepeated | Self::TailRepeated => {
                "the model repeated itself"
            }
            Self::SurplusCloser | Self::DuplicateCloser => {
                "the suggestion only closes what is already closed"
            }
            Self::SurplusQuote => "the suggestion only closes a string that is already closed",
            Self::LeftScope => "the suggestion leaves the block that the cursor is in",
            Self::FirstIndent | Self::Reindent => "the suggestion is only indentation",
            Self::EmptyComment => "the suggestion is an empty comment",
            Self::KeywordOnly => "the suggestion is a lone keyword",
            Self::Meaningless => "the suggestion is too short to mean anything",
            Self::EqualsExisting => "the suggestion equals what is already there",
        }
    }
}

/// What became of a suggestion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The text to show, and the rules that changed it, in order.
    Kept {
        /// What to insert at the cursor.
        text: String,
        /// The rules that changed it; each once.
        applied: Vec<RuleName>,
    },
    /// Nothing is left to show: the rule that decided, and why, for the user.
    Dropped(RuleName, &'static str),
}

/// The surroundings with what the rules derive from them once.
struct Scene<'a> {
    around: Surroundings<'a>,
    balance: Balance,
    next_line: Option<&'a str>,
}

impl<'a> Scene<'a> {
    /// How badly the brackets and strings fit with `text` inserted; 0 is well.
    fn faults(&self, text: &str) -> usize {
        self.balance.effect(text, self.around.facts).faults
    }

    /// Whether `text` closes a bracket that is closed already.
    fn closes_closed(&self, text: &str) -> bool {
        self.balance
            .effect(text, self.around.facts)
            .first_surplus
            .is_some()
    }

    /// Whether `text` ends in a full line, so that the line below comes right after it.
    fn ends_lines(&self) -> bool {
        self.around.rest_of_line().trim().is_empty()
    }

    /// The whole line that line `index` of the suggestion makes: the first one
    /// begins with what stands before the cursor.
    fn whole_line(&self, index: usize, line: &str) -> String {
        if index == 0 {
            format!("{}{line}", self.around.line_before())
        } else {
            line.to_owned()
        }
    }
}

/// What a rule says about a text.
enum Change {
    /// Nothing to do.
    None,
    /// Keep the first so many bytes.
    Cut(usize),
    /// Another text.
    Text(String),
    /// Show nothing.
    Drop,
}

impl Change {
    /// [`Change::Cut`] where there is something to cut, else [`Change::None`].
    fn cut(at: Option<usize>) -> Self {
        at.map_or(Self::None, Self::Cut)
    }

    fn drop_if(yes: bool) -> Self {
        if yes { Self::Drop } else { Self::None }
    }
}

type Rule = fn(&str, &Scene<'_>) -> Change;

/// The rules in the order in which they run: first what is no code, then what
/// is there already, then form, then whether the rest is worth showing.
const RULES: &[(RuleName, Rule)] = &[
    (RuleName::SentinelLeak, sentinels::sentinel_leak),
    (RuleName::Unprintable, unprintable::unprintable),
    (RuleName::CarriageReturn, whitespace::carriage_return),
    (RuleName::Fence, sentinels::fence),
    (RuleName::ForeignMarker, sentinels::foreign_marker),
    (RuleName::MidLine, line_rest::mid_line),
    (RuleName::AboveRepeated, repetition::above),
    (RuleName::BlockRepeated, repetition::blocks),
    (RuleName::LineRepeated, repetition::lines_in_a_row),
    (RuleName::TailRepeated, repetition::tail),
    (RuleName::LineOverlap, line_rest::overlap),
    (RuleName::FollowingOverlap, following::overlap),
    (RuleName::FollowingBlock, following::block),
    (RuleName::SurplusQuote, brackets::quote),
    (RuleName::SurplusCloser, brackets::closer),
    (RuleName::DuplicateCloser, brackets::duplicate_line),
    (RuleName::LeftScope, indentation::left_scope),
    (RuleName::FirstIndent, indentation::first_line),
    (RuleName::Reindent, indentation::reindent),
    (RuleName::DoubleSpace, whitespace::double_space),
    (RuleName::EmptyComment, noise::empty_comment),
    (RuleName::TrailingSpace, whitespace::trailing),
    (RuleName::EqualsExisting, noise::equals_existing),
    (RuleName::KeywordOnly, noise::keyword_only),
    (RuleName::Meaningless, noise::meaningless),
];

/// Rules can make room for each other; each round but the last deletes
/// something, and three suffice for everything seen. The bound guards against
/// a pair of rules that would undo each other.
const MAX_ROUNDS: usize = 8;

/// Cleans one suggestion.
///
/// The result is `text` with parts deleted, unless [`RuleName::Reindent`] is
/// among the applied rules; cleaning the result again gives the result.
pub fn clean(text: &str, around: &Surroundings<'_>) -> Outcome {
    let scene = Scene {
        around: *around,
        balance: Balance::read(around),
        next_line: around.next_line(),
    };
    let mut text = text.to_owned();
    let mut applied = Vec::new();
    if text.trim().is_empty() {
        return dropped(RuleName::Blank);
    }
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for (name, rule) in RULES {
            let next = match rule(&text, &scene) {
                Change::None => continue,
                Change::Drop => return dropped(*name),
                Change::Cut(at) => text[..at].to_owned(),
                Change::Text(next) => next,
            };
            if next == text {
                continue;
            }
            if next.trim().is_empty() {
                return dropped(*name);
            }
            text = next;
            changed = true;
            if !applied.contains(name) {
                applied.push(*name);
            }
        }
        if !changed {
            break;
        }
    }
    Outcome::Kept { text, applied }
}

fn dropped(rule: RuleName) -> Outcome {
    Outcome::Dropped(rule, rule.sentence())
}

#[cfg(test)]
mod real_code;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests;

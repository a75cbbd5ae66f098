//! From a row of the journal to a context, and a wrong completion for it.

use truefill_journal::{HoleRow, SuggestionRow};
use truefill_syntax::Language;

use super::recipe::HarvestRecipe;
use crate::contract::{self, Parsed};
use crate::rows::{Context, HallucinationType, HoleKind, Negative};

/// The generator's name of what users turned down.
pub const GENERATOR: &str = "journal";

/// What a row gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Harvested {
    /// The place and what stands there now.
    pub context: Context,
    /// What was suggested there and is wrong.
    pub negative: Option<Negative>,
    /// Byte ranges of the golden completion that models wrote.
    pub own: Vec<(u32, u32)>,
}

impl Harvested {
    /// Whether most of the golden completion was written by a model.
    pub fn is_own(&self) -> bool {
        let bytes = self
            .own
            .iter()
            .map(|(from, to)| to.saturating_sub(*from) as usize);
        2 * bytes.fold(0, usize::saturating_add) >= self.context.golden.len().max(1)
    }
}

/// Why a row gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing stands at its place, it was undone, or text may not be kept.
    NoHole,
    /// There is no grammar for the language.
    Language,
    /// It was accepted, and too little or too much of it was kept to say anything.
    Unclear,
}

impl Reason {
    /// The name in counts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoHole => "no_hole",
            Self::Language => "language",
            Self::Unclear => "unclear",
        }
    }
}

/// What became of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The user turned it down, or wrote something else.
    Rejected,
    /// The user took it and threw it away.
    Discarded,
    /// The user took it and kept it.
    Kept,
    /// The user took it and changed much of it.
    Changed,
    /// Nothing is known.
    Unknown,
}

/// Takes a row apart.
///
/// # Errors
/// Why it gives nothing.
pub fn harvested(row: &SuggestionRow, recipe: &HarvestRecipe) -> Result<Harvested, Reason> {
    let hole = row.hole.as_ref().ok_or(Reason::NoHole)?;
    let language = Language::from_lsp_id(&row.language).ok_or(Reason::Language)?;
    let fate = fate(row, recipe);
    if fate == Fate::Changed {
        return Err(Reason::Unclear);
    }
    let context = context(row, hole, language);
    let rejected = row
        .completion
        .as_deref()
        .filter(|_| matches!(fate, Fate::Rejected | Fate::Discarded));
    let negative = rejected.and_then(|text| negative(&context, text, &row.checkpoint));
    Ok(Harvested {
        context,
        negative,
        own: hole.own.clone(),
    })
}

fn fate(row: &SuggestionRow, recipe: &HarvestRecipe) -> Fate {
    let of = |event: &'static str| row.outcomes.iter().filter(move |it| it.event == event);
    let accepted = of("accepted").filter_map(|it| it.chars).max();
    let Some(accepted) = accepted else {
        let rejected = of("rejected").any(|it| it.reason.as_deref() != Some("left_alone"));
        return if rejected {
            Fate::Rejected
        } else {
            Fate::Unknown
        };
    };
    let samples = of("kept").filter_map(|it| Some((it.after_s?, it.chars?)));
    let Some((_, kept)) = samples.max_by_key(|(after, _)| *after) else {
        return Fate::Unknown;
    };
    let share = f64::from(kept) / f64::from(accepted.max(1));
    match share {
        share if share < recipe.discarded_below => Fate::Discarded,
        share if share >= recipe.kept_from => Fate::Kept,
        _ => Fate::Changed,
    }
}

fn context(row: &SuggestionRow, hole: &HoleRow, language: Language) -> Context {
    let repo = match &row.repository {
        Some(key) => format!("journal-{}", &key[..key.floor_char_boundary(12)]),
        None => "journal".to_owned(),
    };
    let path = &row.document[..row.document.floor_char_boundary(16)];
    let parts = [&*hole.prefix, &hole.golden, &hole.suffix];
    Context {
        hole_kind: match hole.golden.contains('\n') {
            true => HoleKind::Block,
            false => HoleKind::LineEnd,
        },
        ..Context::of_file(language, &repo, "private", path, parts)
    }
}

/// A wrong completion; one that only goes further than what was written, or less far, is none.
fn negative(context: &Context, text: &str, checkpoint: &str) -> Option<Negative> {
    let rejected = text.trim_end();
    let golden = context.golden.trim_end();
    if rejected.trim().is_empty() || golden.starts_with(rejected) || rejected.starts_with(golden) {
        return None;
    }
    let [prefix, golden, suffix] = [&context.prefix, &context.golden, &context.suffix];
    let parsed = Parsed::new(context.language, prefix, golden, suffix);
    let kind = parsed.and_then(|parsed| contract::classify(&parsed, rejected).ok());
    Some(Negative {
        context_id: context.id.clone(),
        kind: kind.unwrap_or(HallucinationType::Similar),
        generator: GENERATOR.to_owned(),
        prompt_version: checkpoint.to_owned(),
        rejected: rejected.to_owned(),
        split: None,
    })
}

//! The second reading: holes of one file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tree_sitter::{Node, Tree};
use truefill_syntax::{Hole, HoleKind, Language, holes_and_symbols, parse_within};

use super::packages::{Origin, Project, is_listed};
use super::reason::{HoleReason, Reason};
use super::recipe::Recipe;
use super::resolve::{Bindings, Scene};
use super::sample::priority;
use super::select::Page;
use super::window::window;
use crate::dedup::words::mix;
use crate::rows::{Context, Span};

/// Time for one file's parse: a last resort against a parser that does not end. What is read is
/// bounded by bytes, so that a busy machine gives the same rows.
const PARSE_LIMIT: Duration = Duration::from_secs(600);

/// Holes of a kind that are judged for each one that is kept.
const JUDGED: usize = 8;

/// What is asked of every file of a repository.
pub struct Extractor<'a> {
    /// What was set.
    pub recipe: &'a Recipe,
    /// The repository's name.
    pub repo: &'a str,
    /// What it declares.
    pub project: &'a Project,
    /// The folder that is not part of rows' paths.
    pub root: Option<&'a str>,
}

/// What one file gave.
#[derive(Debug, Default)]
pub struct Extracted {
    /// Rows with their numbers in the sample, in the order of the text.
    pub rows: Vec<(u64, Context)>,
    /// Holes and calls, counted.
    pub tally: Tally,
}

/// Counts of the second reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Files that gave nothing, by reason.
    pub refused: BTreeMap<Language, BTreeMap<Reason, u64>>,
    /// Files that were parsed, and their bytes.
    pub parsed: BTreeMap<Language, [u64; 2]>,
    /// Holes that could be cut.
    pub holes: BTreeMap<HoleKind, u64>,
    /// Holes that were left out.
    pub rejected: BTreeMap<HoleKind, BTreeMap<HoleReason, u64>>,
    /// Rows that were offered to the sample.
    pub offered: BTreeMap<Language, BTreeMap<HoleKind, u64>>,
    /// Sources that could be read once and not twice.
    pub broken: Vec<String>,
    /// Calls of kept call sites, by where they lead: `own` or a package.
    pub origins: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another's counts.
    pub fn add(&mut self, other: Self) {
        for (language, reasons) in other.refused {
            merge(self.refused.entry(language).or_default(), reasons);
        }
        for (language, [files, bytes]) in other.parsed {
            let parsed = self.parsed.entry(language).or_default();
            parsed[0] += files;
            parsed[1] += bytes;
        }
        merge(&mut self.holes, other.holes);
        for (kind, reasons) in other.rejected {
            merge(self.rejected.entry(kind).or_default(), reasons);
        }
        for (language, kinds) in other.offered {
            merge(self.offered.entry(language).or_default(), kinds);
        }
        self.broken.extend(other.broken);
        merge(&mut self.origins, other.origins);
    }

    fn reject(&mut self, kind: HoleKind, reason: HoleReason, count: u64) {
        if count > 0 {
            *self
                .rejected
                .entry(kind)
                .or_default()
                .entry(reason)
                .or_default() += count;
        }
    }
}

fn merge<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

/// A hole with what was found out about it.
struct Candidate {
    kind: HoleKind,
    range: Range<usize>,
    window: Range<usize>,
    order: u64,
    score: f64,
    origin: Option<Origin>,
}

/// A file in question.
pub struct CodeFile<'a> {
    /// Its path in the source.
    pub path: &'a str,
    /// Its language.
    pub language: Language,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The licence, which the first reading found to be allowed.
    pub license: String,
    /// The first half of the hash that the first reading found.
    pub hash: u128,
}

impl Extractor<'_> {
    /// Cuts holes into a file. `is_out` says which rows could not stay in the sample any more;
    /// they are counted and not made.
    pub fn extract(&self, file: CodeFile<'_>, is_out: &dyn Fn(HoleKind, u64) -> bool) -> Extracted {
        let mut found = Extracted::default();
        let sha256 = hex::encode(Sha256::digest(file.bytes));
        let refuse = |found: &mut Extracted, reason| {
            let reasons = found.tally.refused.entry(file.language).or_default();
            *reasons.entry(reason).or_default() += 1;
        };
        let text = match std::str::from_utf8(file.bytes) {
            Ok(text) if super::survey::decide::half(&sha256) == file.hash => text,
            _ => {
                refuse(&mut found, Reason::Changed);
                return found;
            }
        };
        let Some(tree) = parse_within(file.language, text, None, PARSE_LIMIT) else {
            refuse(&mut found, Reason::Unparsed);
            return found;
        };
        found
            .tally
            .parsed
            .insert(file.language, [1, text.len() as u64]);
        let candidates = self.candidates(file.language, text, &tree, &mut found.tally);
        let path = self.shown(file.path);
        for candidate in candidates {
            let span = Span {
                file_sha256: sha256.clone(),
                window_start: candidate.window.start,
                hole_start: candidate.range.start,
                hole_end: candidate.range.end,
            };
            let id = span.id();
            let number = priority(self.recipe.seed, &id);
            let kinds = found.tally.offered.entry(file.language).or_default();
            *kinds.entry(candidate.kind).or_default() += 1;
            if let Some(origin) = candidate.origin {
                let name = match origin {
                    Origin::Own => "own".to_owned(),
                    Origin::Package(name) => format!("package {name}"),
                };
                *found.tally.origins.entry(name).or_default() += 1;
            }
            if is_out(candidate.kind, number) {
                continue;
            }
            let Some([prefix, golden, suffix]) = span.cut(text, &candidate.window) else {
                continue;
            };
            let row = Context {
                id,
                language: file.language,
                repo: self.repo.to_owned(),
                license: file.license.clone(),
                path: path.to_owned(),
                hole_kind: candidate.kind,
                prefix: prefix.to_owned(),
                golden: golden.to_owned(),
                suffix: suffix.to_owned(),
                span,
            };
            found.rows.push((number, row));
        }
        found
    }

    fn shown<'p>(&self, path: &'p str) -> &'p str {
        self.root
            .and_then(|root| path.strip_prefix(root)?.strip_prefix('/'))
            .unwrap_or(path)
    }

    /// The file's holes that are kept, in the order of the text.
    fn candidates(
        &self,
        language: Language,
        text: &str,
        tree: &Tree,
        tally: &mut Tally,
    ) -> Vec<Candidate> {
        let mut bindings = Bindings::new(language, text);
        let kinds: Vec<HoleKind> = self.recipe.shares().map(|(kind, _)| kind).collect();
        let (holes, symbols) =
            holes_and_symbols(language, text, tree, &kinds, |node| bindings.see(node));
        let mut by_kind = self.drawn(text, holes, tally);
        by_kind.retain(|_, holes| !holes.is_empty());
        if by_kind.is_empty() {
            return Vec::new();
        }
        let page = Page::new(language, text);
        let scene = Scene::new(language, symbols, bindings, self.project, self.recipe);
        let judge = Judge {
            recipe: self.recipe,
            language,
            text,
            tree,
            page,
            scene,
        };
        let mut kept: Vec<Candidate> = Vec::new();
        for (kind, holes) in by_kind {
            let mut good = Vec::new();
            let mut left = JUDGED * self.recipe.per_file;
            let mut holes = holes.into_iter();
            while left > 0
                && let Some((order, range)) = holes.next()
            {
                let judged = judge.judge(kind, range, order);
                left -= usize::from(!self.passes_over(&judged));
                match judged {
                    Ok(candidate) => good.push(candidate),
                    Err(reason) => tally.reject(kind, reason, 1),
                }
            }
            tally.reject(kind, HoleReason::NotDrawn, holes.len() as u64);
            good.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.order.cmp(&b.order)));
            let over = good.len().saturating_sub(self.recipe.per_file);
            tally.reject(kind, HoleReason::PerFile, over as u64);
            good.truncate(self.recipe.per_file);
            kept.extend(good);
        }
        kept.sort_by_key(|candidate| (candidate.range.start, candidate.range.end));
        kept
    }

    /// Where calls of some packages are wanted, others are passed over until enough of those were seen.
    fn passes_over(&self, judged: &Result<Candidate, HoleReason>) -> bool {
        let other = [HoleReason::OtherPackage, HoleReason::Unresolved];
        !self.recipe.packages.is_empty() && judged.as_ref().is_err_and(|why| other.contains(why))
    }

    /// The file's holes by kind, in an order that the seed decides.
    fn drawn(
        &self,
        text: &str,
        mut holes: Vec<Hole>,
        tally: &mut Tally,
    ) -> BTreeMap<HoleKind, Vec<(u64, Range<usize>)>> {
        for hole in &mut holes {
            trim(text, &mut hole.range);
        }
        // One id, one row: of holes at the same place the first kind counts.
        holes.sort_by_key(|hole| (hole.range.start, hole.range.end, hole.kind));
        holes.dedup_by(|later, first| later.range == first.range);
        let salt = mix(self.recipe.seed ^ text.len() as u64);
        let mut by_kind: BTreeMap<HoleKind, Vec<(u64, Range<usize>)>> = BTreeMap::new();
        for hole in holes {
            *tally.holes.entry(hole.kind).or_default() += 1;
            let place = mix(hole.range.start as u64) ^ mix(!(hole.range.end as u64));
            let drawn = by_kind.entry(hole.kind).or_default();
            drawn.push((mix(salt ^ place), hole.range));
        }
        for drawn in by_kind.values_mut() {
            drawn.sort_unstable_by_key(|(order, range)| (*order, range.start));
        }
        by_kind
    }
}

/// Takes white space at both ends out of a hole: a line break belongs to the suffix.
fn trim(text: &str, range: &mut Range<usize>) {
    let golden = &text[range.clone()];
    range.end -= golden.len() - golden.trim_end().len();
    range.start += golden.len() - golden.trim_start().len();
    range.end = range.end.max(range.start);
}

/// Judges a file's holes.
struct Judge<'a> {
    recipe: &'a Recipe,
    language: Language,
    text: &'a str,
    tree: &'a Tree,
    page: Page<'a>,
    scene: Scene<'a>,
}

impl Judge<'_> {
    fn judge(
        &self,
        kind: HoleKind,
        range: Range<usize>,
        order: u64,
    ) -> Result<Candidate, HoleReason> {
        let root = self.tree.root_node();
        let node = root
            .descendant_for_byte_range(range.start, range.end)
            .ok_or(HoleReason::SyntaxError)?;
        let origin = match kind {
            HoleKind::CallSite => Some(self.origin(call_at(node, &range, true)?)?),
            HoleKind::Arguments => Some(self.origin(call_at(node, &range, false)?)?),
            _ => None,
        };
        if node.has_error() {
            return Err(HoleReason::SyntaxError);
        }
        // A parameter of Go or C++ is a declaration by its kind, and no statement.
        if kind == HoleKind::Statement && node.kind().contains("parameter") {
            return Err(HoleReason::Trivial);
        }
        let recipe = self.recipe;
        let window = window(self.text, &range, recipe.window_bytes, recipe.prefix_share);
        let score = self.page.score(kind, &range, &window, &recipe.selector)?;
        Ok(Candidate {
            kind,
            range,
            window,
            order,
            score,
            origin,
        })
    }

    /// Where the call with this callee leads, if that place counts.
    fn origin(&self, callee: Range<usize>) -> Result<Origin, HoleReason> {
        let origin = self
            .scene
            .origin(&self.text[callee.start..], callee.start)
            .ok_or(HoleReason::Unresolved)?;
        // What an own function gives back may be anybody's; what a package's does is its own.
        if origin == Origin::Own && is_result(&self.text[callee]) {
            return Err(HoleReason::Unresolved);
        }
        let listed = |name: &str| is_listed(self.language, name, &self.recipe.packages);
        match &origin {
            _ if self.recipe.packages.is_empty() => Ok(origin),
            Origin::Package(name) if listed(name) => Ok(origin),
            _ => Err(HoleReason::OtherPackage),
        }
    }
}

/// The callee of the call that is the hole, or whose arguments are, with the hole's node: what is
/// made by `new` is called too, and not a part of the call around it.
fn call_at(hole: Node, range: &Range<usize>, whole: bool) -> Result<Range<usize>, HoleReason> {
    let mut node = Some(hole);
    while let Some(at) = node {
        let kind = at.kind();
        let called = ["call", "invocation", "creation", "new_expression"];
        let call = called.iter().any(|part| kind.contains(part));
        let fits = whole || at.start_byte() < range.start;
        if call && fits && at.is_named() {
            // PHP's list behind `new` is no field.
            let list = at.child_by_field_name("arguments").or_else(|| {
                let mut children = at.walk();
                at.named_children(&mut children)
                    .find(|child| child.kind() == "arguments")
            });
            let end = list.map_or(at.end_byte(), |list| list.start_byte());
            return Ok(at.start_byte()..end);
        }
        node = at.parent();
    }
    Err(HoleReason::Unresolved)
}

/// The callee is a member of what another call gives back, and not of what a constructor makes.
fn is_result(callee: &str) -> bool {
    let callee = callee.trim_start_matches(['(', ' ']);
    let Some((head, rest)) = callee.split_once('(') else {
        return false;
    };
    let name = head
        .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next();
    let name = name.unwrap_or("");
    let made = name == "new" || head.starts_with("new ") || name.starts_with(char::is_uppercase);
    !made || rest.contains('(')
}

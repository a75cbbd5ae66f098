//! Measures, on real code, one line or a block, and where a completion is taken to end.
//!
//! ```text
//! cargo run --release -p truefill-syntax --example end_rate -- [OPTIONS] FOLDER…
//!   --seed N         draw other places (default 1)
//!   --files N        files drawn from each folder (default 40)
//!   --places N       places of each kind drawn from each file (default 3)
//!   --language NAME  only files of this language
//!   --show           print each end that is not the golden one's
//! ```
//!
//! Something is cut out of a file: the rest of a line, a statement of one line, the inside of a
//! body, or all that a header began. A model that gets it right and does not stop writes what stood
//! there and then what follows in the file. That text comes three characters at a time, and is to
//! be cut where the golden text ends: neither before (early) nor behind (late).

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cuts;
#[path = "../files/mod.rs"]
mod files;
mod report;

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use cuts::{Cut, cuts};
use files::indexable_files;
use report::{Figures, Options, Outcome};
use truefill_syntax::{Draw, EndFinder, Language, Shape, Site};

/// Characters that come at once, as tokens do.
const PIECE: usize = 3;

/// Bytes behind the golden end that a model goes on for.
const OVERRUN: usize = 300;

fn main() {
    let options = Options::parse(std::env::args().skip(1));
    let mut figures = Figures::default();
    let mut draw = Draw::new(options.seed);
    for folder in &options.folders {
        let mut by_language: BTreeMap<Language, Vec<_>> = BTreeMap::new();
        for (path, language) in indexable_files(folder) {
            if options.language.is_none_or(|wanted| wanted == language) {
                by_language.entry(language).or_default().push(path);
            }
        }
        for (language, mut files) in by_language {
            files.sort();
            for _ in 0..options.files.min(files.len()) {
                let path = files.swap_remove(draw.below(files.len()));
                measure_file(&path, language, &options, &mut draw, &mut figures);
            }
        }
    }
    figures.print();
}

fn measure_file(
    path: &Path,
    language: Language,
    options: &Options,
    draw: &mut Draw,
    figures: &mut Figures,
) {
    let Ok(text) = fs::read_to_string(path) else {
        return;
    };
    let minified = text.lines().any(|line| line.len() > 2_000);
    if minified || text.len() < 500 || text.len() > 400_000 {
        return;
    }
    // The server's text has no other line ends.
    let text = text.replace("\r\n", "\n");
    let mut found = cuts(language, &text);
    for kind in cuts::Kind::ALL {
        let mut of_kind: Vec<Cut> = found.extract_if(.., |cut| cut.kind == kind).collect();
        for _ in 0..options.places.min(of_kind.len()) {
            let cut = of_kind.swap_remove(draw.below(of_kind.len()));
            measure(path, language, &text, &cut, options, figures);
        }
    }
}

fn measure(
    path: &Path,
    language: Language,
    text: &str,
    cut: &Cut,
    options: &Options,
    figures: &mut Figures,
) {
    let (prefix, rest) = text.split_at(cut.range.start);
    let (golden, suffix) = rest.split_at(cut.range.len());
    let wanted = match golden.trim().contains('\n') {
        true => Shape::Block,
        false => Shape::OneLine,
    };
    for invoked in [false, true] {
        let started = Instant::now();
        let decision = Site::new(language, prefix, suffix).shape(invoked);
        figures.shaped(language, cut.kind, invoked, decision.shape == wanted);
        figures.took(text.len(), started.elapsed());
    }
    let finder = EndFinder::new(&Site::new(language, prefix, suffix), wanted);
    let overrun = text.floor_char_boundary(text.len().min(cut.range.end + OVERRUN));
    let written = &text[cut.range.start..overrun];
    let pieces = written.char_indices().skip(PIECE).step_by(PIECE);
    let mut ends = pieces.map(|(at, _)| at).chain([written.len()]);
    let end = ends.find_map(|at| finder.find(&written[..at]));
    let kept = written[..end.unwrap_or(written.len())].trim_end().len();
    let comment = language.line_comment();
    let outcome = Outcome::of(kept, golden.trim_end().len(), &cut.also, comment, written);
    figures.ended(language, cut.kind, outcome);
    if options.show && outcome != Outcome::Exact {
        let line = prefix.rsplit('\n').next().unwrap_or_default();
        println!(
            "== {language} {:?} {outcome:?} {}",
            cut.kind,
            path.display()
        );
        println!("{line}⟦{}‖{}⟧", &written[..kept], &written[kept..]);
    }
}

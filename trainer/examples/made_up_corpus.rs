//! Writes made-up contexts, negatives, verdicts and scores: the small corpus of the tests, or one
//! of any size to measure throughput with.
//!
//! ```text
//! cargo run -p truefill-trainer --example made_up_corpus -- FOLDER [CONTEXTS [WINDOW_BYTES [REPO]]]
//! ```
#![allow(clippy::print_stderr)]

#[path = "../tests/support/made_up.rs"]
mod made_up;

use std::path::Path;

use truefill_trainer::rows::RowWriter;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next() else {
        anyhow::bail!("usage: made_up_corpus FOLDER [CONTEXTS [WINDOW_BYTES [REPO]]]");
    };
    let mut number = |default| {
        args.next()
            .map_or(Ok(default), |text| text.parse::<usize>())
    };
    let size = made_up::Size {
        contexts: number(60)?,
        window: number(1200)?,
        repo: number(3)?,
        seed: 1,
    };
    let folder = Path::new(&folder);
    // Small corpora are read by people.
    let end = if size.contexts > 1000 {
        "jsonl.zst"
    } else {
        "jsonl"
    };
    let path = |name: &str| folder.join(format!("{name}.{end}"));
    let mut contexts = RowWriter::create(&path("contexts"))?;
    let mut negatives = RowWriter::create(&path("negatives"))?;
    let mut verdicts = RowWriter::create(&path("verdicts"))?;
    let mut scores = RowWriter::create(&path("scores"))?;
    for number in 0..size.contexts {
        let case = made_up::case(size, number);
        contexts.write(&case.context)?;
        for row in &case.negatives {
            negatives.write(row)?;
        }
        for row in made_up::verdicts(&case, size.seed) {
            verdicts.write(&row)?;
        }
        for row in made_up::scores(&case, size.seed) {
            scores.write(&row)?;
        }
    }
    contexts.finish()?;
    negatives.finish()?;
    verdicts.finish()?;
    scores.finish()?;
    Ok(())
}

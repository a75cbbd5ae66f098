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
    made_up::write(folder, size, end)
}

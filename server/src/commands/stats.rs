//! `truefill stats`: how suggestions fare, and which arm is better.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use truefill_journal::{Query, Reader, SuggestionRow, UnixMicros, imported, system_clock};
use truefill_model::store::Store;

use crate::paths::Paths;
use crate::stats::{Comparison, Counts, Difference, Request, Shadow, compare, requests, shadows};

/// What `truefill stats` can be told.
#[derive(Debug, Args)]
#[command(
    after_help = "Requests are counted where they asked the model. *shown* are answers that the \
                  editor reports as shown; where it reports nothing, those that were not replaced \
                  or typed away before they could be seen. *kept* characters are what was left of \
                  accepted ones at the last sample (30 to 360 seconds later), or all of them where \
                  the document was closed before the first.\n\nArms are compared \
                  by kept characters for each request that was assigned to them, whether or not \
                  something was shown; a key that types what an answer says counts as a request, too, \
                  though nobody is asked. The interval holds however often it is looked at; it is \
                  for documents and half hours (or whatever is assigned) like those so far.\n\n\
                  A team pools its journals: `truefill journal export --out mine.jsonl` on each \
                  machine, then `truefill stats *.jsonl`."
)]
pub struct StatsArgs {
    /// Exports to pool instead of this machine's journal
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only the last so many days
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// All that is told.
#[derive(Debug, Serialize)]
struct Report {
    all: Counts,
    arms: BTreeMap<String, Counts>,
    languages: BTreeMap<String, Counts>,
    triggers: BTreeMap<String, Counts>,
    /// Why nothing was given, by code.
    silences: BTreeMap<String, u64>,
    comparison: Option<Comparison>,
    shadows: Vec<Shadow>,
    verdict: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// In one sentence, where it fails.
pub fn run(args: &StatsArgs) -> Result<ExitCode> {
    let paths = Paths::from_env()?;
    let since = args.days.map(|days| system_clock()().days_before(days));
    let rows = match args.files.is_empty() {
        true => own(&paths, since)?,
        false => pooled(&args.files, since)?,
    };
    let serving = Store::open(&paths.store()).and_then(|store| store.serving());
    let baseline = serving.ok().and_then(|serving| {
        let first = serving.arms.first();
        first.map(|arm| arm.name.to_string())
    });
    let shadows = shadows(&rows);
    let report = Report::of(&requests(rows), shadows, baseline.as_deref());
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string(&report)?)?,
        false => report.print(&mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn own(paths: &Paths, since: Option<UnixMicros>) -> Result<Vec<SuggestionRow>> {
    let reader = Reader::open(&paths.journal())?;
    let query = Query { since, until: None };
    // Text is nothing to a statistic, and much to keep in memory.
    let rows = reader.suggestions(query)?;
    Ok(rows
        .map(|row| row.map(SuggestionRow::without_text))
        .collect::<Result<_, _>>()?)
}

fn pooled(files: &[PathBuf], since: Option<UnixMicros>) -> Result<Vec<SuggestionRow>> {
    let mut rows = Vec::new();
    for path in files {
        let name = path.display();
        let file = File::open(path).with_context(|| format!("`{name}` cannot be read"))?;
        for row in imported(BufReader::new(file)) {
            rows.push(row.with_context(|| format!("`{name}`"))?.without_text());
        }
    }
    rows.retain(|row| since.is_none_or(|since| row.at >= since));
    rows.sort_by_key(|row| (row.at, row.id));
    // One machine's export may be there twice.
    rows.dedup_by_key(|row| row.id);
    Ok(rows)
}

impl Report {
    fn of(requests: &[Request], shadows: Vec<Shadow>, baseline: Option<&str>) -> Self {
        let by = |key: fn(&Request) -> &str| {
            let mut groups = BTreeMap::<String, Vec<&Request>>::new();
            for request in requests {
                groups
                    .entry(key(request).to_owned())
                    .or_default()
                    .push(request);
            }
            let counted = groups.into_iter();
            counted.map(|(name, own)| (name, Counts::of(own))).collect()
        };
        let mut silences = BTreeMap::new();
        for code in requests.iter().filter_map(|it| it.silence.clone()) {
            *silences.entry(code).or_default() += 1;
        }
        let comparison = compare(requests, baseline);
        Self {
            all: Counts::of(requests),
            arms: by(|it| &it.arm),
            languages: by(|it| &it.language),
            triggers: by(|it| &it.trigger),
            silences,
            verdict: verdict(comparison.as_ref(), &shadows),
            comparison,
            shadows,
        }
    }

    fn print(&self, out: &mut dyn Write) -> Result<()> {
        if self.all.requested == 0 {
            writeln!(out, "The journal has no requests yet.")?;
            return Ok(());
        }
        let mut lines = vec![HEAD.map(str::to_owned).to_vec(), cells("all", &self.all)];
        for groups in [&self.arms, &self.languages, &self.triggers] {
            lines.push(Vec::new());
            lines.extend(groups.iter().map(|(name, counts)| cells(name, counts)));
        }
        table(&lines, out)?;
        if !self.silences.is_empty() {
            let told = self
                .silences
                .iter()
                .map(|(code, count)| format!("{code} {count}"));
            let told: Vec<String> = told.collect();
            writeln!(out, "\nNothing was given: {}.", told.join(", "))?;
        }
        writeln!(out)?;
        for sentence in &self.verdict {
            writeln!(out, "{sentence}")?;
        }
        Ok(())
    }
}

const HEAD: [&str; 9] = [
    "",
    "requested",
    "served",
    "shown",
    "accepted",
    "kept",
    "kept chars",
    "per request",
    "median/p95 ms",
];

fn cells(name: &str, counts: &Counts) -> Vec<String> {
    let share = |part: u64, of: u64| match of {
        0 => part.to_string(),
        of => format!("{part} ({:.1} %)", 100.0 * part as f64 / of as f64),
    };
    let ms = |value: Option<f64>| value.map_or("–".to_owned(), |ms| format!("{ms:.0}"));
    vec![
        name.to_owned(),
        counts.requested.to_string(),
        share(counts.served, counts.requested),
        share(counts.shown, counts.requested),
        share(counts.accepted, counts.requested),
        share(counts.kept, counts.requested),
        counts.kept_chars.to_string(),
        counts
            .kept_per_request()
            .map_or("–".to_owned(), |value| format!("{value:.2}")),
        format!(
            "{}/{}",
            ms(counts.latency.median_ms),
            ms(counts.latency.p95_ms)
        ),
    ]
}

fn table(lines: &[Vec<String>], out: &mut dyn Write) -> Result<()> {
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    for line in lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}

/// Plain sentences: which arm is better, by how much, how sure, how long still.
fn verdict(comparison: Option<&Comparison>, shadows: &[Shadow]) -> Vec<String> {
    let mut sentences = match (comparison, shadows) {
        // A shadow alone is a comparison, too.
        (None, [_, ..]) => Vec::new(),
        _ => compared(comparison),
    };
    sentences.extend(shadows.iter().map(shadowed));
    sentences
}

fn shadowed(found: &Shadow) -> String {
    let [own, shown] = [found.agreement, found.shown_agreement].map(|it| 100.0 * it);
    let Shadow {
        arm,
        places,
        documents,
        ..
    } = found;
    let so_far = format!(
        "The shadow `{arm}` has {own:.1} % in common with what was written in the end, what was given in its \
         place {shown:.1} % ({places} places in {documents} documents"
    );
    match found.interval {
        Some([low, high]) => format!(
            "{so_far}; 95 % interval of the difference {:+.1} to {:+.1} points, valid at every look).",
            100.0 * low,
            100.0 * high
        ),
        None => format!("{so_far}; too few to say more)."),
    }
}

fn compared(comparison: Option<&Comparison>) -> Vec<String> {
    let Some(comparison) = comparison else {
        return vec![
            "Nothing is compared; `truefill arms set` serves several checkpoints.".to_owned(),
        ];
    };
    if comparison.ratio.is_off() {
        let told = |(arm, expected): (&String, &f64)| {
            let found = comparison.ratio.units.get(arm).copied().unwrap_or(0);
            format!("`{arm}` has {found} units where {expected:.0} were due")
        };
        let told: Vec<String> = comparison.ratio.expected.iter().map(told).collect();
        return vec![format!(
            "The assignment is not what it should be ({}), so nothing can be said of the arms: \
             rows may be missing, or an arm was not served everywhere.",
            told.join(", ")
        )];
    }
    let base = &comparison.arms[0];
    let base_figure = base.kept_per_request.unwrap_or(0.0);
    let sentence = |it: &Difference| sentence(it, &base.name, base_figure);
    let left_out = (comparison.left_out > 0).then(|| {
        format!(
            "{} requests from before these arms, or under other arms, checkpoints or shares, are left out.",
            comparison.left_out
        )
    });
    let sentences = comparison.differences.iter().map(sentence);
    sentences.chain(left_out).collect()
}

fn sentence(found: &Difference, base: &str, base_figure: f64) -> String {
    let Difference {
        arm, difference, ..
    } = found;
    let relative = match base_figure > 0.0 {
        true => format!(
            ", {:+.1} % of `{base}`'s {base_figure:.2}",
            100.0 * difference / base_figure
        ),
        false => String::new(),
    };
    let so_far = format!("{difference:+.2} kept characters for each request{relative}");
    let (Some([low, high]), Some(sure)) = (found.interval, found.confidence) else {
        let [units, least] = found.units;
        return format!(
            "`{arm}` against `{base}`: too early to say; so far {so_far}. Each arm needs {least} \
             units, the smaller one has {units}."
        );
    };
    let interval = format!("95 % interval {low:+.2} to {high:+.2}, valid at every look");
    match (low > 0.0, high < 0.0) {
        (true, _) => format!(
            "`{arm}` is better than `{base}`: {so_far} ({interval}; {:.1} % sure).",
            100.0 * sure
        ),
        (_, true) => format!(
            "`{arm}` is worse than `{base}`: {so_far} ({interval}; {:.1} % sure).",
            100.0 * sure
        ),
        _ => {
            let left = match found.days_left {
                Some(days) => format!(
                    "at this rate about {:.0} more days would tell a difference of this size apart",
                    days.ceil()
                ),
                None => "a difference of this size would take more than a year to be told apart"
                    .to_owned(),
            };
            format!("`{arm}` and `{base}` cannot be told apart: {so_far} ({interval}); {left}.")
        }
    }
}

#[cfg(test)]
mod tests;

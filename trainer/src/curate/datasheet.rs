//! A datasheet (Gebru et al. 2021) of the curated rows, made from the manifest and its tables.

use std::collections::HashSet;
use std::fmt::Write;

use crate::rows::{Input, Manifest};
use crate::table::Table;

/// A file that was read, and the manifest of the step that wrote it.
pub struct Earlier {
    file: Input,
    step: Option<Manifest>,
}

/// The manifests of what was read. A step that wrote two files has one manifest.
pub fn earlier(inputs: &[Input]) -> Vec<Earlier> {
    let mut found: Vec<Earlier> = inputs
        .iter()
        .map(|file| Earlier {
            file: file.clone(),
            step: Manifest::of(file),
        })
        .collect();
    let steps = found.iter().filter_map(|earlier| earlier.step.as_ref());
    let outputs = steps.flat_map(|step| &step.outputs);
    let told: HashSet<String> = outputs.map(|output| output.sha256.clone()).collect();
    found.retain(|earlier| earlier.step.is_some() || !told.contains(&earlier.file.sha256));
    found
}

/// The datasheet as Markdown; `earlier` are the files that were read.
pub fn datasheet(manifest: &Manifest, earlier: &[Earlier], tables: &[(String, Table)]) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut out, manifest, earlier, tables);
    out
}

fn write(
    out: &mut String,
    manifest: &Manifest,
    earlier: &[Earlier],
    tables: &[(String, Table)],
) -> std::fmt::Result {
    composition(out, manifest);
    for (_, table) in tables {
        writeln!(out, "### {}\n\n{}", table.title, table.to_markdown())?;
    }
    out.push_str("## Collection and filters\n\n");
    filters(out, manifest, earlier)?;
    out.push_str("What was set:\n\n```json\n");
    let recipe = serde_json::to_string_pretty(&manifest.recipe).unwrap_or_default();
    writeln!(out, "{recipe}\n```\n")?;
    out.push_str(
        "## Uses\n\nFor fine-tuning and for choosing checkpoints. The wrong completions are wrong \
         on purpose: never use them as code. A fool rate is what a panel of models says, not a \
         fact about the code; rows without verdicts have none. Not for measuring models against \
         published benchmarks.\n\n## Distribution\n\nEach row carries its repository, path and \
         SPDX licence; whoever passes rows on keeps to that licence and its notices.\n\n## Files\n\n",
    );
    for file in &manifest.outputs {
        let name = file.path.display();
        writeln!(
            out,
            "- `{name}`: {} rows, SHA-256 `{}`",
            file.rows, file.sha256
        )?;
    }
    Ok(())
}

/// What the rows are, and which files there are of them.
fn composition(out: &mut String, manifest: &Manifest) {
    out.push_str(
        "# Datasheet\n\nMade by `truefill-trainer curate`; figures are from the manifest beside \
         it.\n\n## Motivation\n\nRows teach a code model to fill holes without inventing methods, \
         parameters, variables or imports. Each pairs what a developer wrote with a completion that \
         is plausible and wrong in one name (paper \"Synthetic Hallucinations, Real Gains\").\n\n\
         ## Composition\n\n- `sft.jsonl`: prompt and golden completion, at most one row for a \
         context.\n- `pairs.jsonl`: the same with the wrong completion, who made it, and the share \
         of blind judges whom it fooled.\n- `valid/`, `test/`: rows of other repositories; no \
         repository is in two splits.\n",
    );
    let has = |folder: &str| {
        let mut files = manifest.outputs.iter();
        files.any(|file| {
            file.path.starts_with("subsets") && file.path.display().to_string().contains(folder)
        })
    };
    if has("size-") {
        out.push_str(
            "- `subsets/size-N/`: N training rows, with the mix of all; each size holds the smaller \
             ones.\n",
        );
    }
    if has("band-") {
        out.push_str(
            "- `subsets/band-*/`: training rows by fool rate, in every band equally many of each \
             language and type.\n",
        );
    }
    out.push_str(
        "\nPrefix, golden completion and suffix are bytes of the \
         file as it was found. Rows of the type `import` have their hole on the import's line.\n\n",
    );
}

/// What was read, kept and left out, step by step.
fn filters(out: &mut String, manifest: &Manifest, earlier: &[Earlier]) -> std::fmt::Result {
    for Earlier { file, step } in earlier {
        if step.is_none() {
            let name = file.path.file_name().unwrap_or_default().display();
            writeln!(
                out,
                "No manifest fits `{name}`: what the step before left out is not known.\n"
            )?;
        }
    }
    for step in earlier
        .iter()
        .filter_map(|earlier| earlier.step.as_ref())
        .chain([manifest])
    {
        writeln!(out, "### {}\n", step.step)?;
        for (name, count) in &step.counts {
            writeln!(out, "- {name}: {count}")?;
        }
        out.push('\n');
    }
    Ok(())
}

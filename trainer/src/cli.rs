//! The command line.

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::usage::Usage;

/// Turns code and the journal into better checkpoints.
///
/// The steps run in this order, each on the files that the one before wrote: mine or harvest,
/// generate, judge, curate, train, eval, promote, report; run does them all. The first five need
/// neither a network nor a model. ablate varies a recipe's choices. export and import carry
/// checkpoints, and training itself, to other programs and back.
///
/// Examples:
///   truefill-trainer run recipes/quickstart.toml
///   truefill-trainer mine --each corpus/sources --out contexts.jsonl.zst
///   truefill-trainer generate contexts.jsonl.zst --out negatives.jsonl.zst
///   truefill-trainer judge contexts.jsonl.zst negatives.jsonl.zst --out verdicts.jsonl.zst
///   truefill-trainer curate contexts.jsonl.zst negatives.jsonl.zst verdicts.jsonl.zst --out data
///   truefill-trainer train --recipe recipe.toml
///   truefill-trainer eval --suite pairs --data data/test/pairs.jsonl --model run-7
///   truefill-trainer promote run-7 --recipe recipe.toml
///   truefill-trainer harvest --out harvest
///   truefill-trainer report base=evaluations/default sft=evaluations/run-7
///
/// `--help` behind a step has its options. A recipe (`--recipe FILE`) sets up all steps, and models
/// that are asked; docs/data.md has its keys. Results go to standard output, progress to standard
/// error. Exit status: 0 done, 1 failed, 2 the command or the recipe cannot be meant.
#[derive(Debug, Parser)]
#[command(
    name = "truefill-trainer",
    version,
    arg_required_else_help = true,
    verbatim_doc_comment
)]
struct Cli {
    #[command(subcommand)]
    step: Step,
}

/// The steps of the pipeline.
#[derive(Debug, Subcommand)]
enum Step {
    Mine(crate::mine::command::MineArgs),
    Generate(Box<crate::generate::command::GenerateArgs>),
    Judge(crate::judge::Args),
    Curate(crate::curate::Args),
    Train(crate::train::run::command::TrainArgs),
    Eval(Box<crate::eval::command::EvalArgs>),
    Promote(crate::promote::PromoteArgs),
    Harvest(crate::harvest::HarvestArgs),
    Export(crate::export::Args),
    Import(crate::import::Args),
    Report(Box<crate::report::Args>),
    Ablate(crate::ablate::AblateArgs),
    Run(crate::run::RunArgs),
}

/// Runs the command line; 2 is wrong usage, 1 a failure.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // A closed terminal cannot be told anything.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let out = &mut Piped(std::io::stdout().lock());
    match cli.step {
        Step::Mine(args) => ended(crate::mine::command::run(&args, out)),
        Step::Generate(args) => ended(args.run(out)),
        Step::Judge(args) => ended(crate::judge::run(&args, out)),
        Step::Curate(args) => ended(crate::curate::run(&args, out)),
        Step::Train(args) => ended_with(crate::train::run::command::run(&args, out)),
        Step::Eval(args) => ended_with(crate::eval::command::run(&args, out)),
        Step::Promote(args) => ended_with(crate::promote::run(&args, out)),
        Step::Harvest(args) => ended(crate::harvest::run(&args, out)),
        Step::Export(args) => ended(crate::export::run(&args, out)),
        Step::Import(args) => ended(crate::import::run(&args, out)),
        Step::Report(args) => ended(crate::report::run(&args, out)),
        Step::Ablate(args) => ended_with(crate::ablate::run(&args, out)),
        Step::Run(args) => ended_with(crate::run::run(&args, out)),
    }
}

/// The exit status of a step, its failure told in one line.
fn ended(result: anyhow::Result<()>) -> ExitCode {
    ended_with(result.map(|()| ExitCode::SUCCESS))
}

/// The same of a step that may have been stopped.
fn ended_with(result: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    tell(&format!("error: {error:#}"));
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

/// Where results are printed. A reader that goes away, as `head` does, wants no more: that is no
/// failure of the step, whose files are whole.
struct Piped<W>(W);

impl<W: Write> Write for Piped<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written.map_err(unprinted),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed.map_err(unprinted),
        }
    }
}

fn unprinted(error: std::io::Error) -> std::io::Error {
    let said = format!("standard output: {error}; the step's files are whole");
    std::io::Error::new(error.kind(), said)
}

fn tell(message: &str) {
    let _ = writeln!(std::io::stderr(), "{message}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// What a help text shows can be typed.
    #[test]
    fn every_example_is_a_command() {
        let mut cli = Cli::command();
        let mut texts = vec![("", cli.render_long_help().to_string())];
        for step in [
            "mine", "generate", "judge", "curate", "train", "eval", "promote", "harvest", "report",
            "ablate", "export", "import",
        ] {
            let command = cli.find_subcommand_mut(step).expect("a step");
            texts.push((step, command.render_long_help().to_string()));
        }
        for (step, text) in texts {
            let start = format!("  truefill-trainer {step}");
            let examples = text.lines().filter(|line| line.starts_with(&start));
            let examples: Vec<&str> = examples.collect();
            assert!(!examples.is_empty(), "`{step}` has no example");
            for example in examples {
                let words = example.split_whitespace();
                assert!(Cli::try_parse_from(words).is_ok(), "{example}");
            }
        }
    }
}

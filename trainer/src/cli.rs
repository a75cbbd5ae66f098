//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Turns code and the journal into better checkpoints.
///
/// The steps run in this order, each on the files that the one before wrote:
/// mine, generate, judge, curate, train, eval, promote.
#[derive(Debug, Parser)]
#[command(name = "truefill-trainer", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    step: Step,
}

/// The steps of the pipeline.
#[derive(Clone, Debug, Subcommand)]
enum Step {
    Mine(crate::mine::command::MineArgs),
    Generate(Box<crate::generate::command::GenerateArgs>),
    /// Ask a blind panel which of golden and rejected is right
    Judge,
    /// Choose, balance and split rows into `sft.jsonl` and `pairs.jsonl`
    Curate,
    /// Fine-tune a checkpoint: SFT, ORPO, DPO, FGit
    Train,
    /// Measure a checkpoint on benchmarks and held-out rows
    Eval,
    /// Put a checkpoint that passes the gate into service
    Promote,
    /// Make contexts and pairs from the journal's outcomes
    Harvest,
    /// Write a ready job for a trainer that runs on many GPUs
    Export,
    /// Bring a checkpoint trained elsewhere into the store
    Import,
    /// Show results as a page
    Report,
    /// Run a grid of recipes
    Ablate,
    /// Run a whole recipe
    Run,
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
    if let Step::Mine(args) = &cli.step {
        return finish(crate::mine::command::run(args).map(|()| String::new()));
    }
    if let Step::Generate(args) = &cli.step {
        return finish(args.run());
    }
    let step = format!("{:?}", cli.step).to_lowercase();
    tell(&format!(
        "error: `truefill-trainer {step}` is not part of version {}; it changed nothing",
        env!("CARGO_PKG_VERSION")
    ));
    ExitCode::from(1)
}

/// Prints what a step gives, or its error with every cause.
fn finish(result: anyhow::Result<String>) -> ExitCode {
    use std::io::Write;
    match result {
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            // A closed pipe wanted no more.
            Ok(()) | Err(_) => ExitCode::SUCCESS,
        },
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::from(1)
        }
    }
}

fn tell(message: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{message}");
}

//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::commands::arms::ArmsArgs;
use crate::commands::bench::BenchArgs;
use crate::commands::complete::CompleteArgs;
use crate::commands::demo::DemoArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::journal::JournalArgs;
use crate::commands::models::ModelsArgs;
use crate::commands::stats::StatsArgs;

/// Exit code of a job that failed; wrong usage exits with 2, which clap does itself.
const FAILED: u8 = 1;

/// A language server that fills in the middle from a local model.
#[derive(Debug, Parser)]
#[command(
    name = "truefill",
    version,
    after_help = "Editors start `truefill serve`. To see whether everything is in place, run \
                  `truefill doctor`. Files lie in the system's folders for configuration and \
                  data, or all under `TRUEFILL_HOME`; `TRUEFILL_STORE` names another folder for \
                  checkpoints; `TRUEFILL_LOG` sets what is logged to \
                  stderr (such as `truefill_server=debug`)."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Speak the language server protocol on stdin and stdout
    #[command(
        after_help = "Editors start this. It ends when the editor says `exit`, closes the \
                            stream, or is gone."
    )]
    Serve(ServeArgs),
    /// Complete at one place of a file, as the server would
    #[command(
        after_help = "A place without a suggestion is no failure: the reason goes to stderr. The \
                      configuration holds as for the server; for the guard, the repository around \
                      the file (else its folder) is read while the model is opened and at most 3 \
                      seconds longer. What is not done is to write into the journal."
    )]
    Complete(CompleteArgs),
    /// See it work on a small project, then connect an editor
    Demo(DemoArgs),
    /// Fetch, list and verify models
    Models(ModelsArgs),
    /// Choose which checkpoints are served, and compare them
    Arms(ArmsArgs),
    /// See how suggestions fare, and which arm is better
    Stats(StatsArgs),
    /// Take the private journal along, or forget parts of it
    Journal(JournalArgs),
    /// Check whether everything is in place
    Doctor(DoctorArgs),
    /// Measure what a user of this machine gets
    Bench(BenchArgs),
}

/// What `truefill serve` can be told.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Configuration to read instead of the user's `truefill.toml`
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// An engine for tests, `scripted:FILE.json`
    #[arg(long, value_name = "ENGINE", hide = true)]
    pub engine: Option<String>,
    /// For tests: times of samples, so many times as fast
    #[arg(long, value_name = "FACTOR", hide = true, default_value_t = 1)]
    pub hurry: u32,
    /// Clients append this to tell the transport; stdio is the only one there is.
    #[arg(long, hide = true)]
    stdio: bool,
    /// Clients append this to tell their process; `initialize` says it as well.
    #[arg(long, hide = true, value_name = "PID", rename_all = "camelCase")]
    client_process_id: Option<u32>,
}

/// Runs the command that the arguments name and gives the process's exit code.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(args) => commands::serve::run(&args),
        Command::Complete(args) => commands::complete::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Models(args) => commands::models::run(&args),
        Command::Arms(args) => commands::arms::run(&args),
        Command::Stats(args) => commands::stats::run(&args),
        Command::Journal(args) => commands::journal::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // The stream may be closed; there is nobody left to tell then.
            let _ = std::io::Write::write_all(
                &mut std::io::stderr().lock(),
                format!("truefill: {error:#}\n").as_bytes(),
            );
            FAILED.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}

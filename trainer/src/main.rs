//! `truefill-trainer`: see `truefill-trainer --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    truefill_trainer::cli::run(std::env::args_os())
}

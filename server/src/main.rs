//! `truefill`: see `truefill --help`.

fn main() -> std::process::ExitCode {
    truefill_server::cli::run()
}

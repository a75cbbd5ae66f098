//! `truefill serve`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::cli::ServeArgs;
use crate::config::Config;
use crate::engine::{EngineFactory, Loader, open, scripted};
use crate::logging;
use crate::lsp::{self, End, Options};
use crate::paths::Paths;
use crate::retention::Times;

/// Threads that handlers run on; the engine has its own.
const WORKERS: usize = 2;

/// Serves until the client is gone.
///
/// # Errors
/// Where the configuration cannot be read.
pub fn run(args: &ServeArgs) -> Result<ExitCode> {
    logging::start();
    let paths = Paths::from_env()?;
    let base = Config::of_command(args.config.as_deref(), &paths.config_file())?;
    let script = args
        .engine
        .as_deref()
        .map(|it| script(it, &paths))
        .transpose()?;
    let testing = script.is_some();
    let (journal, store) = (Some(paths.journal()), Some(paths.store()));
    let factory = script.unwrap_or_else(|| open::factory(paths));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("truefill-worker")
        .enable_all()
        .build()
        .context("no threads to serve with")?;
    let code = runtime.block_on(serve(Options {
        factory,
        base,
        journal,
        store,
        testing,
        times: Times::hurried(args.hurry.max(1)),
    }));
    // A thread that waits for stdin cannot be joined; the process's end takes it.
    runtime.shutdown_background();
    Ok(code)
}

/// The factory of `--engine scripted:FILE`.
fn script(engine: &str, paths: &Paths) -> Result<EngineFactory> {
    let Some(file) = engine.strip_prefix("scripted:") else {
        bail!("`--engine` expects `scripted:FILE.json`, found `{engine}`");
    };
    let (file, paths) = (Path::new(file).to_owned(), paths.clone());
    Ok(Arc::new(move |config| -> Loader {
        let (file, paths, config) = (file.clone(), paths.clone(), config.clone());
        Box::new(move |_| scripted::lineup(&file, &open::serving(&paths, &config)?))
    }))
}

async fn serve(options: Options) -> ExitCode {
    let (service, socket, session) = lsp::service(options);
    let watched = Arc::clone(&session);
    let unreadable = |uri: &str| session.serving.unreadable_change(uri);
    let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let end = tokio::select! {
        end = lsp::serve(stdin, stdout, service, socket, unreadable) => Some(end),
        () = watched.client_gone() => None,
    };
    session.serving.shut_down();
    match &end {
        Some(End::Refused(error)) => tracing::error!(%error, "the client's stream was refused"),
        end => tracing::info!(?end, "ending"),
    }
    // As the protocol has it: success only for an exit that was announced.
    let announced = session.was_shut_down() && !matches!(end, Some(End::Refused(_)));
    if announced {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

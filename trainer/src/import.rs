//! `import`: a model or an adapter that was trained elsewhere, into the store.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use truefill_model::adapter::{self, Adapter};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::fim::{BoundFormat, FimFormat};
use truefill_model::store::{CheckpointId, FileName, Installed, Store, Stored};
use truefill_model::weights::{Naming, TensorName};
use truefill_model::write::{Model, tensors};

use crate::checkpoint;
use crate::deliver::{self, About, Card, format_name};
use crate::stored;
use crate::train::error::DataError;
use crate::train::recipe::SavedDtype;
use crate::train::set::{Claims, check_checkpoint};
use crate::usage::Usage;

/// Files of a folder that become part of the checkpoint, beside its safetensors.
const FILES: [&str; 10] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "model.safetensors.index.json",
];

/// Bring a checkpoint trained elsewhere into the store
///
/// FOLDER is a model in the hub's layout (`config.json`, `tokenizer.json`, safetensors), or with
/// `--adapter` a LoRA adapter in PEFT's. It is checked as training checks what it starts from: the
/// decoder computes the architecture, every tensor is there, of the right shape and finite, and
/// tokenizer and FIM format are those of the base that it was trained from.
///
/// Examples:
///   truefill-trainer import out --base default-base --name my-run
///   truefill-trainer import out --adapter --base default-base --format truefill-spm --teach-format
///   truefill-trainer import out --adapter --base qwen2.5-coder-0.5b --merge --type f16
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The folder
    pub folder: PathBuf,
    /// It holds an adapter, not a whole model
    #[arg(long)]
    pub adapter: bool,
    /// What it was trained from, by id or alias in the store; an adapter needs it
    #[arg(long, value_name = "CHECKPOINT")]
    pub base: Option<String>,
    /// Add the adapter to its base and store the whole model
    #[arg(long, requires = "adapter")]
    pub merge: bool,
    /// How a merged model is stored: f32, f16 or bf16
    #[arg(
        long = "type",
        value_enum,
        value_name = "TYPE",
        hide_possible_values = true,
        default_value = "f32"
    )]
    pub kind: SavedDtype,
    /// The FIM format that it was trained with [default: the base's, or the tokenizer's]
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// Allow a format that the base was not trained with
    #[arg(long)]
    pub teach_format: bool,
    /// The readable part of its id [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The checkpoint store [default: the user's, as `truefill models list` shows it]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Print the id as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Usage`] for what cannot be meant; the first file or tensor that is refused.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let store = stored::store(args.store.as_deref())?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let installed = import(args, &store, now.map_or(0, |now| now.as_secs()))?;
    let (id, new) = (installed.id.as_str(), installed.new);
    match args.json {
        true => writeln!(out, "{}", serde_json::json!({ "id": id, "new": new }))?,
        false if new => writeln!(out, "{id}")?,
        false => writeln!(out, "{id} (it was there already)")?,
    }
    Ok(())
}

/// Imports what `args` name; `created` is now, in seconds since 1970 UTC.
///
/// # Errors
/// As [`run`].
pub fn import(args: &Args, store: &Store, created: u64) -> Result<Installed> {
    let folder = &args.folder;
    if !folder.is_dir() {
        bail!("{}: expected a folder, found none", folder.display());
    }
    let base = args
        .base
        .as_deref()
        .map(|wanted| store.find(wanted).and_then(|id| store.get_whole(&id)))
        .transpose()?;
    if let Some(manifest) = base.as_ref().map(|base| &base.manifest)
        && let Some(whole) = &manifest.about().base
    {
        return Err(Usage::error(format!(
            "{}: expected a whole model, found an adapter; name its base, `--base {whole}`",
            manifest.id()
        )));
    }
    match (args.adapter, base) {
        (true, Some(base)) => import_adapter(args, store, &base, created),
        (true, None) => Err(Usage::error(
            "an adapter needs `--base`: the checkpoint in the store that it was trained on",
        )),
        (false, base) => import_full(args, store, base.as_ref(), created),
    }
}

fn import_full(
    args: &Args,
    store: &Store,
    base: Option<&Stored>,
    created: u64,
) -> Result<Installed> {
    let folder = &args.folder;
    if folder.join(adapter::CONFIG).is_file() && !folder.join("config.json").is_file() {
        return Err(Usage::error(format!(
            "{}: holds an adapter; say `--adapter` and name its `--base`",
            folder.display()
        )));
    }
    let found = Checkpoint::open(folder)?;
    if found.weights.naming() != Naming::Hub {
        bail!(
            "{}: expected a folder with `config.json` and safetensors, found a GGUF file; install \
             that with `truefill models pull {}`",
            folder.display(),
            folder.display()
        );
    }
    let format = check(args, &found, base)?;
    check_tensors(folder, &found)?;
    let about = about(
        args,
        base,
        &format,
        created,
        "A model that was trained elsewhere.",
    );
    let staging = store.stage()?;
    let mut names: Vec<String> = FILES.map(str::to_owned).to_vec();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".safetensors") {
            names.push(name);
        }
    }
    for name in names {
        let file = folder.join(&name);
        if !file.is_file() {
            continue;
        }
        let parsed: Result<FileName, String> = name.parse();
        match parsed {
            Ok(name) => staging.copy(&name, &file)?,
            Err(problem) => bail!("{}: {problem}", file.display()),
        }
    }
    deliver::put(store, staging, about, None, &found)
}

fn import_adapter(args: &Args, store: &Store, base: &Stored, created: u64) -> Result<Installed> {
    let origin = Checkpoint::open(&base.folder)?;
    let format = check(args, &origin, Some(base))?;
    let own = args.folder.join("tokenizer.json");
    if own.is_file() {
        check_tokenizer(&own, &origin)?;
    }
    let found = Adapter::read(&args.folder, &origin.config)?;
    if args.format.is_none() {
        check_rows(&args.folder, &found, &format)?;
    }
    let id = base.manifest.id();
    if !args.merge {
        let about = about(
            args,
            Some(base),
            &format,
            created,
            "An adapter that was trained elsewhere.",
        );
        return deliver::install_adapter(store, &found, id, &origin, about);
    }
    let model = Model::of_source(&origin.config, &*origin.weights).merged(&found);
    let story = "An adapter that was trained elsewhere, merged into its base.";
    let about = about(args, Some(base), &format, created, story);
    let end = stored::end(Some(&base.manifest), origin.tokenizer()?, &format)?;
    deliver::install_full(store, &model, &origin, end, args.kind.weights(), about)
}

/// The checks that training makes of what it starts from.
fn check(args: &Args, found: &Checkpoint, base: Option<&Stored>) -> Result<BoundFormat> {
    stored::check_ends(found)?;
    let tokenizer = found.tokenizer()?;
    let claimed = base.map(|base| base.manifest.about());
    let name = claimed.map(|about| about.format.name.as_str());
    let format = checkpoint::format(args.format.as_deref().or(name), tokenizer)?;
    let base_hash = match (base, claimed) {
        (Some(base), Some(about)) => {
            Some(same_rows(base, found)?.unwrap_or(about.tokenizer_sha256.to_string()))
        }
        _ => None,
    };
    let claims = Claims {
        tokenizer_sha256: base_hash,
        format: claimed.map(|about| about.format.clone()),
        vocabulary: found.config.vocabulary,
    };
    check_checkpoint(&claims, tokenizer, &format, args.teach_format)
        .with_context(|| args.folder.display().to_string())?;
    if stored::end(base.map(|base| &base.manifest), tokenizer, &format)?.is_none() {
        let format = format.name().to_owned();
        return Err(DataError::NoEnd { format }).with_context(|| args.folder.display().to_string());
    }
    Ok(format)
}

/// Rows of control tokens were trained for a format that has them as sentinels: an adapter that would be served
/// with a format without any, only because the base had none, would not fill in.
fn check_rows(folder: &Path, found: &Adapter, format: &BoundFormat) -> Result<()> {
    let tokenizer = format.tokenizer();
    let none = FimFormat::builtin(format.name()).is_none_or(|it| it.sentinels().next().is_none());
    let tokens = found.rows.as_ref().map_or(&[][..], |rows| &rows.tokens);
    let unused: Vec<String> = tokens
        .iter()
        .filter(|token| Some(**token) != format.end_token() && tokenizer.is_special(**token))
        .filter_map(|token| tokenizer.token_bytes(*token))
        .map(|spelling| format!("`{}`", String::from_utf8_lossy(spelling)))
        .collect();
    if none && !unused.is_empty() {
        return Err(Usage::error(format!(
            "{}: the adapter has trained rows of {}, and the base's format, `{}`, has no sentinels; name the format \
             that the adapter was trained with, such as `--format truefill-spm --teach-format`, or say `--format {}`",
            folder.display(),
            unused.join(", "),
            format.name(),
            format.name()
        )));
    }
    Ok(())
}

/// A GGUF base's vocabulary may have rows at its end that a `tokenizer.json` lacks: they mean
/// nothing, so its hash is taken without them.
fn same_rows(base: &Stored, found: &Checkpoint) -> Result<Option<String>> {
    let opened = Checkpoint::open(&base.folder)?;
    let theirs = opened.tokenizer()?;
    if opened.path.is_dir() || theirs.sha256() == found.tokenizer()?.sha256() {
        return Ok(None);
    }
    let json = stored::sidecars(&opened)?.tokenizer_json;
    let written = truefill_model::tokenizer::Tokenizer::from_json(&json)?;
    Ok(Some(written.sha256().to_owned()))
}

fn check_tokenizer(file: &Path, origin: &Checkpoint) -> Result<()> {
    let bytes =
        std::fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let own = truefill_model::tokenizer::Tokenizer::from_json(&bytes)
        .with_context(|| file.display().to_string())?;
    let written = stored::sidecars(origin)?.tokenizer_json;
    let theirs = truefill_model::tokenizer::Tokenizer::from_json(&written)?;
    if own.sha256() != theirs.sha256() {
        bail!(
            "{}: expected the base's tokenizer ({}), found another ({}); the adapter would answer to \
             other tokens",
            file.display(),
            theirs.sha256(),
            own.sha256()
        );
    }
    Ok(())
}

fn check_tensors(folder: &Path, found: &Checkpoint) -> Result<()> {
    let config = &found.config;
    let model = Model::of_source(config, &*found.weights);
    let mut left: BTreeSet<String> = found.weights.names().into_iter().collect();
    for (name, _) in tensors(config) {
        let values = model.values(name);
        values.with_context(|| format!("{}: a tensor is refused", folder.display()))?;
        if let Some(name) = name.spell(config.family, Naming::Hub) {
            left.remove(&name);
        }
    }
    // Older files keep what is computed from the configuration.
    left.retain(|name| !name.ends_with("rotary_emb.inv_freq"));
    if left.remove("lm_head.weight") {
        let head = found.weights.tensor("lm_head.weight")?.to_f32();
        if head != model.values(TensorName::Embedding)? {
            bail!(
                "{}: `config.json` says that the embedding serves as the head, and `lm_head.weight` \
                 differs from it; set `tie_word_embeddings` to false",
                folder.display()
            );
        }
    }
    match left.first() {
        None => Ok(()),
        Some(name) => bail!(
            "{}: the tensor `{name}` is none of a {} model as `config.json` describes it",
            folder.display(),
            config.family.name()
        ),
    }
}

fn about(
    args: &Args,
    base: Option<&Stored>,
    format: &BoundFormat,
    created: u64,
    story: &str,
) -> About {
    let folder = args.folder.canonicalize().unwrap_or(args.folder.clone());
    let stem = folder.file_name().unwrap_or_default().to_string_lossy();
    let parent: Option<CheckpointId> = base.map(|base| base.manifest.id().clone());
    About {
        name: args.name.clone().unwrap_or(stem.into_owned()),
        format: format_name(format),
        end: base.and_then(|base| base.manifest.about().end.clone()),
        recipe_sha256: None,
        data_sha256: Default::default(),
        source: folder.display().to_string(),
        created,
        card: Card {
            base: parent.as_ref().map(ToString::to_string).unwrap_or_default(),
            story: vec![story.to_owned()],
            ..Card::default()
        },
        parent,
    }
}

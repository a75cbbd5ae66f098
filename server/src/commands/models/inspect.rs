//! What a model's files say about it, and which files belong to it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::fim::FimFormat;
use truefill_model::store::{FormatName, Sha256Hex};

/// What the manifest needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inspection {
    pub(super) architecture: String,
    pub(super) format: FormatName,
    pub(super) tokenizer_sha256: Sha256Hex,
}

/// Opens the model, which checks its headers, and reads off what it is. The format is the one
/// that its sentinels tell, unless one is given.
///
/// # Errors
/// What is missing or damaged.
pub(super) fn inspect(path: &Path, format: Option<&str>) -> Result<Inspection> {
    let checkpoint = Checkpoint::open(path)?;
    let tokenizer = checkpoint.tokenizer()?;
    let format = match format {
        Some(name) => {
            FimFormat::builtin(name).with_context(|| format!("there is no FIM format `{name}`"))?
        }
        None => FimFormat::detect(tokenizer),
    };
    let sha256 = tokenizer.sha256().parse();
    Ok(Inspection {
        architecture: checkpoint.config.family.name().to_owned(),
        format: FormatName {
            name: format.name().to_owned(),
            version: format.version(),
        },
        tokenizer_sha256: sha256.map_err(|problem: String| anyhow::anyhow!(problem))?,
    })
}

/// The files of a model that lies in a folder or is one GGUF file.
///
/// # Errors
/// Where there is no such thing.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.is_dir() {
        bail!(
            "{}: no such file or folder; expected `default`, `hf:OWNER/REPO[/FILE][@REVISION]` \
             or the path of a .gguf file or a model's folder",
            path.display()
        );
    }
    let mut files = Vec::new();
    let whole = path.join("config.json").is_file();
    let entries =
        std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
    for entry in entries {
        let file = entry
            .with_context(|| format!("cannot list {}", path.display()))?
            .path();
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let belongs = if whole {
            matches!(
                name,
                "config.json" | "tokenizer.json" | "model.safetensors.index.json"
            ) || name.ends_with(".safetensors")
        } else {
            name.ends_with(".gguf")
        };
        if belongs && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

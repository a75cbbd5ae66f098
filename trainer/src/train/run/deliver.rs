//! The end of a run: its weights as a checkpoint of the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use truefill_model::adapter::{Adapter, AdapterSpec};
use truefill_model::fim::BoundFormat;
use truefill_model::store::{Installed, Sha256Hex, Store};
use truefill_model::training::GradDecoder;
use truefill_model::write::Model;

use super::engine;
use super::job::Outcome;
use super::keeping::sentence;
use crate::deliver::{About, Card, format_name, install_adapter, install_full};
use crate::stored::Opened;
use crate::train::data::RowKind;
use crate::train::recipe::{Parameters, TrainRecipe};
use crate::train::set::FileRows;

/// A file of rows as it was when the run began.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// Its path from the folder that all of them lie in.
    name: String,
    sha256: String,
    rows: FileRows,
}

/// The files of rows with their hashes and counts.
pub fn provenance(files: &[PathBuf], sha256: &[String], rows: &[FileRows]) -> Vec<DataFile> {
    let common = common_folder(files);
    let all = files.iter().zip(sha256).zip(rows);
    let found = all.map(|((file, sha256), rows)| {
        let name = file.strip_prefix(&common).unwrap_or(file);
        DataFile {
            name: name.display().to_string(),
            sha256: sha256.clone(),
            rows: rows.clone(),
        }
    });
    found.collect()
}

fn common_folder(files: &[PathBuf]) -> PathBuf {
    let mut folders = files.iter().filter_map(|file| file.parent());
    let mut common = folders.next().unwrap_or(Path::new("")).to_owned();
    for folder in folders {
        while !folder.starts_with(&common) && common.pop() {}
    }
    common
}

/// Installs trained weights: an adapter on a base that the store has as an adapter, all others whole,
/// an adapter merged.
///
/// # Errors
/// As [`install_full`] and [`install_adapter`].
pub fn install(
    store: &Store,
    origin: &Opened,
    format: &BoundFormat,
    recipe: &TrainRecipe,
    output: &Path,
    outcome: &Outcome,
    mut decoder: GradDecoder,
) -> Result<Installed> {
    let about = about(origin, format, recipe, output, outcome)?;
    let renderer = recipe.renderer(format)?;
    let naming = origin.checkpoint.weights.naming();
    let base = origin.manifest.as_ref().map(|manifest| {
        let base = manifest.about().base.clone();
        base.unwrap_or_else(|| manifest.id().clone())
    });
    if let (Parameters::Lora, Some(base)) = (recipe.parameters, &base) {
        let spec = AdapterSpec {
            rank: recipe.lora.rank,
            alpha: recipe.lora.alpha,
            base: origin.base_title(),
            targets: engine::targets(&recipe.lora.matrices(origin.checkpoint.config.family))?,
            tokens: engine::rows(recipe, &renderer),
        };
        let values = |name: &str| decoder.values(name);
        let adapter = Adapter::gather(&origin.checkpoint.config, naming, spec, &values)?;
        return install_adapter(store, &adapter, base, &origin.checkpoint, about);
    }
    decoder.merge()?;
    let end = Some(renderer.end());
    let dtype = recipe.save.dtype.weights();
    let values = |name: &str| decoder.values(name);
    let model = Model::of_values(&origin.checkpoint.config, naming, values);
    install_full(store, &model, &origin.checkpoint, end, dtype, about)
}

/// The name of what was trained, which tells of an objective once however often it was trained with it.
fn name(origin: &str, objective: &str) -> String {
    let ending = format!("-{}", objective.replace('+', "-"));
    format!("{}{ending}", origin.strip_suffix(&ending).unwrap_or(origin))
}

fn about(
    origin: &Opened,
    format: &BoundFormat,
    recipe: &TrainRecipe,
    output: &Path,
    outcome: &Outcome,
) -> Result<About> {
    let hex = |text: String| -> Result<Sha256Hex> {
        text.parse()
            .map_err(|problem: String| anyhow::anyhow!(problem))
    };
    let mut data_sha256 = BTreeMap::new();
    let (mut data, mut licences) = (Vec::new(), BTreeMap::<String, u64>::new());
    for file in &outcome.data {
        data_sha256.insert(file.name.clone(), hex(file.sha256.clone())?);
        data.push((file.name.clone(), file.rows.read));
        for (license, rows) in &file.rows.licences {
            *licences.entry(license.clone()).or_default() += rows;
        }
    }
    let objective = recipe.objective();
    let chat = recipe.chat.as_ref();
    let chat = chat.filter(|_| recipe.rows == RowKind::Instruct);
    let bytes = serde_json::to_vec(recipe)?;
    let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut figures = Vec::new();
    if let Some(best) = &outcome.measured {
        figures.push(("held-out rows".to_owned(), sentence(best)));
    }
    Ok(About {
        name: name(&origin.title(), objective.name()),
        parent: origin
            .manifest
            .as_ref()
            .map(|manifest| manifest.id().clone()),
        format: format_name(format),
        end: chat.map(|chat| chat.end.clone()),
        recipe_sha256: Some(hex(hex::encode(Sha256::digest(bytes)))?),
        data_sha256,
        source: format!("training run {}", output.display()),
        created: created.unwrap_or_default().as_secs(),
        card: Card {
            base: origin.title(),
            story: vec![format!(
                "Fine-tuned with `{}` on {} rows in {} steps.",
                objective.name(),
                outcome.counts.kept,
                outcome
                    .measured
                    .map_or(outcome.place.step, |best| best.step),
            )],
            chat: chat.map(|chat| format!("{}RESPONSE{}", chat.template, chat.end)),
            data,
            licences: licences.into_iter().collect(),
            figures,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_checkpoint_is_named_for_what_it_learned() {
        for (origin, objective, expected) in [
            ("qwen", "sft", "qwen-sft"),
            ("qwen-sft", "sft", "qwen-sft"),
            ("qwen-sft", "orpo", "qwen-sft-orpo"),
            ("qwen-sft", "fgit+orpo", "qwen-sft-fgit-orpo"),
            ("qwen-sft-fgit-orpo", "fgit+orpo", "qwen-sft-fgit-orpo"),
        ] {
            assert_eq!(name(origin, objective), expected);
        }
    }
}

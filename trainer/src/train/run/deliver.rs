//! The end of a run: its weights as a checkpoint of the store.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use sha2::{Digest as _, Sha256};
use truefill_model::adapter::{Adapter, AdapterSpec};
use truefill_model::fim::BoundFormat;
use truefill_model::store::{Installed, Sha256Hex, Store};
use truefill_model::training::GradDecoder;
use truefill_model::write::Model;

use super::engine;
use super::job::{Outcome, sentence};
use crate::deliver::{About, Card, format_name, install_adapter, install_full};
use crate::rows::{Input, RowReader};
use crate::stored::Opened;
use crate::train::recipe::{Parameters, TrainRecipe};

/// What the rows of a file say of their licences.
#[derive(serde::Deserialize)]
struct Licensed {
    license: Option<String>,
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
    decoder: &mut GradDecoder,
) -> Result<Installed> {
    let about = about(origin, format, recipe, output, outcome)?;
    let naming = origin.checkpoint.weights.naming();
    let base = origin
        .manifest
        .as_ref()
        .map(|manifest| manifest.id().clone());
    if let (Parameters::Lora, Some(base)) = (recipe.parameters, &base) {
        let spec = AdapterSpec {
            rank: recipe.lora.rank,
            alpha: recipe.lora.alpha,
            base: origin.title(),
            targets: engine::targets(&recipe.lora.matrices(origin.checkpoint.config.family))?,
            tokens: engine::rows(recipe, format),
        };
        let values = |name: &str| decoder.values(name);
        let adapter = Adapter::gather(&origin.checkpoint.config, naming, spec, &values)?;
        return install_adapter(store, &adapter, base, &origin.checkpoint, about);
    }
    decoder.merge()?;
    let dtype = recipe.save.dtype.weights();
    let values = |name: &str| decoder.values(name);
    let model = Model::of_values(&origin.checkpoint.config, naming, values);
    let installed = install_full(store, &model, &origin.checkpoint, format, dtype, about);
    drop(model);
    decoder.unmerge()?;
    installed
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
    for file in &recipe.data {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        data_sha256.insert(name.clone().into_owned(), hex(Input::of(file)?.sha256)?);
        let mut rows = 0;
        for row in RowReader::<Licensed>::open(file, "rows")? {
            rows += 1;
            *licences
                .entry(row?.license.unwrap_or_default())
                .or_default() += 1;
        }
        data.push((name.into_owned(), rows));
    }
    licences.remove("");
    let objective = recipe.objective();
    let bytes = serde_json::to_vec(recipe)?;
    let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut figures = Vec::new();
    if let Some(best) = &outcome.place.best {
        figures.push(("held-out rows".to_owned(), sentence(best)));
    }
    Ok(About {
        name: format!("{}-{}", origin.title(), objective.name().replace('+', "-")),
        parent: origin
            .manifest
            .as_ref()
            .map(|manifest| manifest.id().clone()),
        format: format_name(format),
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
                    .place
                    .best
                    .map_or(outcome.place.step, |best| best.step),
            )],
            data,
            licences: licences.into_iter().collect(),
            figures,
        },
    })
}

//! From a recipe to a model that is trained.

use std::path::Path;

use anyhow::{Context as _, Result};
use candle_core::Device;
use truefill_model::adapter::Adapter;
use truefill_model::checkpoint::Checkpoint;
use truefill_model::config::Family;
use truefill_model::device::{self, Choice};
use truefill_model::fim::FimFormat;
use truefill_model::tokens::TokenId;
use truefill_model::training::{
    AdamSettings, AdapterOptions, GradDecoder, Options, Precision, Trained,
};
use truefill_model::weights::LayerPart;

use crate::train::example::Renderer;
use crate::train::recipe::{LoraRecipe, Parameters, Precision as Wanted, TrainRecipe};
use crate::usage::Usage;

/// Matrices by their names in PEFT.
const TARGETS: [(&str, LayerPart); 9] = [
    ("q_proj", LayerPart::Q),
    ("k_proj", LayerPart::K),
    ("v_proj", LayerPart::V),
    ("o_proj", LayerPart::O),
    ("gate_proj", LayerPart::Gate),
    ("up_proj", LayerPart::Up),
    ("down_proj", LayerPart::Down),
    // StarCoder2's names.
    ("c_fc", LayerPart::Up),
    ("c_proj", LayerPart::Down),
];

/// What `device` and `precision` of a recipe come to on this machine.
pub struct Computing {
    /// Where it is computed.
    pub device: Device,
    /// In what.
    pub precision: Precision,
}

impl Computing {
    /// Looks at the machine.
    ///
    /// # Errors
    /// For a device that is not there.
    pub fn of(recipe: &TrainRecipe) -> Result<Self> {
        let device = match device::choose(&recipe.device)? {
            Choice::Cpu => Device::Cpu,
            Choice::Accelerator { device, .. } => device,
        };
        let precision = match (recipe.precision, &device) {
            (Wanted::F32, _) => Precision::F32,
            (Wanted::Auto, Device::Cpu) if !Precision::is_bf16_fast() => Precision::F32,
            (Wanted::Auto | Wanted::Bf16, _) => Precision::Bf16,
        };
        Ok(Self { device, precision })
    }

    /// For the run's identity: another kind of device or precision gives other weights.
    pub fn describe(&self) -> String {
        let place = match self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        };
        match self.precision {
            Precision::F32 => format!("f32 on {place}"),
            Precision::Bf16 => format!("bf16 on {place}"),
        }
    }
}

/// Loads the checkpoint's parameters to be trained as the recipe says; an adapter of it goes on from its values.
///
/// # Errors
/// What is wrong with the checkpoint, and targets that do not exist.
pub fn load(
    recipe: &TrainRecipe,
    computing: &Computing,
    checkpoint: &Path,
    adapter: Option<&Adapter>,
    renderer: &Renderer,
) -> Result<GradDecoder> {
    let opened = Checkpoint::open(checkpoint)?;
    let trained = match recipe.parameters {
        Parameters::Full => Trained::All,
        Parameters::Lora => Trained::Adapter(AdapterOptions {
            rank: recipe.lora.rank,
            alpha: recipe.lora.alpha as f32,
            targets: targets(&recipe.lora.matrices(opened.config.family))?,
            rows: rows(recipe, renderer),
            seed: recipe.seed,
        }),
    };
    let options = Options {
        trained,
        precision: computing.precision,
        recompute: usize::from(recipe.recompute),
        device: computing.device.clone(),
        ..Options::default()
    };
    let mut decoder = GradDecoder::load(opened.config.clone(), &*opened.weights, &options)
        .with_context(|| format!("{}: cannot be trained", checkpoint.display()))?;
    if let Some(adapter) = adapter {
        let naming = opened.weights.naming();
        let mut set = |name: &str, values: &[f32]| decoder.set_values(name, values);
        adapter.scatter(&opened.config, naming, &mut set)?;
    }
    Ok(decoder)
}

/// Matrices by their names in PEFT.
///
/// # Errors
/// [`Usage`] for one that does not exist.
pub fn targets(names: &[String]) -> Result<Vec<LayerPart>> {
    let mut parts = Vec::new();
    for name in names {
        let found = TARGETS.iter().find(|(target, _)| target == name);
        let Some((_, part)) = found else {
            let known: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
            return Err(Usage::error(format!(
                "section `[train.lora]`: unknown matrix `{name}` in `targets`, expected some of: {}",
                known.join(", ")
            )));
        };
        if !parts.contains(part) {
            parts.push(*part);
        }
    }
    Ok(parts)
}

/// The matrices of a family's models, by PEFT's names.
pub fn names(family: Family) -> impl Iterator<Item = (&'static str, LayerPart)> {
    let all = LoraRecipe::default().matrices(family);
    let named = TARGETS.iter().copied();
    named.filter(move |(name, _)| all.iter().any(|target| target == name))
}

/// The tokens whose rows are trained: those that the format, or the chat template, gives a meaning to,
/// and the one that ends a completion, where the recipe says so.
pub fn rows(recipe: &TrainRecipe, renderer: &Renderer) -> Vec<TokenId> {
    if !recipe.lora.new_rows {
        return Vec::new();
    }
    let mut rows: Vec<TokenId> = match renderer.chat() {
        Some(chat) => chat.controls().collect(),
        None => {
            let tokenizer = renderer.tokenizer();
            let sentinels = FimFormat::builtin(renderer.format().name()).into_iter();
            let sentinels = sentinels.flat_map(|format| format.sentinels());
            sentinels.filter_map(|name| tokenizer.id(name)).collect()
        }
    };
    rows.push(renderer.end());
    rows.sort();
    rows.dedup();
    rows
}

/// The optimiser's settings.
pub fn adam(recipe: &TrainRecipe) -> AdamSettings {
    AdamSettings {
        beta1: recipe.adam.beta1,
        beta2: recipe.adam.beta2,
        epsilon: recipe.adam.epsilon,
        weight_decay: recipe.adam.weight_decay,
    }
}

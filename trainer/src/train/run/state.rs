//! States of a run on the disk: written whole or not at all, each file with its hash, so that a damaged
//! one is known and the one before it is taken.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use truefill_model::training::{AdamSettings, AdamState, AdamW, GradDecoder};
use truefill_model::weights::{
    RawTensor, SafetensorsFiles, WeightDtype, WeightSource as _, write_safetensors,
};

use super::measure::Measured;
use crate::rows::Input;
use crate::train::batches::Cursor;

const STATE: &str = "state.json";
const PARAMETERS: &str = "parameters.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";

/// Where a run stands, apart from its weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Steps that are done.
    pub step: u64,
    /// The next step's place among the rows.
    pub cursor: Cursor,
    /// Positions computed so far, prompts and both completions.
    pub tokens: u64,
    /// The best measurement so far.
    pub best: Option<Measured>,
    /// The step of the last measurement.
    pub measured: Option<u64>,
    /// Measurements since the best one.
    pub stale: u64,
    /// The smoothed loss, and its least so far.
    pub watch: super::watch::Watch,
}

/// A state's own list of files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    place: Place,
    /// SHA-256 of the files.
    sha256: BTreeMap<String, String>,
}

/// The states of a run.
pub struct States {
    folder: PathBuf,
}

impl States {
    /// Opens the folder; what a killed run left half-written is removed.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: PathBuf) -> Result<Self> {
        let shown = || folder.display().to_string();
        std::fs::create_dir_all(&folder).with_context(shown)?;
        for entry in std::fs::read_dir(&folder).with_context(shown)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "tmp") {
                std::fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
            }
        }
        Ok(Self { folder })
    }

    /// Saves a state under its step, and removes states beyond the last `keep`.
    ///
    /// # Errors
    /// What the file system says; older states are then still whole.
    pub fn save(
        &self,
        place: &Place,
        decoder: &GradDecoder,
        adam: &AdamW,
        keep: usize,
    ) -> Result<PathBuf> {
        let target = self.folder.join(format!("step-{:08}", place.step));
        write(&target, place, decoder, Some(adam))?;
        let mut kept = self.steps()?;
        kept.truncate(kept.len().saturating_sub(keep));
        for (_, path) in kept {
            // A state too many does no harm.
            let _ = std::fs::remove_dir_all(path);
        }
        Ok(target)
    }

    /// Whole states by their step, the oldest first.
    fn steps(&self) -> Result<Vec<(u64, PathBuf)>> {
        let mut steps = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let step = name
                .strip_prefix("step-")
                .and_then(|step| step.parse().ok());
            steps.extend(step.map(|step| (step, path.clone())));
        }
        steps.sort();
        Ok(steps)
    }

    /// Takes over the last state that is whole; `say` hears of those that are not.
    ///
    /// # Errors
    /// What the file system says.
    pub fn resume(
        &self,
        decoder: &mut GradDecoder,
        settings: AdamSettings,
        say: &dyn Fn(&str),
    ) -> Result<Option<(Place, AdamW)>> {
        for (step, path) in self.steps()?.into_iter().rev() {
            match read(&path, decoder, settings) {
                Ok(found) => return Ok(Some(found)),
                Err(error) => say(&format!(
                    "warning: the state of step {step} is damaged and is passed over: {error:#}"
                )),
            }
        }
        Ok(None)
    }
}

/// Writes the trained parameters, and the optimiser's state where it is given.
///
/// # Errors
/// What the file system says.
pub fn write(
    target: &Path,
    place: &Place,
    decoder: &GradDecoder,
    adam: Option<&AdamW>,
) -> Result<()> {
    let temporary = target.with_extension("tmp");
    let fill = || -> Result<()> {
        std::fs::create_dir_all(&temporary)?;
        let mut sha256 = BTreeMap::new();
        let trained = decoder.parameters().iter().filter(|p| p.trained);
        let parameters = trained
            .map(|p| Ok((p.name.clone(), p.shape.clone(), decoder.values(&p.name)?)))
            .collect::<Result<Vec<_>>>()?;
        tensors(&temporary, PARAMETERS, parameters, &mut sha256)?;
        if let Some(adam) = adam {
            let states = adam.export(decoder)?;
            let states = states.into_iter().map(|s| (s.name, s.shape, s.values));
            tensors(&temporary, OPTIMISER, states.collect(), &mut sha256)?;
        }
        let sealed = Sealed {
            place: place.clone(),
            sha256,
        };
        let path = temporary.join(STATE);
        std::fs::write(&path, serde_json::to_vec_pretty(&sealed)?)?;
        File::open(&path)?.sync_all()?;
        File::open(&temporary)?.sync_all()?;
        if target.exists() {
            std::fs::remove_dir_all(target)?;
        }
        std::fs::rename(&temporary, target)?;
        let folder = target.parent().unwrap_or(Path::new("."));
        Ok(File::open(folder)?.sync_all()?)
    };
    let _ = std::fs::remove_dir_all(&temporary);
    fill()
        .inspect_err(|_| {
            // Room for the next try.
            let _ = std::fs::remove_dir_all(&temporary);
        })
        .with_context(|| format!("{}: not saved", target.display()))
}

fn tensors(
    folder: &Path,
    name: &str,
    tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    sha256: &mut BTreeMap<String, String>,
) -> Result<()> {
    let path = folder.join(name);
    let raw = tensors.iter().map(|(name, shape, values)| {
        let tensor = RawTensor {
            dtype: WeightDtype::F32,
            shape: shape.clone(),
            data: bytemuck::cast_slice(values),
        };
        (name.clone(), tensor)
    });
    write_safetensors(&path, &raw.collect::<Vec<_>>(), &HashMap::new())?;
    sha256.insert(name.to_owned(), Input::of(&path)?.sha256);
    Ok(())
}

/// Reads a state into a decoder that was loaded from the run's checkpoint. Nothing is taken over from
/// a state that is not whole.
fn read(
    folder: &Path,
    decoder: &mut GradDecoder,
    settings: AdamSettings,
) -> Result<(Place, AdamW)> {
    let path = folder.join(STATE);
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let sealed: Sealed =
        serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
    for (name, expected) in &sealed.sha256 {
        let path = folder.join(name);
        let found = Input::of(&path)?.sha256;
        ensure!(
            found == *expected,
            "{}: expected SHA-256 {expected}, found {found}",
            path.display()
        );
    }
    let states = loaded(&folder.join(OPTIMISER))?;
    let states = states.into_iter().map(|(name, shape, values)| AdamState {
        name,
        shape,
        values,
    });
    let adam = AdamW::import(settings, decoder, sealed.place.step, states.collect())?;
    restore(&folder.join(PARAMETERS), decoder)?;
    Ok((sealed.place, adam))
}

/// Replaces the trained parameters by those of a state.
///
/// # Errors
/// Where the files do not hold just these.
pub fn restore_parameters(state: &Path, decoder: &mut GradDecoder) -> Result<()> {
    restore(&state.join(PARAMETERS), decoder)
}

fn restore(file: &Path, decoder: &mut GradDecoder) -> Result<()> {
    let found = loaded(file)?;
    let trained = decoder.parameters().iter().filter(|p| p.trained);
    let expected: BTreeMap<String, Vec<usize>> =
        trained.map(|p| (p.name.clone(), p.shape.clone())).collect();
    ensure!(
        found.len() == expected.len(),
        "{}: expected {} parameters, found {}",
        file.display(),
        expected.len(),
        found.len()
    );
    for (name, shape, _) in &found {
        if expected.get(name) != Some(shape) {
            bail!(
                "{}: expected `{name}` of shape {:?}, found {shape:?}",
                file.display(),
                expected.get(name)
            );
        }
    }
    for (name, _, values) in found {
        decoder.set_values(&name, &values)?;
    }
    Ok(())
}

fn loaded(file: &Path) -> Result<Vec<(String, Vec<usize>, Vec<f32>)>> {
    let files = SafetensorsFiles::open(file)?;
    let names = files.names().into_iter();
    names
        .map(|name| {
            let tensor = files.tensor(&name)?;
            Ok((name, tensor.shape.clone(), tensor.to_f32()))
        })
        .collect()
}

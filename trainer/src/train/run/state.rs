//! States of a run on the disk: written whole or not at all, each file with its hash, so that a damaged
//! one is known and the one before it is taken.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Error;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use truefill_model::error::ModelError;
use truefill_model::training::{AdamSettings, AdamState, AdamW, GradDecoder};
use truefill_model::weights::{
    SafetensorsFiles, WeightDtype, WeightSource as _, write_safetensors_with,
};

use super::measure::Measured;
use crate::rows::Input;
use crate::train::batches::Cursor;

const STATE: &str = "state.json";
const PARAMETERS: &str = "parameters.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";

/// Extensions of a folder that is being written, and of the one that it will replace.
const TEMPORARY: &str = "tmp";
const OLD: &str = "old";

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
    /// Measurements since exact match last rose.
    pub stale: u64,
    /// The smoothed loss, and its least so far.
    pub watch: super::watch::Watch,
}

impl Place {
    /// Takes a measurement into account; whether it is better than the best so far.
    pub fn see(&mut self, measured: &Measured) -> bool {
        self.measured = Some(measured.step);
        let best = self.best;
        let rises = best.is_none_or(|best| measured.exact_match > best.exact_match);
        self.stale = if rises { 0 } else { self.stale + 1 };
        best.is_none_or(|best| measured.is_better(&best))
    }
}

/// A state's own list of files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    place: Place,
    /// SHA-256 of the files.
    sha256: BTreeMap<String, String>,
    /// SHA-256 of all this.
    seal: String,
}

impl Sealed {
    fn new(place: Place, sha256: BTreeMap<String, String>) -> Result<Self> {
        let bytes = serde_json::to_vec(&(&place, &sha256))?;
        let seal = hex::encode(Sha256::digest(bytes));
        Ok(Self {
            place,
            sha256,
            seal,
        })
    }
}

/// The states of a run.
pub struct States {
    folder: PathBuf,
}

impl States {
    /// Opens the folder; what a killed run left half-written is removed, and what it had put aside is
    /// put back.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: PathBuf) -> Result<Self> {
        let shown = || folder.display().to_string();
        std::fs::create_dir_all(&folder).with_context(shown)?;
        for entry in std::fs::read_dir(&folder).with_context(shown)? {
            tidy(&entry?.path())?;
        }
        Ok(Self { folder })
    }

    fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}"))
    }

    /// Saves a state under its step.
    ///
    /// # Errors
    /// What the file system says; older states are then still whole.
    pub fn save(&self, place: &Place, decoder: &GradDecoder, adam: &AdamW) -> Result<()> {
        write(&self.path(place.step), place, decoder, Some(adam))
    }

    /// Removes all states but the last `keep`, and the last one up to the step `sound`. Not before the
    /// first step after the last state has shown that its weights are sound.
    pub fn prune(&self, keep: usize, sound: u64) {
        let mut old = self.steps().unwrap_or_default();
        let last_sound = old.iter().rposition(|(step, _)| *step <= sound);
        let count = old.len().saturating_sub(keep);
        old.truncate(count.min(last_sound.unwrap_or(count)));
        for (_, path) in old {
            // A state too many does no harm.
            let _ = std::fs::remove_dir_all(path);
        }
    }

    /// Removes the states after the step `sound`, whose weights are none to go on from; their steps.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove_after(&self, sound: u64) -> Result<Vec<u64>> {
        let mut removed = Vec::new();
        for (step, path) in self.steps()? {
            if step > sound {
                std::fs::remove_dir_all(&path)
                    .with_context(|| format!("{}: not removed", path.display()))?;
                removed.push(step);
            }
        }
        Ok(removed)
    }

    /// Where the run stands: the last state's place, if it can be read.
    pub fn place(&self) -> Option<Place> {
        let steps = self.steps().ok()?;
        let mut states = steps.iter().rev();
        states.find_map(|(_, path)| unseal(path).ok())
    }

    /// The last state's step.
    pub fn last(&self) -> Option<u64> {
        let steps = self.steps().ok()?;
        steps.last().map(|(step, _)| *step)
    }

    /// States by their step, the oldest first.
    fn steps(&self) -> Result<Vec<(u64, PathBuf)>> {
        let mut steps = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let step = name
                .strip_prefix("step-")
                .filter(|_| path.is_dir())
                .and_then(|step| step.parse().ok());
            steps.extend(step.map(|step| (step, path.clone())));
        }
        steps.sort();
        Ok(steps)
    }

    /// Takes over the last state that is whole; `say` hears of those that are not, which are put aside
    /// then. Where none is whole all stay, so that the next start does not take the run for a new one.
    ///
    /// # Errors
    /// What the file system says, a state that does not fit the model, and that there are states and
    /// none of them is whole.
    pub fn resume(
        &self,
        decoder: &mut GradDecoder,
        settings: AdamSettings,
        say: &dyn Fn(&str),
    ) -> Result<Option<(Place, AdamW)>> {
        let steps = self.steps()?;
        for (whole, (step, path)) in steps.iter().enumerate().rev() {
            match read(path, decoder, settings) {
                Ok(found) => {
                    self.put_aside(&steps[whole + 1..])?;
                    return Ok(Some(found));
                }
                // Another error says nothing about the state.
                Err(error) if !error.is::<Damaged>() => return Err(error),
                Err(error) => say(&format!(
                    "warning: the state of step {step} is damaged and is passed over: {error:#}"
                )),
            }
        }
        ensure!(
            steps.is_empty(),
            "{}: none of {} states is whole; `--fresh` begins anew",
            self.folder.display(),
            steps.len()
        );
        Ok(None)
    }

    fn put_aside(&self, damaged: &[(u64, PathBuf)]) -> Result<()> {
        for (step, path) in damaged {
            let aside = self.folder.join(format!("damaged-{step:08}"));
            let _ = std::fs::remove_dir_all(&aside);
            std::fs::rename(path, &aside).with_context(|| path.display().to_string())?;
        }
        Ok(())
    }
}

/// A state's files are not those that were written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damaged(String);

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
    let temporary = target.with_extension(TEMPORARY);
    let fill = || -> Result<()> {
        std::fs::create_dir_all(&temporary)?;
        let mut sha256 = BTreeMap::new();
        let trained = decoder.parameters().iter().filter(|p| p.trained);
        let parameters: Vec<_> = trained.map(|p| (p.name.clone(), &p.shape[..])).collect();
        let values = |nth: usize| decoder.values(&parameters[nth].0).map(Cow::Owned);
        let hash = tensors(&temporary.join(PARAMETERS), &parameters, &values)?;
        sha256.insert(PARAMETERS.to_owned(), hash);
        if let Some(adam) = adam {
            let states = adam.export(decoder);
            let named: Vec<_> = states.iter().map(|s| (s.name.clone(), s.shape)).collect();
            let values = |nth: usize| states[nth].values();
            let hash = tensors(&temporary.join(OPTIMISER), &named, &values)?;
            sha256.insert(OPTIMISER.to_owned(), hash);
        }
        let sealed = Sealed::new(place.clone(), sha256)?;
        let path = temporary.join(STATE);
        std::fs::write(&path, serde_json::to_vec_pretty(&sealed)?)?;
        File::open(&path)?.sync_all()?;
        File::open(&temporary)?.sync_all()?;
        replace(&temporary, target)
    };
    let _ = std::fs::remove_dir_all(&temporary);
    fill()
        .inspect_err(|_| {
            // Room for the next try.
            let _ = std::fs::remove_dir_all(&temporary);
        })
        .with_context(|| format!("{}: not saved", target.display()))
}

/// Gives what was written its name. What had it before is put aside until then: at no moment is neither
/// there.
fn replace(temporary: &Path, target: &Path) -> Result<()> {
    let old = target.with_extension(OLD);
    if target.exists() {
        std::fs::rename(target, &old)?;
    }
    std::fs::rename(temporary, target)?;
    let folder = target.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    // The next run removes what is left.
    let _ = std::fs::remove_dir_all(&old);
    Ok(())
}

/// Brings what a kill left of writing a folder into order.
///
/// # Errors
/// What the file system says.
pub fn tidy(path: &Path) -> Result<()> {
    let named = |extension: &str| path.extension().is_some_and(|found| found == extension);
    let target = path.with_extension("");
    let done = match (named(TEMPORARY), named(OLD)) {
        (true, _) => std::fs::remove_dir_all(path),
        (_, true) if target.exists() => std::fs::remove_dir_all(path),
        (_, true) => std::fs::rename(path, &target),
        _ => Ok(()),
    };
    done.with_context(|| path.display().to_string())
}

/// Writes tensors whose values are asked for one after the other; the file's hash.
fn tensors<'a>(
    path: &Path,
    named: &[(String, &[usize])],
    values: &dyn Fn(usize) -> Result<Cow<'a, [f32]>, ModelError>,
) -> Result<String> {
    let shapes = named.iter();
    let shapes: Vec<_> = shapes
        .map(|(name, shape)| (name.clone(), WeightDtype::F32, shape.to_vec()))
        .collect();
    write_safetensors_with(path, &shapes, &HashMap::new(), &mut |nth| {
        Ok(match values(nth).map_err(Error::other)? {
            Cow::Borrowed(values) => Cow::Borrowed(bytemuck::cast_slice(values)),
            Cow::Owned(values) => Cow::Owned(bytemuck::cast_slice(&values).to_vec()),
        })
    })?;
    Ok(Input::of(path)?.sha256)
}

/// What a state says of itself, its files compared with their hashes.
///
/// # Errors
/// [`Damaged`]; what else the file system says.
pub fn unseal(folder: &Path) -> Result<Place> {
    let path = folder.join(STATE);
    let damaged = |path: &Path, how: String| Damaged(format!("{}: {how}", path.display()));
    let there = |path: &Path| match path.try_exists() {
        Ok(false) => Err(anyhow::Error::new(damaged(path, "is not there".into()))),
        Ok(true) => Ok(()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    };
    there(&path)?;
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let sealed: Sealed =
        serde_json::from_slice(&bytes).map_err(|error| damaged(&path, error.to_string()))?;
    let found = Sealed::new(sealed.place.clone(), sealed.sha256.clone())?.seal;
    if found != sealed.seal {
        let how = format!(
            "expected SHA-256 {} of what it says, found {found}",
            sealed.seal
        );
        return Err(damaged(&path, how).into());
    }
    for (name, expected) in &sealed.sha256 {
        let path = folder.join(name);
        there(&path)?;
        let found = Input::of(&path)?.sha256;
        if found != *expected {
            let how = format!("expected SHA-256 {expected}, found {found}");
            return Err(damaged(&path, how).into());
        }
    }
    Ok(sealed.place)
}

/// Reads a state into a decoder that was loaded from the run's checkpoint. Nothing is taken over from
/// a state that is not whole.
fn read(
    folder: &Path,
    decoder: &mut GradDecoder,
    settings: AdamSettings,
) -> Result<(Place, AdamW)> {
    let place = unseal(folder)?;
    let states = loaded(&folder.join(OPTIMISER))?;
    let states = states.into_iter().map(|(name, shape, values)| AdamState {
        name,
        shape,
        values,
    });
    let adam = AdamW::import(settings, decoder, place.step, states.collect())?;
    restore(&folder.join(PARAMETERS), decoder)?;
    Ok((place, adam))
}

/// Replaces the trained parameters by those of a state, and gives its place.
///
/// # Errors
/// Where the state is damaged or of another model; nothing is replaced then.
pub fn restore_parameters(state: &Path, decoder: &mut GradDecoder) -> Result<Place> {
    let place = unseal(state)?;
    restore(&state.join(PARAMETERS), decoder)?;
    Ok(place)
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

/// Changes what a state says of itself, as a run would have written it.
///
/// # Errors
/// What the file system says.
#[cfg(test)]
pub fn reseal(folder: &Path, change: impl FnOnce(&mut Place)) -> Result<()> {
    let path = folder.join(STATE);
    let Sealed {
        mut place, sha256, ..
    } = serde_json::from_slice(&std::fs::read(&path)?)?;
    change(&mut place);
    let sealed = Sealed::new(place, sha256)?;
    Ok(std::fs::write(&path, serde_json::to_vec(&sealed)?)?)
}

//! Who is measured: a checkpoint or a server; and who runs what it writes.

use anyhow::Result;
use truefill_model::device::{self, Choice};
use truefill_model::store::{FileName, Store};

use super::backend::{Backend, Engine, Server};
use super::measure::Run;
use super::output::{self, Evaluated, ModelInfo};
use super::recipe::EvalRecipe;
use super::row::EvalRow;
use super::run::Runner;
use super::sandbox::python::Python;
use super::sandbox::{Limits, Sandbox};
use crate::stored::Opened;

/// Counts up with every change to how programs are run.
const RUNNER: &str = "python-2";
/// Rows that a CPU completes at a time: more of them need more memory and are hardly faster.
const WIDTH_CPU: usize = 8;
const WIDTH_GPU: usize = 64;
const WIDTH_SERVER: usize = 16;

/// A model, ready.
pub struct Subject {
    /// Completes.
    pub backend: Box<dyn Backend>,
    /// What it is.
    pub info: ModelInfo,
}

impl Subject {
    /// Opens what a recipe names; a path in it was taken from the recipe's folder.
    ///
    /// # Errors
    /// What is wrong with the checkpoint or the server's address.
    pub fn open(recipe: &EvalRecipe, open: impl FnOnce() -> Result<Opened>) -> Result<Self> {
        if let Some(server) = &recipe.server {
            let width = recipe.width.unwrap_or(WIDTH_SERVER);
            let lookup = |name: &str| std::env::var(name).ok();
            let backend = Server::open(server, &recipe.decoding, width, &lookup)?;
            let info = ModelInfo {
                name: server.model.clone(),
                id: None,
                identity: backend.identity().to_owned(),
                parent: None,
                device: None,
            };
            return Ok(Self {
                backend: Box::new(backend),
                info,
            });
        }
        let opened = open()?;
        let device = device::choose(&recipe.device)?;
        let width = match device {
            Choice::Cpu => WIDTH_CPU,
            Choice::Accelerator { .. } => WIDTH_GPU,
        };
        let width = recipe.width.unwrap_or(width);
        let backend = Engine::open(&opened, &recipe.decoding, &device, width)?;
        let manifest = opened.manifest.as_ref();
        let parent = manifest.and_then(|manifest| manifest.about().parent.clone());
        let info = ModelInfo {
            name: opened.title(),
            id: manifest.map(|manifest| manifest.id().to_string()),
            identity: backend.identity().to_owned(),
            parent: parent.map(|id| id.to_string()),
            device: Some(backend.served_as().to_owned()),
        };
        Ok(Self {
            backend: Box::new(backend),
            info,
        })
    }
}

/// Puts figures beside a stored checkpoint's manifest. Their name says what they are of, so measuring
/// again with the same result changes nothing.
///
/// # Errors
/// Where the store cannot be written.
pub fn add_evidence(store: &Store, evaluated: &Evaluated) -> Result<()> {
    let Some(id) = &evaluated.model.id else {
        return Ok(());
    };
    // How long it took is another matter each time.
    let lasting = Evaluated {
        speed: None,
        ..evaluated.clone()
    };
    let text = output::text(&lasting)?;
    let name = format!(
        "eval-{}-{}.json",
        evaluated.suite,
        output::short_hash(&text)
    );
    let name: FileName = name.parse().map_err(|why: String| anyhow::anyhow!(why))?;
    let id = id.parse().map_err(|why: String| anyhow::anyhow!(why))?;
    Ok(store.add_evidence(&id, &name, text.as_bytes())?)
}

/// Runs Python programs of rows in the sandbox.
pub struct Programs {
    python: Python,
}

impl Programs {
    /// Opens the sandbox, where a recipe wants programs to be run.
    ///
    /// # Errors
    /// Where this machine cannot isolate a program: then nothing is run.
    pub fn open(recipe: &EvalRecipe) -> Result<Self> {
        let advice = "`--no-run` measures all the rest";
        let open = || {
            let sandbox = Sandbox::open(Limits::program(std::time::Duration::from_secs(10)))?;
            Python::open(&recipe.python, recipe.packages, sandbox)
        };
        let python = open().map_err(|error| anyhow::anyhow!("{error}; {advice}"))?;
        Ok(Self { python })
    }
}

impl Runner for Programs {
    fn name(&self) -> String {
        format!("{RUNNER} {}", self.python.identity())
    }

    fn identity(&self, _: &EvalRow) -> String {
        self.name()
    }

    fn run(&self, row: &EvalRow, text: &str) -> Result<Run> {
        let wall = row.program.as_ref().map(|program| program.wall);
        let limits = Limits::program(wall.unwrap_or_default());
        let outcome = self.python.with_limits(limits).run(text)?;
        Ok(outcome.status.into())
    }
}

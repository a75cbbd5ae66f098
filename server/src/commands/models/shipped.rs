//! The adapter that comes with the program: with it the default model fills in the middle.

use anyhow::{Context, Result};
use truefill_model::fim::FimFormat;
use truefill_model::store::{CheckpointId, Draft, FormatName, Installed, Kind, Store};

/// What makes the default model fill in: how it was made stands in `models/default/README.md`.
pub const DEFAULT_ADAPTER: Shipped = Shipped {
    name: "truefill-default",
    format: "truefill-spm",
    files: &[
        (
            "adapter_config.json",
            include_bytes!("../../../../models/default/adapter_config.json"),
        ),
        (
            "adapter_model.safetensors",
            include_bytes!("../../../../models/default/adapter_model.safetensors"),
        ),
    ],
};

/// An adapter of the default model, in PEFT's layout.
#[derive(Debug, Clone)]
pub struct Shipped {
    /// Its readable name.
    pub name: &'static str,
    /// The FIM format that it was taught.
    pub format: &'static str,
    /// Its files, by name.
    pub files: &'static [(&'static str, &'static [u8])],
}

impl Shipped {
    /// Puts it into the store, beside its base. What is there already stays, and is repaired where it is
    /// damaged.
    ///
    /// # Errors
    /// Where the base is not there, or the disk refuses.
    pub fn install(&self, store: &Store, base: &CheckpointId, now: u64) -> Result<Installed> {
        let base = store.get(base)?;
        let format = FimFormat::builtin(self.format)
            .with_context(|| format!("the format `{}` is not built in", self.format))?;
        let staging = store.stage()?;
        for (name, bytes) in self.files {
            let path = staging.folder().join(name);
            std::fs::write(&path, bytes)
                .with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        let draft = Draft {
            name: self.name.to_owned(),
            kind: Kind::Adapter,
            parent: Some(base.manifest.id().clone()),
            base: Some(base.manifest.id().clone()),
            format: FormatName {
                name: format.name().to_owned(),
                version: format.version(),
            },
            source: format!("truefill {}", env!("CARGO_PKG_VERSION")),
            created: now,
            ..base.manifest.about().clone()
        };
        Ok(store.install(staging, draft)?)
    }
}

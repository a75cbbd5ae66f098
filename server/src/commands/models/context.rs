//! The environment of a command: what it reads, where it writes, what time it is.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use truefill_model::store::Store;
use truefill_remote::download::{Downloader, Options};
use truefill_remote::hub::{Hub, HubOptions};
use truefill_remote::wheel::{DEFAULT_MODEL, Pip, WheelModel};

use super::meter::Look;
use super::shipped::{DEFAULT_ADAPTER, Shipped};
use crate::paths::Paths;

/// Everything that a command touches, so that tests can give it something else.
pub struct ModelsContext<'a> {
    /// The user's folders.
    pub paths: Paths,
    /// Reads environment variables.
    pub variables: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The Python that fetches wheels.
    pub pip: Option<Pip>,
    /// The model under `default`.
    pub default: WheelModel,
    /// The adapter of it that `default` is; without one it is the model itself.
    pub shipped: Option<Shipped>,
    /// How the network is waited for.
    pub network: Options,
    /// Results.
    pub out: &'a mut dyn Write,
    /// Progress.
    pub err: &'a mut dyn Write,
    /// How progress is told.
    pub look: Look,
    /// Seconds since 1970 UTC.
    pub now: u64,
}

impl<'a> ModelsContext<'a> {
    /// The user's environment. Bars are drawn only where stderr is a terminal.
    ///
    /// # Errors
    /// Where there is no home folder.
    pub fn from_env(out: &'a mut dyn Write, err: &'a mut dyn Write) -> Result<Self> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            paths: Paths::from_env()?,
            variables: &|name| std::env::var(name).ok(),
            pip: Pip::find(std::env::var_os("PATH").as_deref()),
            default: DEFAULT_MODEL,
            shipped: Some(DEFAULT_ADAPTER),
            network: Options::default(),
            out,
            err,
            look: match std::io::stderr().is_terminal() {
                true => Look::Bars,
                false => Look::Lines,
            },
            now: now.as_secs(),
        })
    }

    pub(super) fn store(&self) -> Result<Store> {
        Ok(Store::open(&self.paths.store())?)
    }

    /// Where downloads lie until they are installed. In the store's file system, so that what
    /// has arrived is renamed into the store and not copied.
    pub(super) fn downloads(&self) -> Result<PathBuf> {
        let folder = self.paths.store().join("downloads");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(folder)
    }

    pub(super) fn hub(&self) -> Result<Hub> {
        let downloader = Downloader::new(self.network.clone())?;
        Ok(Hub::new(
            downloader,
            HubOptions::from_variables(&self.variables),
        )?)
    }
}

/// Bytes as people write them.
pub(super) fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "bytes");
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "bytes" {
        format!("{bytes} bytes")
    } else {
        format!("{value:.1} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let table = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (98_362_432, "98.4 MB"),
            (999_999, "1.0 MB"),
            (15_231_233_024, "15.2 GB"),
            (u64::MAX, "18446744.1 TB"),
        ];
        for (bytes, expected) in table {
            assert_eq!(size(bytes), expected);
        }
    }
}

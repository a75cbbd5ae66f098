//! Where the user's configuration, models and journal lie.
//!
//! `TRUEFILL_HOME` puts everything under one folder; without it each system's own
//! folders are used (on Linux: `~/.config/truefill` and `~/.local/share/truefill`). `TRUEFILL_STORE` names
//! another folder for the checkpoints, which several users may share.

use std::ffi::OsString;
use std::path::PathBuf;

use etcetera::{BaseStrategy, choose_base_strategy};

/// The folders of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    config: PathBuf,
    data: PathBuf,
    store: PathBuf,
}

/// There is no home folder to start from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no home folder was found: set `HOME`, or `TRUEFILL_HOME` to a folder for Truefill's files"
)]
pub struct NoHome;

impl Paths {
    /// The folders that the environment names.
    ///
    /// # Errors
    /// [`NoHome`] where it names none.
    pub fn from_env() -> Result<Self, NoHome> {
        let paths = Self::from_home(std::env::var_os("TRUEFILL_HOME"))?;
        Ok(paths.with_store(std::env::var_os("TRUEFILL_STORE")))
    }

    /// With the value of `TRUEFILL_STORE`; an empty one counts as absent.
    #[must_use]
    pub fn with_store(self, store: Option<OsString>) -> Self {
        match store.filter(|store| !store.is_empty()) {
            Some(store) => Self {
                store: store.into(),
                ..self
            },
            None => self,
        }
    }

    /// As [`Paths::from_env`], with the value of `TRUEFILL_HOME` given; an empty one
    /// counts as absent.
    ///
    /// # Errors
    /// [`NoHome`] where neither it nor the system names a folder.
    pub fn from_home(home: Option<OsString>) -> Result<Self, NoHome> {
        if let Some(home) = home.filter(|home| !home.is_empty()).map(PathBuf::from) {
            return Ok(Self {
                config: home.clone(),
                store: home.clone(),
                data: home,
            });
        }
        let system = choose_base_strategy().map_err(|_| NoHome)?;
        Ok(Self {
            config: system.config_dir().join("truefill"),
            data: system.data_dir().join("truefill"),
            store: system.data_dir().join("truefill"),
        })
    }

    /// The user's configuration; it need not exist.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("truefill.toml")
    }

    /// The checkpoint store's folder.
    pub fn store(&self) -> PathBuf {
        self.store.clone()
    }

    /// The journal's database.
    pub fn journal(&self) -> PathBuf {
        self.data.join("journal.sqlite3")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_holds_everything_where_it_is_named() {
        let paths = Paths::from_home(Some("/some/where".into())).unwrap();
        assert_eq!(
            paths.config_file(),
            PathBuf::from("/some/where/truefill.toml")
        );
        assert_eq!(paths.store(), PathBuf::from("/some/where"));
        assert_eq!(
            paths.journal(),
            PathBuf::from("/some/where/journal.sqlite3")
        );
        assert_eq!(paths.clone().with_store(Some("".into())), paths);
        let shared = paths.clone().with_store(Some("/shared".into()));
        assert_eq!(shared.store(), PathBuf::from("/shared"));
        assert_eq!(shared.journal(), paths.journal());
    }
}

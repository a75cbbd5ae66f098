//! Names of checkpoints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::{Alias, CheckpointId, Result, Store, disk};

const FILE: &str = "aliases.json";
const VERSION: u32 = 1;
const LIMIT: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    aliases: BTreeMap<Alias, CheckpointId>,
}

impl Store {
    /// All names and what they stand for.
    ///
    /// # Errors
    /// Where `aliases.json` cannot be read or is refused.
    pub fn aliases(&self) -> Result<BTreeMap<Alias, CheckpointId>> {
        let path = self.root.join(FILE);
        match disk::read_limited(&path, LIMIT) {
            Ok(bytes) => Ok(disk::parse::<File>(&path, &bytes, VERSION)?.aliases),
            Err(StoreError::Io { reason, .. }) if reason.kind() == std::io::ErrorKind::NotFound => {
                Ok(BTreeMap::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Gives a checkpoint a name; it stands for nothing else from then on.
    ///
    /// # Errors
    /// Where the checkpoint is not installed, or the name is an installed checkpoint's id.
    pub fn set_alias(&self, alias: Alias, id: &CheckpointId) -> Result<()> {
        let _guard = self.lock()?;
        self.get(id)?;
        let taken = alias
            .as_str()
            .parse()
            .is_ok_and(|other| self.contains(&other));
        if taken {
            return Err(StoreError::Invalid(format!(
                "expected a name of its own, found the id `{alias}`"
            )));
        }
        let mut aliases = self.aliases()?;
        aliases.insert(alias, id.clone());
        self.write_aliases(aliases)
    }

    /// Takes a name away; the checkpoint stays. Says whether there was one.
    ///
    /// # Errors
    /// Where `aliases.json` cannot be read or written.
    pub fn remove_alias(&self, alias: &Alias) -> Result<bool> {
        let _guard = self.lock()?;
        let mut aliases = self.aliases()?;
        let found = aliases.remove(alias).is_some();
        if found {
            self.write_aliases(aliases)?;
        }
        Ok(found)
    }

    fn write_aliases(&self, aliases: BTreeMap<Alias, CheckpointId>) -> Result<()> {
        let file = disk::to_json(&File {
            version: VERSION,
            aliases,
        })?;
        disk::replace(&*self.disk, &self.root.join(FILE), &file)
    }
}

//! What `mine` is told: the recipe's `[mine]` table, with defaults for everything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use truefill_syntax::{HoleKind, Language};

use crate::usage::Usage;

/// Licences that allow to train on the code and to pass it on, as SPDX names them.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "AFL-2.1",
    "Apache-2.0",
    "Beerware",
    "BlueOak-1.0.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSL-1.0",
    "CC0-1.0",
    "curl",
    "HPND",
    "ICU",
    "ISC",
    "MIT",
    "MIT-0",
    "MS-PL",
    "NCSA",
    "PHP-3.01",
    "PostgreSQL",
    "PSF-2.0",
    "Python-2.0",
    "Ruby",
    "Unicode-3.0",
    "Unlicense",
    "UPL-1.0",
    "W3C",
    "WTFPL",
    "X11",
    "Zlib",
];

/// The table `[mine]` of a recipe. Flags of the command line replace its keys; paths in a recipe
/// are relative to its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Clones, archives and folders, each a repository of its own.
    pub sources: Vec<PathBuf>,
    /// Folders whose entries are sources.
    pub each: Vec<PathBuf>,
    /// A TOML or JSON file with what is known of repositories and not in their files: stars,
    /// licences. Nothing is fetched.
    pub repos: Option<PathBuf>,
    /// Benchmarks (JSONL or CSV) whose repositories, paths and texts are left out.
    pub exclude: Vec<PathBuf>,
    /// Draws the sample: the same seed gives the same rows.
    pub seed: u64,
    /// Languages to mine.
    pub languages: Vec<Language>,
    /// Rows of each language at most; 0 keeps all.
    pub per_language: usize,
    /// Rows of each hole kind from one file at most.
    pub per_file: usize,
    /// Which holes, and their shares of a language's rows.
    pub kinds: BTreeMap<HoleKind, f64>,
    /// Bytes of a row's window (prefix, golden and suffix) at most; longer files are cut at line
    /// starts.
    pub window_bytes: usize,
    /// The share of the window before the hole.
    pub prefix_share: f64,
    /// SPDX licences that are allowed.
    pub licences: Vec<String>,
    /// Files outside of these percentiles of size and of lines, per language, are left out.
    pub percentiles: [f64; 2],
    /// Files that share this much of their 5-grams of tokens are duplicates (Jaccard, estimated).
    pub near_duplicate: f64,
    /// Only repositories that declare one of these packages, and only calls that lead to them;
    /// empty for all.
    pub packages: Vec<String>,
    /// The least version at which a package counts as declared.
    pub min_version: BTreeMap<String, String>,
    /// The least number of stars, as `repos` says.
    pub min_stars: u64,
    /// Include paths of C++ libraries, which C++ files need not declare: `abseil = ["absl/"]`.
    pub include_paths: BTreeMap<String, Vec<String>>,
    /// Which holes are good ones.
    pub selector: Selector,
    /// What an archive may hold.
    pub limits: Limits,
}

/// Which holes are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selector {
    /// The least score of the rules, 0 to 1.
    pub min_score: f64,
    /// Lines with code before the hole, at least.
    pub prefix_lines: usize,
    /// Bytes of code after the hole, at least.
    pub suffix_bytes: usize,
    /// A member of the recipe that is asked about every row that the rules and the sample kept;
    /// rows that it refuses are replaced by others.
    pub model: Option<String>,
    /// Bound on what all runs with the ledger spend, in the unit of the prices.
    pub budget: Option<f64>,
    /// The ledger; beside the output where none is named.
    pub ledger: Option<PathBuf>,
    /// A folder with prompts that stand in for those compiled in.
    pub prompts: Option<PathBuf>,
}

/// What one source may hold; a source beyond it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Entries of an archive.
    pub entries: u64,
    /// Bytes of an archive, unpacked.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 500_000,
            bytes: 8 << 30,
        }
    }
}

impl Default for Selector {
    fn default() -> Self {
        Self {
            min_score: 0.55,
            prefix_lines: 3,
            suffix_bytes: 16,
            model: None,
            budget: None,
            ledger: None,
            prompts: None,
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        let kinds = [
            HoleKind::CallSite,
            HoleKind::Identifier,
            HoleKind::Arguments,
            HoleKind::Import,
            HoleKind::Statement,
            HoleKind::Block,
        ];
        Self {
            sources: Vec::new(),
            each: Vec::new(),
            repos: None,
            exclude: Vec::new(),
            seed: 0,
            languages: Language::ALL.to_vec(),
            per_language: 50_000,
            per_file: 2,
            kinds: kinds.into_iter().map(|kind| (kind, 1.0)).collect(),
            window_bytes: 24 << 10,
            prefix_share: 0.7,
            licences: PERMISSIVE.iter().map(|&name| name.to_owned()).collect(),
            percentiles: [2.0, 98.0],
            near_duplicate: 0.7,
            packages: Vec::new(),
            min_version: BTreeMap::new(),
            min_stars: 0,
            include_paths: BTreeMap::new(),
            selector: Selector::default(),
            limits: Limits::default(),
        }
    }
}

impl Recipe {
    /// Reads the table `[mine]` of a recipe.
    ///
    /// # Errors
    /// Where the file cannot be read; [`Usage`] where it has a key that does not exist.
    pub fn read(path: &Path) -> Result<Self> {
        let mut recipe: Self = crate::recipe::section(Some(path), "mine")?;
        let lists = [&mut recipe.sources, &mut recipe.each, &mut recipe.exclude];
        let listed = lists.into_iter().flat_map(|list| list.iter_mut());
        let selector = &mut recipe.selector;
        let named = [
            &mut recipe.repos,
            &mut selector.ledger,
            &mut selector.prompts,
        ];
        let paths = listed.chain(named.into_iter().flatten());
        crate::recipe::found_from(Some(path), paths);
        recipe.check().map_err(crate::recipe::named(Some(path)))?;
        Ok(recipe)
    }

    /// Says which value cannot be.
    ///
    /// # Errors
    /// [`Usage`] with the key, what was expected and what was found.
    pub fn check(&self) -> Result<()> {
        let wrong = |error: anyhow::Error| Usage::error(format!("section `[mine]`: {error}"));
        self.values().map_err(wrong)
    }

    fn values(&self) -> Result<()> {
        let [low, high] = self.percentiles;
        ensure!(
            (0.0..=100.0).contains(&low) && (low..=100.0).contains(&high),
            "`percentiles`: expected two ascending numbers from 0 to 100, found {low} and {high}"
        );
        ensure!(
            self.near_duplicate > 0.0 && self.near_duplicate <= 1.0,
            "`near_duplicate`: expected a share above 0 and at most 1, found {}",
            self.near_duplicate
        );
        ensure!(
            (0.1..=0.9).contains(&self.prefix_share),
            "`prefix_share`: expected a share from 0.1 to 0.9, found {}",
            self.prefix_share
        );
        ensure!(
            (1 << 10..=1 << 20).contains(&self.window_bytes),
            "`window_bytes`: expected 1024 to 1048576 bytes, found {}",
            self.window_bytes
        );
        ensure!(
            self.kinds
                .values()
                .all(|share| share.is_finite() && *share >= 0.0),
            "`kinds`: expected shares of 0 or more"
        );
        ensure!(
            self.min_stars == 0 || self.repos.is_some(),
            "`min_stars`: expected `repos`, a file that tells of stars, found none; no repository would stay"
        );
        ensure!(
            self.min_version.is_empty() || !self.packages.is_empty(),
            "`min_version`: expected the packages that it is about in `packages`, found none"
        );
        for name in &self.licences {
            ensure!(
                spdx::license_id(name).is_some(),
                "`licences`: expected SPDX identifiers, found `{name}`"
            );
        }
        Ok(())
    }

    /// The kinds of holes that are cut, with their shares.
    pub fn shares(&self) -> impl Iterator<Item = (HoleKind, f64)> + '_ {
        self.kinds
            .iter()
            .map(|(&kind, &share)| (kind, share))
            .filter(|(_, share)| *share > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_has_its_own_table_and_known_keys() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recipe.toml");
        std::fs::write(
            &path,
            "[mine]\nper_language = 7\nsources = [\"a\"]\nkinds = { call-site = 2.0 }\n[train]\nx = 1\n",
        )
        .expect("written");
        let recipe = Recipe::read(&path).expect("a recipe");
        assert_eq!(recipe.per_language, 7);
        assert_eq!(recipe.sources, [folder.path().join("a")]);
        assert_eq!(
            recipe.shares().collect::<Vec<_>>(),
            [(HoleKind::CallSite, 2.0)]
        );
        for wrong in [
            "per_langage = 1",
            "licences = [\"mine\"]",
            "percentiles = [9.0, 1.0]",
        ] {
            std::fs::write(&path, format!("[mine]\n{wrong}\n")).expect("written");
            let error = Recipe::read(&path).expect_err(wrong);
            assert!(error.is::<Usage>(), "{error}");
        }
    }

    #[test]
    fn the_allow_list_is_spdx() {
        assert!(Recipe::default().check().is_ok());
    }
}

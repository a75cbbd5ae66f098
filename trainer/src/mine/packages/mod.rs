//! What a repository declares: its packages, the packages it depends on, its licences.

mod data;
mod home;
mod lines;
mod manifest;
mod origin;
mod own;
mod version;
mod xml;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use truefill_syntax::Language;

use super::licence::Licences;
use super::recipe::Recipe;

pub use home::repository;
pub use manifest::{GEM_METADATA, Meta, is_meta, read};
pub use origin::Origin;
pub use own::{Own, own, plain};
pub use version::at_least;

/// Languages that share a package manager share declarations.
pub const fn family(language: Language) -> Language {
    match language {
        Language::TypeScript | Language::Tsx => Language::JavaScript,
        language => language,
    }
}

/// What is known of a repository when its files have been read once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Licences by folder.
    pub licences: Licences,
    /// URLs of the repository, as manifests name them.
    pub repositories: BTreeSet<String>,
    /// Modules, packages and namespaces that are the repository's own.
    pub own: BTreeMap<Language, BTreeSet<String>>,
    /// Hashes of what the repository's files are called: types of Java, C#, PHP and Ruby, headers
    /// of C++.
    pub files: BTreeSet<u64>,
    /// Dependencies by package manager: name and the least version that is declared.
    pub declared: BTreeMap<Language, BTreeMap<String, Option<String>>>,
}

impl Project {
    /// Adds what a manifest says.
    pub fn add_meta(&mut self, meta: Meta) {
        if let Some(licence) = &meta.licence {
            self.licences.declare(&meta.folder, licence);
        }
        if let Some(licence) = meta.licence_text {
            self.licences.text(&meta.folder, &meta.name, licence);
        }
        self.repositories.extend(meta.repository);
        for (language, name) in meta.own {
            self.own.entry(language).or_default().insert(name);
        }
        for (language, name, version) in meta.declared {
            let declared = self.declared.entry(language).or_default();
            let known = declared.entry(name).or_default();
            // Of several declarations the highest counts: some file requires it.
            let higher = match (&*known, &version) {
                (Some(known), Some(version)) => at_least(version, known),
                (None, Some(_)) => true,
                _ => false,
            };
            if higher {
                *known = version;
            }
        }
    }

    /// Adds what a file says of the repository.
    pub fn add_file(&mut self, language: Language, own: Own) {
        self.files.extend(own.names);
        if let Some(module) = own.module {
            self.own.entry(family(language)).or_default().insert(module);
        }
    }

    /// Keeps the dependencies that the recipe counts: a package under its least version is not declared.
    pub fn restrict(&mut self, recipe: &Recipe) {
        for (&language, declared) in &mut self.declared {
            declared.retain(|name, version| {
                let mut listed = recipe.min_version.iter();
                let listed = listed.find(|(listed, _)| same_package(language, name, listed));
                listed.is_none_or(|(_, least)| {
                    version
                        .as_ref()
                        .is_some_and(|version| at_least(version, least))
                })
            });
        }
    }

    /// The repository declares one of `packages`.
    pub fn declares(&self, packages: &[String]) -> bool {
        self.declared.iter().any(|(&language, declared)| {
            let mut names = declared.keys();
            names.any(|name| is_listed(language, name, packages))
        })
    }
}

/// A declared name is among the listed ones.
pub fn is_listed(language: Language, declared: &str, listed: &[String]) -> bool {
    let mut listed = listed.iter();
    listed.any(|listed| same_package(language, declared, listed))
}

/// A declared name is the one that a recipe has: Python's and .NET's registries take several
/// spellings for one name.
fn same_package(language: Language, declared: &str, listed: &str) -> bool {
    match family(language) {
        Language::Python => declared == data::python_name(listed),
        Language::CSharp => declared.eq_ignore_ascii_case(listed),
        _ => declared == listed,
    }
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_may_be_spelled_in_several_ways() {
        let mut project = Project::default();
        for (language, name) in [
            (Language::Python, "scikit_learn"),
            (Language::CSharp, "Newtonsoft.Json"),
            (Language::JavaScript, "lodash"),
        ] {
            let declared = project.declared.entry(language).or_default();
            declared.insert(name.into(), Some("1.2".into()));
        }
        let listed = |name: &str| project.declares(&[name.to_owned()]);
        assert!(listed("scikit-learn") && listed("Scikit.Learn") && listed("newtonsoft.json"));
        assert!(!listed("Lodash") && !listed("learn"));
        let mut recipe = Recipe::default();
        recipe
            .min_version
            .insert("scikit-learn".into(), "2.0".into());
        project.restrict(&recipe);
        assert!(!project.declares(&["scikit-learn".to_owned()]));
    }
}

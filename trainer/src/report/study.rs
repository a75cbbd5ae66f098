//! What is reported: the folders' suites side by side, and what differs from the first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;

use crate::eval::alike;
use crate::eval::figures::{
    Bootstrap, Comparison, Difference, Estimate, Figure, Group, GroupFigures, RowFigures, compare,
};
use crate::eval::output::{self, Evaluated, MeasuredRow};
use crate::usage::Usage;

/// A folder and what it is called on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// What it is called; without one, as its model.
    pub name: Option<String>,
    /// Where it is.
    pub path: PathBuf,
}

impl std::str::FromStr for Folder {
    type Err = String;

    /// `NAME=FOLDER`, or a folder alone, which may have a `=` in its path.
    fn from_str(text: &str) -> Result<Self, String> {
        let alone = || Self {
            name: None,
            path: text.into(),
        };
        match text.split_once('=') {
            Some((name, _)) if name.contains(['/', '\\']) => Ok(alone()),
            Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok(Self {
                name: Some(name.to_owned()),
                path: path.into(),
            }),
            Some(_) => Err(format!(
                "expected NAME=FOLDER or a folder, found `{text}`, which lacks one side of its `=`"
            )),
            None => Ok(alone()),
        }
    }
}

/// Everything that a page is made of.
#[derive(Debug)]
pub struct Study {
    /// The checkpoints' names, the base first.
    pub names: Vec<String>,
    /// Suites that one of them at least was measured on.
    pub suites: Vec<SuiteStudy>,
    /// How differences are drawn.
    pub bootstrap: Bootstrap,
}

/// A suite of all checkpoints.
#[derive(Debug)]
pub struct SuiteStudy {
    /// The suite's name.
    pub title: String,
    /// By checkpoint; nothing where its folder lacks the suite.
    pub measured: Vec<Option<Measured>>,
    /// What differs from the base, by checkpoint.
    pub compared: Vec<Option<Comparison>>,
    /// What has to be known before figures are compared.
    pub warnings: Vec<String>,
}

/// A suite of a checkpoint.
#[derive(Debug)]
pub struct Measured {
    /// The figures.
    pub evaluated: Evaluated,
    /// The rows.
    pub rows: Vec<MeasuredRow>,
}

impl Study {
    /// Reads folders and compares each with the first.
    ///
    /// # Errors
    /// Folders without figures, rows that are not those of the figures; [`Usage`] where two checkpoints
    /// have one name.
    pub fn read(folders: &[Folder], seed: u64) -> Result<Self> {
        let bootstrap = Bootstrap {
            seed,
            ..Bootstrap::default()
        };
        let mut suites: BTreeMap<String, Vec<Option<Measured>>> = BTreeMap::new();
        let mut models = Vec::new();
        for (at, folder) in folders.iter().enumerate() {
            let found = output::read(&folder.path)?;
            let model = found
                .first()
                .map_or_else(String::new, |it| it.model.name.clone());
            models.push(model);
            for evaluated in found {
                let rows = output::read_rows(&folder.path, &evaluated)?;
                let title = evaluated.suite.clone();
                let suite = suites.entry(title);
                let suite = suite.or_insert_with(|| folders.iter().map(|_| None).collect());
                suite[at] = Some(Measured { evaluated, rows });
            }
        }
        let names = names(folders, &models)?;
        let suites = suites.into_iter();
        Ok(Self {
            suites: suites
                .map(|(title, measured)| SuiteStudy::new(title, measured, &names, bootstrap))
                .collect(),
            names,
            bootstrap,
        })
    }

    /// Whether there is a base and something beside it.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.names.len() > 1
    }

    /// Every warning with its suite.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of = |suite: &SuiteStudy| {
            let title = suite.title.clone();
            let warnings = suite.warnings.iter();
            warnings
                .map(move |warning| format!("{title}: {warning}"))
                .collect::<Vec<_>>()
        };
        self.suites.iter().flat_map(of).collect()
    }
}

/// The names given, else the models'; models of one name are told apart by their folders.
fn names(folders: &[Folder], models: &[String]) -> Result<Vec<String>> {
    let own = folders.iter().zip(models).map(|(folder, model)| {
        let same = models.iter().filter(|other| *other == model).count();
        let path = folder.path.file_name();
        let path = path.map_or_else(
            || folder.path.display().to_string(),
            |it| it.display().to_string(),
        );
        let own = if same > 1 { path } else { model.clone() };
        folder.name.clone().unwrap_or(own)
    });
    let names: Vec<String> = own.collect();
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        None => Ok(names),
        Some(twice) => Err(Usage::error(format!(
            "expected checkpoints of different names, found `{twice}` twice; name them: NAME=FOLDER"
        ))),
    }
}

impl SuiteStudy {
    fn new(
        title: String,
        measured: Vec<Option<Measured>>,
        names: &[String],
        bootstrap: Bootstrap,
    ) -> Self {
        let (mut compared, mut warnings) = (Vec::new(), Vec::new());
        for (at, own) in measured.iter().enumerate() {
            let base = measured.first().and_then(Option::as_ref);
            let pair = base.zip(own.as_ref()).filter(|_| at > 0);
            let found = pair.map(|(base, own)| {
                let comparison = compare(&base.figures(), &own.figures(), bootstrap);
                let evaluated = [&base.evaluated, &own.evaluated];
                let named = [&*names[0], &*names[at]];
                warnings.extend(alike::warnings(named, evaluated, &comparison));
                comparison
            });
            compared.push(found);
        }
        Self {
            title,
            measured,
            compared,
            warnings,
        }
    }

    /// A checkpoint's figures of a group.
    pub fn group(&self, at: usize, group: &Group) -> Option<&GroupFigures> {
        let groups = &self.measured.get(at)?.as_ref()?.evaluated.groups;
        groups.iter().find(|found| found.group == *group)
    }

    /// A checkpoint's figure.
    pub fn estimate(&self, at: usize, group: &Group, figure: Figure) -> Option<&Estimate> {
        self.group(at, group)?.figures.get(&figure)
    }

    /// What a checkpoint's figure differs from the base's.
    pub fn change(&self, at: usize, group: &Group, figure: Figure) -> Option<&Difference> {
        let differences = &self.compared.get(at)?.as_ref()?.differences;
        differences
            .iter()
            .find(|found| found.group == *group && found.figure == figure)
    }

    /// Whether a checkpoint has the figure of all rows.
    pub fn has(&self, figure: Figure) -> bool {
        (0..self.measured.len()).any(|at| self.estimate(at, &Group::All, figure).is_some())
    }

    /// The groups of all checkpoints that `of` wants, in their order.
    pub fn groups(&self, of: fn(&Group) -> bool) -> Vec<Group> {
        let measured = self.measured.iter().flatten();
        let groups = measured.flat_map(|it| &it.evaluated.groups);
        let groups: BTreeSet<&Group> = groups
            .map(|found| &found.group)
            .filter(|group| of(group))
            .collect();
        groups.into_iter().cloned().collect()
    }
}

impl Measured {
    fn figures(&self) -> Vec<RowFigures> {
        self.rows.iter().map(|row| row.figures.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_have_a_name() {
        let parsed = |text: &str| {
            text.parse::<Folder>()
                .map(|it| (it.name, it.path.display().to_string()))
        };
        assert_eq!(
            parsed("sft=runs/a"),
            Ok((Some("sft".into()), "runs/a".into()))
        );
        assert_eq!(parsed("runs/a"), Ok((None, "runs/a".into())));
        assert_eq!(parsed("runs/lr=1"), Ok((None, "runs/lr=1".into())));
        assert!(parsed("=runs").is_err() && parsed("sft=").is_err());
    }

    #[test]
    fn models_of_one_name_are_told_apart() {
        let folder = |text: &str| text.parse::<Folder>().expect("a folder");
        let models = ["m".to_owned(), "m".to_owned()];
        let found = names(&[folder("runs/a"), folder("runs/b")], &models);
        assert_eq!(found.expect("names"), ["a", "b"]);
        let twice = names(&[folder("runs/a"), folder("other/a")], &models);
        let error = twice.expect_err("one name").to_string();
        assert!(error.contains("`a` twice"), "{error}");
    }
}

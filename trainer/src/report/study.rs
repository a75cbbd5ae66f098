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

/// The folder in a cell's folder that `ablate` lets `eval` write.
const FIGURES: &str = "figures";

impl Folder {
    /// Where its figures are: in it, or in `figures` of an ablation's cell.
    fn figures(&self) -> PathBuf {
        let inside = self.path.join(FIGURES);
        if inside.is_dir() {
            return inside;
        }
        self.path.clone()
    }
}

impl std::str::FromStr for Folder {
    type Err = String;

    /// `NAME=FOLDER`, or a folder alone. A name may have a `=` in it, as an ablation's cells have
    /// (`size=5000`), a path behind its first `/`.
    fn from_str(text: &str) -> Result<Self, String> {
        let alone = || Self {
            name: None,
            path: text.into(),
        };
        let first = text.find(['/', '\\']).unwrap_or(text.len());
        let equals = text[..first].rfind('=');
        match equals.map(|at| (&text[..at], &text[at + 1..])) {
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
    /// What has to be known of checkpoints.
    warnings: Vec<String>,
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
        let mut mixed = Vec::new();
        for (at, folder) in folders.iter().enumerate() {
            let path = folder.figures();
            let found = output::read(&path)?;
            let model = found
                .first()
                .map_or_else(String::new, |it| it.model.name.clone());
            models.push(model);
            mixed.push(of_different_models(&found));
            for evaluated in found {
                let rows = output::read_rows(&path, &evaluated)?;
                let title = evaluated.suite.clone();
                let suite = suites.entry(title);
                let suite = suite.or_insert_with(|| folders.iter().map(|_| None).collect());
                suite[at] = Some(Measured { evaluated, rows });
            }
        }
        let names = names(folders, &models)?;
        let mixed = names.iter().zip(mixed);
        let mixed = mixed.filter_map(|(name, found)| Some(format!("`{name}`: {}", found?)));
        let suites = suites.into_iter();
        Ok(Self {
            warnings: mixed.collect(),
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

    /// Every warning with its checkpoint or suite.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of = |suite: &SuiteStudy| {
            let title = suite.title.clone();
            let warnings = suite.warnings.iter();
            warnings
                .map(move |warning| format!("{title}: {warning}"))
                .collect::<Vec<_>>()
        };
        let own = self.warnings.iter().cloned();
        own.chain(self.suites.iter().flat_map(of)).collect()
    }
}

/// What is wrong with a folder whose suites were not all measured with one model.
fn of_different_models(found: &[Evaluated]) -> Option<String> {
    let mut models: BTreeMap<&str, (&str, Vec<&str>)> = BTreeMap::new();
    for evaluated in found {
        let model = &evaluated.model;
        let suites = models.entry(&model.identity);
        let (_, suites) = suites.or_insert((&model.name, Vec::new()));
        suites.push(&evaluated.suite);
    }
    let of = |(identity, (name, suites)): (&&str, &(&str, Vec<&str>))| {
        format!("{} of {name} ({identity})", suites.join(", "))
    };
    let said: Vec<String> = models.iter().map(of).collect();
    (said.len() > 1).then(|| {
        format!(
            "the suites of its folder are of different models, which the page shows as one: {}",
            said.join("; ")
        )
    })
}

/// The names given, else the models'; models of one name are told apart by their folders.
fn names(folders: &[Folder], models: &[String]) -> Result<Vec<String>> {
    let own = folders.iter().zip(models).map(|(folder, model)| {
        let same = models.iter().filter(|other| *other == model).count();
        let path = match folder.path.ends_with(FIGURES) {
            true => folder.path.parent().unwrap_or(&folder.path),
            false => &folder.path,
        };
        let path = path.file_name();
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
        self.measured.get(at)?.as_ref()?.evaluated.group(group)
    }

    /// A checkpoint's figure.
    pub fn estimate(&self, at: usize, group: &Group, figure: Figure) -> Option<&Estimate> {
        self.group(at, group)?.figures.get(&figure)
    }

    /// What a checkpoint's figure differs from the base's.
    pub fn change(&self, at: usize, group: &Group, figure: Figure) -> Option<&Difference> {
        self.compared.get(at)?.as_ref()?.of(group, figure)
    }

    /// Whether a checkpoint has the figure of all rows.
    pub fn has(&self, figure: Figure) -> bool {
        (0..self.measured.len()).any(|at| self.estimate(at, &Group::All, figure).is_some())
    }

    /// Every figure of all rows that a checkpoint has.
    pub fn figures(&self) -> Vec<Figure> {
        let all = (0..self.measured.len()).filter_map(|at| self.group(at, &Group::All));
        let figures: BTreeSet<Figure> = all.flat_map(|it| it.figures.keys().copied()).collect();
        figures.into_iter().collect()
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
        assert_eq!(
            parsed("size=5000=runs/lr=1"),
            Ok((Some("size=5000".into()), "runs/lr=1".into()))
        );
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

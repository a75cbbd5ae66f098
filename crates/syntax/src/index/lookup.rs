//! Questions about classes and functions.

use std::collections::HashSet;

use super::{
    Table,
    entry::{NONE, NameId},
};

/// Whether a class has a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    Has,
    /// The class and all its bases are in the workspace, and none has it.
    Lacks,
    /// A base is not in the workspace, or something may add members.
    Unsure,
}

/// The parameters of every function of one name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    pub names: HashSet<String>,
    /// One of the functions takes any name.
    pub open: bool,
    /// A class of that name has no constructor of its own (a data class, a subclass).
    pub inherited: bool,
    /// Functions of that name.
    pub functions: usize,
}

impl Table {
    /// Members of every class named `container`, sorted.
    pub(crate) fn members_of(&self, container: &str) -> Vec<String> {
        let Some(id) = self.id(container) else {
            return Vec::new();
        };
        let mut members: Vec<String> = self
            .member_files(id)
            .flat_map(|file| file.definitions.iter())
            .filter(|(_, owner)| *owner == id)
            .map(|&(name, _)| self.text(name).to_owned())
            .collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Whether a class named `class`, or one that it inherits from, has `member`.
    pub(crate) fn membership(&self, class: &str, member: &str) -> Membership {
        let Some(class) = self.id(class) else {
            return Membership::Unsure;
        };
        let member = self.id(member).unwrap_or(NONE);
        let mut seen = HashSet::from([class]);
        let mut pending = vec![class];
        let mut unsure = false;
        while let Some(class) = pending.pop() {
            if self.has_own(class, member) {
                return Membership::Has;
            }
            let mut defined = false;
            for file in self.class_files(class) {
                for entry in file.classes.iter().filter(|entry| entry.name == class) {
                    defined = true;
                    unsure |= entry.open;
                    pending.extend(entry.bases.iter().filter(|&&base| seen.insert(base)));
                }
            }
            unsure |= !defined && !is_root(self.text(class));
        }
        if unsure {
            Membership::Unsure
        } else {
            Membership::Lacks
        }
    }

    fn has_own(&self, class: NameId, member: NameId) -> bool {
        self.member_files(class)
            .any(|file| file.definitions.binary_search(&(member, class)).is_ok())
    }

    /// The parameters of functions named `function`, and of the constructors of classes so named.
    pub(crate) fn parameters(&self, function: &str) -> Option<Parameters> {
        let id = self.id(function)?;
        let mut parameters = Parameters::default();
        for file in self.signature_files(id) {
            for entry in file.signatures.iter().filter(|entry| entry.name == id) {
                parameters.functions += 1;
                parameters.open |= entry.open;
                parameters.names.extend(
                    entry
                        .parameters
                        .iter()
                        .map(|&name| self.text(name).to_owned()),
                );
            }
        }
        if self.class_files(id).next().is_some() {
            self.constructor(id, &mut parameters);
        }
        (parameters.functions > 0).then_some(parameters)
    }

    fn constructor(&self, class: NameId, parameters: &mut Parameters) {
        let mut found = false;
        for constructor in ["__init__", "__new__", "__construct"] {
            let Some(id) = self.id(constructor) else {
                continue;
            };
            for file in self.class_files(class) {
                for entry in file.signatures.iter() {
                    if entry.name == id && entry.container == class {
                        found = true;
                        parameters.open |= entry.open;
                        let names = entry
                            .parameters
                            .iter()
                            .map(|&name| self.text(name).to_owned());
                        parameters.names.extend(names);
                    }
                }
            }
        }
        parameters.inherited |= !found;
        parameters.functions += 1;
    }
}

/// Bases that add nothing beyond what the builtins list.
fn is_root(class: &str) -> bool {
    matches!(
        class,
        "object" | "Object" | "Exception" | "ABC" | "Generic" | "Protocol"
    )
}

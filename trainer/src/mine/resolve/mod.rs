//! Where a call leads: through the file's imports, definitions and assignments to a declared
//! dependency or to the repository itself (paper "hard negatives", E.1, extracts calls of declared
//! packages). A rule of thumb for ten languages, without types: what it cannot follow is unresolved,
//! and the call site is not kept.

mod bindings;
mod callee;

use std::collections::{HashMap, HashSet};

use truefill_syntax::{Import, Language, SymbolKind, Symbols, is_common_name};

use super::packages::{Origin, Project, plain};
use super::recipe::Recipe;
pub use bindings::Bindings;
use callee::{is_self, segments};

/// Assignments that are followed one after the other.
const STEPS: usize = 4;

/// A file, ready for questions about its calls.
pub struct Scene<'a> {
    language: Language,
    project: &'a Project,
    names: HashMap<String, Option<Origin>>,
    wildcards: Vec<(String, Origin)>,
    defined: HashSet<String>,
    members: HashSet<String>,
    locals: HashSet<String>,
    bindings: Bindings<'a>,
}

impl<'a> Scene<'a> {
    /// A scene of what a file imports and defines, and of its assignments.
    pub fn new(
        language: Language,
        symbols: Symbols,
        bindings: Bindings<'a>,
        project: &'a Project,
        recipe: &Recipe,
    ) -> Self {
        let mut scene = Self {
            language,
            project,
            names: HashMap::new(),
            wildcards: Vec::new(),
            defined: HashSet::new(),
            members: HashSet::new(),
            locals: HashSet::new(),
            bindings,
        };
        for import in &symbols.imports {
            scene.import(import, recipe);
        }
        scene.define(symbols);
        scene
    }

    fn import(&mut self, import: &Import, recipe: &Recipe) {
        let module = if import.module.is_empty() {
            import.local_name()
        } else {
            &import.module
        };
        let relative = self.language == Language::Ruby && import.alias.as_deref() == Some(".");
        let origin = if relative {
            Some(Origin::Own)
        } else {
            self.project.origin(self.language, module, recipe)
        };
        let all = import.wildcard || matches!(self.language, Language::Ruby | Language::Cpp);
        if all {
            let top = module.split(['/', '.', '\\', ':']).next().unwrap_or(module);
            self.wildcards
                .extend(origin.map(|origin| (plain(top), origin)));
        } else {
            self.names.insert(import.local_name().to_owned(), origin);
        }
    }

    fn define(&mut self, symbols: Symbols) {
        for definition in symbols.definitions {
            let set = if definition.local || definition.kind == SymbolKind::Parameter {
                &mut self.locals
            } else if matches!(definition.kind, SymbolKind::Method | SymbolKind::Field) {
                &mut self.members
            } else {
                &mut self.defined
            };
            set.insert(definition.name);
        }
    }

    /// Where the call `call` at byte `at` leads; nothing where that cannot be told, or leads to
    /// the standard library or to a package that is not declared. Every name of the chain is
    /// followed: an own object's field may be anybody's.
    pub fn origin(&self, call: &str, at: usize) -> Option<Origin> {
        let segments = segments(call);
        let (&root, rest) = segments.split_first()?;
        if self.language == Language::Rust && matches!(root, "crate" | "super") {
            return Some(Origin::Own);
        }
        if is_self(root) {
            let (&member, rest) = rest.split_first()?;
            if rest.is_empty() {
                return self.members.contains(member).then_some(Origin::Own);
            }
            return self.fields(&[&[member], &rest[..rest.len() - 1]].concat(), at);
        }
        let fields = &rest[..rest.len().saturating_sub(1)];
        let is_value = !self.names.contains_key(root) && self.bindings.value(root, at).is_some();
        let origin = self.name(root, rest.is_empty(), at, STEPS)?;
        if is_value && !fields.is_empty() {
            return self.fields(fields, at);
        }
        Some(origin)
    }

    /// Where fields of an object lead, one of the other.
    fn fields(&self, fields: &[&str], at: usize) -> Option<Origin> {
        let mut found = None;
        for field in fields {
            let value = self.bindings.value(field, at)??;
            found = Some(self.name(value, false, at, STEPS)?);
        }
        found
    }

    fn name(&self, name: &str, bare: bool, at: usize, steps: usize) -> Option<Origin> {
        if let Some(origin) = self.names.get(name) {
            return origin.clone();
        }
        match self.bindings.value(name, at) {
            Some(Some(value)) if value != name && steps > 0 => {
                return self.name(value, false, at, steps - 1);
            }
            Some(None) if !self.defined.contains(name) => return None,
            _ => {}
        }
        if self.defined.contains(name) {
            return Some(Origin::Own);
        }
        let implicit = matches!(
            self.language,
            Language::Java | Language::CSharp | Language::Cpp | Language::Ruby
        );
        if bare && implicit && self.members.contains(name) {
            return Some(Origin::Own);
        }
        if self.locals.contains(name) {
            return None;
        }
        let strong = self.called_like(name);
        if strong.is_some() || is_common_name(self.language, name) {
            return strong;
        }
        self.unnamed(name, bare)
    }

    /// A name that something of the repository or an import is called like: a type's file, what
    /// Ruby requires, the first part of an include path.
    fn called_like(&self, name: &str) -> Option<Origin> {
        let constant = name.starts_with(char::is_uppercase);
        if constant && self.project.has_type(self.language, name) {
            return Some(Origin::Own);
        }
        let by_module = match self.language {
            Language::Ruby => constant,
            Language::Cpp => true,
            _ => false,
        };
        let name = plain(name);
        let mut modules = self.wildcards.iter().filter(|_| by_module);
        let found = modules.find(|(module, _)| *module == name);
        found.map(|(_, origin)| origin.clone())
    }

    /// A name that no import, definition or assignment of the file brings.
    fn unnamed(&self, name: &str, bare: bool) -> Option<Origin> {
        let constant = name.starts_with(char::is_uppercase);
        match self.language {
            // A package's files see each other's names.
            Language::Go => bare.then_some(Origin::Own),
            // Where own headers are included, functions and types are likelier theirs than
            // anybody's; of an object nothing is known.
            Language::Cpp => self.home().filter(|_| bare || constant),
            Language::CSharp | Language::Java if !constant => None,
            Language::Python | Language::Rust | Language::CSharp | Language::Java => {
                let named = bare || constant;
                self.wildcards
                    .first()
                    .filter(|_| named)
                    .map(|(_, origin)| origin.clone())
            }
            _ => None,
        }
    }

    fn home(&self) -> Option<Origin> {
        let mut origins = self.wildcards.iter().map(|(_, origin)| origin);
        origins.find(|origin| **origin == Origin::Own).cloned()
    }
}

#[cfg(test)]
mod tests;

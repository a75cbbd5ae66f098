//! What counts as evidence, and which evidence blocks a suggestion.

use serde::{Deserialize, Serialize};

use crate::language::Language;

/// What is known about the place of a name that stands nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A bare variable.
    Variable,
    /// A bare function call.
    Call,
    /// A type.
    Type,
    /// A member of `self` whose class is known with all its bases, and lacks it.
    MemberOfClosedClass,
    /// A member of `self` whose class inherits from something unknown.
    MemberOfSelf,
    /// A member of a module of the workspace that does not name it.
    MemberOfModule,
    /// A member of a class or value that the workspace defines.
    MemberOfWorkspace,
    /// A member of a local variable.
    MemberOfLocal,
    /// A member of something imported from outside of the workspace.
    MemberOfForeign,
    /// A member of an expression whose origin is not known.
    MemberOfExpression,
    /// A keyword argument of functions that are known and do not take it.
    KeywordOfKnown,
    /// A keyword argument of a function that is not known.
    KeywordOfUnknown,
    /// A field of a type that the workspace defines.
    FieldOfKnown,
    /// A field of another type.
    FieldOfUnknown,
    /// A module that the workspace owns and that does not exist.
    ImportOfMissing,
    /// A name that the imported module of the workspace does not have.
    ImportFromWorkspace,
    /// A module of the standard library that does not exist, or lacks the name.
    ImportFromStandard,
    /// A module or a name from outside of the workspace that nothing else uses.
    ImportFromForeign,
}

/// Whether the evidence is rare enough in real code to block a suggestion.
pub(super) fn blocks(_language: Language, _evidence: Evidence, _workspace_files: usize) -> bool {
    true
}

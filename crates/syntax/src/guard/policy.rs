//! What counts as evidence, and which evidence blocks a suggestion.

use serde::{Deserialize, Serialize};

use crate::language::Language;

use super::scene::Scene;

/// What is known about the place of a name that stands nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A bare variable.
    Variable,
    /// A bare function call.
    Call,
    /// A macro (Rust).
    Macro,
    /// A type.
    Type,
    /// A member of `self` whose class is known with all its bases, and lacks it.
    MemberOfClosedClass,
    /// A member of `self` whose class inherits from something unknown.
    MemberOfSelf,
    /// A member of a module of the workspace that does not name it.
    MemberOfModule,
    /// A member of a module of the standard library that does not list it.
    MemberOfStandard,
    /// A member of a class or value that the workspace defines.
    MemberOfWorkspace,
    /// A member of what a call or member of a workspace's value gives.
    MemberOfChain,
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
    /// A keyword argument of a function from outside of the workspace.
    KeywordOfForeign,
    /// A field of a type that the workspace defines.
    FieldOfKnown,
    /// A field of another type.
    FieldOfUnknown,
    /// A module that the workspace owns and that does not exist.
    ImportOfMissing,
    /// A name that the imported module of the workspace does not have.
    ImportFromModule,
    /// A name of the workspace's own packages that nothing in the workspace is called.
    ImportFromWorkspace,
    /// A module of the standard library that does not exist, or lacks the name.
    ImportFromStandard,
    /// A name that nothing else uses, of an outside module that is in use.
    ImportFromSeen,
    /// A module from outside of the workspace that nothing else uses.
    ImportFromForeign,
}

/// Whether the evidence is rare enough in real code to block a suggestion.
///
/// That nobody has used a library's name yet says little about the library, so what comes from
/// outside counts in a large workspace only, and a library's first use never. The limits come from
/// measurements with the example `guard_rate`, on packages of each language and on small programs
/// that lean on large libraries.
pub(super) fn blocks(scene: &Scene, evidence: Evidence) -> bool {
    use Language::{CSharp, Cpp, Go, Java, Ruby};
    let (language, workspace_files) = (scene.language, scene.table.file_count());
    if !scene.table.covers() && !is_local(scene, evidence) {
        return false;
    }
    let large = workspace_files >= LARGE_WORKSPACE;
    match evidence {
        Evidence::ImportFromForeign => false,
        // Two in a hundred real uses in Go and C# are the workspace's first use of that name.
        Evidence::MemberOfForeign => large && !matches!(language, Go | CSharp | Ruby),
        Evidence::KeywordOfForeign => false,
        Evidence::ImportFromSeen => large && !language.is_ecmascript(),
        // A value of unknown type may come from a library, and so may a base class.
        Evidence::MemberOfLocal
        | Evidence::MemberOfExpression
        | Evidence::MemberOfChain
        | Evidence::MemberOfSelf
        | Evidence::KeywordOfUnknown
        | Evidence::FieldOfUnknown => large,
        // A method of a type of the workspace may come from what the type is built on.
        Evidence::MemberOfWorkspace | Evidence::KeywordOfKnown => {
            workspace_files >= SMALL_WORKSPACE
        }
        // Inherited members, headers and frameworks bring in names without a receiver.
        Evidence::Call | Evidence::Macro | Evidence::Variable | Evidence::Type => {
            workspace_files >= SMALL_WORKSPACE || !matches!(language, Cpp | CSharp | Java | Ruby)
        }
        _ => true,
    }
}

/// The evidence stands without the other files of the workspace: in the file itself, in the files
/// that it names, or in the standard library.
fn is_local(scene: &Scene, evidence: Evidence) -> bool {
    match evidence {
        Evidence::MemberOfClosedClass
        | Evidence::MemberOfModule
        | Evidence::MemberOfStandard
        | Evidence::ImportFromModule
        | Evidence::ImportFromStandard => true,
        // Bare names of these languages are defined or imported in their file.
        Evidence::Call | Evidence::Variable => match scene.language {
            Language::Python | Language::Rust => true,
            Language::JavaScript | Language::TypeScript | Language::Tsx => scene.is_module(),
            Language::Php => evidence == Evidence::Variable,
            _ => false,
        },
        Evidence::Type => matches!(scene.language, Language::Python | Language::Rust),
        _ => false,
    }
}

/// Workspaces with fewer files of the language have hardly shown what they use.
const SMALL_WORKSPACE: usize = 25;

/// From here on, what a workspace uses of its libraries has mostly been seen.
const LARGE_WORKSPACE: usize = 100;

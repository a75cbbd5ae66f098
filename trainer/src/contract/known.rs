//! Names that exist without a definition in the file.

use truefill_syntax::{Language, NameUse, is_common_name};

/// What Python has as variables without an import.
const PYTHON: &str = "abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr \
classmethod cls compile complex copyright credits delattr dict dir divmod enumerate eval exec exit \
filter float format frozenset getattr globals hasattr hash help hex id input int isinstance \
issubclass iter len license list locals map max memoryview min next object oct open ord pow print \
property quit range repr reversed round self set setattr slice sorted staticmethod str sum super \
tuple type vars zip";

/// What JavaScript has in browsers, in Node and in its test runners.
const JAVASCRIPT: &str = "after afterAll afterEach alert arguments atob before beforeAll beforeEach \
btoa caches clearImmediate clearInterval clearTimeout close closed confirm console crypto \
customElements describe document escape eval event expect exports external fetch find focus \
frames global globalThis history indexedDB innerHeight innerWidth isFinite isNaN it jest length \
localStorage location module moveBy moveTo name navigation navigator open opener origin \
outerHeight outerWidth parent parseFloat parseInt performance postMessage print process prompt \
queueMicrotask require screen screenX screenY scroll scrollX scrollY self sessionStorage \
setImmediate setInterval setTimeout status stop structuredClone suite test this toolbar top undefined \
unescape window";

/// What Go's and Rust's code has as variables without an import.
const GO: &str = "append cap clear close complex copy delete error false imag iota len make max min new \
nil panic print println real recover true";
const RUST: &str = "crate drop false self std super true";

/// The language brings `name`, or its code has it everywhere.
///
/// A variable that much code has is undefined all the same where nobody defines it, unless a class
/// may inherit it: of the other languages the variables are listed that need no definition.
pub(crate) fn is_known(language: Language, name: &str, name_use: Option<NameUse>) -> bool {
    let variable = name_use == Some(NameUse::Variable) && !name.starts_with(char::is_uppercase);
    let listed = |names: &str| names.split_ascii_whitespace().any(|known| known == name);
    match language {
        Language::Python if variable => listed(PYTHON),
        Language::Go if variable => listed(GO),
        Language::Rust if variable => listed(RUST),
        // PHP's variables start with a sigil; what it brings does in capitals or is `$this`.
        Language::Php if variable => {
            matches!(name.trim_start_matches('$'), "this" | "argv" | "argc")
        }
        _ if variable && language.is_ecmascript() => listed(JAVASCRIPT),
        _ => is_common_name(language, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_word_is_no_variable_of_its_own() {
        let variable = Some(NameUse::Variable);
        for (language, name, name_use, expected) in [
            (Language::Python, "rows", variable, false),
            (Language::Python, "input", variable, true),
            (Language::Python, "append", Some(NameUse::Method), true),
            (Language::TypeScript, "former", variable, false),
            (Language::TypeScript, "window", variable, true),
            (Language::Go, "store", variable, false),
            (Language::Go, "nil", variable, true),
            (Language::Rust, "token", variable, false),
            // A class may inherit it.
            (Language::Java, "name", variable, true),
        ] {
            assert_eq!(
                is_known(language, name, name_use),
                expected,
                "{language} {name}"
            );
        }
    }
}

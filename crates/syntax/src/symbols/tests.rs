use super::*;

/// A file's symbols, one a line.
fn show(language: Language, text: &str) -> String {
    let found = symbols(language, text);
    let mut lines = Vec::new();
    for definition in &found.definitions {
        let owner = definition
            .container
            .as_ref()
            .map_or(String::new(), |owner| format!("{owner}."));
        let local = if definition.local { " local" } else { "" };
        lines.push(format!(
            "{:?} {owner}{}{local}",
            definition.kind, definition.name
        ));
    }
    for class in &found.classes {
        lines.push(format!(
            "class {} < {:?}{}",
            class.name,
            class.bases,
            if class.open { " open" } else { "" }
        ));
    }
    for signature in &found.signatures {
        let open = if signature.open { " open" } else { "" };
        lines.push(format!(
            "signature {}({}){open}",
            signature.name,
            signature.parameters.join(", ")
        ));
    }
    for import in &found.imports {
        let name = import
            .name
            .as_ref()
            .map_or(String::new(), |name| format!(" : {name}"));
        let star = if import.wildcard { " *" } else { "" };
        lines.push(format!(
            "import {}{name}{star} as {}",
            import.module,
            import.local_name()
        ));
    }
    lines.join("\n")
}

#[test]
fn symbols_of_each_language() {
    let cases = [
        (
            Language::Python,
            "import a.b as c, d\nfrom .x import (y as z, w)\nfrom q import *\nTOP = 1\nclass A(B, m.C):\n    f: int = 3\n    def m(self, a, b=1, *args, k=2, **kw):\n        self.v = a\n        local = 1\n@dec\ndef g(x: int): ...\n",
        ),
        (
            Language::TypeScript,
            "import d, { a as b, c } from './x';\nimport * as ns from 'y';\nconst { p, q: r } = require('fs');\nexport * from './w';\nexport class A<T> extends B implements I { x: T; m(a: T) { const l = a; } }\ninterface I { n: number }\nenum E { One, Two }\nexport const f = (v) => v;\n",
        ),
        (
            Language::Go,
            "package p\nimport (\n\t\"fmt\"\n\tq \"a/b\"\n\t\"x.org/go-toml/v2\"\n)\ntype S struct { A int }\nfunc (s *S) M(a int) {}\nfunc F() { x := 1; _ = x }\nconst K = 1\n",
        ),
        (
            Language::Rust,
            "use a::{b as c, d::{self, *}, E};\npub struct S { x: u8 }\nimpl S { const K: u8 = 1; fn m(&self, (a, b): (u8, u8)) { let y = a; } }\nenum N { One }\ntrait T { fn t(&self); }\nmod inner { fn i() {} }\nmacro_rules! mac { () => {} }\n",
        ),
        (
            Language::Java,
            "package p;\nimport a.b.C;\nimport static a.D.e;\nimport x.*;\nclass A extends B implements I { int f; void m(int a) { int v = a; } enum N { X } }\n",
        ),
        (
            Language::CSharp,
            "using System;\nusing A = B.C;\nclass A : B, I { int f; public int P { get; set; } int M(int a, string b) { var v = a; return v; } enum N { X } }\n",
        ),
        (
            Language::Cpp,
            "#include \"a/b.h\"\n#include <vector>\n#define MAX 3\nnamespace n { class A : public B { int f_; int m(int a); }; }\nint n::A::m(int a) { int v = a; return v; }\nenum class E { One };\n",
        ),
        (
            Language::Ruby,
            "require 'a/b'\nrequire_relative 'c'\nmodule M\n  class A < B\n    K = 1\n    attr_reader :x\n    def m(a, b: 1)\n      @v = a\n      w = 1\n    end\n    def self.s; end\n  end\nend\n",
        ),
        (
            Language::Php,
            "<?php\nnamespace N;\nuse A\\B\\C;\nuse D\\{E, F as G};\nclass K extends L { private $f = 1; const CC = 1; function m($a, $b = 1) { $this->v = $a; $w = 1; } }\nfunction g() {}\n",
        ),
    ];
    let shown: Vec<String> = cases
        .iter()
        .map(|(language, text)| format!("== {language}\n{}", show(*language, text)))
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn names_are_the_code_s_identifiers_and_one_word_strings() {
    let found = symbols(
        Language::Python,
        "# comment words\nx = getattr(y, 'attribute_name')\nz = 'two words'\n",
    );
    assert_eq!(found.names, ["attribute_name", "getattr", "x", "y", "z"]);
}

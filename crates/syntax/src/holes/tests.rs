use super::*;
use crate::{Language, NameKind};

const SOURCE: &str = "import os\n\ndef area(width, height=2):\n    total = width * scale(height, unit='m')\n    return total\n";

#[test]
fn kinds_are_called_as_in_files() {
    for kind in HoleKind::ALL {
        assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.name());
    }
}

#[test]
fn every_kind_of_hole_is_cut() {
    let found = holes(Language::Python, SOURCE);
    let texts = |kind| -> Vec<&str> {
        let of_kind = found.iter().filter(|hole| hole.kind == kind);
        of_kind.map(|hole| &SOURCE[hole.range.clone()]).collect()
    };
    assert_eq!(texts(HoleKind::Import), ["import os"]);
    assert_eq!(texts(HoleKind::CallSite), ["scale(height, unit='m')"]);
    assert_eq!(texts(HoleKind::Arguments), ["height, unit='m'"]);
    assert!(texts(HoleKind::Statement).contains(&"return total"));
    assert!(texts(HoleKind::LineEnd).contains(&"scale(height, unit='m')"));
    assert!(texts(HoleKind::Identifier).contains(&"width"));
    assert_eq!(texts(HoleKind::Block).len(), 1);
}

fn texts(language: Language, text: &str, kind: HoleKind) -> Vec<&str> {
    let found: Vec<_> = holes(language, text)
        .into_iter()
        .filter(|hole| hole.kind == kind)
        .collect();
    found.iter().map(|hole| &text[hole.range.clone()]).collect()
}

/// One import a hole, in every way of writing them.
#[test]
fn imports_are_cut_one_by_one() {
    let cases: [(Language, &str, &[&str]); 6] = [
        (
            Language::Ruby,
            "require 'json'\nrequire_relative 'stop'\nputs require_all('x')\n",
            &["require 'json'", "require_relative 'stop'"],
        ),
        (
            Language::JavaScript,
            "const { map } = require('lodash');\nconst a = require('./a');\nrequire('./b');\nimport c from 'c';\nconst d = 1;\n",
            &[
                "const { map } = require('lodash');",
                "const a = require('./a');",
                "require('./b');",
                "import c from 'c';",
            ],
        ),
        (
            Language::Go,
            "package p\n\nimport (\n\t\"errors\"\n\tm \"github.com/a/mux\"\n)\n",
            &["\"errors\"", "m \"github.com/a/mux\""],
        ),
        (
            Language::Go,
            "package p\n\nimport \"errors\"\n",
            &["import \"errors\""],
        ),
        (Language::Cpp, "#include <map>\n", &["#include <map>\n"]),
        (Language::Php, "<?php\nuse A\\B;\n", &["use A\\B;"]),
    ];
    for (language, text, expected) in cases {
        assert_eq!(
            texts(language, text, HoleKind::Import),
            expected,
            "{language}"
        );
    }
}

/// A constructor is called as a method is; what has a body or an initializer, or no arguments, is
/// none.
#[test]
fn what_new_makes_is_a_call_site() {
    let cases: [(Language, &str, &[&str]); 6] = [
        (
            Language::Java,
            "class A { void f() { go(new Crane(mast, 3)); int[] a = new int[size()]; run(new B() { int x; }); } }",
            &[
                "go(new Crane(mast, 3))",
                "new Crane(mast, 3)",
                "size()",
                "run(new B() { int x; })",
            ],
        ),
        (
            Language::CSharp,
            "class A { void F() { var a = new Kiln(x) { Heat = G(1) }; Kiln b = new(y); var c = new Kiln(z); } }",
            &["G(1)", "new Kiln(z)"],
        ),
        (
            Language::Php,
            "<?php\n$a = new Scale($x, f(1)); $b = new Scale;\n",
            &["new Scale($x, f(1))", "f(1)"],
        ),
        (
            Language::JavaScript,
            "const a = new Board(x); const b = new Board;\n",
            &["new Board(x)"],
        ),
        (
            Language::TypeScript,
            "const a = new Map<string, number>(pairs);\n",
            &["new Map<string, number>(pairs)"],
        ),
        (
            Language::Cpp,
            "void f() { auto a = new Mill(x); auto b = new Mill; auto c = new int[n]; }\n",
            &["new Mill(x)"],
        ),
    ];
    for (language, text, expected) in cases {
        assert_eq!(
            texts(language, text, HoleKind::CallSite),
            expected,
            "{language}"
        );
    }
}

/// A statement is whole: with its semicolon, and no part of another.
#[test]
fn statements_are_whole() {
    let cases: [(Language, &str, &[&str]); 9] = [
        (
            Language::CSharp,
            "class A { int field = 1; void F() { var step = StepAt(minute); for (var i = 0; i < 3; i++) { Go(i); } } }",
            &["int field = 1;", "var step = StepAt(minute);", "Go(i);"],
        ),
        (
            Language::Go,
            "package p\ntype A struct { degrees int }\nfunc f() {\n\tif err := run(x); err != nil {\n\t\treturn\n\t}\n\tn := len(y)\n}\n",
            &["return", "n := len(y)"],
        ),
        (
            Language::Cpp,
            "struct A { A(int x); int size() const { return size_; }\n int size_; };\nvoid f() { for (int i = 0; i < 3; ++i) go(i); }\n",
            &["return size_;", "int size_;", "go(i);"],
        ),
        (
            Language::Rust,
            "struct A { frames: Vec<u8> }\nfn f() { let a = b(c); d(a); }\n",
            &["let a = b(c);", "d(a);"],
        ),
        (
            Language::TypeScript,
            "export type Entry = { a: number };\ntype Other = string;\nfor (let i = 0; i < 3; i++) go(i);\n",
            &[
                "export type Entry = { a: number };",
                "type Other = string;",
                "go(i);",
            ],
        ),
        (
            Language::Ruby,
            "class A\n  attr_reader :line\n  def add(x)\n    @slots << x\n    @slots.sort!\n    check! if x\n    x.find { |y| y > 2 }\n  end\nend\n",
            &[
                "attr_reader :line",
                "@slots << x",
                "@slots.sort!",
                "check! if x",
                "x.find { |y| y > 2 }",
            ],
        ),
        (
            Language::Java,
            "class A { int size = 2; void f() { int a = b(size); for (int i = 0; i < a; i++) { go(i); } } }",
            &["int size = 2;", "int a = b(size);", "go(i);"],
        ),
        (
            Language::Php,
            "<?php\nclass A { private array $w = []; function f($x) { $this->w[] = $x; return $x; } }\n",
            &["private array $w = [];", "$this->w[] = $x;", "return $x;"],
        ),
        (
            Language::Python,
            "x = load(path)\nif x:\n    x.run()\n",
            &["x = load(path)", "x.run()"],
        ),
    ];
    for (language, text, expected) in cases {
        assert_eq!(
            texts(language, text, HoleKind::Statement),
            expected,
            "{language}"
        );
    }
}

#[test]
fn blocks_are_bodies_of_functions_loops_and_branches() {
    let ruby = "class A\n  def add(x)\n    @slots << x\n    @slots.sort!\n  end\nend\n";
    assert_eq!(
        texts(Language::Ruby, ruby, HoleKind::Block),
        ["@slots << x\n    @slots.sort!"]
    );
    let cpp =
        "class A {\n public:\n  A(int x);\n  int size() {\n    go(x);\n    return x;\n  }\n};\n";
    assert_eq!(
        texts(Language::Cpp, cpp, HoleKind::Block),
        ["go(x);\n    return x;"]
    );
    let php = "<?php foreach ($a as $b): ?>\n <li id=1>\n<?php endforeach;\n";
    assert!(texts(Language::Php, php, HoleKind::Block).is_empty());
}

#[test]
fn names_of_php_are_cut_with_their_sigil() {
    let text = "<?php\nfunction f($weight) { return $this->scale * $weight; }\n";
    let names = texts(Language::Php, text, HoleKind::Identifier);
    assert_eq!(names, ["$this", "scale", "$weight"]);
    let ends = texts(Language::Php, text, HoleKind::LineEnd);
    assert!(
        ends.iter().all(|end| !end.starts_with("weight")),
        "{ends:?}"
    );
}

#[test]
fn the_same_seed_draws_the_same_holes() {
    let found = holes(Language::Python, SOURCE);
    let drawn = sample_holes(&found, 2, &mut Draw::new(7));
    assert_eq!(drawn, sample_holes(&found, 2, &mut Draw::new(7)));
    assert!(
        drawn
            .windows(2)
            .all(|pair| pair[0].range.start <= pair[1].range.start)
    );
}

#[test]
fn names_and_inventions() {
    let sites = name_sites(Language::Python, SOURCE, 0..SOURCE.len());
    let named = |name: &str| {
        sites
            .iter()
            .find(|site| &SOURCE[site.range.clone()] == name)
            .map(|site| site.kind)
    };
    assert_eq!(named("scale"), Some(NameKind::Call));
    assert_eq!(named("unit"), Some(NameKind::Keyword));
    assert_eq!(named("os"), Some(NameKind::Import));
    assert_eq!(named("area"), None);
    let mut draw = Draw::new(3);
    for name in [
        "load_user",
        "loadUser",
        "LoadUser",
        "LOAD_USER",
        "x",
        "größe",
    ] {
        let invented = invent_name(name, &mut draw, &|other| other == "load_item").unwrap();
        assert_ne!(invented, name);
        assert!(
            invented.chars().all(|c| c.is_alphanumeric() || c == '_'),
            "{invented}"
        );
    }
    assert_eq!(invent_name("load", &mut draw, &|_| true), None);
}

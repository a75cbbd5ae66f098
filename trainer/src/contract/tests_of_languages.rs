use truefill_syntax::Language;

use super::{Parsed, check, classify};
use crate::rows::HallucinationType::{Method, Parameter, UndefinedVariable};

/// A hole in each language, with one negative of each type that lies in it.
const KEPT: [(Language, [&str; 3], [&str; 3]); 10] = [
    (
        Language::Python,
        ["def f(store, row):\n    ", "store.insert_row(row)", "\n"],
        [
            "store.upsert_row(row)",
            "store.insert_row(row, flush_mode=True)",
            "store.insert_row(row_view)",
        ],
    ),
    (
        Language::TypeScript,
        [
            "function f(store: Store, row: Row): void {\n  ",
            "store.insert(row);",
            "\n}\n",
        ],
        [
            "store.upsertRow(row);",
            "store.insert(row, { flushMode: true });",
            "store.insert(rowView);",
        ],
    ),
    (
        Language::Rust,
        [
            "fn f(store: Store, row: Row) {\n    let n = ",
            "store.insert_row(row)",
            ";\n}\n",
        ],
        [
            "store.upsert_row(row)",
            "store.insert_row(row, flush_mode)",
            "store.insert_row(record_view)",
        ],
    ),
    (
        Language::Go,
        [
            "package p\n\nfunc f(s *Store, row Row) {\n\t",
            "s.Insert(row)",
            "\n}\n",
        ],
        [
            "s.Upsert(row)",
            "s.Insert(row, flushMode)",
            "s.Insert(rowView)",
        ],
    ),
    (
        Language::Java,
        [
            "class A { void f(Store s, Row row) { ",
            "s.insert(row);",
            " } }\n",
        ],
        [
            "s.upsertRow(row);",
            "s.insert(row, flushMode);",
            "s.insert(rowView);",
        ],
    ),
    (
        Language::CSharp,
        [
            "class A { void F(Store s, Row row) { ",
            "s.Insert(row);",
            " } }\n",
        ],
        [
            "s.UpsertRow(row);",
            "s.Insert(row, flushMode: true);",
            "s.Insert(rowView);",
        ],
    ),
    (
        Language::JavaScript,
        [
            "function f(store, row) {\n  ",
            "store.insert(row);",
            "\n}\n",
        ],
        [
            "store.upsertRow(row);",
            "store.insert(row, { flushMode: true });",
            "store.insert(rowView);",
        ],
    ),
    (
        Language::Php,
        [
            "<?php\nfunction f($store, $row) {\n  ",
            "$store->insert($row);",
            "\n}\n",
        ],
        [
            "$store->upsertRow($row);",
            "$store->insert($row, flushMode: true);",
            "$store->insert($rowView);",
        ],
    ),
    (
        Language::Ruby,
        ["def f(store, row)\n  ", "store.insert(row)", "\nend\n"],
        [
            "store.upsert_row(row)",
            "store.insert(row, flush_mode: true)",
            "store.insert(row_view)",
        ],
    ),
    (
        Language::Cpp,
        [
            "void f(Store& store, Row row) {\n  ",
            "store.insert(row);",
            "\n}\n",
        ],
        [
            "store.upsert_row(row);",
            "store.insert(row, flush_mode);",
            "store.insert(row_view);",
        ],
    ),
];

#[test]
fn each_type_is_kept_in_each_language() {
    for (language, [prefix, golden, suffix], candidates) in KEPT {
        let parsed = Parsed::new(language, prefix, golden, suffix).expect("parsed");
        for (kind, candidate) in [Method, Parameter, UndefinedVariable]
            .into_iter()
            .zip(candidates)
        {
            assert_eq!(
                check(&parsed, kind, candidate),
                Ok(()),
                "{language} {candidate}"
            );
            assert_eq!(
                classify(&parsed, candidate),
                Ok(kind),
                "{language} {candidate}"
            );
        }
    }
}

/// All forms of PHP's calls, and what is no method in them.
#[test]
fn calls_of_php() {
    let verdict = |golden: &str, kind, candidate: &str| {
        let prefix = "<?php\nclass A { function f($store, $row) {\n  ";
        let parsed = Parsed::new(Language::Php, prefix, golden, "\n} }\n").expect("parsed");
        check(&parsed, kind, candidate)
    };
    for (golden, candidate) in [
        (
            "$this->store->insert($row);",
            "$this->store->upsertRow($row);",
        ),
        ("$store?->insert($row);", "$store?->upsertRow($row);"),
        ("Store::insert($row);", "Store::upsertRow($row);"),
        ("self::insert($row);", "self::upsertRow($row);"),
        ("insert($row);", "upsertRow($row);"),
    ] {
        assert_eq!(verdict(golden, Method, candidate), Ok(()), "{candidate}");
    }
    let other = |golden, kind, candidate| {
        let found = verdict(golden, kind, candidate);
        matches!(found, Err(super::Violation::OtherChange { .. }))
    };
    assert!(other("$row->size;", Method, "$row->rowCount;"));
    assert!(other("$found = 1;", UndefinedVariable, "$foundRows = 1;"));
}

/// A wrong number of arguments needs no new name where the window has the declaration.
#[test]
fn the_declared_number_of_arguments() {
    let cases: [(Language, [&str; 3], &[(&str, bool)]); 6] = [
        (
            Language::Go,
            [
                "package p\n\nfunc join(a string, b, c int) {}\n\nfunc f(x int) {\n\t",
                "join(s, x, 2)",
                "\n}\n",
            ],
            &[
                ("join(s, x, 2, x)", true),
                ("join(s, x)", true),
                ("join(s, 2, 2)", false),
            ],
        ),
        (
            Language::Rust,
            [
                "impl A {\n fn add(&self, a: u8) {}\n fn f(&self, x: u8) {\n  ",
                "self.add(x)",
                ";\n } }\n",
            ],
            &[
                ("self.add(x, x)", true),
                ("self.add()", true),
                ("self.add(true)", false),
            ],
        ),
        (
            Language::Java,
            [
                "class A { void add(int a) {} void add(int a, int b) {} void f(int x) { ",
                "add(x);",
                " } }\n",
            ],
            &[("add(x, x);", false), ("add();", true)],
        ),
        (
            Language::Python,
            [
                "def add(a, b=1, *, c=2): pass\n\ndef g(*rest): pass\n\nx = 1\n",
                "add(x, 2)",
                "\n",
            ],
            &[("add(x, 2, x)", false), ("add()", false), ("add(x)", false)],
        ),
        (
            Language::Cpp,
            [
                "int add(int a, int b = 2);\nint f(int x) {\n  return ",
                "add(x, 3)",
                ";\n}\n",
            ],
            &[("add(x, 3, x)", true), ("add(x)", false)],
        ),
        (
            Language::TypeScript,
            [
                "const add = (a: number, b?: number) => a;\nconst x = 1;\n",
                "add(x, 2)",
                ";\n",
            ],
            &[("add(x, 2, x)", true), ("add(x)", false)],
        ),
    ];
    for (language, [prefix, golden, suffix], candidates) in cases {
        let parsed = Parsed::new(language, prefix, golden, suffix).expect("parsed");
        for (candidate, kept) in candidates {
            let found = check(&parsed, Parameter, candidate);
            assert_eq!(found.is_ok(), *kept, "{language} {candidate} {found:?}");
        }
    }
}

#[test]
fn arguments_that_cannot_be_told_wrong() {
    let cases: [(Language, [&str; 3], &[(&str, &str)]); 4] = [
        (
            Language::Python,
            [
                "from collections import defaultdict\nx = ",
                "defaultdict(int, a=1)",
                "\n",
            ],
            &[
                ("defaultdict(int, a=1, number_mode=2)", "may_be_valid"),
                ("defaultdict(int, number_mode=1)", "may_be_valid"),
                ("defaultdict(a=1, int)", "breaks_syntax"),
                ("defaultdict(mode=1, b_c=2, int)", "breaks_syntax"),
            ],
        ),
        (
            Language::Python,
            [
                "def load(path, **options): pass\n\np = 1\n",
                "load(p)",
                "\n",
            ],
            &[("load(p, strict_mode=True)", "may_be_valid")],
        ),
        (
            Language::Ruby,
            ["p = 1\n", "load_rows(p, *rest)", "\n"],
            &[
                ("load_rows(p, mode: 1, *rest)", "breaks_syntax"),
                ("load_rows(p, *rest, fetch_mode: 1)", "kept"),
            ],
        ),
        (
            Language::Php,
            ["<?php\n", "load($path, mode: 1);", "\n"],
            &[
                ("load(mode: 1, $path);", "breaks_syntax"),
                ("load($path, openMode: 1);", "kept"),
                ("load($path, openMode: 2);", "many_changes"),
            ],
        ),
    ];
    for (language, [prefix, golden, suffix], candidates) in cases {
        let parsed = Parsed::new(language, prefix, golden, suffix).expect("parsed");
        for (candidate, expected) in candidates {
            let found = check(&parsed, Parameter, candidate);
            let found = found.map_or_else(|violation| violation.reason(), |()| "kept");
            assert_eq!(found, *expected, "{language} {candidate}");
        }
    }
}

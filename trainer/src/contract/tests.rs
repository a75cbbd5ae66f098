use std::fmt::Write as _;

use truefill_syntax::Language;

use super::{Parsed, Violation, check, classify};
use crate::rows::HallucinationType::{self, Import, Method, Parameter, Similar, UndefinedVariable};

/// A file with its hole, and candidates for it: what the contract says of each.
fn verdicts(
    language: Language,
    [prefix, golden, suffix]: [&str; 3],
    candidates: &[(HallucinationType, &str)],
) -> String {
    let parsed = Parsed::new(language, prefix, golden, suffix).expect("parsed");
    let mut text = format!("{language}: {golden}\n");
    for (kind, candidate) in candidates {
        let verdict = match check(&parsed, *kind, candidate) {
            Ok(()) => "kept".to_owned(),
            Err(violation) => format!("{}: {violation}", violation.reason()),
        };
        writeln!(text, "  {kind:<18} {candidate}\n      {verdict}").expect("written");
    }
    text
}

const PYTHON: [&str; 3] = [
    "import os\nfrom store import Store\n\ndef total(store, rows, limit):\n    count = ",
    "store.load_rows(rows, limit=10)",
    "\n    return count\n",
];

#[test]
fn python() {
    insta::assert_snapshot!(verdicts(
        Language::Python,
        PYTHON,
        &[
            (Method, "store.load_records(rows, limit=10)"),
            (Method, "store.load_rows(rows, limit=10)"),
            (Method, "store.load_rows( rows, limit=10)"),
            (Method, "store.fetch_all(rows, limit=20)"),
            (Method, "store.total(rows, limit=10)"),
            (Method, "store.append(rows, limit=10)"),
            (Method, "store.fake_rows(rows, limit=10)"),
            (Method, "depot.load_rows(rows, limit=10)"),
            (Method, "store.load_records(rows, limit=10)  # wrong"),
            (Method, "store.load_records(rows,\n limit=10)"),
            (Method, "store.load_records(rows, limit=10"),
            (Method, ""),
            (Method, "store.load_records(<|fim_middle|>, limit=10)"),
            (UndefinedVariable, "store.load_rows(row_batch, limit=10)"),
            (UndefinedVariable, "store.load_rows(os, limit=10)"),
            (UndefinedVariable, "store.load_rows(None, limit=10)"),
            (UndefinedVariable, "store.load_rows(rows, limit=10) + bias"),
            (UndefinedVariable, "shelf.load_rows(row_batch, limit=10)"),
            (
                Parameter,
                "store.load_rows(rows, limit=10, strict_order=True)"
            ),
            (
                Parameter,
                "store.load_rows(strict_order=True, rows, limit=10)"
            ),
            (Parameter, "store.load_rows(rows, page_token, limit=10)"),
            (Parameter, "store.load_rows(rows, limit=10, count=3)"),
            (Parameter, "store.load_rows(rows, limit=10, 7)"),
            (Parameter, "store.load_rows(rows, 7, limit=10)"),
            (Parameter, "store.load_rows(rows, order_by=1, limit=11)"),
            (Parameter, "store.load_rows(rows, limit=10, a_b=1, c_d=2)"),
            (Similar, "store.load_rows(rows, limit=11)"),
            (Similar, "store.load_rows(rows,  limit=10)"),
        ],
    ));
}

#[test]
fn imports() {
    let mut text = verdicts(
        Language::Python,
        [
            "import os\n",
            "from store import Store",
            "\n\ns = Store()\n",
        ],
        &[
            (Import, "from store import StoreView"),
            (Import, "from stockpile import Store"),
            (Import, "from stockpile import StoreView"),
            (Import, "from store import Store, View"),
            (Import, "from os import path"),
            (Import, "from hallucinated_store import Store"),
            (Import, "import stockpile"),
            (Import, "s = 3"),
        ],
    );
    text += &verdicts(
        Language::TypeScript,
        ["", "import { a, b } from './alpha';", "\na(b);\n"],
        &[
            (Import, "import { a, b } from './alphaKit';"),
            (Import, "import { a, bind2 } from './alpha';"),
            (Import, "import { a1x, b1x } from './alphaKit';"),
        ],
    );
    text += &verdicts(
        Language::TypeScript,
        ["", "import { a } from '@acme/core/io';", "\na();\n"],
        &[
            (Import, "import { a } from '@acme/kernel/io';"),
            (Import, "import { a } from \"@acme/kernel/io\";"),
            (Import, "import { a } from '@@acme/kernel/io';"),
            (Import, "import { a } from '@acme/kernel.io';"),
            (Import, "import { a } from '@acme/core/io/orchard';"),
            (Import, "import { a } from '@acme/core//io/orchard';"),
        ],
    );
    text += &verdicts(
        Language::Go,
        [
            "package p\n\nimport (\n\t",
            "\"github.com/acme/retry\"",
            "\n)\n\nfunc f() { retry.Do() }\n",
        ],
        &[
            (Import, "\"github.com/acme/retryutil\""),
            (Import, "\"github.com/acme/retry\" // x"),
        ],
    );
    text += &verdicts(
        Language::Java,
        [
            "package p;\n",
            "import java.util.List;",
            "\nclass A { List x; }\n",
        ],
        &[
            (Import, "import java.util.ListBuffer;"),
            (Import, "import java.util.Vector;"),
            (Import, "import java.collect.ListBuffer;"),
        ],
    );
    text += &verdicts(
        Language::Rust,
        [
            "",
            "use std::collections::HashMap;",
            "\nfn f() -> HashMap<u8, u8> { todo!() }\n",
        ],
        &[
            (Import, "use std::collections::HashTable;"),
            (Import, "use std::containers::HashMap;"),
        ],
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_text_without_a_type_finds_its_own() {
    let [prefix, golden, suffix] = PYTHON;
    let parsed = Parsed::new(Language::Python, prefix, golden, suffix).expect("parsed");
    for (text, expected) in [
        ("store.load_records(rows, limit=10)", Ok(Method)),
        (
            "store.load_rows(row_batch, limit=10)",
            Ok(UndefinedVariable),
        ),
        ("store.load_rows(rows, limit=10, strict=1)", Ok(Parameter)),
        (
            "store.load_rows(rows, limit=10, as_of_row=1)",
            Ok(Parameter),
        ),
        ("store.load_rows(rows, limit=11)", Err("other_change")),
        ("store.load_rows(rows, limit=10)", Err("same_as_golden")),
    ] {
        let found = classify(&parsed, text).map_err(|violation| violation.reason());
        assert_eq!(found, expected, "{text}");
    }
}

/// A list that was put in whole has its place in the candidate alone: the golden text may end before
/// it, or have a character there.
#[test]
fn a_new_list_over_other_white_space_is_no_argument() {
    for suffix in ["", "\n", "\né = 1\n", "\n\né = 1\n"] {
        let golden = Parsed::new(Language::Python, "a = 1\n", "x=foo", suffix).expect("parses");
        for candidate in ["x = foo(a)", "x  =  foo(a)", "x =   foo(a)"] {
            let found = check(&golden, HallucinationType::Parameter, candidate);
            assert!(
                matches!(found, Err(Violation::OtherChange { .. })),
                "{candidate:?} {suffix:?}: {found:?}"
            );
            assert!(classify(&golden, candidate).is_err(), "{candidate:?}");
        }
    }
}

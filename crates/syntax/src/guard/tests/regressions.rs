//! Real code that was blocked once and must pass, each beside an invention that must be found.

use super::*;

/// A workspace of these files alone.
fn small(files: &[(&str, &str)]) -> Index {
    let index = Index::new();
    for (path, text) in files {
        let path = Path::new(path);
        index.add_file(path, Language::from_path(path).unwrap(), text);
    }
    index
}

#[test]
fn a_partial_class_may_have_a_part_that_nobody_read() {
    let class = "partial class Window { void F() { } }\n";
    let index = small(&[("A.cs", class), ("B.cs", "class Plain { void F() { } }\n")]);
    let built = "public partial class Window { void F() { ⟦this.BuildGadgetTable();⟧ } }\n";
    let plain = "class Plain { void F() { ⟦this.BuildGadgetTable();⟧ } }\n";
    for (path, fixture, blocks) in [("A.cs", built, false), ("B.cs", plain, true)] {
        let (prefix, rest) = fixture.split_once('⟦').unwrap();
        let (completion, suffix) = rest.split_once('⟧').unwrap();
        let path = Path::new(path);
        let found = findings(Language::CSharp, path, prefix, completion, suffix, &index);
        assert_eq!(found.len(), 1, "{fixture}");
        assert_eq!(found[0].blocks, blocks, "{fixture}");
    }
}

#[test]
fn a_member_of_a_member_is_no_member_of_the_own_class() {
    let index = small(&[
        ("A.cs", "class A { Repo repo; void F() { } }\n"),
        (
            "A.php",
            "<?php class A { private $repo; function f() { } }\n",
        ),
        ("a.ts", "class A { repo = 1; f() { } }\n"),
        ("A.java", "class A { Repo repo; void f() { } }\n"),
    ]);
    check(
        &index,
        &[
            (
                "A.cs",
                "class A { Repo repo; void F() { ⟦this.repo.FindAllOf(1);⟧ } }\n",
                "known",
            ),
            (
                "A.cs",
                "class A { Repo repo; void F() { ⟦this.FindAllOf(1);⟧ } }\n",
                "Member FindAllOf",
            ),
            (
                "A.php",
                "<?php class A { private $repo; function f() { ⟦$this->repo->findAllOf(1);⟧ } }\n",
                "known",
            ),
            (
                "A.php",
                "<?php class A { private $repo; function f() { ⟦$this->findAllOf(1);⟧ } }\n",
                "Member findAllOf",
            ),
            (
                "a.ts",
                "class A { repo = 1; f() { ⟦this.repo.findAllOf(1);⟧ } }\n",
                "known",
            ),
            (
                "a.ts",
                "class A { repo = 1; f() { ⟦this.findAllOf(1);⟧ } }\n",
                "Member findAllOf",
            ),
            (
                "A.java",
                "class A { Repo repo; void f() { ⟦this.repo.findAllOf(1);⟧ } }\n",
                "known",
            ),
        ],
    );
}

#[test]
fn what_is_imported_whole_from_outside_may_have_any_name() {
    let rust = [("src/a.rs", "pub fn known_here() {}\n")];
    for index in [Index::new(), small(&rust), workspace(&rust)] {
        check(
            &index,
            &[
                (
                    "src/b.rs",
                    "use proptest::prelude::*;\nfn f() { ⟦prop_assert_x!(1);⟧ }\n",
                    "known",
                ),
                (
                    "src/b.rs",
                    "use gtk::prelude::*;\nfn f(w: u8) { ⟦connect_all(w);⟧ }\n",
                    "known",
                ),
                (
                    "src/b.rs",
                    "use super::*;\nfn f() { ⟦let x: Widget = build_it();⟧ }\n",
                    "known",
                ),
                (
                    "src/b.rs",
                    "mod tests {\n use proptest::prelude::*;\n fn f() { ⟦any_of_it(1);⟧ }\n}\n",
                    "known",
                ),
                // Another scope, the file's own names, an enum's variants.
                (
                    "src/b.rs",
                    "mod t {\n use gtk::prelude::*;\n}\nfn f() { ⟦connect_all(1);⟧ }\n",
                    "Call connect_all",
                ),
                (
                    "src/b.rs",
                    "fn a() {}\nmod t {\n use super::*;\n fn f() { ⟦connect_all(1);⟧ }\n}\n",
                    "Call connect_all",
                ),
                (
                    "src/b.rs",
                    "enum Shape { Dot }\nfn f() {\n use Shape::*;\n ⟦connect_all(Dot);⟧ }\n",
                    "Call connect_all",
                ),
                ("src/b.rs", "fn f() { ⟦slug::slugify_all(1);⟧ }\n", "known"),
                (
                    "src/b.rs",
                    "⟦#![allow(clippy::some_lint_name)]⟧\nfn f() {}\n",
                    "known",
                ),
            ],
        );
    }
    check(
        &workspace(&[("p/Here.java", "package p;\npublic class Here {}\n")]),
        &[
            (
                "p/A.java",
                "package p;\nimport org.lib.ui.*;\nclass A { ⟦WidgetPane pane;⟧ }\n",
                "known",
            ),
            (
                "p/A.java",
                "package p;\nimport java.util.*;\nclass A { ⟦WidgetPane pane;⟧ }\n",
                "Type WidgetPane",
            ),
            (
                "p/A.java",
                "package p;\nimport static org.lib.Asserts.*;\nclass A { void f() { ⟦assertAllOfIt(1);⟧ } }\n",
                "known",
            ),
        ],
    );
}

#[test]
fn the_standard_library_has_other_versions_and_platforms() {
    check(
        &Index::new(),
        &[
            ("a.py", "import os\n⟦os.startfile('a')⟧\n", "known"),
            ("a.py", "import os\n⟦os.chflags('a', 1)⟧\n", "known"),
            (
                "a.py",
                "import os\n⟦os.startfiles_of('a')⟧\n",
                "Member startfiles_of",
            ),
            (
                "a.py",
                "import asyncio\n⟦asyncio.WindowsSelectorEventLoopPolicy()⟧\n",
                "known",
            ),
            ("a.py", "⟦from ctypes import WinDLL⟧\n", "known"),
            ("a.py", "⟦from ctypes import WinDLLs⟧\n", "Import WinDLLs"),
            ("a.py", "import select\n⟦select.kqueue()⟧\n", "known"),
            (
                "a.ts",
                "import * as fs from 'node:fs';\n⟦fs.globSync('*');⟧\n",
                "known",
            ),
            (
                "a.ts",
                "import * as fs from 'node:fs';\n⟦fs.globAllSync('*');⟧\n",
                "Member globAllSync",
            ),
            (
                "a.ts",
                "⟦import { ExecOptions } from 'child_process';⟧\n",
                "known",
            ),
            (
                "a.ts",
                "⟦import type { AddressInfo } from 'node:net';⟧\n",
                "known",
            ),
            ("a.ts", "⟦import { SomeNewerType } from 'http';⟧\n", "known"),
            (
                "a.ts",
                "⟦import { someNewFunction } from 'http';⟧\n",
                "Import someNewFunction",
            ),
            (
                "a.ts",
                "import fs from 'fs';\n⟦function f(p: fs.PathLike, q: fs.NewerType) {}⟧\n",
                "known",
            ),
            (
                "a.ts",
                "⟦import { oddName } from 'http';⟧\nconst a = http.oddName;\n",
                "known",
            ),
        ],
    );
}

#[test]
fn a_module_may_lie_where_the_index_does_not_look() {
    let index = small(&[
        ("shop/__init__.py", ""),
        ("shop/cart.py", "class Cart: ...\n"),
        ("web/cart.ts", "export class Cart {}\n"),
    ]);
    let on_disk = ["shop/speedups", "shop/stubs", "web/data", "web/messages"];
    let exists = |place: &Path| on_disk.iter().any(|known| Path::new(known) == place);
    let asked = |path: &str, completion: &str| {
        let path = Path::new(path);
        let language = Language::from_path(path).unwrap();
        let mut judge = Judge::new(language, path, "", "\n");
        judge.judge_with(completion, &index, &exists) == Judgement::Known
    };
    for (path, completion, known) in [
        ("shop/a.py", "from .speedups import fast_sum", true),
        ("shop/a.py", "from shop.speedups import fast_sum", true),
        ("shop/a.py", "from . import stubs", true),
        ("shop/a.py", "from .service_pb2 import Request", true),
        ("shop/a.py", "from . import service_pb2_grpc", true),
        ("shop/a.py", "from ._version import version_tuple", true),
        ("shop/a.py", "from .slowdowns import fast_sum", false),
        ("shop/a.py", "from shop.slowdowns import fast_sum", false),
        ("shop/a.py", "from . import slowdowns", false),
        ("web/a.ts", "import data from './data';", true),
        ("web/a.ts", "import { t } from './messages.js';", true),
        ("web/a.ts", "import { api } from './generated';", true),
        ("web/a.ts", "import { api } from './generated/api';", true),
        ("web/a.ts", "import logo from '../assets/logo.svg';", true),
        ("web/a.ts", "import data from './date';", false),
        ("web/a.ts", "import { t } from './massages.js';", false),
    ] {
        assert_eq!(asked(path, completion), known, "{path}: {completion}");
    }
}

#[test]
fn every_way_to_define_a_name_is_seen() {
    check(
        &workspace(&[]),
        &[
            (
                "a.py",
                "⟦with open(1) as (left, [right, *others]):\n    print(left, right, others)⟧\n",
                "known",
            ),
            (
                "a.py",
                "⟦with open(1) as (left, right):\n    print(middle_one)⟧\n",
                "Identifier middle_one",
            ),
            (
                "a.rs",
                "⟦macro_rules! both_of { ($a:expr) => { ($a, $a) }; }\nfn f() { both_of!(1); }⟧\n",
                "known",
            ),
            (
                "a.rs",
                "⟦macro_rules! both_of { ($a:expr) => { ($a, $a) }; }\nfn f() { all_of!(1); }⟧\n",
                "Call all_of",
            ),
            (
                "A.cs",
                "class A { void F() { ⟦var (left, right) = (1, 2); Use(left, right);⟧ } void Use(int a, int b) {} }\n",
                "known",
            ),
            (
                "A.cs",
                "class A { void F(int[] all) { ⟦var q = from one in all let twice = one * 2 join other in all on one equals other select twice + other;⟧ } }\n",
                "known",
            ),
            (
                "A.cs",
                "class A { void F(int[] all) { ⟦var q = from one in all let twice = one * 2 select thrice;⟧ } }\n",
                "Identifier thrice",
            ),
            (
                "a.rb",
                "⟦case {}\nin {first: String => found, second:, third: {inner: deep}}\n  puts found, second, deep\nend⟧\n",
                "known",
            ),
            (
                "a.rb",
                "⟦case {}\nin {first: String => found}\n  puts missing_one\nend⟧\n",
                "Identifier missing_one",
            ),
            ("a.cpp", "⟦TEST(SuiteOfIt, CaseOfIt) { }⟧\n", "known"),
            (
                "a.php",
                "<?php\nfunction f() { ⟦\\library_function_of(1);⟧ }\n",
                "Call library_function_of",
            ),
        ],
    );
    let fixture = "<?php\nfunction f() { ⟦\\library_function_of(1);⟧ }\n";
    assert_eq!(
        verdict(&small(&[("b.php", "<?php\n")]), "a.php", fixture),
        "known"
    );
}

/// What is called from another file: without an index that covers the workspace, nobody knows.
const ELSEWHERE: &[(&str, &str)] = &[
    ("a.go", "package a\nfunc f() { ⟦helperOfAll()⟧ }\n"),
    (
        "A.java",
        "class A { void f() { ⟦HelperOfAll h = null;⟧ } }\n",
    ),
    ("A.cs", "class A { void F() { ⟦HelperOfAll.Run();⟧ } }\n"),
    ("a.ts", "import x from 'y';\n⟦let a: HelperOfAll;⟧\n"),
    ("a.js", "⟦helperOfAll();⟧\n"),
    ("a.rs", "fn f() { ⟦helper_of_all!(1);⟧ }\n"),
    ("a.rs", "⟦use crate::helpers::HelperOfAll;⟧\n"),
    ("a.php", "<?php\nfunction f() { ⟦helperOfAll();⟧ }\n"),
    ("a.rb", "⟦helper_of_all(1)⟧\n"),
    ("a.cpp", "int f() { ⟦return helper_of_all(1);⟧ }\n"),
    ("a.py", "⟦from .helpers import all_of_it⟧\n"),
    ("a.py", "def take(a): ...\n⟦take(helper_of_all_by=1)⟧\n"),
    (
        "a.py",
        "class A(B):\n    def f(self):\n        ⟦self.helper_of_all()⟧\n",
    ),
];

#[test]
fn without_the_whole_workspace_only_the_file_itself_counts() {
    let cut = workspace(&[]);
    for extension in ["py", "ts", "rs", "go", "java", "cs", "cpp", "php", "rb"] {
        let path = format!("too_large.{extension}");
        let path = Path::new(&path);
        cut.skip_file(path, Language::from_path(path).unwrap());
    }
    let whole = workspace(&[]);
    for (path, fixture) in ELSEWHERE {
        for index in [&Index::new(), &cut] {
            assert_eq!(verdict(index, path, fixture), "known", "{path}: {fixture}");
        }
        let found = verdict(&whole, path, fixture);
        assert_ne!(found, "known", "{path}: {fixture}");
    }
    for index in [Index::new(), cut] {
        check(
            &index,
            &[
                ("a.py", "⟦helper_of_all(1)⟧\n", "Call helper_of_all"),
                (
                    "a.py",
                    "import json\n⟦json.helper_of_all(1)⟧\n",
                    "Member helper_of_all",
                ),
                (
                    "a.rs",
                    "fn f() { ⟦helper_of_all(1);⟧ }\n",
                    "Call helper_of_all",
                ),
                (
                    "a.ts",
                    "import x from 'y';\n⟦helperOfAll(x);⟧\n",
                    "Call helperOfAll",
                ),
                (
                    "a.php",
                    "<?php\nfunction f() { ⟦return $helperOfAll;⟧ }\n",
                    "Identifier helperOfAll",
                ),
            ],
        );
    }
}

#[test]
fn an_objective_c_header_is_not_judged_as_cpp() {
    let index = workspace(&[]);
    let line = "@property (nonatomic, assign) ⟦double hoverScaleOfIt = scaleOfAll(1);⟧\n";
    check(
        &index,
        &[
            (
                "a.h",
                "int f() { ⟦return helper_of_all(1);⟧ }\n",
                "Call helper_of_all",
            ),
            (
                "a.h",
                "#import <UIKit/UIKit.h>\nint f() { ⟦return helper_of_all(1);⟧ }\n",
                "known",
            ),
            ("a.h", &format!("@interface A : B\n{line}@end\n"), "known"),
        ],
    );
}

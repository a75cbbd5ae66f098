use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::Language;

/// A workspace of small files, large enough that what it uses counts as seen.
fn workspace(files: &[(&str, &str)]) -> Index {
    let index = Index::new();
    for (path, text) in files {
        let path = Path::new(path);
        index.add_file(path, Language::from_path(path).unwrap(), text);
    }
    for number in 0..120 {
        for extension in ["py", "ts", "rs", "go", "java", "cs", "cpp", "php", "rb"] {
            let path = format!("filler/{extension}/f{number}.{extension}");
            let path = Path::new(&path);
            index.add_file(path, Language::from_path(path).unwrap(), "");
        }
    }
    index
}

/// The completion stands between `⟦` and `⟧`. Shows what is unknown in it, or `known`.
fn verdict(index: &Index, path: &str, fixture: &str) -> String {
    let (prefix, rest) = fixture.split_once('⟦').unwrap();
    let (completion, suffix) = rest.split_once('⟧').unwrap();
    let path = Path::new(path);
    let language = Language::from_path(path).unwrap();
    match judge(language, path, prefix, completion, suffix, index) {
        Judgement::Known => "known".to_owned(),
        Judgement::Unknown {
            name, kind, range, ..
        } => {
            assert!(
                completion[range].contains(&name) || name.starts_with(&completion[..1]),
                "{name}"
            );
            format!("{kind:?} {name}")
        }
    }
}

fn check(index: &Index, cases: &[(&str, &str, &str)]) {
    for (path, fixture, expected) in cases {
        assert_eq!(
            verdict(index, path, fixture),
            *expected,
            "{path}: {fixture}"
        );
    }
}

#[test]
fn python() {
    let index = workspace(&[
        ("shop/__init__.py", ""),
        (
            "shop/cart.py",
            "class Base:\n    def total(self): ...\nclass Cart(Base):\n    def __init__(self, owner, limit=3): self.items = []\n    def add_item(self, item): ...\ndef open_cart(owner, *, limit=3): ...\n",
        ),
        ("shop/free.py", "def anything(**kwargs): ...\n"),
    ]);
    check(
        &index,
        &[
            ("shop/a.py", "x = 1\ny = ⟦x + 1⟧\n", "known"),
            (
                "shop/a.py",
                "x = 1\ny = ⟦undefined_total + 1⟧\n",
                "Identifier undefined_total",
            ),
            (
                "shop/a.py",
                "⟦for entry in range(3):\n    print(entry)⟧\n",
                "known",
            ),
            (
                "shop/a.py",
                "⟦rows = [cell for cell in 'ab' if (seen := cell)]⟧\n",
                "known",
            ),
            (
                "shop/a.py",
                "⟦with open('f') as handle:\n    handle.read()⟧\n",
                "known",
            ),
            ("shop/a.py", "⟦frobnicate_all(1)⟧\n", "Call frobnicate_all"),
            (
                "shop/a.py",
                "from libx import *\n⟦frobnicate_all(1)⟧\n",
                "known",
            ),
            (
                "shop/a.py",
                "from shop import cart\ncart.⟦open_cart(1)⟧\n",
                "known",
            ),
            (
                "shop/a.py",
                "from shop import cart\ncart.⟦close_cart(1)⟧\n",
                "Member close_cart",
            ),
            (
                "shop/a.py",
                "from shop.cart import open_cart\nopen_cart(1, ⟦limit=2⟧)\n",
                "known",
            ),
            (
                "shop/a.py",
                "from shop.cart import open_cart\nopen_cart(1, ⟦maximum_size=2⟧)\n",
                "Keyword maximum_size",
            ),
            (
                "shop/a.py",
                "from shop.free import anything\nanything(⟦maximum_size=2⟧)\n",
                "known",
            ),
            ("shop/a.py", "⟦from shop.cart import Cart⟧\n", "known"),
            (
                "shop/a.py",
                "⟦from shop.cart import Basket⟧\n",
                "Import Basket",
            ),
            ("shop/a.py", "⟦from .cart import Basket⟧\n", "Import Basket"),
            ("shop/a.py", "⟦from .basket import Cart⟧\n", "Import basket"),
            (
                "shop/a.py",
                "⟦from collections import OrderedDict⟧\n",
                "known",
            ),
            (
                "shop/a.py",
                "⟦from collections import SortedTreeDict⟧\n",
                "Import SortedTreeDict",
            ),
            ("shop/a.py", "⟦import numpy as np⟧\n", "known"),
            ("shop/a.py", "import json\njson.⟦dumps({})⟧\n", "known"),
            (
                "shop/a.py",
                "import json\njson.⟦stringify_all({})⟧\n",
                "Member stringify_all",
            ),
            (
                "shop/cart.py",
                "class Base:\n    def total(self): ...\nclass Cart(Base):\n    def f(self):\n        self.⟦total()⟧\n",
                "known",
            ),
            (
                "shop/cart.py",
                "class Base:\n    def total(self): ...\nclass Cart(Base):\n    def f(self):\n        self.⟦grand_total_of()⟧\n",
                "Member grand_total_of",
            ),
            ("shop/a.py", "value = 1\nprint(val⟦ue)⟧\n", "known"),
            (
                "shop/a.py",
                "⟦def helper(first, *rest):\n    return first, rest⟧\n",
                "known",
            ),
            (
                "shop/a.py",
                "try:\n    pass\n⟦except ValueError as error:\n    raise error⟧\n",
                "known",
            ),
        ],
    );
}

#[test]
fn other_languages() {
    let index = workspace(&[
        (
            "src/api.ts",
            "export interface User { name: string }\nexport function loadUser(id: string): User { return null }\n",
        ),
        (
            "src/lib.rs",
            "pub struct Point { pub x: f32 }\nimpl Point { pub fn norm(&self) -> f32 { self.x } }\n",
        ),
        (
            "src/p/Shop.java",
            "package p;\npublic class Shop { int price(int n) { return n; } }\n",
        ),
        (
            "src/shop.go",
            "package shop\nfunc OpenCart(owner string) error { return nil }\n",
        ),
        (
            "src/Shop.cs",
            "namespace S { public class Shop { public int Price(int n) { return n; } } }\n",
        ),
        (
            "src/shop.cpp",
            "int open_cart(int owner) { return owner; }\n",
        ),
        (
            "src/Shop.php",
            "<?php\nclass Shop { function price($n) { return $n; } }\n",
        ),
        ("src/shop.rb", "class Shop\n  def price(n) = n\nend\n"),
    ]);
    check(
        &index,
        &[
            ("src/a.ts", "⟦import { loadUser } from './api';⟧\n", "known"),
            (
                "src/a.ts",
                "⟦import { fetchUserList } from './api';⟧\n",
                "Import fetchUserList",
            ),
            (
                "src/a.ts",
                "⟦import { loadUser } from './apis';⟧\n",
                "Import apis",
            ),
            (
                "src/a.ts",
                "const a = 1;\n⟦const { b, c: d } = f2(a);⟧\nfunction f2(q) {}\n",
                "known",
            ),
            (
                "src/a.ts",
                "⟦const rows = [1].map((row) => row + 1);⟧\n",
                "known",
            ),
            (
                "src/a.ts",
                "⟦const rows = [1].frobnicateAll();⟧\n",
                "Member frobnicateAll",
            ),
            (
                "src/a.ts",
                "⟦const user: UserProfileCard = null;⟧\n",
                "Type UserProfileCard",
            ),
            (
                "src/a.rs",
                "fn f(p: Point) -> f32 { ⟦p.norm()⟧ }\n",
                "known",
            ),
            (
                "src/a.rs",
                "fn f(p: Point) -> f32 { ⟦p.length_of_it()⟧ }\n",
                "Member length_of_it",
            ),
            (
                "src/a.rs",
                "fn f() { ⟦if let Some(found) = g() { println!(\"{}\", found); }⟧ }\nfn g() {}\n",
                "known",
            ),
            (
                "src/a.rs",
                "fn f() { ⟦println!(\"{}\", missing_total);⟧ }\n",
                "Identifier missing_total",
            ),
            (
                "src/a.rs",
                "⟦use crate::api::MissingThing;⟧\n",
                "Import MissingThing",
            ),
            ("src/a.rs", "⟦use serde::Serialize;⟧\n", "known"),
            (
                "src/p/A.java",
                "package p;\nclass A { int f(Shop s) { return ⟦s.price(1)⟧; } }\n",
                "known",
            ),
            (
                "src/p/A.java",
                "package p;\nclass A { int f(Shop s) { return ⟦s.priceOfAll(1)⟧; } }\n",
                "Member priceOfAll",
            ),
            (
                "src/a.go",
                "package shop\nfunc f() {\n\t⟦err := OpenCart(\"a\")\n\t_ = err⟧\n}\n",
                "known",
            ),
            (
                "src/a.go",
                "package shop\nfunc f() {\n\t⟦err := CloseCarts(\"a\")\n\t_ = err⟧\n}\n",
                "Call CloseCarts",
            ),
            (
                "src/a.go",
                "package shop\nimport \"strings\"\nfunc f() { ⟦strings.ToUpper(\"\")⟧ }\n",
                "known",
            ),
            (
                "src/a.go",
                "package shop\nimport \"strings\"\nfunc f() { ⟦strings.ToShoutCase(\"\")⟧ }\n",
                "Member ToShoutCase",
            ),
            (
                "src/A.cs",
                "class A { int F(Shop s) { return ⟦s.Price(1)⟧; } }\n",
                "known",
            ),
            (
                "src/A.cs",
                "class A { int F(Shop s) { return ⟦s.PriceOfAll(1)⟧; } }\n",
                "Member PriceOfAll",
            ),
            (
                "src/a.cpp",
                "int main() { ⟦return open_cart(1);⟧ }\n",
                "known",
            ),
            (
                "src/a.cpp",
                "int main() { ⟦return close_carts(1);⟧ }\n",
                "Call close_carts",
            ),
            (
                "src/a.php",
                "<?php\n$shop = new Shop();\n⟦$total = $shop->price(1);\necho $total;⟧\n",
                "known",
            ),
            (
                "src/a.php",
                "<?php\n$shop = new Shop();\n⟦echo $missingTotal;⟧\n",
                "Identifier missingTotal",
            ),
            (
                "src/a.rb",
                "shop = Shop.new\n⟦puts shop.price(1)⟧\n",
                "known",
            ),
            (
                "src/a.rb",
                "shop = Shop.new\n⟦puts shop.price_of_all(1)⟧\n",
                "Member price_of_all",
            ),
        ],
    );
}

#[test]
fn a_small_workspace_says_less_about_what_comes_from_outside() {
    let index = Index::new();
    let fixture = "def f(frame):\n    ⟦frame.sort_values_by('a')⟧\n";
    assert_eq!(verdict(&index, "a.py", fixture), "known");
    assert_eq!(
        verdict(&workspace(&[]), "a.py", fixture),
        "Member sort_values_by"
    );
    let found = findings(
        Language::Python,
        Path::new("a.py"),
        "",
        "frobnicate_all()",
        "",
        &index,
    );
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].evidence, found[0].blocks), (Evidence::Call, true));
    assert!(!found[0].reason.ends_with('.'));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_judged(
        language in proptest::sample::select(Language::ALL.to_vec()),
        prefix in "(def f\\(|class A|import |\\.|x|é| |\n|\\{|\\(|\"|use a::|@|\\$|<\\?php ){0,12}",
        completion in any::<String>(),
        suffix in "(x|\\)|\\}|\n|;|é){0,12}",
    ) {
        let index = Index::new();
        let path = Path::new("a/b.x");
        if let Judgement::Unknown { range, .. } =
            judge(language, path, &prefix, &completion, &suffix, &index)
        {
            prop_assert!(range.end <= completion.len());
            prop_assert!(completion.get(range).is_some());
        }
    }
}

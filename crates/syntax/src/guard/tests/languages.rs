use super::*;

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

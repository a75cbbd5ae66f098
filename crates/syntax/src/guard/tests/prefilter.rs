//! The words alone never let pass what the rules would find.

use super::*;
use crate::{Draw, HoleKind, holes, invent_name, name_sites, sample_holes};

/// This crate's own sources, and one source of each other language.
const SOURCES: &[(&str, &str)] = &[
    ("src/guard/check.rs", include_str!("../check.rs")),
    ("src/guard/imports.rs", include_str!("../imports.rs")),
    ("src/guard/roots.rs", include_str!("../roots.rs")),
    (
        "src/index/modules.rs",
        include_str!("../../index/modules.rs"),
    ),
    (
        "src/symbols/imports.rs",
        include_str!("../../symbols/imports.rs"),
    ),
    ("src/lex/step.rs", include_str!("../../lex/step.rs")),
    ("shop/views.py", include_str!("sources/views.py")),
    ("shop/cart.py", include_str!("sources/cart.py")),
    ("shop/__init__.py", ""),
    ("web/views.ts", include_str!("sources/views.ts")),
    ("web/cart.ts", include_str!("sources/cart.ts")),
    ("web/legacy.js", include_str!("sources/legacy.js")),
    ("shop/cart/cart.go", include_str!("sources/cart.go")),
    ("shop/main.go", include_str!("sources/main.go")),
    ("shop/Cart.java", include_str!("sources/Cart.java")),
    ("shop/Cart.cs", include_str!("sources/Cart.cs")),
    ("shop/cart.cpp", include_str!("sources/cart.cpp")),
    ("shop/Cart.php", include_str!("sources/Cart.php")),
    ("shop/cart.rb", include_str!("sources/cart.rb")),
];

/// Compares the findings with and without the words' shortcut. True where it was taken.
fn compare(language: Language, path: &Path, parts: [&str; 3], index: &Index) -> bool {
    let [prefix, completion, suffix] = parts;
    let mut judge = Judge::new(language, path, prefix, suffix);
    let read = judge.read_findings(completion, index);
    let found = judge.findings(completion, index);
    assert_eq!(
        found,
        read,
        "{language}: …{completion:?}… in {}",
        path.display()
    );
    found.is_empty() && judge.passes_by_words(completion, index)
}

#[test]
fn holes_of_every_kind_and_invented_names_are_judged_as_by_the_tree() {
    let index = workspace(SOURCES);
    let (mut taken, mut goldens) = (0, 0);
    for (path, text) in SOURCES {
        let path = Path::new(path);
        let language = Language::from_path(path).unwrap();
        let mut draw = Draw::new(text.len() as u64);
        for hole in sample_holes(&holes(language, text), 4, &mut draw) {
            let (prefix, suffix) = (&text[..hole.range.start], &text[hole.range.end..]);
            let golden = &text[hole.range.clone()];
            goldens += usize::from(hole.kind != HoleKind::Import);
            taken += usize::from(compare(language, path, [prefix, golden, suffix], &index));
            let sites = name_sites(language, text, hole.range.clone());
            for site in sites.into_iter().step_by(3) {
                let name = &text[site.range.clone()];
                // A name of another file, and one that nobody has.
                for known in [true, false] {
                    let taken = |name: &str| (index.files_with(language, name) > 0) != known;
                    let invented = invent_name(name, &mut draw, &taken);
                    let invented = invented.unwrap_or_else(|| "total_price".to_owned());
                    let before = &text[hole.range.start..site.range.start];
                    let after = &text[site.range.end..hole.range.end];
                    let completion = format!("{before}{invented}{after}");
                    compare(language, path, [prefix, &completion, suffix], &index);
                }
            }
        }
    }
    assert!(goldens > 200, "{goldens} goldens");
    assert!(
        taken * 2 > goldens,
        "the shortcut helps: {taken} of {goldens}"
    );
}

#[test]
fn members_of_modules_and_imports_are_left_to_the_rules() {
    let index = workspace(SOURCES);
    // `checkout` stands in the workspace, but not in the module.
    for (path, fixture) in [
        (
            "shop/a.py",
            "from shop import cart\nimport shop.cart as c\nx = 1 + c.⟦checkout()⟧\n",
        ),
        ("shop/a.py", "import shop.cart as c\nx = ⟦c.checkout()⟧\n"),
        ("shop/a.py", "import shop.cart as c\nx = ⟦(c).checkout()⟧\n"),
        (
            "shop/a.py",
            "import shop.cart as c\nx = (c\n  ⟦.checkout()⟧)\n",
        ),
        (
            "shop/a.py",
            "import shop.cart as c\nx = (c.\n  ⟦checkout()⟧)\n",
        ),
        (
            "shop/a.py",
            "from shop.cart import (\n    Cart,\n    ⟦checkout⟧,\n)\n",
        ),
        (
            "shop/a.py",
            "from shop.cart import (  # all = of it\n    ⟦checkout⟧,\n)\n",
        ),
        ("shop/a.py", "from shop.⟦checkout import Cart⟧\n"),
        (
            "web/a.ts",
            "import * as cart from './cart';\nconst x = ⟦cart.renderAll()⟧;\n",
        ),
        (
            "web/a.ts",
            "import * as cart from './cart';\nconst x = cart!⟦.renderAll()⟧;\n",
        ),
        (
            "web/a.ts",
            "import {\n  Cart,\n  ⟦renderAll,⟧\n} from './cart';\n",
        ),
        (
            "web/a.js",
            "const cart =\n  require('./cart');\nconst x = ⟦cart.renderAll()⟧;\n",
        ),
        (
            "web/a.js",
            "const {\n  ⟦renderAll⟧,\n  Cart,\n} = require('./cart');\n",
        ),
        (
            "shop/b.go",
            "package shop\nimport (\n\t\"fmt\"\n\n\t\"example.org/shop/cart\"\n)\nfunc f() { ⟦cart.Serve()⟧ }\n",
        ),
    ] {
        let (prefix, rest) = fixture.split_once('⟦').unwrap();
        let (completion, suffix) = rest.split_once('⟧').unwrap();
        let path = Path::new(path);
        let language = Language::from_path(path).unwrap();
        compare(language, path, [prefix, completion, suffix], &index);
        assert_ne!(
            verdict(&index, path.to_str().unwrap(), fixture),
            "known",
            "{fixture}"
        );
    }
}

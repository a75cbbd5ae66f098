use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const CART: &str =
    "class Cart(Base):\n    limit = 3\n    def add(self, item): self.items = [item]\n";

#[test]
fn a_file_is_added_replaced_and_forgotten() {
    let index = Index::new();
    let path = Path::new("shop/cart.py");
    index.add_file(path, Language::Python, CART);
    index.add_file(path, Language::Python, CART);
    assert_eq!(
        index.members_of(Language::Python, "Cart"),
        ["add", "items", "limit"]
    );
    assert_eq!(index.files_with(Language::Python, "item"), 1);
    assert_eq!(index.definitions_of(Language::Python, "Cart"), 1);
    assert_eq!(index.definitions_of(Language::Python, "item"), 0);
    assert_eq!(index.files_with(Language::Rust, "Cart"), 0);
    index.add_file(path, Language::Python, "class Basket: pass\n");
    assert_eq!(index.definitions_of(Language::Python, "Cart"), 0);
    index.remove_file(path, Language::Python);
    assert_eq!(index.definitions_of(Language::Python, "Basket"), 0);
    assert_eq!(index.size().files, 0);
}

#[test]
fn an_index_that_lacks_a_file_does_not_cover_its_language() {
    let index = Index::new();
    let path = Path::new("a.py");
    assert!(!index.covers(Language::Python), "nothing is known yet");
    index.add_file(path, Language::Python, CART);
    assert!(index.covers(Language::Python));
    index.skip_file(Path::new("big.py"), Language::Python);
    index.skip_file(Path::new("big.rs"), Language::Rust);
    assert!(!index.covers(Language::Python) && !index.covers(Language::Rust));
    index.add_file(Path::new("big.py"), Language::Python, "");
    index.remove_file(Path::new("big.rs"), Language::Rust);
    assert!(index.covers(Language::Python));
    index.skip_file(path, Language::Python);
    assert_eq!(index.definitions_of(Language::Python, "Cart"), 0);
}

#[test]
fn a_file_that_cannot_be_parsed_is_one_that_is_not_read() {
    let index = Index::new();
    let path = Path::new("a.py");
    assert!(index.add_file(path, Language::Python, CART));
    let long = format!("{}{CART}", "x = 1\n".repeat(crate::MAX_PARSE_BYTES / 6));
    assert!(!index.add_file(path, Language::Python, &long));
    assert!(!index.covers(Language::Python));
    assert_eq!(index.definitions_of(Language::Python, "Cart"), 0);
    assert!(index.add_file(path, Language::Python, CART));
    assert!(index.covers(Language::Python));
}

#[test]
fn readers_and_a_writer_share_the_index() {
    let index = Index::new();
    let mut seen = std::collections::BTreeSet::new();
    let read = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Goes on until it was read half-way, however late the reader is scheduled.
        let writer = scope.spawn(|| {
            for number in 0..100_000 {
                if read.load(Ordering::Relaxed) {
                    break;
                }
                let path = format!("f{}.py", number % 20);
                if number % 40 < 20 {
                    index.add_file(Path::new(&path), Language::Python, CART);
                } else {
                    index.remove_file(Path::new(&path), Language::Python);
                }
            }
            for number in 0..20 {
                let path = format!("f{number}.py");
                index.add_file(Path::new(&path), Language::Python, CART);
            }
        });
        while !writer.is_finished() {
            let table = index.read(Language::Python).unwrap();
            let files = table.files_with("Cart");
            assert_eq!(table.definitions_of("Cart"), files, "a file is there whole");
            seen.insert(files);
            read.store(seen.len() > 1, Ordering::Relaxed);
        }
    });
    assert!(seen.len() > 1, "read before the writer was done: {seen:?}");
    assert_eq!(index.definitions_of(Language::Python, "Cart"), 20);
}

#[test]
fn membership_follows_bases_that_are_known() {
    let index = Index::new();
    index.add_file(
        Path::new("a.py"),
        Language::Python,
        "class A:\n    def one(self): ...\n",
    );
    index.add_file(
        Path::new("b.py"),
        Language::Python,
        "class B(A):\n    def two(self): ...\nclass C(Unknown): ...\n",
    );
    let table = index.read(Language::Python).unwrap();
    assert_eq!(table.membership("B", "one"), Membership::Has);
    assert_eq!(table.membership("B", "three"), Membership::Lacks);
    assert_eq!(table.membership("C", "three"), Membership::Unsure);
    assert_eq!(table.membership("D", "three"), Membership::Unsure);
}

#[test]
fn a_rust_glob_is_known_as_far_as_it_stays_in_the_workspace() {
    let index = Index::new();
    for (path, text) in [
        ("p/src/lib.rs", "mod a; mod b; mod ui; enum Shape { Dot }"),
        ("p/src/a.rs", "use crate::b::*; fn f() {}"),
        ("p/src/b/mod.rs", "fn g() {} mod inner { fn h() {} }"),
        ("p/src/b/c.rs", "mod tests { use super::*; }"),
        ("p/src/ui.rs", "use gtk::prelude::*;"),
        ("p/src/ui/button.rs", ""),
    ] {
        index.add_file(Path::new(path), Language::Rust, text);
    }
    let table = index.read(Language::Rust).unwrap();
    for (importer, module, known) in [
        ("p/src/a.rs", "crate::b", true),
        ("p/src/a.rs", "crate::b::inner", true),
        ("p/src/b/c.rs", "super", true),
        ("p/src/b/c.rs", "super::super::a", true),
        ("p/src/b/c.rs", "crate::Shape", true),
        ("p/src/a.rs", "crate::ui", false),
        ("p/src/ui/button.rs", "super", false),
        ("p/src/a.rs", "gtk::prelude", false),
        ("p/src/a.rs", "Unknown", false),
        ("q/src/a.rs", "crate::b", false),
    ] {
        let found = table.rust_glob_is_known(importer, module, 0);
        assert_eq!(found, known, "{importer}: {module}");
    }
}

#[test]
fn names_that_are_gone_are_forgotten() {
    let index = Index::new();
    let file = |round: u32, number: u32| {
        format!(
            "class C{round}_{number}(B{round}):\n    def m{round}_{number}(self, p{round}): ...\n"
        )
    };
    let mut sizes = Vec::new();
    for round in 0..10 {
        let path = |number: u32| format!("p{round}/f{number}.py");
        for number in 0..100 {
            let path = path(number);
            index.add_file(Path::new(&path), Language::Python, &file(round, number));
        }
        sizes.push(index.size().bytes);
        for number in 0..100 {
            index.remove_file(Path::new(&path(number)), Language::Python);
        }
        assert_eq!(index.size().names, 0, "round {round}");
    }
    assert!(sizes[9] <= sizes[1] * 11 / 10, "{sizes:?}");
}

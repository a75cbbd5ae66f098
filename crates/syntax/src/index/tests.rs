use std::{fs, path::Path, sync::atomic::AtomicBool};

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
    index.remove_file(path);
    assert_eq!(index.definitions_of(Language::Python, "Basket"), 0);
    assert_eq!(index.size().files, 0);
    index.add_file(path, Language::Python, CART);
    index.clear();
    assert_eq!(index.size(), Index::new().size());
}

#[test]
fn a_workspace_is_read_without_what_it_excludes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("a.py", "def kept_function(): ...\n");
    write("build/b.py", "def built_function(): ...\n");
    write("secret/c.py", "def secret_function(): ...\n");
    write("big.py", &"x = 1\n".repeat(200));
    write("minified.js", &"a;".repeat(50));
    write("notes.txt", "def not_code(): ...\n");
    write(".gitignore", "build/\n");
    write(".truefillignore", "secret/\n");
    fs::write(folder.path().join("latin.py"), b"x = '\xe9'\n").unwrap();
    let index = Index::new();
    let limits = BuildLimits {
        file_bytes: 500,
        line_bytes: 80,
        files: 100,
    };
    let mut seen = 0;
    let summary = build(
        &index,
        folder.path(),
        &limits,
        &AtomicBool::new(false),
        &mut |_, _| seen += 1,
    );
    assert_eq!(
        (summary.indexed, summary.passed_over, summary.cancelled),
        (1, 3, false)
    );
    assert_eq!(seen, 4);
    assert_eq!(index.definitions_of(Language::Python, "kept_function"), 1);
    assert_eq!(index.definitions_of(Language::Python, "secret_function"), 0);
    let cancelled = build(
        &index,
        folder.path(),
        &limits,
        &AtomicBool::new(true),
        &mut |_, _| (),
    );
    assert!(cancelled.cancelled);
    assert_eq!(cancelled.indexed, 0);
}

#[test]
fn readers_and_a_writer_share_the_index() {
    let index = Index::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..200 {
                let path = format!("f{}.py", number % 20);
                index.add_file(Path::new(&path), Language::Python, CART);
            }
        });
        for _ in 0..200 {
            assert!(index.definitions_of(Language::Python, "Cart") <= 20);
        }
    });
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

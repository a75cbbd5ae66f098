mod languages;
mod prefilter;
mod regressions;

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

#[test]
fn alternatives_share_a_parse_and_are_judged_alike() {
    let index = workspace(&[("shop/cart.py", "def open_cart(owner, *, limit=3): ...\n")]);
    let prefix = "from shop.cart import open_cart\n\ndef f(owner):\n    return ";
    let suffix = "\n\ndef g(): ...\n";
    let path = Path::new("shop/a.py");
    let completions = [
        "open_carts_of(owner)",
        "open_cart(owner, limit=1)",
        "open_cart(owner, maximum_size=2)",
        "[entry for entry in owner]",
        "",
        "(\n",
        "open_cart(missing_owner)",
    ];
    let mut shared = Judge::new(Language::Python, path, prefix, suffix);
    for completion in completions {
        assert_eq!(
            shared.findings(completion, &index),
            findings(Language::Python, path, prefix, completion, suffix, &index),
            "{completion}"
        );
    }
}

#[test]
fn a_large_file_is_read_in_a_window_and_known_by_all_its_words() {
    let index = workspace(&[]);
    let filler = "def filler(a, b):\n    return [a, b]\n\n\n".repeat(4_000);
    let prefix = format!("import json\n\nfar_above = 1\n{filler}");
    let suffix = format!("\n{filler}far_below = 2\n");
    let path = Path::new("a.py");
    let judged = |text: &str| judge(Language::Python, path, &prefix, text, &suffix, &index);
    assert_eq!(judged("x = far_above + far_below + 0"), Judgement::Known);
    assert_eq!(judged("json.dumps(far_above)"), Judgement::Known);
    for invented in ["far_beside + 0", "json.stringify_all(1)"] {
        assert!(
            matches!(judged(invented), Judgement::Unknown { .. }),
            "{invented}"
        );
    }
}

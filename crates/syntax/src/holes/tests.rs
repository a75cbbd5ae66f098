use super::*;
use crate::{Language, NameKind};

const SOURCE: &str = "import os\n\ndef area(width, height=2):\n    total = width * scale(height, unit='m')\n    return total\n";

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

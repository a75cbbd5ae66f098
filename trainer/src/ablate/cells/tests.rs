use super::*;

fn expanded(text: &str) -> Result<Vec<Cell>> {
    let sections: Table = toml::from_str(text).expect("TOML");
    let recipe: AblateRecipe = crate::recipe::read(sections["ablate"].clone(), "it")?;
    let rows = [("a", 5), ("b", 7), ("c", 6), ("d", 6)];
    let rows = rows.map(|(name, rows)| (name.to_owned(), rows));
    expand(&sections, &recipe, &rows.into())
}

const RECIPE: &str = "[train]\nobjective = 'fgit'\n[train.fgit]\nalpha = 2.0\n[ablate]\n";

#[test]
fn one_axis_at_a_time_or_all_together() {
    let axes = "[[ablate.axis]]\nname = 'objective'\nvalues = ['fgit', 'fgit+orpo']\n\
        [[ablate.axis]]\nname = 'alpha'\nvalues = [1.5, 2.0, 3.0]\n";
    let cells = expanded(&format!("{RECIPE}{axes}")).expect("cells");
    let names: Vec<String> = cells.iter().map(Cell::name).collect();
    assert_eq!(
        names,
        [
            "recipe",
            "objective=fgit",
            "objective=fgit+orpo",
            "alpha=1.5",
            "alpha=2.0",
            "alpha=3.0"
        ]
    );
    assert_eq!(
        cells[3].recipe["train"]["fgit"]["alpha"].as_float(),
        Some(1.5)
    );
    assert_eq!(cells[3].recipe["train"]["objective"].as_str(), Some("fgit"));
    let grid = expanded(&format!("{RECIPE}grid = true\n{axes}")).expect("cells");
    assert_eq!(grid.len(), 6);
    assert_eq!(grid[5].name(), "alpha=3.0,objective=fgit+orpo");
}

#[test]
fn known_axes_set_what_they_stand_for() {
    let one = |axis: &str, value: &str| {
        let text = format!("{RECIPE}[[ablate.axis]]\nname = '{axis}'\nvalues = [{value}]\n");
        expanded(&text).map(|cells| cells[1].clone())
    };
    let languages: Vec<String> = truefill_syntax::Language::ALL
        .iter()
        .filter(|language| **language != truefill_syntax::Language::Go)
        .map(|language| format!("{} = 0.0", language.name()))
        .collect();
    let but_go = format!("{{ {} }}", languages.join(", "));
    let expected: [(&str, &str, &[(&str, &str)]); 14] = [
        (
            "size",
            "5000",
            &[
                ("curate.sizes", "[5000]"),
                ("train.data", "['{data}/subsets/size-5000/pairs.jsonl']"),
            ],
        ),
        (
            "types",
            "['method', 'import']",
            &[(
                "curate.types",
                "{ parameter = 0.0, undefined_variable = 0.0 }",
            )],
        ),
        ("types", "'all'", &[("curate.types", "{}")]),
        ("languages", "'go'", &[("curate.languages", &but_go)]),
        ("languages", "'all'", &[("curate.languages", "{}")]),
        ("base", "'run-7'", &[("train.checkpoint", "'run-7'")]),
        (
            "band",
            "'hard'",
            &[("train.data", "['{data}/subsets/band-hard/pairs.jsonl']")],
        ),
        (
            "generators",
            "['a', 'b']",
            &[("curate.generators", "['a', 'b']")],
        ),
        ("source", "'local'", &[("curate.generators", "['local']")]),
        ("objective", "'orpo'", &[("train.objective", "'orpo'")]),
        ("alpha", "1.5", &[("train.fgit.alpha", "1.5")]),
        ("fixed_weight", "3.0", &[("train.fgit.fixed_weight", "3.0")]),
        ("epochs", "2", &[("train.epochs", "2")]),
        (
            "granularity",
            "'line'",
            &[("train.fgit.granularity", "'line'")],
        ),
    ];
    for known in super::super::recipe::KNOWN {
        assert!(expected.iter().any(|(axis, ..)| *axis == known), "{known}");
    }
    for (axis, value, keys) in expected {
        let cell = one(axis, value).expect(axis);
        let set: Vec<&str> = cell.keys.iter().map(String::as_str).collect();
        let names: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
        assert_eq!(set, names, "{axis}");
        for (key, value) in keys {
            let value: Table = toml::from_str(&format!("it = {value}")).expect("TOML");
            assert_eq!(find(&cell.recipe, key), Some(&value["it"]), "{axis}");
        }
    }
    for (axis, value, expected) in [
        ("sise", "1", "objective"),
        ("types", "['methods']", "`methods`"),
        ("size", "'many'", "numbers"),
        ("size", "-5", "above 0"),
        ("band", "'hrad'", "easy, medium, hard, found `hrad`"),
    ] {
        let error = one(axis, value).expect_err(axis).to_string();
        assert!(error.contains(expected) && error.contains(axis), "{error}");
    }
}

/// Its first axis would vary nothing.
#[test]
fn axes_of_a_grid_set_different_keys() {
    let axes = |text: &str| {
        let lines = text.split(' ').map(|axis| {
            let (name, value) = axis.split_once('=').expect("a value");
            format!("[[ablate.axis]]\nname = '{name}'\nvalues = [{value}]\n")
        });
        let lines: String = lines.collect();
        expanded(&format!("{RECIPE}grid = true\n{lines}"))
    };
    for (clash, key) in [
        ("size=5 band='hard'", "train.data"),
        ("generators=['a'] source='b'", "curate.generators"),
        ("epochs=1 epochs=2", "epochs"),
    ] {
        let error = axes(clash).expect_err(clash);
        assert!(
            error.is::<Usage>() && error.to_string().contains(key),
            "{error}"
        );
    }
    assert_eq!(axes("size=5,6 types='method'").expect("cells").len(), 2);
    let table = "[[ablate.axis]]\nname = 'lora'\nkey = 'train.lora'\nvalues = [{ rank = 2 }]\n\
        [[ablate.axis]]\nname = 'rank'\nkey = 'train.lora.rank'\nvalues = [4]\n";
    assert!(expanded(&format!("{RECIPE}grid = true\n{table}")).is_err());
    assert_eq!(
        expanded(&format!("{RECIPE}{table}")).expect("cells").len(),
        3
    );
}

#[test]
fn the_preset_leaves_what_the_recipe_sets() {
    let preset = |curate: &str, data: &str, rows: &str| {
        expanded(&format!(
            "[curate]\n{curate}\n[train]\ndata = ['{data}']\n[ablate]\npreset = 'reduced'\n{rows}"
        ))
    };
    let rows = "[ablate.rows]\ncontexts = 'c'\nnegatives = 'n'\n";
    let curated = |own: &str| {
        let cells = preset(own, "{data}/pairs.jsonl", rows).expect("cells");
        cells[0].recipe["curate"].to_string()
    };
    assert_eq!(curated(""), "{ generators = [\"b\", \"c\"], rows = 50000 }");
    assert_eq!(
        curated("rows = 9"),
        "{ generators = [\"b\", \"c\"], rows = 9 }"
    );
    assert_eq!(
        curated("generators = ['a']"),
        "{ generators = [\"a\"], rows = 50000 }"
    );
    for (curate, data, rows, expected) in [
        ("", "{data}/pairs.jsonl", "", "[ablate.rows]"),
        ("", "pairs.jsonl", rows, "`{data}` in `train.data`"),
        (
            "rows = 9\ngenerators = ['a']",
            "{data}/x",
            rows,
            "set in the recipe",
        ),
    ] {
        let error = preset(curate, data, rows).expect_err(expected);
        assert!(
            error.is::<Usage>() && error.to_string().contains(expected),
            "{error}"
        );
    }
}

#[test]
fn cells_set_any_key_and_no_other() {
    let cell = |key: &str| {
        expanded(&format!(
            "{RECIPE}[[ablate.axis]]\nname = 'mine'\n[[ablate.axis.cell]]\nname = 'a b'\nset = {{ '{key}' = 1 }}\n"
        ))
    };
    let cells = cell("train.lora.rank").expect("a cell");
    assert_eq!(cells[1].name(), "mine=a b");
    assert_eq!(
        cells[1].recipe["train"]["lora"]["rank"].as_integer(),
        Some(1)
    );
    for wrong in ["rank", "judge.seed", "train.objective.x"] {
        let error = cell(wrong).expect_err(wrong);
        assert!(
            error.is::<Usage>() && error.to_string().contains(wrong),
            "{error}"
        );
    }
}

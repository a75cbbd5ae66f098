use std::path::Path;

use super::merge::merge;
use super::plan::plan;
use super::recipe::{Promotion, RunRecipe};
use super::summary::{judgement, shown};

fn commands(text: &str, run: &RunRecipe) -> Vec<String> {
    let sections: toml::Table = toml::from_str(text).expect("TOML");
    let steps = plan(Path::new("r.toml"), &sections, run, Path::new("o"), None).expect("a plan");
    steps.iter().map(|step| shown(step, None)).collect()
}

#[test]
fn harvest_and_mine_come_together() {
    let text = "[harvest]\n[mine]\neach = [\"c\"]\n[judge]\npanel = [\"a\"]\n[train]\nobjective = \"sft\"\n";
    let run = RunRecipe {
        promotion: Promotion::Canary,
        ..RunRecipe::default()
    };
    let expected = [
        "truefill-trainer harvest --out o/harvest --recipe r.toml",
        "truefill-trainer mine --out o/mined.jsonl --recipe r.toml",
        "cat o/harvest/contexts.jsonl o/mined.jsonl | awk '!seen[$0]++' > o/contexts.jsonl",
        "truefill-trainer generate o/contexts.jsonl --out o/made.jsonl --recipe r.toml",
        "cat o/harvest/negatives.jsonl o/made.jsonl | awk '!seen[$0]++' > o/negatives.jsonl",
        "truefill-trainer judge o/contexts.jsonl o/negatives.jsonl --out o/verdicts.jsonl --scores \
         o/scores.jsonl --recipe r.toml",
        "truefill-trainer curate o/contexts.jsonl o/negatives.jsonl o/verdicts.jsonl o/scores.jsonl \
         --out o/data --recipe r.toml",
        "truefill-trainer train --output o/train --json --data o/data/sft.jsonl --held-out \
         o/data/test/pairs.jsonl --recipe r.toml",
        "truefill-trainer promote {candidate} --out o/evaluations --json --canary 10 --suite pairs --data \
         o/data/test/pairs.jsonl --recipe r.toml",
    ];
    assert_eq!(commands(text, &run), expected);
}

#[test]
fn what_the_recipe_names_itself_is_left_to_it() {
    let text = "[mine]\nsources = [\"c\"]\n[train]\nobjective = \"dpo\"\ndata = [\"d\"]\nheld_out = [\"h\"]\n\
                [[eval.suite]]\nname = \"pairs\"\ndata = [\"p\"]\n";
    let found = commands(text, &RunRecipe::default());
    let last = &found[found.len() - 2..];
    assert_eq!(
        last,
        [
            "truefill-trainer train --output o/train --json --recipe r.toml",
            "truefill-trainer promote {candidate} --out o/evaluations --json --dry-run --recipe r.toml",
        ]
    );
    assert!(
        found.iter().any(|it| it == ": > o/verdicts.jsonl"),
        "{found:?}"
    );
}

#[test]
fn a_changed_section_changes_its_step_and_those_behind() {
    let prints = |text: &str| {
        let sections: toml::Table = toml::from_str(text).expect("TOML");
        let run = RunRecipe::default();
        let steps = plan(Path::new("r.toml"), &sections, &run, Path::new("o"), None);
        let mut before = String::new();
        let mut found = Vec::new();
        for step in steps.expect("a plan") {
            before = super::state::fingerprint(&before, &step);
            found.push((step.name, before.clone()));
        }
        found
    };
    let one = prints("[mine]\neach = [\"c\"]\n[curate]\nseed = 1\n");
    let other = prints("[mine]\neach = [\"c\"]\n[curate]\nseed = 2\n");
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    assert_eq!(one[same].0, "curate");
    assert!(
        one[same..]
            .iter()
            .zip(&other[same..])
            .all(|(a, b)| a.1 != b.1)
    );
}

#[test]
fn rows_are_merged_each_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a"), "one\ntwo\n").expect("written");
    std::fs::write(path("b"), "two\nthree").expect("written");
    assert_eq!(
        merge(&[path("a"), path("b")], &path("all")).expect("merged"),
        3
    );
    assert_eq!(
        std::fs::read_to_string(path("all")).expect("read"),
        "one\ntwo\nthree\n"
    );
    assert_eq!(merge(&[], &path("none")).expect("merged"), 0);
    let error = merge(&[path("gone")], &path("all")).expect_err("there is none");
    assert!(format!("{error:#}").contains("gone"), "{error:#}");
}

#[test]
fn the_judgement_is_found_among_figures() {
    let printed = "{\"evaluated\": 1}\n{\"passed\": false, \"findings\": []}\n";
    assert_eq!(
        judgement(printed).map(|it| it["passed"].clone()),
        Some(false.into())
    );
    assert_eq!(judgement("{\"evaluated\": 1}\n"), None);
}

/// The recipes of the repository have keys and values that every step takes.
#[test]
fn the_repositorys_recipes_can_be_meant() {
    use crate::recipe::section;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes");
    let names = ["quickstart", "paper-a", "fgit", "reduced", "retrain-weekly"];
    for name in names {
        let path = folder.join(format!("{name}.toml"));
        let at = Some(&*path);
        let sections = crate::recipe::sections(&path).expect(name);
        let run: RunRecipe = section(at, "run").expect(name);
        run.check().expect(name);
        let steps = plan(&path, &sections, &run, Path::new("o"), None).expect(name);
        assert!(steps.len() >= 5, "{name}");
        section::<crate::harvest::HarvestRecipe>(at, "harvest").expect(name);
        section::<crate::mine::Recipe>(at, "mine").expect(name);
        section::<crate::generate::Recipe>(at, "generate").expect(name);
        section::<crate::judge::JudgeRecipe>(at, "judge").expect(name);
        section::<crate::curate::CurateRecipe>(at, "curate").expect(name);
        section::<crate::eval::recipe::EvalRecipe>(at, "eval").expect(name);
        section::<crate::eval::gate::GateRecipe>(at, "promote").expect(name);
        let named = |recipe: &mut crate::train::recipe::TrainRecipe| {
            recipe.data = vec!["rows.jsonl".into()];
        };
        crate::train::recipe::TrainRecipe::read_with(&path, named).expect(name);
    }
    let files = std::fs::read_dir(&folder).expect("the folder").count();
    assert_eq!(
        files,
        names.len() + 1,
        "the licences of the quickstart's folders beside them"
    );
}

//! Which states a run keeps, goes on from, and puts aside.

use super::*;

/// A state of weights that give no finite loss is not kept, though it was saved before that was known;
/// with a lower rate the run goes on from the one before it.
#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(
        folder.path(),
        "clip = 0.0\n[train.save]\nevery = 1\nkeep = 1\n",
    );
    recipe.steps = Some(8);
    recipe.schedule.warmup_steps = Some(0);
    recipe.lr = Some(1e-3);
    let output = folder.path().join("run");
    let mut short = recipe.clone();
    short.steps = Some(4);
    try_run(&short, &output).expect("runs");
    let good = parameters(&output, 4);
    recipe.lr = Some(1e30);
    let error = try_start(&recipe, &output, Start::WithChanges).expect_err("diverges");
    let told = format!("{error:#}");
    let states = output.join("states");
    assert!(
        told.contains("the loss is no number") && told.contains("state is that of step 4"),
        "{told}"
    );
    assert_eq!(names(&states), ["step-00000004"]);
    assert_eq!(parameters(&output, 4), good);
    assert!(output.join("report.html").exists());
    // The same again comes to the same end, and loses nothing more.
    let error = try_run(&recipe, &output).expect_err("diverges");
    assert!(format!("{error:#}").contains("state is that of step 4"));
    recipe.lr = Some(1e-4);
    let error = try_run(&recipe, &output).expect_err("refused").to_string();
    assert!(error.contains("--with-changes"), "{error}");
    let outcome = try_start(&recipe, &output, Start::WithChanges).expect("goes on");
    assert_eq!((outcome.ended, outcome.place.step), (Ended::Done, 8));
    recipe.seed = 2;
    let error = try_start(&recipe, &output, Start::WithChanges).expect_err("refused");
    assert!(error.to_string().contains("another one"), "{error}");
}

/// Weights may give a loss and be none to serve: what is told is the measurement.
#[test]
fn weights_that_cannot_be_served_stop_the_run_by_their_measurement() {
    let folder = tempfile::tempdir().expect("a folder");
    let held_out = folder.path().join("held-out.jsonl");
    let line = serde_json::json!({
        "context_id": "other", "repo": "p/other", "path": "b.py", "prefix": "seen = ",
        "golden": "nothing.of(this)", "suffix": "\n",
    });
    std::fs::write(&held_out, format!("{line}\n")).expect("written");
    let keys = format!(
        "clip = 0.0\n[train.save]\nevery = 1\n[train.eval]\ndata = [{held_out:?}]\nevery = 1\n"
    );
    let mut recipe = recipe(folder.path(), &keys);
    recipe.lr = Some(1e30);
    recipe.schedule.warmup_steps = Some(0);
    let output = folder.path().join("run");
    let error = try_run(&recipe, &output).expect_err("stops");
    let told = format!("{error:#}");
    let expected = [
        "measuring after step 1",
        "as they would be served",
        "no good state",
        "lower `lr`",
    ];
    for expected in expected {
        assert!(told.contains(expected), "{told}");
    }
    assert!(!told.contains("the loss is no number"), "{told}");
}

#[test]
fn a_damaged_state_is_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(folder.path(), "[train.save]\nevery = 3\nkeep = 3\n");
    recipe.steps = Some(9);
    let whole = folder.path().join("whole");
    try_run(&recipe, &whole).expect("runs");

    // The last state is damaged: the one before it is taken, and leads to the same weights.
    let state = whole.join("states/step-00000009/optimiser.safetensors");
    let mut bytes = std::fs::read(&state).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&state, bytes).expect("written");
    let before = parameters(&whole, 9);
    std::fs::write(
        whole.join("states/step-00000009/parameters.safetensors"),
        "x",
    )
    .expect("written");
    try_run(&recipe, &whole).expect("goes on");
    assert_eq!(parameters(&whole, 9), before);

    // So it is where a state says another place, be it by one digit.
    let state = whole.join("states/step-00000009/state.json");
    let text = std::fs::read_to_string(&state).expect("there");
    let other = text.replacen("\"step\": 9", "\"step\": 8", 1);
    assert!(other != text, "{text}");
    std::fs::write(&state, other).expect("written");
    try_run(&recipe, &whole).expect("goes on");
    assert_eq!(parameters(&whole, 9), before);
    assert_eq!(std::fs::read_to_string(&state).expect("there"), text);

    // Where none is whole, nothing begins anew by itself.
    for state in names(&whole.join("states")) {
        let file = whole.join("states").join(state).join("state.json");
        std::fs::write(file, "{").expect("written");
    }
    let figures = std::fs::read(whole.join("metrics.csv")).expect("there");
    for start in ["first", "second"] {
        let error = try_run(&recipe, &whole).expect_err(start).to_string();
        assert!(error.contains("--fresh"), "{start}: {error}");
    }
    assert!(std::fs::read(whole.join("metrics.csv")).expect("there") == figures);
}

#[test]
fn another_recipe_does_not_go_on_with_this_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(folder.path(), "");
    recipe.steps = Some(2);
    let output = folder.path().join("run");
    try_run(&recipe, &output).expect("runs");
    recipe.save.every = 7;
    recipe.rows_at_once = 3;
    try_run(&recipe, &output).expect("what changes no weight may change");
    recipe.lr = Some(1e-4);
    let error = try_run(&recipe, &output).expect_err("refused").to_string();
    assert!(
        error.contains("--fresh") && error.contains("another rate"),
        "{error}"
    );
    assert!(
        error.contains("(`lr` is 0.005 there, 0.0001 here)"),
        "{error}"
    );
    let mut other = recipe.clone();
    other.lora.rank = 3;
    other.data = vec![pairs(folder.path(), 31)];
    let error = try_run(&other, &output).expect_err("refused").to_string();
    let expected =
        "(other rows; `lora.rank` is 16 there, 3 here; `lr` is 0.005 there, 0.0001 here)";
    assert!(error.contains(expected), "{error}");
    recipe.data = vec![pairs(folder.path(), 32)];
    // A folder may be moved, and one that a run is at work in is left to it.
    recipe.lr = Some(5e-3);
    let moved = folder.path().join("moved");
    std::fs::rename(&output, &moved).expect("moved");
    recipe.data = vec![pairs(&moved, 32)];
    try_run(&recipe, &moved).expect("is the same run");
    let lock = std::fs::File::open(moved.join(".lock")).expect("there");
    lock.lock().expect("locks");
    let error = try_run(&recipe, &moved).expect_err("refused").to_string();
    assert!(error.contains("another run is at work in it"), "{error}");
    lock.unlock().expect("unlocks");
    let run = moved.join("run.json");
    let mut of_old: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&run).expect("there")).expect("JSON");
    of_old["version"] = 1.into();
    std::fs::write(&run, of_old.to_string()).expect("written");
    let error = try_run(&recipe, &moved).expect_err("refused").to_string();
    assert!(error.contains("found a run of version 1"), "{error}");
    let foreign = folder.path().join("foreign");
    std::fs::create_dir_all(&foreign).expect("made");
    std::fs::write(foreign.join("precious"), "x").expect("written");
    let error = try_run(&recipe, &foreign).expect_err("refused").to_string();
    assert!(error.contains("expected an empty folder"), "{error}");
    assert!(foreign.join("precious").exists());
}

/// Who stops it before the first step, as while it measures, has a state without moments.
#[test]
fn a_run_that_was_stopped_before_its_first_step_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(folder.path(), "objective = \"sft\"\n");
    recipe.steps = Some(3);
    let [whole, stopped] = ["whole", "stopped"].map(|name| folder.path().join(name));
    try_run(&recipe, &whole).expect("runs");
    let outcome = stopping(&recipe, &stopped, Start::GoOn, &|| true).expect("stops");
    assert_eq!(outcome.place.step, 0);
    assert_eq!(names(&stopped.join("states")), ["step-00000000"]);
    try_run(&recipe, &stopped).expect("goes on");
    assert!(parameters(&whole, 3) == parameters(&stopped, 3));
}

/// A start that came to nothing leaves a folder that any other run may have.
#[test]
fn a_start_that_fails_does_not_take_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let lora = |target: &str| {
        let keys =
            format!("parameters = \"lora\"\n[train.lora]\nrank = 2\ntargets = [{target:?}]\n");
        let mut recipe = recipe(folder.path(), &keys);
        recipe.steps = Some(1);
        recipe
    };
    let output = folder.path().join("run");
    let error = try_run(&lora("nope"), &output).expect_err("refused");
    assert!(error.to_string().contains("`nope`"), "{error}");
    try_run(&lora("q_proj"), &output).expect("runs");
    let error = try_run(&lora("v_proj"), &output)
        .expect_err("refused")
        .to_string();
    assert!(
        error.contains("`lora.targets` is [\"q_proj\"] there"),
        "{error}"
    );
}

/// Who stops it while the reference is computed once more hears where the run stands.
#[test]
fn a_run_that_is_stopped_before_it_goes_on_stands_where_it_stood() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(folder.path(), "objective = \"dpo\"\n");
    recipe.steps = Some(2);
    let output = folder.path().join("run");
    try_run(&recipe, &output).expect("runs");
    std::fs::remove_file(output.join("reference.jsonl")).expect("removed");
    let outcome = stopping(&recipe, &output, Start::GoOn, &|| true).expect("stops");
    assert_eq!((outcome.ended, outcome.place.step), (Ended::Stopped, 2));
}

//! Adapters of the store, as they are served.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use truefill_model::adapter::{Adapter, LowRank};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::store::{Arm, Draft, Kind, Serving};
use truefill_model::weights::{LayerPart, TensorName, WeightDtype};
use truefill_server::commands::models::{DEFAULT_ADAPTER, Shipped};
use truefill_server::config::Config;
use truefill_server::engine::lineup::Lineup;
use truefill_server::engine::open::{lineup, open};
use truefill_server::engine::{CancelToken, Engine, EngineRequest, Flow, Sampling};
use truefill_server::paths::Paths;

use crate::user::*;

/// Writes an adapter of a model into a folder.
fn write(model: &Path, strength: f32, folder: &Path) {
    let checkpoint = Checkpoint::open(model).unwrap();
    let config = &checkpoint.config;
    let draw = |count: usize| (0..count).map(|at| (at * 31 % 17) as f32 / 17.0 - 0.5);
    let matrices = (0..config.layers).map(|layer| {
        let name = TensorName::weight(layer, LayerPart::Down);
        let name = name.spell(config.family, checkpoint.weights.naming());
        let shape = checkpoint.weights.tensor(&name.unwrap()).unwrap().shape;
        LowRank {
            layer,
            part: LayerPart::Down,
            a: draw(2 * shape[1]).collect(),
            b: draw(shape[0] * 2).map(|value| value * strength).collect(),
        }
    });
    let adapter = Adapter {
        rank: 2,
        alpha: 4.0,
        base: "base".into(),
        matrices: matrices.collect(),
        rows: None,
    };
    adapter.write(folder, config, WeightDtype::F16).unwrap();
}

/// Puts an adapter on a base into the store; gives its id.
fn install(user: &User, base: &str, strength: f32) -> String {
    let store = user.store();
    let base = store.get(&base.parse().unwrap()).unwrap();
    let staging = store.stage().unwrap();
    write(&base.folder, strength, staging.folder());
    let draft = Draft {
        name: "tuned".into(),
        kind: Kind::Adapter,
        base: Some(base.manifest.id().clone()),
        ..base.manifest.about().clone()
    };
    let installed = store.install(staging, draft).unwrap();
    installed.id.as_str().to_owned()
}

fn serve(user: &User, id: &str) -> Arc<dyn Engine> {
    let paths = Paths::from_home(Some(user.path("data").into())).unwrap();
    let mut config = Config::default();
    config.model.id = id.to_owned();
    open(&paths, &config).unwrap()
}

fn tokens(engine: &dyn Engine) -> Vec<u32> {
    let request = EngineRequest {
        document: "file:///a.py".into(),
        prefix: "def add(a, b):\n    return ".into(),
        suffix: "\n".into(),
        path: None,
        repo: None,
        chunks: Vec::new(),
        window_tokens: 64,
        suffix_share: 0.25,
        max_new_tokens: 12,
        sampling: Sampling::GREEDY,
        deadline: None,
    };
    let made = engine.complete(&request, &CancelToken::new(), &mut |_| Flow::Continue);
    made.unwrap().tokens
}

/// What is served under an adapter's id is its base with it; where it changes nothing, the base.
#[test]
fn an_adapter_is_served_on_its_base() {
    let user = User::new();
    let gguf = fixture("gguf/llama-f32.gguf");
    assert!(user.run(&["pull", gguf.to_str().unwrap()]).success);
    let base = user.id("llama-f32");
    let (nothing, much) = (install(&user, &base, 0.0), install(&user, &base, 4.0));
    let [of_base, of_nothing, of_much] = [&base, &nothing, &much].map(|id| {
        let engine = serve(&user, id);
        assert_eq!(engine.info().checkpoint, *id);
        tokens(&*engine)
    });
    assert_eq!(of_base, of_nothing);
    assert_ne!(of_base, of_much);
    assert!(!of_base.is_empty());
}

/// Arms on one base have one copy of its weights, and what a swap leaves as it was is taken over.
#[test]
fn arms_on_one_base_share_its_weights() {
    let user = User::new();
    let gguf = fixture("gguf/llama-f32.gguf");
    assert!(user.run(&["pull", gguf.to_str().unwrap()]).success);
    let base = user.id("llama-f32");
    let (one, two) = (install(&user, &base, 1.0), install(&user, &base, 4.0));
    let paths = Paths::from_home(Some(user.path("data").into())).unwrap();
    let opened = |arms: &[&String], before: Option<&Lineup>| {
        let store = user.store();
        let generation = store.serving().unwrap().generation;
        let arm = |id: &&String| {
            Arm::new(
                format!("arm-{id}").parse().unwrap(),
                id.parse().unwrap(),
                1.0,
            )
        };
        let new = Serving {
            salt: "salt".into(),
            arms: arms.iter().map(arm).collect(),
            ..Serving::default()
        };
        store.swap_serving(generation, new).unwrap();
        lineup(&paths, &Config::default(), before).unwrap()
    };
    let first = opened(&[&base, &one], None);
    let second = opened(&[&one, &two, &base], Some(&first));
    let engines: Vec<_> = second
        .slots()
        .map(|slot| Arc::clone(&slot.engine))
        .collect();
    let local = |at: usize| engines[at].local().unwrap();
    assert!(local(0).shares_weights(local(1)) && local(1).shares_weights(local(2)));
    let before: Vec<_> = first.slots().map(|slot| Arc::clone(&slot.engine)).collect();
    assert!(Arc::ptr_eq(&before[1], &engines[0]) && Arc::ptr_eq(&before[0], &engines[2]));
    let texts: Vec<_> = engines.iter().map(|engine| tokens(&**engine)).collect();
    assert_ne!(texts[1], texts[2]);
    assert_eq!(texts[2], tokens(&*serve(&user, &base)));
    // Damage is found before anything is served.
    let weights = user
        .store()
        .folder(&two.parse().unwrap())
        .join("adapter_model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[1..]).unwrap();
    let third = opened(&[&base, &two], Some(&first));
    assert!(
        third.refused.len() == 1 && third.refused[0].contains("manifest"),
        "{:?}",
        third.refused
    );
}

/// An adapter of a model, as a program carries it.
fn shipped(user: &User, model: &Path) -> Shipped {
    let folder = user.path("shipped");
    std::fs::create_dir(&folder).unwrap();
    write(model, 4.0, &folder);
    let file = |(name, _): &(&'static str, &[u8])| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        (*name, &*bytes.leak())
    };
    let files: Vec<_> = DEFAULT_ADAPTER.files.iter().map(file).collect();
    Shipped {
        name: "tiny-fim",
        format: "causal",
        files: files.leak(),
    }
}

/// `default` is the adapter on what was fetched, which has a name of its own; pulled again it is repaired.
#[test]
fn the_default_model_is_the_adapter_that_comes_along() {
    let mut user = User::new();
    let gguf = fixture("gguf/llama-q4_1.gguf");
    user.shipped = Some(shipped(&user, &gguf));
    let pulled = user.run(&["pull", "default", "--from", gguf.to_str().unwrap()]);
    assert!(pulled.success, "{}", pulled.err);
    let (id, base) = (user.id("default"), user.id("default-base"));
    assert!(id.starts_with("tiny-fim-"), "{id}");
    assert!(base.starts_with("smollm2-135m-instruct-q4_1-"), "{base}");
    let expected = format!("an adapter of {base}\n");
    assert!(
        pulled
            .out
            .starts_with(&format!("{id}: llama, format causal v1, ")),
        "{}",
        pulled.out
    );
    assert!(pulled.out.ends_with(&expected), "{}", pulled.out);
    let [with, without] = ["default", "default-base"].map(|name| tokens(&*serve(&user, name)));
    assert_ne!(with, without);

    let weights = user
        .store()
        .folder(&id.parse().unwrap())
        .join("adapter_model.safetensors");
    let whole = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &whole[1..]).unwrap();
    assert_eq!(
        user.run(&["verify", "default"]).code,
        Some(ExitCode::FAILURE)
    );
    assert!(user.run(&["pull", "default"]).success);
    assert_eq!(std::fs::read(&weights).unwrap(), whole);
    assert_eq!((user.id("default"), user.id("default-base")), (id, base));
}

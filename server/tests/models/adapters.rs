//! Adapters of the store, as they are served.

use std::sync::Arc;

use truefill_model::adapter::{Adapter, LowRank};
use truefill_model::checkpoint::Checkpoint;
use truefill_model::store::{Draft, Kind};
use truefill_model::weights::{LayerPart, TensorName, WeightDtype};
use truefill_server::config::Config;
use truefill_server::engine::open::open;
use truefill_server::engine::{CancelToken, Engine, EngineRequest, Flow, Sampling};
use truefill_server::paths::Paths;

use crate::user::*;

/// Puts an adapter on a base into the store; gives its id.
fn install(user: &User, base: &str, strength: f32) -> String {
    let store = user.store();
    let base = store.get(&base.parse().unwrap()).unwrap();
    let checkpoint = Checkpoint::open(&base.folder).unwrap();
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
    let staging = store.stage().unwrap();
    let folder = staging.folder();
    adapter.write(folder, config, WeightDtype::F16).unwrap();
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

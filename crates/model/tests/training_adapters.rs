//! Low-rank adapters and trained rows: what they change, and what they must leave alone.

mod parity_support;

use std::path::{Path, PathBuf};

use parity_support::{Reference, data, distance, open};
use truefill_model::decoder::{Decoder, Precision as Serving};
use truefill_model::error::ModelError;
use truefill_model::tokens::TokenId;
use truefill_model::training::{
    AdamSettings, AdamW, AdapterOptions, Batch, GradDecoder, Options, Precision, Sequence, Trained,
};
use truefill_model::weights::{LayerPart, MemoryWeights, Naming, WeightDtype};

/// All matrices of a model's layers; StarCoder2 has no gate.
fn targets(model: &Path) -> Vec<LayerPart> {
    let mut parts = vec![
        LayerPart::Q,
        LayerPart::K,
        LayerPart::V,
        LayerPart::O,
        LayerPart::Up,
        LayerPart::Down,
    ];
    if !model.ends_with("starcoder2") {
        parts.push(LayerPart::Gate);
    }
    parts
}

fn adapter(targets: &[LayerPart], rows: &[u32]) -> Options {
    Options {
        trained: Trained::Adapter(AdapterOptions {
            rank: 4,
            alpha: 8.0,
            targets: targets.to_vec(),
            rows: rows.iter().copied().map(TokenId).collect(),
            seed: 7,
        }),
        ..Options::default()
    }
}

/// A tied and an untied head, with and without biases.
fn families() -> [PathBuf; 3] {
    ["llama-untied", "qwen2-tied", "starcoder2"].map(|name| data().join(name))
}

fn engines(model: &Path, options: &Options) -> [GradDecoder; 2] {
    let (config, weights) = open(model);
    [false, true].map(|tensors| {
        let options = Options {
            tensors,
            ..options.clone()
        };
        GradDecoder::load(config.clone(), &weights, &options).expect("loads")
    })
}

fn sequences(model: &Path) -> Batch {
    let reference = Reference::open(model);
    let both = [0, 1].map(|i| Sequence::completion(reference.tokens(&format!("ids_{i}")), 5));
    Batch::new(both.to_vec(), 160).expect("a batch")
}

fn train(decoder: &mut GradDecoder, batch: &Batch, steps: usize) -> Vec<f32> {
    let mut optimizer = AdamW::new(AdamSettings::default());
    let mut losses = Vec::new();
    for _ in 0..steps {
        let forward = decoder.forward(batch).expect("forward");
        let found = &forward.scores().log_probabilities;
        let count = found.len();
        losses.push(-found.iter().sum::<f32>() / count as f32);
        decoder
            .backward(forward, &vec![-1.0 / count as f32; count])
            .expect("backward");
        optimizer.step(decoder, 1e-2, 1.0).expect("step");
    }
    losses
}

fn values(decoder: &GradDecoder) -> Vec<(String, Vec<f32>)> {
    let parameters = decoder.parameters().iter();
    parameters
        .map(|p| (p.name.clone(), decoder.values(&p.name).expect("values")))
        .collect()
}

/// The parameters of the model itself, as a source of weights.
fn as_source(decoder: &GradDecoder) -> MemoryWeights {
    let mut source = MemoryWeights::new(Naming::Hub);
    for parameter in decoder.parameters() {
        let beside = parameter.name.contains("lora_") || parameter.name.ends_with(".rows");
        if !beside {
            let values = decoder.values(&parameter.name).expect("values");
            source
                .insert(&parameter.name, WeightDtype::F32, &parameter.shape, &values)
                .expect("fits");
        }
    }
    source
}

fn logits(decoder: &GradDecoder, tokens: &[TokenId]) -> Vec<f32> {
    let config = decoder.config().clone();
    let served = Decoder::on_cpu(config, &as_source(decoder), Serving::Exact, 128).expect("loads");
    let mut cache = served.cache(tokens.len()).expect("cache");
    let all: Vec<usize> = (0..tokens.len()).collect();
    served
        .forward(&mut cache, tokens, &all, &|| false)
        .expect("forward")
}

#[test]
fn an_adapter_begins_as_nothing_and_learns() {
    for model in families() {
        let batch = sequences(&model);
        let (config, weights) = open(&model);
        let plain = GradDecoder::load(config, &weights, &Options::default()).expect("loads");
        let expected = plain.score(&batch).expect("score");
        let [mut kernels, mut tensors] = engines(&model, &adapter(&targets(&model), &[]));
        let trained = kernels.parameters().iter().filter(|p| p.trained);
        assert!(trained.map(|p| &p.name).all(|name| name.contains("lora_")));
        assert!(kernels.score(&batch).expect("score") == expected);
        let losses = train(&mut kernels, &batch, 8);
        assert!(losses[7] < losses[0] - 0.5, "{model:?}: {losses:?}");
        let others = train(&mut tensors, &batch, 8);
        assert!(distance(&losses, &others) < 1e-3, "{losses:?} {others:?}");
    }
}

#[test]
fn merged_equals_unmerged_and_unmerging_restores_every_byte() {
    for model in families() {
        let batch = sequences(&model);
        let rows = [batch.sequences()[0].tokens[10].0, 3];
        for mut decoder in engines(&model, &adapter(&targets(&model), &rows)) {
            let before = values(&decoder);
            train(&mut decoder, &batch, 5);
            let trained = values(&decoder);
            let tables = |name: &str| name.contains("embed_tokens") || name.contains("lm_head");
            let unmerged = decoder.score(&batch).expect("score").log_probabilities;
            decoder.merge().expect("merge");
            let merged = decoder.score(&batch).expect("score").log_probabilities;
            assert!(distance(&merged, &unmerged) <= 1e-5, "{model:?}");
            let gaps = merged
                .iter()
                .zip(&unmerged)
                .map(|(one, other)| (one - other).abs());
            let widest = gaps.fold(0.0f32, f32::max);
            // Nats: twenty units in the last place of a log-probability of ten.
            assert!(widest <= 2e-5, "{model:?}: {widest}");
            // What is saved without adapters is the same model.
            let tokens = &batch.sequences()[0].tokens;
            let served = logits(&decoder, tokens);
            let row = &served[6 * 160..7 * 160];
            let sum: f32 = row.iter().map(|v| v.exp()).sum();
            let found = row[tokens[7].0 as usize] - sum.ln();
            assert!(
                (found - unmerged[2]).abs() <= 1e-4,
                "{found} {}",
                unmerged[2]
            );
            let forward = decoder.forward(&batch).expect("forward");
            let given = vec![0.0; merged.len()];
            assert!(matches!(
                decoder.backward(forward, &given),
                Err(ModelError::Training(_))
            ));
            decoder.unmerge().expect("unmerge");
            assert!(values(&decoder) == trained, "{model:?}: unmerging restores");
            let frozen = before
                .iter()
                .zip(&trained)
                .filter(|((name, _), _)| !name.contains("lora_") && !tables(name));
            for ((name, old), (_, new)) in frozen {
                assert!(old == new, "{model:?}: {name} is frozen");
            }
            assert!(decoder.score(&batch).expect("score").log_probabilities == unmerged);
        }
    }
}

#[test]
fn trained_rows_change_and_no_others() {
    for model in families() {
        let (config, weights) = open(&model);
        let batch = sequences(&model);
        let seen = batch.sequences()[0].tokens[10].0;
        let rows = [seen, 3, 159, 3];
        for mut decoder in engines(&model, &adapter(&[], &rows)) {
            let before = values(&decoder);
            train(&mut decoder, &batch, 3);
            let hidden = config.hidden;
            for ((name, old), (_, new)) in before.iter().zip(values(&decoder)) {
                let table = name.contains("embed_tokens.weight") || name.contains("lm_head.weight");
                if name.ends_with(".rows") {
                    assert!(*old != new, "{model:?} {name}");
                } else if table {
                    for (row, (old, new)) in old.chunks(hidden).zip(new.chunks(hidden)).enumerate()
                    {
                        let trained = rows.contains(&(row as u32));
                        let moves = trained && (name.contains("lm_head") || config.tied_head)
                            || row as u32 == seen;
                        assert!(trained || old == new, "{model:?} {name} {row}");
                        assert!(!moves || old != new, "{model:?} {name} {row}");
                    }
                } else {
                    assert!(*old == new, "{model:?} {name}");
                }
            }
        }
        let unknown = GradDecoder::load(config.clone(), &weights, &adapter(&[], &[200]));
        assert!(matches!(
            unknown,
            Err(ModelError::UnknownToken { token: 200, .. })
        ));
    }
}

#[test]
fn the_gradient_of_rows_is_that_of_the_whole_table_there() {
    let name = "model.embed_tokens.weight";
    for model in families() {
        let (config, weights) = open(&model);
        let batch = sequences(&model);
        let seen = batch.sequences()[0].tokens[10].0;
        let mut ids = [3, 159, seen];
        ids.sort_unstable();
        let mut whole =
            GradDecoder::load(config.clone(), &weights, &Options::default()).expect("loads");
        for mut decoder in engines(&model, &adapter(&[], &ids)) {
            whole.clear_gradients().expect("clear");
            for other in [&mut decoder, &mut whole] {
                let forward = other.forward(&batch).expect("forward");
                let given = vec![0.5; forward.scores().log_probabilities.len()];
                other.backward(forward, &given).expect("backward");
            }
            let all = whole.gradient(name).expect("known").expect("trained");
            let rows = decoder.gradient(&format!("{name}.rows")).expect("known");
            let expected: Vec<f32> = ids
                .iter()
                .flat_map(|id| all[*id as usize * config.hidden..][..config.hidden].to_vec())
                .collect();
            let gap = distance(&rows.expect("trained"), &expected);
            assert!(gap <= 1e-5, "{model:?}: {gap}");
            let table = decoder.gradient(name).expect("known");
            assert!(table.is_none(), "the table is frozen");
        }
    }
}

#[test]
fn an_adapter_in_half_precision_learns_the_same() {
    let model = &families()[0];
    let batch = sequences(model);
    let losses = [Precision::F32, Precision::Bf16].map(|precision| {
        let options = Options {
            precision,
            recompute: 2,
            ..adapter(&targets(model), &[3])
        };
        engines(model, &options).map(|mut decoder| train(&mut decoder, &batch, 8))
    });
    let [[full, _], half] = &losses;
    for half in half {
        assert!(distance(half, full) < 0.02, "{losses:?}");
    }
}

#[test]
fn adapters_that_do_not_fit_are_refused() {
    let (config, weights) = open(&data().join("starcoder2"));
    let refused = |options: &Options| match GradDecoder::load(config.clone(), &weights, options) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    };
    let error = refused(&adapter(&[LayerPart::Gate], &[]));
    assert!(error.contains("starcoder2 has no Gate"), "{error}");
    let error = refused(&adapter(&[LayerPart::FfnNorm], &[]));
    assert!(error.contains("expected matrices"), "{error}");
    let mut options = adapter(&[LayerPart::Q], &[]);
    if let Trained::Adapter(adapter) = &mut options.trained {
        adapter.rank = 0;
    }
    assert!(refused(&options).contains("rank and alpha"));
}

/// A GGUF file stores the rows of queries and keys interleaved: names, values and gradients are the
/// file's.
#[test]
fn values_are_in_the_order_of_their_file() {
    use truefill_model::config::ModelConfig;
    use truefill_model::weights::{GgufFile, WeightSource};
    let file = GgufFile::open(data().join("gguf/llama-f32.gguf")).expect("opens");
    let config = ModelConfig::from_gguf(&file).expect("a config");
    let mut decoder = GradDecoder::load(config, &file, &Options::default()).expect("loads");
    for parameter in decoder.parameters() {
        if file.has(&parameter.name) {
            let expected = file.tensor(&parameter.name).expect("there").to_f32();
            assert!(
                decoder.values(&parameter.name).expect("values") == expected,
                "{}",
                parameter.name
            );
        }
    }
    let name = "blk.0.attn_q.weight";
    let mut values = decoder.values(name).expect("values");
    values[40] += 1.0;
    decoder.set_values(name, &values).expect("set");
    assert!(decoder.values(name).expect("values") == values);
}

//! Weight files as they are written and found: one file, shards, folders.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use truefill_model::weights::gguf::{GgufValue, MetadataValue};
use truefill_model::weights::{
    GgufFile, GgufWriter, MemoryWeights, Naming, RawTensor, SafetensorsFiles, WeightDtype,
    WeightError, WeightSource, write_safetensors,
};

const PARITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/parity");

fn ramp(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (i * 37 % 101) as f32 / 64.0 - 0.75)
        .collect()
}

fn write(path: &Path, tensors: &[(&str, &[usize])]) {
    let mut weights = MemoryWeights::new(Naming::Hub);
    for (name, shape) in tensors {
        let values = ramp(shape.iter().product());
        weights
            .insert(*name, WeightDtype::F32, shape, &values)
            .expect("fits");
    }
    let tensors: Vec<(String, RawTensor<'_>)> = weights
        .names()
        .into_iter()
        .map(|name| (name.clone(), weights.tensor(&name).expect("held")))
        .collect();
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    write_safetensors(path, &tensors, &metadata).expect("writes");
}

/// The message without the folder, which differs from run to run.
fn message<T>(folder: &Path, result: Result<T, WeightError>) -> String {
    let text = result.err().expect("an error").to_string();
    text.replace(&format!("{}/", folder.display()), "")
        .replace(&folder.display().to_string(), ".")
}

/// An optimiser that has made no step has nothing to keep.
#[test]
fn a_file_without_tensors_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, metadata) in [
        ("none.safetensors", HashMap::new()),
        (
            "some.safetensors",
            HashMap::from([("format".to_owned(), "pt".to_owned())]),
        ),
    ] {
        let path = folder.path().join(name);
        write_safetensors(&path, &[], &metadata).expect("writes");
        let read = SafetensorsFiles::open(&path).expect("reads");
        assert!(read.names().is_empty());
        let bytes = std::fs::read(&path).expect("reads");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
        assert_eq!(header.metadata().as_ref(), Some(&metadata));
    }
}

#[test]
fn a_written_gguf_file_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tiny.gguf");
    let values = ramp(4 * 64);
    let stored = truefill_model::weights::quantise(WeightDtype::Q4_1, &values).expect("encodes");
    let raw = RawTensor {
        dtype: WeightDtype::Q4_1,
        shape: vec![4, 64],
        data: &stored,
    };
    let mut writer = GgufWriter::new();
    writer
        .metadata(
            "general.architecture",
            MetadataValue::String("llama".to_owned()),
        )
        .metadata("a.count", MetadataValue::U32(7))
        .metadata("a.signed", MetadataValue::I32(-7))
        .metadata("a.large", MetadataValue::U64(u64::MAX))
        .metadata("a.number", MetadataValue::F32(0.25))
        .metadata("a.truth", MetadataValue::Bool(false))
        .metadata(
            "a.tokens",
            MetadataValue::Strings(vec!["Ġ".to_owned(), String::new()]),
        )
        .metadata("a.kinds", MetadataValue::I32s(vec![-1, 3]))
        .metadata("a.scores", MetadataValue::F32s(vec![0.5]))
        .metadata("a.ids", MetadataValue::U32s(vec![]))
        .tensor("a.weight", raw)
        .encode("b.weight", WeightDtype::BF16, &[3], &[1.0, -2.0, 0.5])
        .expect("encodes")
        .encode("c.weight", WeightDtype::F32, &[2, 1, 3], &ramp(6))
        .expect("encodes");
    writer.save(&path).expect("writes");

    let file = GgufFile::open(&path).expect("opens");
    assert_eq!(file.names(), ["a.weight", "b.weight", "c.weight"]);
    assert_eq!(file.naming(), Naming::Gguf);
    let a = file.tensor("a.weight").expect("there");
    assert_eq!(
        (a.dtype, a.shape.as_slice(), a.data),
        (WeightDtype::Q4_1, &[4, 64][..], &*stored)
    );
    assert_eq!(
        file.tensor("b.weight").expect("there").to_f32(),
        [1.0, -2.0, 0.5]
    );
    let c = file.tensor("c.weight").expect("there");
    assert_eq!((c.shape.as_slice(), c.to_f32()), (&[2, 1, 3][..], ramp(6)));
    assert_eq!(
        file.metadata("a.large"),
        Some(GgufValue::Unsigned(u64::MAX))
    );
    assert_eq!(file.metadata("a.signed"), Some(GgufValue::Signed(-7)));
    assert_eq!(file.boolean("a.truth").expect("a truth value"), Some(false));
    assert!(
        file.array("a.ids")
            .expect("an array")
            .expect("there")
            .is_empty()
    );
    assert_eq!(file.keys().count(), 10);
    for name in file.names() {
        let data = file.tensor(&name).expect("there").data;
        assert_eq!(
            data.as_ptr() as usize % 32,
            0,
            "{name} is aligned in memory"
        );
    }
}

#[test]
fn what_does_not_fit_its_shape_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bad.gguf");
    for (dtype, shape, bytes) in [
        (WeightDtype::F32, vec![2, 2], 12),
        (WeightDtype::Q8_0, vec![64, 1], 68),
        (WeightDtype::F32, vec![], 4),
        (WeightDtype::F32, vec![1; 5], 4),
    ] {
        let data = vec![0; bytes];
        let tensor = RawTensor {
            dtype,
            shape,
            data: &data,
        };
        let refusal = GgufWriter::new()
            .tensor("t", tensor)
            .save(&path)
            .expect_err("unfit");
        assert!(refusal.to_string().contains("tensor `t`"), "{refusal}");
    }
    for (dtype, bytes) in [(WeightDtype::F32, 12), (WeightDtype::Q8_0, 34)] {
        let data = vec![0; bytes];
        let tensor = RawTensor {
            dtype,
            shape: vec![32],
            data: &data,
        };
        assert!(write_safetensors(&path, &[("t".to_owned(), tensor)], &HashMap::new()).is_err());
    }
    assert!(
        std::fs::read_dir(folder.path())
            .expect("a folder")
            .next()
            .is_none()
    );
}

#[test]
fn a_replaced_file_stays_whole_under_an_open_mapping() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.safetensors");
    write(&path, &[("a", &[64])]);
    let old = SafetensorsFiles::open(&path).expect("opens");
    write(&path, &[("b", &[2])]);
    assert_eq!(old.tensor("a").expect("still mapped").to_f32(), ramp(64));
    assert_eq!(SafetensorsFiles::open(&path).expect("opens").names(), ["b"]);
}

#[test]
fn files_written_by_others_are_read() {
    for model in ["llama-tied", "qwen2-untied", "starcoder2"] {
        let folder = PathBuf::from(PARITY).join(model);
        let weights = SafetensorsFiles::open(&folder).expect("opens");
        let embedding = weights.tensor("model.embed_tokens.weight").expect("there");
        assert_eq!(embedding.shape[0], 160, "{model}");
        assert!(
            embedding.to_f32().iter().all(|value| value.is_finite()),
            "{model}"
        );
        assert_eq!(weights.naming(), Naming::Hub);
    }
}

#[test]
fn shards_are_one_source() {
    let folder = PathBuf::from(PARITY).join("llama-untied");
    let whole = SafetensorsFiles::open(&folder).expect("opens a folder");
    let by_index = SafetensorsFiles::open(folder.join("model.safetensors.index.json"))
        .expect("opens an index");
    let shard = SafetensorsFiles::open(folder.join("model-00002-of-00003.safetensors"))
        .expect("opens one shard");
    assert_eq!(whole.names(), by_index.names());
    assert_eq!((whole.names().len(), whole.files().count()), (30, 3));
    let name = "model.layers.1.self_attn.o_proj.weight";
    assert!(shard.has(name) && !shard.has("lm_head.weight"));
    let (ours, theirs) = (
        whole.tensor(name).expect("there"),
        shard.tensor(name).expect("there"),
    );
    assert_eq!((ours.shape, ours.data), (theirs.shape, theirs.data));
}

#[test]
fn folders_say_what_they_lack() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    insta::assert_snapshot!(message(at, SafetensorsFiles::open(at)),
        @".: the folder: expected `model.safetensors`, `model.safetensors.index.json` or a single safetensors file, found 0 safetensors files and neither");
    write(&at.join("adapter.safetensors"), &[("a", &[2])]);
    assert_eq!(
        SafetensorsFiles::open(at).expect("the only file").names(),
        ["a"]
    );
    write(&at.join("other.safetensors"), &[("b", &[2])]);
    assert!(SafetensorsFiles::open(at).is_err());
    write(&at.join("model.safetensors"), &[("c", &[2])]);
    let weights = SafetensorsFiles::open(at).expect("the file of the usual name");
    assert_eq!(weights.names(), ["c"]);
    insta::assert_snapshot!(message(at, weights.tensor("d")),
        @"model.safetensors: expected a tensor `d`, found none by that name among 1 tensors");
    insta::assert_snapshot!(message(at, SafetensorsFiles::open(at.join("none.safetensors"))),
        @"none.safetensors: cannot be read: No such file or directory (os error 2)");
    insta::assert_snapshot!(message(at, GgufFile::open(at)),
        @".: cannot be read: expected a file, found none");
}

#[test]
fn an_index_is_checked_against_its_shards() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(
        &at.join("one.safetensors"),
        &[("a", &[2]), ("unlisted", &[2])],
    );
    write(&at.join("two.safetensors"), &[("b", &[3])]);
    let index = at.join("model.safetensors.index.json");
    let open = |json: &str| {
        std::fs::write(&index, json).expect("writes");
        SafetensorsFiles::open(at)
    };
    let weights = open(
        r#"{"metadata": {"total_size": 20, "x": [1]},
        "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#,
    )
    .expect("agrees");
    assert_eq!(weights.names(), ["a", "b"]);

    insta::assert_snapshot!(message(at, open(r#"{"weight_map": {"b": "one.safetensors"}}"#)),
        @"one.safetensors: the shard: expected the tensor `b`, as model.safetensors.index.json says, found none of that name");
    insta::assert_snapshot!(message(at, open(r#"{"weight_map": {"a": "../one.safetensors"}}"#)),
        @"model.safetensors.index.json: the index's file of tensor `a`: expected the name of a `.safetensors` file in the same folder, found `../one.safetensors`");
    insta::assert_snapshot!(message(at, open(r#"{"weight_map": {"a": "/etc/passwd"}}"#)),
        @"model.safetensors.index.json: the index's file of tensor `a`: expected the name of a `.safetensors` file in the same folder, found `/etc/passwd`");
    insta::assert_snapshot!(message(at, open(r#"{"weight_map": {"a": "gone.safetensors"}}"#)),
        @"gone.safetensors: cannot be read: No such file or directory (os error 2)");
    insta::assert_snapshot!(
        message(at, open(r#"{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}"#)),
        @"model.safetensors.index.json: the index: expected JSON with a `weight_map`, found `a` stands twice at line 1 column 63");
    insta::assert_snapshot!(message(at, open(r#"{"weight_map": {}}"#)),
        @"model.safetensors.index.json: the index: expected 1 to 512 files, found 0");
    insta::assert_snapshot!(message(at, open("{}")),
        @"model.safetensors.index.json: the index: expected JSON with a `weight_map`, found missing field `weight_map` at line 1 column 2");
}

#[test]
fn types_that_are_not_read_are_named_when_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mask.safetensors");
    let header = br#"{"mask":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header);
    bytes.extend([0, 1]);
    std::fs::write(&path, &bytes).expect("writes");
    let weights = SafetensorsFiles::open(&path).expect("opens");
    insta::assert_snapshot!(message(folder.path(), weights.tensor("mask")),
        @"mask.safetensors: the type BOOL of tensor `mask` is not supported; convert the weights to F32, F16 or BF16");
}

//! The arithmetic of every weight type equals the reference package's, bit for bit. The fixture is
//! made by `scripts/reference/dump_quants.py`.

use truefill_model::weights::gguf::{GgufType, GgufValue};
use truefill_model::weights::{GgufFile, WeightDtype, WeightSource, dequantise, quantise};

fn fixture() -> GgufFile {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/weights/quants.gguf"
    );
    GgufFile::open(path).expect("the fixture opens")
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_type_is_decoded_as_the_reference_does() {
    let file = fixture();
    for dtype in WeightDtype::ALL {
        let stored = file.tensor(dtype.name()).expect("the blocks are there");
        let expected = file
            .tensor(&format!("{dtype}.values"))
            .expect("the values are there");
        assert_eq!((stored.dtype, expected.dtype), (dtype, WeightDtype::F32));
        assert_eq!(
            (stored.shape.as_slice(), stored.elements()),
            ([3, 512].as_slice(), 1536)
        );
        let expected = expected.to_f32();
        assert!(expected.iter().all(|value| value.is_finite()));
        assert_eq!(bits(&stored.to_f32()), bits(&expected), "{dtype}");
    }
}

/// A row decoded by itself equals the row of the whole: rows are whole blocks.
#[test]
fn rows_decode_alone() {
    let file = fixture();
    for dtype in WeightDtype::ALL {
        let stored = file.tensor(dtype.name()).expect("the blocks are there");
        let row_bytes = dtype.bytes_of(512).expect("whole blocks");
        let mut row = vec![0.0; 512];
        dequantise(dtype, &stored.data[row_bytes..2 * row_bytes], &mut row);
        assert_eq!(bits(&row), bits(&stored.to_f32()[512..1024]), "{dtype}");
    }
}

#[test]
fn encoding_rounds_as_the_reference_does() {
    let file = fixture();
    let input = file.tensor("input").expect("the input is there").to_f32();
    for dtype in [
        WeightDtype::F16,
        WeightDtype::BF16,
        WeightDtype::Q8_0,
        WeightDtype::Q4_0,
        WeightDtype::Q4_1,
    ] {
        let expected = file
            .tensor(&format!("{dtype}.encoded"))
            .expect("the blocks are there");
        let encoded = quantise(dtype, &input).expect("encodes");
        assert_eq!(expected.dtype, dtype);
        for (index, (ours, theirs)) in encoded
            .chunks(dtype.block_bytes())
            .zip(expected.data.chunks(dtype.block_bytes()))
            .enumerate()
        {
            assert_eq!(ours, theirs, "{dtype}, block {index}");
        }
        assert_eq!(encoded.len(), expected.data.len());
    }
}

#[test]
fn what_cannot_be_encoded_is_refused() {
    let values = [0.5; 48];
    let refusal = quantise(WeightDtype::Q8_0, &values).expect_err("48 is no multiple of 32");
    insta::assert_snapshot!(refusal, @"cannot encode 48 values as Q8_0: they do not fill whole blocks of the type");
}

fn decoded(dtype: WeightDtype, values: &[f32]) -> Vec<f32> {
    let mut decoded = vec![0.0; values.len()];
    let bytes = quantise(dtype, values).expect("encodes");
    dequantise(dtype, &bytes, &mut decoded);
    decoded
}

#[test]
fn every_type_keeps_values_within_its_steps() {
    let ramp = |i: usize| ((i * 37 % 211) as f32 - 105.0) / 105.0;
    let ramp: Vec<f32> = (0..1024).map(ramp).collect();
    let mut sparse = vec![0.0; 1024];
    sparse[300] = -1.0;
    let all = [
        ramp,
        sparse,
        vec![0.0; 1024],
        vec![0.5; 1024],
        vec![-0.5; 1024],
    ];
    for (dtype, most) in [
        (WeightDtype::Q5_0, 0.08),
        (WeightDtype::Q5_1, 0.08),
        (WeightDtype::Q4K, 0.16),
        (WeightDtype::Q5K, 0.08),
        (WeightDtype::Q6K, 0.05),
    ] {
        for (nth, values) in all.iter().enumerate() {
            let decoded = decoded(dtype, values);
            let gaps = decoded.iter().zip(values).map(|(a, b)| (a - b).abs());
            let found = gaps.fold(0.0f32, |most, gap| if gap <= most { most } else { gap });
            assert!(found <= most, "{dtype} {nth}: {found}");
            assert!(found > 0.0 || nth > 0, "{dtype}: nothing was rounded");
        }
    }
}

/// The finer of the tensor library's two searches for scales; the other one's errors are 0.073, 0.036
/// and 0.0179.
#[test]
fn blocks_of_256_are_rounded_finely() {
    use rand::{RngExt, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let mut draw = || random.random_range(-1.0f32..1.0);
    let values: Vec<f32> = (0..1 << 18).map(|_| (0..6).map(|_| draw()).sum()).collect();
    let square = |terms: &mut dyn Iterator<Item = f32>| -> f64 {
        terms.map(|term| f64::from(term).powi(2)).sum()
    };
    for (dtype, most) in [
        (WeightDtype::Q4K, 0.070),
        (WeightDtype::Q5K, 0.035),
        (WeightDtype::Q6K, 0.0177),
    ] {
        let decoded = decoded(dtype, &values);
        let error = square(&mut decoded.iter().zip(&values).map(|(a, b)| a - b));
        let found = (error / square(&mut values.iter().copied())).sqrt();
        assert!(found <= most, "{dtype}: {found}");
    }
}

#[test]
fn metadata_of_every_type_is_read() {
    let file = fixture();
    assert_eq!(file.version(), 3);
    for (key, expected) in [
        ("test.u8", GgufValue::Unsigned(200)),
        ("test.i8", GgufValue::Signed(-100)),
        ("test.u16", GgufValue::Unsigned(60_000)),
        ("test.i16", GgufValue::Signed(-30_000)),
        ("test.u32", GgufValue::Unsigned(4_000_000_000)),
        ("test.i32", GgufValue::Signed(-2_000_000_000)),
        ("test.u64", GgufValue::Unsigned((1 << 63) + 1)),
        ("test.i64", GgufValue::Signed(-(1 << 62))),
        ("test.f32", GgufValue::Float(f64::from(0.1f32))),
        ("test.f64", GgufValue::Float(0.1)),
        ("test.bool", GgufValue::Bool(true)),
        ("test.string", GgufValue::String("a tab\t, an é and a 😀")),
        ("general.architecture", GgufValue::String("test")),
    ] {
        assert_eq!(file.metadata(key), Some(expected), "{key}");
    }
    assert_eq!(file.metadata("test.absent"), None);
}

#[test]
fn arrays_are_read_when_asked_for() {
    let file = fixture();
    let array = |key| file.array(key).expect("an array").expect("present");
    let strings: Vec<&[u8]> = array("test.strings").strings().expect("strings").collect();
    assert_eq!(strings, [b"one".as_slice(), b"", "drei 三".as_bytes()]);
    assert!(array("test.strings").scalars().is_none());
    let numbers: Vec<_> = array("test.u16s").scalars().expect("numbers").collect();
    assert_eq!(numbers, [1, 2, 65_535].map(GgufValue::Unsigned));
    assert_eq!(array("test.u16s").element(), GgufType::U16);
    assert!(array("test.u16s").strings().is_none());
    let floats: Vec<_> = array("test.floats").scalars().expect("numbers").collect();
    assert_eq!(floats, [0.5, -1.5].map(GgufValue::Float));
}

#[test]
fn a_value_of_another_type_is_an_error_that_says_so() {
    let file = fixture();
    let message = |error: truefill_model::weights::WeightError| {
        let text = error.to_string();
        text.split_once("quants.gguf: ")
            .expect("names the file")
            .1
            .to_owned()
    };
    assert_eq!(file.unsigned("test.absent").expect("no error"), None);
    insta::assert_snapshot!(message(file.unsigned("test.i8").expect_err("negative")),
        @"metadata `test.i8`: expected a number without sign or fraction, found -100");
    insta::assert_snapshot!(message(file.float("test.string").expect_err("a string")),
        @r#"metadata `test.string`: expected a number, found "a tab\t, an é and a 😀""#);
    insta::assert_snapshot!(message(file.string("test.strings").expect_err("an array")),
        @"metadata `test.strings`: expected a string, found an array of 3 String");
    insta::assert_snapshot!(message(file.boolean("test.u32").expect_err("a number")),
        @"metadata `test.u32`: expected a truth value, found 4000000000");
}

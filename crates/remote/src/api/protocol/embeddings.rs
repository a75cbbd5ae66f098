//! `POST /v1/embeddings`.

use serde_json::{Value, json};

use super::{Usage, field, items, usage};

/// The path that embedding requests go to.
pub(in crate::api) const EMBEDDINGS_PATH: &str = "v1/embeddings";

/// The body of a request for the embeddings of `texts`.
pub(in crate::api) fn body(model: &str, texts: &[String]) -> Value {
    json!({"model": model, "input": texts, "encoding_format": "float"})
}

/// The vectors in the order of the texts.
///
/// # Errors
/// What was expected and what was found.
pub(in crate::api) fn parse(
    body: &[u8],
    expected: usize,
) -> Result<(Vec<Vec<f32>>, Usage), String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let rows = items(&value, "data")?;
    if rows.len() != expected {
        return Err(format!("expected {expected} vectors, found {}", rows.len()));
    }
    let mut vectors = vec![Vec::new(); expected];
    for (place, row) in rows.iter().enumerate() {
        let index = match row.get("index").and_then(Value::as_u64) {
            Some(index) => usize::try_from(index).unwrap_or(usize::MAX),
            None => place,
        };
        let vector = vector(field(row, "embedding")?)?;
        *vectors
            .get_mut(index)
            .ok_or_else(|| format!("a vector with the index {index}"))? = vector;
    }
    let width = vectors.first().map_or(0, Vec::len);
    if width == 0 || vectors.iter().any(|vector| vector.len() != width) {
        return Err("expected vectors of one width, found others".to_owned());
    }
    Ok((vectors, usage(&value, "prompt_tokens", "completion_tokens")))
}

fn vector(value: &Value) -> Result<Vec<f32>, String> {
    let numbers = value.as_array().ok_or("expected a list of numbers")?;
    numbers
        .iter()
        .map(|number| {
            let number = number.as_f64().map(|number| number as f32);
            number
                .filter(|number| number.is_finite())
                .ok_or_else(|| "expected finite numbers".to_owned())
        })
        .collect()
}

//! How similar two completions are. FGit takes the cosine of embeddings: by UniXcoder, by an
//! `/v1/embeddings` endpoint, or by the mean hidden state of a checkpoint of ours. The lexical
//! measure is the fallback, and the manifest names it.

use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;
use truefill_remote::api::{Client, EmbedRequest};

use super::encoder::{Embed, Encoder, Hidden};
use super::recipe::TeacherConfig;
use crate::panel::AskError;
use crate::panel::http::{ask_error, keep_secrets};

/// Scores on their way; an error as that of a question.
pub type Scored<'a> = Pin<Box<dyn Future<Output = Result<Vec<f64>, AskError>> + Send + 'a>>;

/// The measure that runs here, as the recipe names it.
///
/// # Errors
/// What is wrong with an encoder or a checkpoint.
pub fn open(teacher: &TeacherConfig) -> Result<Arc<dyn Similarity>> {
    Ok(match (&teacher.encoder, &teacher.model) {
        (Some(folder), _) => Arc::new(Here(Arc::new(Encoder::open(folder)?))),
        (None, Some(path)) => Arc::new(Here(Arc::new(Hidden::open(path)?))),
        (None, None) => Arc::new(Lexical),
    })
}

/// Measures how similar variants are to a golden completion; 1 is the same.
pub trait Similarity: Send + Sync {
    /// Its name in the manifest.
    fn name(&self) -> String;

    /// A score for each variant, in their order.
    fn scores<'a>(
        &'a self,
        subject: &'a str,
        golden: &'a str,
        variants: &'a [String],
    ) -> Scored<'a>;
}

/// The cosine of embeddings.
pub struct Embeddings {
    client: Client,
}

impl Embeddings {
    /// Asks the endpoint of `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Similarity for Embeddings {
    fn name(&self) -> String {
        format!("cosine of embeddings by {}", self.client.config().model)
    }

    fn scores<'a>(
        &'a self,
        subject: &'a str,
        golden: &'a str,
        variants: &'a [String],
    ) -> Scored<'a> {
        Box::pin(async move {
            let mut texts = vec![golden.to_owned()];
            texts.extend_from_slice(variants);
            keep_secrets(texts.iter().map(String::as_str))?;
            let request = EmbedRequest {
                subject: subject.to_owned(),
                texts,
            };
            let vectors = self.client.embed(&request).await.map_err(ask_error)?;
            let Some((golden, variants)) = vectors.split_first() else {
                return Ok(Vec::new());
            };
            Ok(variants.iter().map(|v| cosine(golden, v)).collect())
        })
    }
}

/// The cosine of embeddings by a model that runs here.
struct Here<E>(Arc<E>);

impl<E: Embed + 'static> Similarity for Here<E> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn scores<'a>(&'a self, _: &'a str, golden: &'a str, variants: &'a [String]) -> Scored<'a> {
        let (embed, golden) = (Arc::clone(&self.0), golden.to_owned());
        let variants = variants.to_vec();
        Box::pin(async move {
            // It computes: other tasks go on meanwhile.
            let scores = tokio::task::spawn_blocking(move || -> Result<Vec<f64>> {
                let golden = embed.embed(&golden)?;
                let scores = variants
                    .iter()
                    .map(|variant| Ok(cosine(&golden, &embed.embed(variant)?)));
                scores.collect()
            });
            let stopped = |why: String| AskError::Stop(format!("the measure of similarity: {why}"));
            let scores = scores.await.map_err(|error| stopped(error.to_string()))?;
            scores.map_err(|error| stopped(format!("{error:#}")))
        })
    }
}

/// Levenshtein's distance, as a share of the longer text: no measure of meaning.
pub struct Lexical;

impl Similarity for Lexical {
    fn name(&self) -> String {
        "lexical: normalised Levenshtein (no embeddings were named)".to_owned()
    }

    fn scores<'a>(&'a self, _: &'a str, golden: &'a str, variants: &'a [String]) -> Scored<'a> {
        let score = |variant: &String| strsim::normalized_levenshtein(golden, variant);
        let scores = variants.iter().map(score).collect();
        Box::pin(std::future::ready(Ok(scores)))
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        let products = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y));
        products.sum()
    };
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm > 0.0 { dot(a, b) / norm } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines() {
        assert!((cosine(&[1.0, 0.0], &[2.0, 0.0]) - 1.0).abs() < 1e-12);
        assert!(cosine(&[1.0, 0.0], &[0.0, 3.0]).abs() < 1e-12);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }
}

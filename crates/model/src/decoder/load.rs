//! From a source's tensors to a decoder's weights, every shape checked against the configuration.

use crate::config::{Family, ModelConfig, NormKind, RopeLayout};
use crate::decoder::network::{DecoderWeights, FeedForward, LayerWeights};
use crate::error::{ModelError, Result};
use crate::ops::{Loader, NamedWeight};
use crate::weights::{LayerPart, RawTensor, TensorName, WeightSource};
use crate::write::biased;

/// Loads every weight of the decoder through `loader`.
///
/// # Errors
/// Where a tensor is missing or of another shape than the configuration says, a bias is there that
/// it does not name, or the loader refuses the values.
pub fn load_weights<L: Loader>(
    loader: &mut L,
    config: &ModelConfig,
    source: &dyn WeightSource,
) -> Result<DecoderWeights<L::Weights>> {
    let reader = Reader { config, source };
    let shape = [config.vocabulary, config.hidden];
    let embedding = loader.embedding(reader.plain(TensorName::Embedding, &shape)?)?;
    let layers = (0..config.layers)
        .map(|index| reader.layer(loader, index))
        .collect::<Result<Vec<_>>>()?;
    let [norm, bias] = [false, true].map(|bias| TensorName::OutputNorm { bias });
    let biased = config.norm == NormKind::Layer;
    let output_norm = loader.norm(reader.named(norm, bias, biased, &[config.hidden])?)?;
    let head = if config.tied_head {
        loader.tied_head(&embedding, reader.plain(TensorName::Embedding, &shape)?)?
    } else {
        loader.linear(reader.plain(TensorName::Head, &shape)?)?
    };
    Ok(DecoderWeights {
        embedding,
        layers,
        output_norm,
        head,
    })
}

struct Reader<'a> {
    config: &'a ModelConfig,
    source: &'a dyn WeightSource,
}

impl<'a> Reader<'a> {
    fn layer<L: Loader>(&self, loader: &mut L, index: usize) -> Result<LayerWeights<L::Weights>> {
        let config = self.config;
        let (hidden, ffn) = (config.hidden, config.ffn);
        let (queries, keys) = (
            config.heads * config.head_dim,
            config.kv_heads * config.head_dim,
        );
        let part = |part, shape: [usize; 2]| self.part(index, part, &shape);
        let norm = |part| self.part(index, part, &[hidden]);
        let feed_forward = match config.family {
            Family::Llama | Family::Qwen2 => FeedForward::Gated {
                gate_up: loader.gated([
                    part(LayerPart::Gate, [ffn, hidden])?,
                    part(LayerPart::Up, [ffn, hidden])?,
                ])?,
                down: loader.linear(part(LayerPart::Down, [hidden, ffn])?)?,
            },
            Family::StarCoder2 => FeedForward::Plain {
                up: loader.linear(part(LayerPart::Up, [ffn, hidden])?)?,
                down: loader.linear(part(LayerPart::Down, [hidden, ffn])?)?,
            },
        };
        Ok(LayerWeights {
            attention_norm: loader.norm(norm(LayerPart::AttnNorm)?)?,
            attention: loader.attention([
                part(LayerPart::Q, [queries, hidden])?,
                part(LayerPart::K, [keys, hidden])?,
                part(LayerPart::V, [keys, hidden])?,
            ])?,
            output: loader.linear(part(LayerPart::O, [hidden, queries])?)?,
            feed_forward_norm: loader.norm(norm(LayerPart::FfnNorm)?)?,
            feed_forward,
        })
    }

    fn part(&self, index: usize, part: LayerPart, shape: &[usize]) -> Result<NamedWeight<'a>> {
        let mut named = self.named(
            TensorName::weight(index, part),
            TensorName::bias(index, part),
            biased(self.config, part),
            shape,
        )?;
        let turned = matches!(part, LayerPart::Q | LayerPart::K);
        if turned && self.config.rope_layout == RopeLayout::Interleaved {
            named.interleaved = Some(self.config.head_dim);
            if let Some(stored) = named.bias.take() {
                let rows = (0..stored.len()).map(|row| stored[named.source_row(row)]);
                named.bias = Some(rows.collect());
            }
        }
        Ok(named)
    }

    fn plain(&self, name: TensorName, shape: &[usize]) -> Result<NamedWeight<'a>> {
        let name = self.spell(name)?;
        Ok(NamedWeight {
            weight: self.checked(&name, shape)?,
            name,
            bias: None,
            interleaved: None,
        })
    }

    /// A weight and, where the configuration says so, the bias of its output features. A bias that
    /// is there against the configuration is refused: one of the two is not this model's.
    fn named(
        &self,
        weight: TensorName,
        bias: TensorName,
        biased: bool,
        shape: &[usize],
    ) -> Result<NamedWeight<'a>> {
        let mut named = self.plain(weight, shape)?;
        let bias = self.spell(bias)?;
        if biased {
            named.bias = Some(self.checked(&bias, &shape[..1])?.to_f32());
        } else if self.source.has(&bias) {
            return Err(ModelError::UnexpectedBias { name: bias });
        }
        Ok(named)
    }

    fn spell(&self, name: TensorName) -> Result<String> {
        name.spell(self.config.family, self.source.naming())
            .ok_or(ModelError::internal("the family has this weight"))
    }

    fn checked(&self, name: &str, shape: &[usize]) -> Result<RawTensor<'a>> {
        let tensor = self.source.tensor(name)?;
        if tensor.shape != shape {
            return Err(ModelError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape,
            });
        }
        Ok(tensor)
    }
}

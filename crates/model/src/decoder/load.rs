//! From a source's tensors to a decoder's weights, every shape checked against the configuration.

use crate::config::{Family, ModelConfig, NormKind, RopeLayout};
use crate::decoder::network::{DecoderWeights, FeedForward, LayerWeights};
use crate::error::{ModelError, Result};
use crate::ops::{Loader, NamedWeight, rows_from_file};
use crate::weights::{LayerPart, RawTensor, TensorName, WeightSource};

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
    let embedding = loader.embedding(reader.plain(TensorName::Embedding)?)?;
    let layers = (0..config.layers)
        .map(|index| reader.layer(loader, index))
        .collect::<Result<Vec<_>>>()?;
    let [norm, bias] = [false, true].map(|bias| TensorName::OutputNorm { bias });
    let biased = config.norm == NormKind::Layer;
    let output_norm = loader.norm(reader.named(norm, bias, biased)?)?;
    let head = if config.tied_head {
        loader.tied_head(&embedding, reader.plain(TensorName::Embedding)?)?
    } else {
        loader.linear(reader.plain(TensorName::Head)?)?
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
        let part = |part| self.part(index, part);
        let feed_forward = match self.config.family {
            Family::Llama | Family::Qwen2 => FeedForward::Gated {
                gate_up: loader.gated([part(LayerPart::Gate)?, part(LayerPart::Up)?])?,
                down: loader.linear(part(LayerPart::Down)?)?,
            },
            Family::StarCoder2 => FeedForward::Plain {
                up: loader.linear(part(LayerPart::Up)?)?,
                down: loader.linear(part(LayerPart::Down)?)?,
            },
        };
        Ok(LayerWeights {
            attention_norm: loader.norm(part(LayerPart::AttnNorm)?)?,
            attention: loader.attention([
                part(LayerPart::Q)?,
                part(LayerPart::K)?,
                part(LayerPart::V)?,
            ])?,
            output: loader.linear(part(LayerPart::O)?)?,
            feed_forward_norm: loader.norm(part(LayerPart::FfnNorm)?)?,
            feed_forward,
        })
    }

    fn part(&self, index: usize, part: LayerPart) -> Result<NamedWeight<'a>> {
        let mut named = self.named(
            TensorName::weight(index, part),
            TensorName::bias(index, part),
            part.biased(self.config),
        )?;
        let turned = matches!(part, LayerPart::Q | LayerPart::K);
        if turned && self.config.rope_layout == RopeLayout::Interleaved {
            named.interleaved = Some(self.config.head_dim);
            if let Some(stored) = named.bias.take() {
                let rows = stored.len();
                named.bias = Some(rows_from_file(&stored, self.config.head_dim, rows));
            }
        }
        Ok(named)
    }

    fn plain(&self, name: TensorName) -> Result<NamedWeight<'a>> {
        Ok(NamedWeight {
            weight: self.checked(name)?,
            name: self.spell(name)?,
            bias: None,
            interleaved: None,
        })
    }

    /// A weight and, where the configuration says so, the bias of its output features. A bias that
    /// is there against the configuration is refused: one of the two is not this model's.
    fn named(&self, weight: TensorName, bias: TensorName, biased: bool) -> Result<NamedWeight<'a>> {
        let mut named = self.plain(weight)?;
        let name = self.spell(bias)?;
        if biased {
            named.bias = Some(self.checked(bias)?.to_f32());
        } else if self.source.has(&name) {
            return Err(ModelError::UnexpectedBias { name });
        }
        Ok(named)
    }

    fn spell(&self, name: TensorName) -> Result<String> {
        name.spell(self.config.family, self.source.naming())
            .ok_or(ModelError::internal("the family has this weight"))
    }

    fn checked(&self, name: TensorName) -> Result<RawTensor<'a>> {
        let (name, expected) = (self.spell(name)?, name.shape(self.config));
        let tensor = self.source.tensor(&name)?;
        if tensor.shape != expected {
            return Err(ModelError::Shape {
                name,
                expected,
                found: tensor.shape,
            });
        }
        Ok(tensor)
    }
}

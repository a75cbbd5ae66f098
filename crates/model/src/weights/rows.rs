//! The order of query and key rows.
//!
//! Rotary embedding turns pairs of features. Hub checkpoints pair feature `i` of a head with
//! `i + head_dim / 2`; GGUF files of the llama architecture store the rows of queries and keys so
//! that a pair is adjacent. A row is whole quantised blocks, so the two orders differ by moving
//! bytes.

use super::RawTensor;

/// The bytes of a llama-architecture GGUF's query or key weight (or bias) in the hub's order.
///
/// `tensor` is `[heads * head_dim, …]`; `None` where its rows are no whole heads of an even size,
/// or no whole bytes.
pub fn unpermute_rows(tensor: &RawTensor<'_>, head_dim: usize) -> Option<Vec<u8>> {
    reorder(tensor, head_dim, |row| {
        let (pair, half) = (row % (head_dim / 2), row / (head_dim / 2));
        2 * pair + half
    })
}

/// The inverse of [`unpermute_rows`]: from the hub's order to a llama-architecture GGUF's.
pub fn permute_rows(tensor: &RawTensor<'_>, head_dim: usize) -> Option<Vec<u8>> {
    reorder(tensor, head_dim, |row| row / 2 + row % 2 * (head_dim / 2))
}

/// `source(i)` is the row, within a head, that becomes row `i`.
fn reorder(
    tensor: &RawTensor<'_>,
    head_dim: usize,
    source: impl Fn(usize) -> usize,
) -> Option<Vec<u8>> {
    let rows = *tensor.shape.first()?;
    let whole_heads = head_dim > 0 && head_dim.is_multiple_of(2) && rows.is_multiple_of(head_dim);
    if !whole_heads || rows == 0 || !tensor.data.len().is_multiple_of(rows) {
        return None;
    }
    let row_bytes = tensor.data.len() / rows;
    if row_bytes == 0 || !row_bytes.is_multiple_of(tensor.dtype.block_bytes()) {
        return None;
    }
    let mut ordered = Vec::with_capacity(tensor.data.len());
    for head in tensor.data.chunks_exact(head_dim * row_bytes) {
        for row in 0..head_dim {
            ordered.extend_from_slice(&head[source(row) * row_bytes..][..row_bytes]);
        }
    }
    Some(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{WeightDtype, quantise};

    /// Two heads of six rows; a row's values are its number.
    fn hub_rows(cols: usize) -> Vec<f32> {
        (0..12)
            .flat_map(|row| std::iter::repeat_n(row as f32, cols))
            .collect()
    }

    /// The converter reshapes `[heads, 2, head_dim / 2]` and swaps the last two axes: the pairs
    /// (0, 3), (1, 4), (2, 5) become neighbours.
    const GGUF_ORDER: [f32; 12] = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0, 6.0, 9.0, 7.0, 10.0, 8.0, 11.0];

    #[test]
    fn rows_of_quantised_blocks_move_whole() {
        for dtype in [WeightDtype::F32, WeightDtype::Q8_0, WeightDtype::Q4_1] {
            let data = quantise(dtype, &hub_rows(64)).expect("quantises");
            let hub = RawTensor {
                dtype,
                shape: vec![12, 64],
                data: &data,
            };
            let permuted = permute_rows(&hub, 6).expect("whole heads");
            let gguf = RawTensor {
                dtype,
                shape: vec![12, 64],
                data: &permuted,
            };
            let firsts: Vec<f32> = gguf.to_f32().chunks(64).map(|row| row[0].round()).collect();
            assert_eq!(firsts, GGUF_ORDER, "{dtype}");
            assert_eq!(
                unpermute_rows(&gguf, 6).expect("whole heads"),
                data,
                "{dtype}"
            );
        }
    }

    #[test]
    fn biases_move_as_their_rows_do() {
        let data = quantise(WeightDtype::F32, &hub_rows(1)).expect("encodes");
        let hub = RawTensor {
            dtype: WeightDtype::F32,
            shape: vec![12],
            data: &data,
        };
        let permuted = permute_rows(&hub, 6).expect("whole heads");
        let gguf = RawTensor {
            dtype: WeightDtype::F32,
            shape: vec![12],
            data: &permuted,
        };
        assert_eq!(gguf.to_f32(), GGUF_ORDER);
    }

    #[test]
    fn what_is_not_whole_heads_is_refused() {
        let data = quantise(WeightDtype::F32, &hub_rows(1)).expect("encodes");
        for (rows, head_dim) in [(12, 0), (12, 3), (12, 8), (0, 6), (7, 6)] {
            let tensor = RawTensor {
                dtype: WeightDtype::F32,
                shape: vec![rows],
                data: &data,
            };
            assert_eq!(unpermute_rows(&tensor, head_dim), None, "{rows} {head_dim}");
        }
        let empty = RawTensor {
            dtype: WeightDtype::F32,
            shape: vec![],
            data: &[],
        };
        assert_eq!(permute_rows(&empty, 6), None);
    }
}

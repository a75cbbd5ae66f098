use super::*;

const SHAPE: HeadShape = HeadShape {
    heads: 4,
    kv_heads: 2,
    head_dim: 10,
};

fn noise(count: usize, seed: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (((i + 7 * seed) * 2_654_435_761) % 1999) as f32 / 1000.0 - 1.0)
        .collect()
}

/// Attention written down as it is defined, in `f64`: the sum of outputs times `d_out`.
fn oracle(joint: &[f64], sequences: &[Range<usize>], window: Option<usize>, d_out: &[f32]) -> f64 {
    let (width, dim) = (SHAPE.joint_width(), SHAPE.head_dim);
    let mut total = 0.0;
    for rows in sequences {
        for (row, head) in rows
            .clone()
            .flat_map(|row| (0..SHAPE.heads).map(move |h| (row, h)))
        {
            let query = &joint[row * width + head * dim..][..dim];
            let first = window.map_or(rows.start, |w| (row + 1).saturating_sub(w).max(rows.start));
            let at = SHAPE.query_width() + head / 2 * dim;
            let scores: Vec<f64> = (first..=row)
                .map(|p| {
                    let key = &joint[p * width + at..][..dim];
                    let sum: f64 = query.iter().zip(key).map(|(a, b)| a * b).sum();
                    (sum / (dim as f64).sqrt()).exp()
                })
                .collect();
            let sum: f64 = scores.iter().sum();
            for (p, score) in (first..=row).zip(scores) {
                let value = &joint[p * width + at + SHAPE.kv_width()..][..dim];
                let d_out = &d_out[row * SHAPE.query_width() + head * dim..][..dim];
                let dot: f64 = value
                    .iter()
                    .zip(d_out)
                    .map(|(v, d)| v * f64::from(*d))
                    .sum();
                total += score / sum * dot;
            }
        }
    }
    total
}

#[test]
fn attention_and_its_gradient_match_the_definition() {
    // Lengths around the edges of blocks; one sequence does not see the other.
    let sequences = [0..1, 1..66, 66..66, 66..210];
    let pool = Arc::new(Pool::default());
    let values = noise(210 * SHAPE.joint_width(), 1);
    let d_out = noise(210 * SHAPE.query_width(), 2);
    for window in [None, Some(70), Some(1)] {
        let mut joint = pool.take::<f32>(values.len());
        joint.copy_from_slice(&values);
        let attention = Attention {
            pool: &pool,
            precision: Precision::F32,
            shape: SHAPE,
            window,
            sequences: &sequences,
            joint: &Kept::Full(joint),
        };
        let (out, sums) = attention.forward();
        let Kept::Full(out_values) = &out else {
            panic!("exact")
        };
        let total: f64 = out_values
            .iter()
            .zip(&d_out)
            .map(|(a, b)| f64::from(a * b))
            .sum();
        let wide: Vec<f64> = values.iter().copied().map(f64::from).collect();
        let exact = oracle(&wide, &sequences, window, &d_out);
        assert!((total - exact).abs() < 1e-3, "{window:?}: {total} {exact}");
        let gradient = attention.backward(&d_out, &out, &sums);
        for at in (0..wide.len()).step_by(397) {
            let slope: f64 = [1e-4, -1e-4]
                .into_iter()
                .map(|step| {
                    let mut moved = wide.clone();
                    moved[at] += step;
                    oracle(&moved, &sequences, window, &d_out) / (2.0 * step)
                })
                .sum();
            let found = f64::from(gradient[at]);
            assert!(
                (found - slope).abs() < 1e-4,
                "{window:?} {at}: {found} {slope}"
            );
        }
    }
}

//! Functions that keep their digits where the plain formula loses them.

/// `ln σ(x)`.
pub fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// `σ(x)`.
pub fn sigmoid(x: f64) -> f64 {
    match x < 0.0 {
        true => x.exp() / (1.0 + x.exp()),
        false => 1.0 / (1.0 + (-x).exp()),
    }
}

/// `ln(1 − e^x)` for `x < 0` (Mächler, "Accurately computing log(1 − exp(−|a|))").
pub fn log1mexp(x: f64) -> f64 {
    match x > -std::f64::consts::LN_2 {
        true => (-x.exp_m1()).ln(),
        false => (-x.exp()).ln_1p(),
    }
}

/// The sum in double precision.
pub fn sum(logs: &[f32]) -> f64 {
    logs.iter().map(|log| f64::from(*log)).sum()
}

/// The average in double precision.
pub fn mean(logs: &[f32]) -> f64 {
    sum(logs) / logs.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_keep_their_digits_at_the_ends() {
        assert!((log_sigmoid(-800.0) + 800.0).abs() < 1e-9);
        assert!((log_sigmoid(800.0)).abs() < 1e-300);
        assert!((log_sigmoid(0.3) - sigmoid(0.3).ln()).abs() < 1e-15);
        assert!((sigmoid(-2.0) + sigmoid(2.0) - 1.0).abs() < 1e-15);
        assert!((sigmoid(-800.0)) >= 0.0);
        // ln(1 − e^x) is near ln(−x) for small x, and near −e^x for large ones.
        assert!((log1mexp(-1e-12) - 1e-12f64.ln()).abs() < 1e-9);
        assert!((log1mexp(-50.0) + (-50.0f64).exp()).abs() < 1e-30);
        assert!((log1mexp(-0.7) - (1.0 - (-0.7f64).exp()).ln()).abs() < 1e-14);
    }
}

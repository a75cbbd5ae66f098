//! Figures as people read them: percent with one decimal, the same in every table and on every page.

/// A share as a percent with one decimal.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.1}", rounded(share))
}

/// A difference of shares in points of percent.
#[must_use]
pub fn points(share: f64) -> String {
    format!("{:+.1}", rounded(share))
}

/// With one decimal, halves away from nothing, and no sign of nothing.
fn rounded(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!(percent(-0.00001), "0.0");
        assert_eq!(points(-0.0004), "+0.0");
        assert_eq!(points(-0.0016), "-0.2");
        // 1 in 16: `{:.1}` of 6.25 is 6.2.
        assert_eq!(percent(0.0625), "6.3");
    }
}

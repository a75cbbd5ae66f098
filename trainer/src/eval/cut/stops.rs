//! Texts at which a continuation ends: models that only continue go on with the next function.

/// The completion up to the first of the stops, which does not belong to it.
#[must_use]
pub fn before_stop<'a>(completion: &'a str, stops: &[&str]) -> &'a str {
    let ends = stops.iter().filter_map(|stop| completion.find(stop));
    &completion[..ends.min().unwrap_or(completion.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stop_ends() {
        let stops = ["\nclass", "\ndef"];
        assert_eq!(before_stop("    é\n\ndef f():\nclass", &stops), "    é\n");
        assert_eq!(before_stop("def f():", &stops), "def f():");
        assert_eq!(before_stop("\nclass A", &stops), "");
        assert_eq!(before_stop("a", &[]), "a");
    }
}

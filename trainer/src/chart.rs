//! What charts have in common: axes, and marks as SVG. Colours are classes, so that a page sets them.

use std::fmt::Write as _;

/// A part of a line of numbers and where it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// The numbers at its ends.
    pub range: [f64; 2],
    /// Their places, in units of the drawing.
    pub places: [f64; 2],
}

impl Axis {
    /// The place of a number; numbers outside stand at the ends.
    #[must_use]
    pub fn at(&self, value: f64) -> f64 {
        let ([low, high], [from, to]) = (self.range, self.places);
        let width = if high > low { high - low } else { 1.0 };
        from + ((value - low) / width).clamp(0.0, 1.0) * (to - from)
    }
}

/// Round numbers from `low` to `high`, about `count` of them: multiples of 1, 2 or 5 times a power of ten.
#[must_use]
pub fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    let raw = (high - low) / count.max(1) as f64;
    if !raw.is_finite() || raw <= 0.0 {
        return vec![low];
    }
    let power = 10f64.powf(raw.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| *step >= raw * 0.999);
    let step = step.unwrap_or(power * 10.0);
    let (first, last) = (
        (low / step - 1e-9).ceil() as i64,
        (high / step + 1e-9).floor() as i64,
    );
    (first..=last).map(|at| at as f64 * step).collect()
}

/// Few digits: enough for an axis.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size < 1e-12 => "0".into(),
        size if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        _ => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// Text that is no markup, in HTML and SVG, attributes too, and has no character that XML forbids.
#[must_use]
pub fn escape(text: &str) -> String {
    let forbidden = |it: char| (it.is_control() && it != '\n' && it != '\t') || it == '\u{ffff}';
    text.replace(forbidden, "\u{fffd}")
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// What a point looks like, for those who do not see its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A disc.
    Disc,
    /// A square.
    Square,
    /// A square on its corner.
    Diamond,
}

/// A drawing.
#[derive(Clone, Debug)]
pub struct Svg {
    width: f64,
    body: String,
}

impl Svg {
    /// An empty one.
    #[must_use]
    pub fn new(width: f64) -> Self {
        Self {
            width,
            body: String::new(),
        }
    }

    /// A text; `class` sets its anchor: `start`, `middle` or `end`.
    pub fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escape(text);
        self.put(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// A text that is read from below.
    pub fn text_upwards(&mut self, x: f64, y: f64, text: &str) {
        let text = escape(text);
        self.put(&format!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" class=\"middle\">{text}</text>"
        ));
    }

    /// A straight line.
    pub fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], class: &str) {
        self.put(&format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        ));
    }

    /// A line through points.
    pub fn path(&mut self, points: &[[f64; 2]], class: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|[x, y]| format!("{x:.1},{y:.1}"))
            .collect();
        let points = points.join(" ");
        self.put(&format!(
            "<polyline points=\"{points}\" class=\"{class}\"/>"
        ));
    }

    /// A filled bar; `title` is shown to who points at it.
    pub fn bar(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], class: &str, title: &str) {
        let title = escape(title);
        let width = width.max(0.5);
        self.put(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             class=\"{class}\"><title>{title}</title></rect>"
        ));
    }

    /// A point.
    pub fn mark(&mut self, shape: Shape, [x, y]: [f64; 2], class: &str, title: &str) {
        let half = 4.0;
        let shape = match shape {
            Shape::Disc => format!("circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{half}\""),
            Shape::Square => format!(
                "rect x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"",
                x - 3.5,
                y - 3.5
            ),
            Shape::Diamond => format!(
                "rect x=\"-3.5\" y=\"-3.5\" width=\"7\" height=\"7\" \
                 transform=\"translate({x:.1} {y:.1}) rotate(45)\""
            ),
        };
        let (title, name) = (escape(title), shape.split(' ').next().unwrap_or_default());
        self.put(&format!(
            "<{shape} class=\"{class}\"><title>{title}</title></{name}>"
        ));
    }

    /// The drawing, for those who cannot see it with a name.
    #[must_use]
    pub fn finish(self, height: f64, name: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {} {height:.0}\" role=\"img\" aria-label=\"{}\">\n{}</svg>",
            self.width,
            escape(name),
            self.body
        )
    }

    fn put(&mut self, mark: &str) {
        let _ = writeln!(self.body, "{mark}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        for (low, high, count, expected) in [
            (0.0, 1.0, 5, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            (0.0, 47.3, 5, vec![0.0, 10.0, 20.0, 30.0, 40.0]),
            (-3.2, 7.9, 5, vec![0.0, 5.0]),
            (-12.0, 12.0, 5, vec![-10.0, -5.0, 0.0, 5.0, 10.0]),
            (2.0, 2.0, 5, vec![2.0]),
        ] {
            let found = ticks(low, high, count);
            let same = found.len() == expected.len()
                && found
                    .iter()
                    .zip(&expected)
                    .all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(same, "{low} to {high}: {found:?}");
        }
        assert_eq!(ticks(f64::NAN, 1.0, 5).len(), 1);
    }

    #[test]
    fn an_axis_keeps_what_is_outside_at_its_ends() {
        let axis = Axis {
            range: [0.0, 10.0],
            places: [100.0, 0.0],
        };
        assert_eq!(
            [-5.0, 0.0, 5.0, 20.0].map(|value| axis.at(value)),
            [100.0, 100.0, 50.0, 0.0]
        );
    }

    #[test]
    fn axes_have_few_digits() {
        let numbers = [0.0, 0.25, 20.0, 12345.0, 1e6, -0.5];
        assert_eq!(
            numbers.map(short),
            ["0", "0.25", "20", "12345", "1.0e6", "-0.5"]
        );
    }

    #[test]
    fn what_is_named_stays_text() {
        let mut svg = Svg::new(100.0);
        svg.bar(
            [0.0; 2],
            [1.0; 2],
            "c0",
            "</title><script>alert(1)</script>",
        );
        let svg = svg.finish(10.0, "\"><script>");
        assert!(!svg.contains("<script>"), "{svg}");
    }
}

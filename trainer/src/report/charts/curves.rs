//! Figures over the number of training rows.

use super::{Chart, Frame, HEIGHT, LEFT, RIGHT, WIDTH, all, around, colour, coloured};
use crate::chart::{Shape, Svg};
use crate::eval::figures::{Estimate, Figure, Group};
use crate::report::grid::percent;
use crate::report::study::{Study, SuiteStudy};
use crate::report::tables::barred;

/// Rows that checkpoints were trained on, by checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes(Vec<Option<u64>>);

impl Sizes {
    /// What is given, else what names tell: `sft-25k`, `25k`, `size=25000`.
    #[must_use]
    pub fn of(names: &[String], given: &[(String, u64)]) -> Self {
        let size = |name: &String| {
            let own = given.iter().find(|(other, _)| other == name);
            own.map(|(_, rows)| *rows).or_else(|| told(name))
        };
        Self(names.iter().map(size).collect())
    }

    /// Checkpoints with their sizes, the smallest first.
    fn ordered(&self) -> Vec<(usize, u64)> {
        let sizes = self.0.iter().enumerate();
        let mut found: Vec<(usize, u64)> =
            sizes.filter_map(|(at, it)| Some((at, (*it)?))).collect();
        found.sort_by_key(|(_, rows)| *rows);
        found
    }
}

/// Thousands of rows in a name, or the rows of an ablation's cell; a size of a model (`135M`, `3B`) is none.
fn told(name: &str) -> Option<u64> {
    let cell = name
        .split(',')
        .find_map(|part| part.trim().strip_prefix("size="));
    if let Some(rows) = cell.and_then(|rows| rows.parse().ok()) {
        return Some(rows).filter(|rows| *rows > 0);
    }
    let words =
        name.split(|character: char| !character.is_ascii_alphanumeric() && character != '.');
    let size = |word: &str| {
        let number = word.strip_suffix(['k', 'K'])?;
        let digits = number.chars().all(|it| it.is_ascii_digit() || it == '.');
        let number: f64 = number.parse().ok().filter(|_| digits)?;
        Some((number * 1000.0).round() as u64).filter(|rows| *rows > 0)
    };
    words.filter_map(size).next()
}

/// A line for each suite; one chart for each figure that two sizes have.
pub fn charts(study: &Study, sizes: &Sizes) -> Vec<Chart> {
    let ordered = sizes.ordered();
    let different = ordered.windows(2).any(|pair| pair[0].1 < pair[1].1);
    if !different {
        return Vec::new();
    }
    let chart = |figure: &Figure| chart(study, sizes, &ordered, *figure);
    all(study, barred).iter().filter_map(chart).collect()
}

/// A suite's figure at each size.
struct Curve<'s> {
    suite: &'s SuiteStudy,
    points: Vec<(u64, &'s Estimate)>,
    base: Option<&'s Estimate>,
}

impl<'s> Curve<'s> {
    /// What its line joins: the first checkpoint of each number of rows.
    fn line(&self) -> Vec<(u64, &'s Estimate)> {
        let mut line = self.points.clone();
        line.dedup_by_key(|(rows, _)| *rows);
        line
    }
}

fn chart(study: &Study, sizes: &Sizes, ordered: &[(usize, u64)], figure: Figure) -> Option<Chart> {
    let untrained = sizes.0.first().copied().flatten().is_none();
    let mut curves = Vec::new();
    for suite in &study.suites {
        let point =
            |(at, rows): &(usize, u64)| Some((*rows, suite.estimate(*at, &Group::All, figure)?));
        let base = suite.estimate(0, &Group::All, figure);
        curves.push(Curve {
            suite,
            points: ordered.iter().filter_map(point).collect(),
            base: base.filter(|_| untrained),
        });
    }
    curves.retain(|curve| curve.line().len() > 1);
    if curves.is_empty() {
        return None;
    }
    let title = format!("{} over the number of training rows", figure.title());
    let titles: Vec<String> = curves.iter().map(|it| it.suite.title.clone()).collect();
    let svg = drawing(&title, figure, &curves);
    let said = sentence(figure, &curves, &study.names[0]);
    Some(Chart::single(title, said, svg, coloured(&titles)))
}

fn sentence(figure: Figure, curves: &[Curve<'_>], base: &str) -> String {
    let ends = curves.iter().filter_map(|curve| {
        let line = curve.line();
        let ((few, low), (many, high)) = (line.first()?, line.last()?);
        let (low, high) = (percent(low.value), percent(high.value));
        Some(format!(
            "{}: {low} % with {few} rows, {high} % with {many}",
            curve.suite.title
        ))
    });
    let ends: Vec<String> = ends.collect();
    let dashed = match curves.iter().any(|curve| curve.base.is_some()) {
        true => format!(" Dashed: {base}, which has no number of rows."),
        false => String::new(),
    };
    let several = curves.iter().any(|it| it.line().len() < it.points.len());
    let several = match several {
        true => {
            " A line joins the first checkpoint of each number of rows; points beside it are others."
        }
        false => "",
    };
    let less = match figure.metric.lower_is_better() {
        true => "Less is better. ",
        false => "",
    };
    format!(
        "{less}{}. Lines up and down are 95 % intervals.{several}{dashed}",
        ends.join("; ")
    )
}

fn drawing(title: &str, figure: Figure, curves: &[Curve<'_>]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let logarithms = points().map(|(rows, _)| (*rows as f64).log10());
    let (low, high) = logarithms.fold((f64::INFINITY, 0.0f64), |(low, high), it| {
        (low.min(it), high.max(it))
    });
    let bases = curves.iter().filter_map(|curve| curve.base);
    let ends = points().map(|(_, found)| *found).chain(bases);
    let y = around(ends.flat_map(|it| it.interval).map(|end| end * 100.0));
    let frame = Frame::new([low - 0.05, high + 0.05], [y[0].max(0.0), y[1].min(100.0)]);
    let mut svg = Svg::new(WIDTH);
    let unit = format!("{}, percent", figure.title());
    frame.draw(
        &mut svg,
        &numbers(low, high),
        ["training rows (logarithmic)", &unit],
    );
    for (at, curve) in curves.iter().enumerate() {
        let place = |(rows, found): &(u64, &Estimate)| {
            [
                frame.x.at((*rows as f64).log10()),
                frame.y.at(found.value * 100.0),
            ]
        };
        let line: Vec<[f64; 2]> = curve.line().iter().map(place).collect();
        svg.path(&line, &format!("{} curve", colour(at)));
        if let Some(base) = curve.base {
            let y = frame.y.at(base.value * 100.0);
            svg.line([LEFT, y], [RIGHT, y], &format!("{} dashed", colour(at)));
        }
        for (rows, found) in &curve.points {
            let [x, y] = place(&(*rows, *found));
            let [low, high] = found.interval.map(|end| frame.y.at(end * 100.0));
            svg.line([x, low], [x, high], &format!("{} range", colour(at)));
            let said = format!("{rows} rows: {} %", percent(found.value));
            svg.mark(Shape::Disc, [x, y], &colour(at), &said);
        }
    }
    svg.finish(HEIGHT, title)
}

/// Numbers on the axis of rows: 1, 2 and 5 times powers of ten, fewer where they would touch.
fn numbers(low: f64, high: f64) -> Vec<(f64, String)> {
    let steps: &[f64] = match high - low {
        wide if wide > 2.5 => &[1.0],
        wide if wide > 1.2 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let powers = (low.floor() as i32)..=(high.ceil() as i32);
    let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
    let within = |rows: &f64| (low - 0.06..=high + 0.06).contains(&rows.log10());
    let name = |rows: f64| match rows {
        thousands if thousands >= 1000.0 => format!("{}k", thousands / 1000.0),
        few => format!("{few}"),
    };
    all.filter(within)
        .map(|rows| (rows.log10(), name(rows)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_thousands_of_rows() {
        for (name, rows) in [
            ("sft-25k", Some(25_000)),
            ("2.5K rows", Some(2500)),
            ("100K", Some(100_000)),
            ("SmolLM2-135M", None),
            ("run-7", None),
            ("task", None),
            ("k", None),
            ("size=5000", Some(5000)),
            ("objective=dpo,size=20000", Some(20_000)),
            ("size=25k", Some(25_000)),
            ("size=0", None),
            ("nank", None),
        ] {
            assert_eq!(told(name), rows, "{name}");
        }
        let names = ["base".to_owned(), "sft-25k".to_owned()];
        let sizes = Sizes::of(&names, &[("sft-25k".into(), 7), ("base".into(), 9)]);
        assert_eq!(sizes.ordered(), [(1, 7), (0, 9)]);
    }

    #[test]
    fn numbers_of_rows_are_round_and_far_apart() {
        let names = |low: f64, high: f64| -> Vec<String> {
            let found = numbers(low.log10(), high.log10());
            found.into_iter().map(|(_, name)| name).collect()
        };
        assert_eq!(names(1000.0, 10_000.0), ["1k", "2k", "5k", "10k"]);
        assert_eq!(names(100.0, 100_000.0), ["100", "1k", "10k", "100k"]);
    }
}

//! The page's charts, each with a sentence that says what is seen.

mod bars;
mod curves;
mod fool;
mod strength;

use serde::Serialize;

use super::study::{Study, SuiteStudy};
use super::tables::{chief, group_name, is_kind, is_language};
use crate::chart::{Axis, Svg, short, ticks};
use crate::eval::figures::{Figure, Group, Verdict};

pub use curves::Sizes;
pub use fool::FoolRate;

/// Units that a chart is wide: its text can be read on a narrow screen.
const WIDTH: f64 = 440.0;
/// Colours that a page has for checkpoints.
const COLOURS: usize = 8;

/// A chart.
#[derive(Clone, Debug, Serialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What is seen.
    pub sentence: String,
    /// The drawing.
    pub svg: String,
    /// Which colour is whose.
    pub legend: Vec<Named>,
}

/// A name and its colour.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The colour's class.
    pub class: String,
}

/// Names with a colour for each.
pub fn coloured<'n>(names: impl IntoIterator<Item = &'n String>) -> Vec<Named> {
    let named = |(at, name): (usize, &String)| Named {
        name: name.clone(),
        class: colour(at),
    };
    names.into_iter().enumerate().map(named).collect()
}

fn colour(at: usize) -> String {
    format!("c{}", at % COLOURS)
}

/// All charts that have something to show.
pub fn of(study: &Study, sizes: &Sizes, fool_rate: Option<&FoolRate>) -> Vec<Chart> {
    let mut charts = by_suite(study);
    for suite in &study.suites {
        for figure in chief(suite) {
            for (what, wanted) in [
                ("type", is_kind as fn(&Group) -> bool),
                ("language", is_language),
            ] {
                let groups = suite.groups(wanted).into_iter();
                let groups = groups.map(|group| (group_name(&group), suite, group));
                let title = format!("{}: {} by {what}", suite.title, figure.title());
                charts.extend(bars::chart(
                    study,
                    &title,
                    figure,
                    &groups.collect::<Vec<_>>(),
                ));
            }
        }
    }
    charts.extend(strength::charts(study));
    charts.extend(curves::charts(study, sizes));
    charts.extend(fool_rate.and_then(FoolRate::chart));
    charts
}

/// A chart for each figure that a suite is charted by, with all suites that have it.
fn by_suite(study: &Study) -> Vec<Chart> {
    let mut figures: Vec<Figure> = study.suites.iter().flat_map(chief).collect();
    figures.sort_unstable();
    figures.dedup();
    let chart = |figure: &Figure| {
        let has = |suite: &&SuiteStudy| chief(suite).contains(figure);
        let suites = study.suites.iter().filter(has);
        let suites = suites.map(|suite| (suite.title.clone(), suite, Group::All));
        let title = format!("{} by suite", figure.title());
        bars::chart(study, &title, *figure, &suites.collect::<Vec<_>>())
    };
    figures.iter().filter_map(chart).collect()
}

/// How many differences are ones: risen, fallen, and of how many.
fn verdicts(found: impl Iterator<Item = Verdict>) -> [usize; 3] {
    found.fold([0; 3], |[up, down, of], verdict| {
        let risen = usize::from(verdict == Verdict::Higher);
        let fallen = usize::from(verdict == Verdict::Lower);
        [up + risen, down + fallen, of + 1]
    })
}

/// Two axes, the places of their ends those of the drawing.
struct Frame {
    x: Axis,
    y: Axis,
}

const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 270.0;
const HEIGHT: f64 = BOTTOM + 44.0;

impl Frame {
    fn new(x: [f64; 2], y: [f64; 2]) -> Self {
        let places = [LEFT, RIGHT];
        Self {
            x: Axis { range: x, places },
            y: Axis {
                range: y,
                places: [BOTTOM, TOP],
            },
        }
    }

    /// Lines and numbers of both axes; `x` has its numbers with their names.
    fn draw(&self, svg: &mut Svg, x: &[(f64, String)], titles: [&str; 2]) {
        for value in ticks(self.y.range[0], self.y.range[1], 5) {
            let y = self.y.at(value);
            svg.line([LEFT, y], [RIGHT, y], "grid");
            svg.text(LEFT - 6.0, y + 4.0, "end", &short(value));
        }
        for (value, name) in x {
            let x = self.x.at(*value);
            svg.line([x, BOTTOM], [x, BOTTOM + 4.0], "axis");
            svg.text(x, BOTTOM + 18.0, "middle", name);
        }
        svg.line([LEFT, BOTTOM], [RIGHT, BOTTOM], "axis");
        let middle = f64::midpoint(LEFT, RIGHT);
        svg.text(middle, BOTTOM + 36.0, "middle", titles[0]);
        svg.text_upwards(12.0, f64::midpoint(TOP, BOTTOM), titles[1]);
    }
}

/// The range of values with a little room; in percent.
fn around(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return [0.0, 1.0];
    }
    let room = ((high - low) * 0.06).max(0.5);
    [low - room, high + room]
}

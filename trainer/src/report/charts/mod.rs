//! The page's charts, each with a sentence that says what is seen.

mod bars;
mod curves;
mod fool;
mod strength;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::study::{Study, SuiteStudy};
use super::tables::barred;
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
    /// What is to be known of all its drawings.
    pub lead: String,
    /// The drawings.
    pub panels: Vec<Panel>,
    /// Which colour is whose.
    pub legend: Vec<Named>,
}

/// A drawing of a chart.
#[derive(Clone, Debug, Serialize)]
pub struct Panel {
    /// Its figure, where it is one of several.
    pub title: String,
    /// What is seen.
    pub sentence: String,
    /// The drawing.
    pub svg: String,
}

impl Chart {
    /// With one drawing.
    fn single(title: String, sentence: String, svg: String, legend: Vec<Named>) -> Self {
        let panel = Panel {
            title: String::new(),
            sentence,
            svg,
        };
        Self {
            title,
            lead: String::new(),
            panels: vec![panel],
            legend,
        }
    }
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
    let mut charts: Vec<Chart> = by_suite(study).into_iter().collect();
    for suite in &study.suites {
        for (what, wanted) in [
            ("type", Group::is_kind as fn(&Group) -> bool),
            ("language", Group::is_language),
        ] {
            let groups = suite.groups(wanted).into_iter();
            let groups = groups.map(|group| (group.to_string(), suite, group));
            let title = format!("{} by {what}", suite.title);
            let groups: Vec<bars::Entry<'_>> = groups.collect();
            charts.extend(bars::chart(study, title, &barred(suite), &groups));
        }
    }
    charts.extend(strength::charts(study));
    charts.extend(curves::charts(study, sizes));
    charts.extend(fool_rate.and_then(FoolRate::chart));
    charts
}

fn by_suite(study: &Study) -> Option<Chart> {
    let suites = study.suites.iter();
    let suites = suites.map(|suite| (suite.title.clone(), suite, Group::All));
    let suites: Vec<bars::Entry<'_>> = suites.collect();
    bars::chart(
        study,
        "All rows by suite".to_owned(),
        &all(study, barred),
        &suites,
    )
}

/// What is told of any suite, in the order of figures.
fn all(study: &Study, of: fn(&SuiteStudy) -> Vec<Figure>) -> Vec<Figure> {
    let mut figures: Vec<Figure> = study.suites.iter().flat_map(of).collect();
    figures.sort_unstable();
    figures.dedup();
    figures
}

/// A name that is not wider than there is room; the page has it whole in a table.
fn fitted(name: &str, room: f64) -> String {
    const CHARACTER: f64 = 6.6;
    let most = (room / CHARACTER) as usize;
    match name.char_indices().nth(most) {
        None => name.to_owned(),
        Some(_) => {
            let kept: String = name.chars().take(most.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
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

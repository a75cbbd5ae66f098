//! Bars with intervals, checkpoints side by side, a panel for each figure.

use super::{Chart, Panel, colour, coloured, fitted, verdicts};
use crate::chart::{Axis, Svg, short, ticks};
use crate::eval::figures::{Estimate, Figure, Group};
use crate::report::grid::percent;
use crate::report::study::{Study, SuiteStudy};

/// Units that a panel is wide: several stand side by side.
const WIDTH: f64 = 300.0;
/// Height of a bar, and from one to the next.
const BAR: f64 = 10.0;
const STEP: f64 = 13.0;
/// Height of a group's name.
const NAME: f64 = 18.0;
/// Room for a bar's number.
const NUMBER: f64 = 46.0;

/// A group of a suite's rows and its name.
pub type Entry<'s> = (String, &'s SuiteStudy, Group);

/// A group's name, and its bars by checkpoint.
type Bars = (String, Vec<(usize, Estimate)>);

/// A panel for each figure, in it a bar for each checkpoint in each group; nothing where no figure has more
/// than one bar.
pub fn chart(
    study: &Study,
    title: String,
    figures: &[Figure],
    groups: &[Entry<'_>],
) -> Option<Chart> {
    let panels = figures.iter();
    let panels = panels.filter_map(|figure| panel(study, &title, *figure, groups));
    let panels: Vec<Panel> = panels.collect();
    (!panels.is_empty()).then(|| Chart {
        title,
        lead: "Thin lines are 95 % intervals.".to_owned(),
        panels,
        legend: coloured(&study.names),
    })
}

fn panel(study: &Study, title: &str, figure: Figure, groups: &[Entry<'_>]) -> Option<Panel> {
    let of = |(name, suite, group): &Entry<'_>| -> Bars {
        let bars = (0..study.names.len()).filter_map(|at| {
            let found = suite.estimate(at, group, figure)?.clone();
            Some((at, found))
        });
        (name.clone(), bars.collect())
    };
    let mut parts: Vec<Bars> = groups.iter().map(of).collect();
    parts.retain(|(_, bars)| !bars.is_empty());
    if parts.iter().map(|(_, bars)| bars.len()).sum::<usize>() < 2 {
        return None;
    }
    let last = study.names.len() - 1;
    let changes = groups.iter();
    let changes = changes.filter_map(|(_, suite, group)| suite.change(last, group, figure));
    let told = verdicts(changes.map(|found| found.verdict));
    Some(Panel {
        sentence: sentence(study, figure, &parts, told),
        svg: drawing(
            &study.names,
            &format!("{title}: {}", figure.title()),
            figure,
            &parts,
        ),
        title: figure.title(),
    })
}

fn sentence(study: &Study, figure: Figure, parts: &[Bars], told: [usize; 3]) -> String {
    let last = study.names.len() - 1;
    let own = parts.iter().filter_map(|(name, bars)| {
        let (_, found) = bars.iter().find(|(at, _)| *at == last)?;
        Some((name, found.value))
    });
    let mut own: Vec<(&String, f64)> = own.collect();
    own.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut said = match &*own {
        [] => String::new(),
        [(name, value)] => format!("{}: {} % ({name}).", study.names[last], percent(*value)),
        [low, .., high] => format!(
            "{}: from {} % ({}) to {} % ({}).",
            study.names[last],
            percent(low.1),
            low.0,
            percent(high.1),
            high.0
        ),
    };
    let less = figure.metric.lower_is_better();
    let [up, down, of] = told;
    if of > 0 {
        let [better, worse] = if less { [down, up] } else { [up, down] };
        said += &format!(
            " Against {} it is better in {better} and worse in {worse} of {of}; the rest is not told apart.",
            study.names[0]
        );
    }
    match less {
        true => format!("Less is better. {said}"),
        false => said,
    }
}

fn drawing(names: &[String], title: &str, figure: Figure, parts: &[Bars]) -> String {
    let bars = || parts.iter().flat_map(|(_, bars)| bars);
    let most = bars()
        .map(|(_, found)| found.interval[1])
        .fold(0.01, f64::max);
    let axis = Axis {
        range: [0.0, (most * 100.0).min(100.0)],
        places: [6.0, WIDTH - NUMBER],
    };
    let groups = parts.len() as f64;
    let height = 4.0 + groups * (NAME + 6.0) + bars().count() as f64 * STEP;
    let mut svg = Svg::new(WIDTH);
    for value in ticks(0.0, axis.range[1], 5) {
        let x = axis.at(value);
        svg.line([x, 4.0], [x, height], "grid");
        svg.text(x, height + 14.0, "middle", &short(value));
    }
    let mut y = 4.0;
    for (name, bars) in parts {
        let name = fitted(name, WIDTH - axis.places[0]);
        svg.text(axis.places[0], y + 13.0, "start strong", &name);
        y += NAME;
        for (at, found) in bars {
            bar(&mut svg, &axis, y, &names[*at], (*at, found));
            y += STEP;
        }
        y += 6.0;
    }
    let unit = match figure.metric.lower_is_better() {
        true => format!("{}, percent; less is better", figure.title()),
        false => format!("{}, percent", figure.title()),
    };
    svg.text(WIDTH / 2.0, height + 32.0, "middle", &unit);
    svg.finish(height + 40.0, title)
}

fn bar(svg: &mut Svg, axis: &Axis, y: f64, name: &str, (at, found): (usize, &Estimate)) {
    let [value, low, high] =
        [found.value, found.interval[0], found.interval[1]].map(|share| axis.at(share * 100.0));
    let [low_text, high_text] = found.interval.map(percent);
    let said = format!(
        "{name}: {} [{low_text}, {high_text}], {} rows, {} clusters",
        percent(found.value),
        found.rows,
        found.clusters
    );
    let start = axis.places[0];
    svg.bar([start, y], [value - start, BAR], &colour(at), &said);
    let middle = y + BAR / 2.0;
    svg.line([low, middle], [high, middle], "whisker");
    for end in [low, high] {
        svg.line([end, middle - 3.0], [end, middle + 3.0], "whisker");
    }
    svg.text(WIDTH - 2.0, y + 9.0, "end", &percent(found.value));
}

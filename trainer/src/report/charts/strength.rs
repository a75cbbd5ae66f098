//! Gain against the base's strength (paper "hard negatives", figure 4).

use super::{
    BOTTOM, Chart, Frame, HEIGHT, LEFT, RIGHT, TOP, WIDTH, all, around, colour, coloured, verdicts,
};
use crate::chart::{Shape, Svg, short, ticks};
use crate::eval::figures::{Difference, Figure, Group, Verdict};
use crate::report::grid::{percent, points};
use crate::report::study::{Study, SuiteStudy};
use crate::report::tables::chief;

/// A group of rows that has a gain.
struct Point<'s> {
    name: String,
    shape: Shape,
    checkpoint: usize,
    change: &'s Difference,
}

/// Of suites, and of each suite's languages and types; points of one alone say nothing.
pub fn charts(study: &Study) -> Vec<Chart> {
    let mut charts = Vec::new();
    for figure in all(study, chief) {
        let whole = study.suites.iter();
        let whole = whole.map(|suite| (suite.title.clone(), Shape::Diamond, suite, Group::All));
        let title = format!(
            "{}: gain against the base's strength, by suite",
            figure.title()
        );
        charts.extend(chart(study, &title, figure, whole.collect()));
    }
    for suite in &study.suites {
        for figure in chief(suite) {
            let parts = [
                (Group::is_language as fn(&Group) -> bool, Shape::Disc),
                (Group::is_kind, Shape::Square),
            ];
            let parts = parts.into_iter().flat_map(|(wanted, shape)| {
                let groups = suite.groups(wanted).into_iter();
                groups.map(move |group| (group.to_string(), shape, suite, group))
            });
            let title = format!(
                "{}: gain in {} against the base's strength",
                suite.title,
                figure.title()
            );
            charts.extend(chart(study, &title, figure, parts.collect()));
        }
    }
    charts
}

fn chart(
    study: &Study,
    title: &str,
    figure: Figure,
    groups: Vec<(String, Shape, &SuiteStudy, Group)>,
) -> Option<Chart> {
    let mut found = Vec::new();
    for checkpoint in 1..study.names.len() {
        for (name, shape, suite, group) in &groups {
            if let Some(change) = suite.change(checkpoint, group, figure) {
                let (name, shape) = (name.clone(), *shape);
                found.push(Point {
                    name,
                    shape,
                    checkpoint,
                    change,
                });
            }
        }
    }
    let mut places: Vec<&str> = found.iter().map(|point| &*point.name).collect();
    places.sort_unstable();
    places.dedup();
    if places.len() < 2 {
        return None;
    }
    let svg = drawing(study, title, figure, &found);
    let legend = coloured(&study.names).split_off(1);
    Some(Chart::single(
        title.to_owned(),
        sentence(&found),
        svg,
        legend,
    ))
}

fn sentence(found: &[Point<'_>]) -> String {
    let above = found.iter().filter(|it| it.change.value() > 0.0).count();
    let [up, down, of] = verdicts(found.iter().map(|it| it.change.verdict));
    let shapes = [
        (Shape::Disc, "discs are languages"),
        (Shape::Square, "squares are types"),
        (Shape::Diamond, "diamonds are suites"),
    ];
    let shapes = shapes
        .iter()
        .filter(|(shape, _)| found.iter().any(|it| it.shape == *shape));
    let shapes: Vec<&str> = shapes.map(|(_, said)| *said).collect();
    format!(
        "{above} of {of} points lie above the line of no gain; {up} are told apart as higher and {down} as \
         lower (filled). Lines are 95 % intervals; {}. What chance adds to the base's figure it takes from \
         the gain, so points slope down a little even where nothing changed.",
        shapes.join(", ")
    )
}

fn drawing(study: &Study, title: &str, figure: Figure, found: &[Point<'_>]) -> String {
    let x = around(found.iter().map(|it| it.change.before * 100.0));
    let ends = found.iter().flat_map(|it| it.change.interval);
    let y = around(ends.map(|end| end * 100.0).chain([0.0]));
    let frame = Frame::new([x[0].max(0.0), x[1].min(100.0)], y);
    let mut svg = Svg::new(WIDTH);
    let numbers = ticks(frame.x.range[0], frame.x.range[1], 6);
    let numbers: Vec<(f64, String)> = numbers.into_iter().map(|it| (it, short(it))).collect();
    let across = format!("{} of {}, percent of rows", figure.title(), study.names[0]);
    frame.draw(&mut svg, &numbers, [&across, "gain, points of percent"]);
    let zero = frame.y.at(0.0);
    svg.line([LEFT, zero], [RIGHT, zero], "zero");
    let mut taken: Vec<[f64; 4]> = Vec::new();
    for point in found {
        let place = mark(&mut svg, &frame, study, point);
        taken.push([
            place[0] - 5.0,
            place[1] - 5.0,
            place[0] + 5.0,
            place[1] + 5.0,
        ]);
    }
    for point in found
        .iter()
        .filter(|it| it.checkpoint == study.names.len() - 1)
    {
        label(&mut svg, &frame, point, &mut taken);
    }
    svg.finish(HEIGHT, title)
}

fn mark(svg: &mut Svg, frame: &Frame, study: &Study, point: &Point<'_>) -> [f64; 2] {
    let change = point.change;
    let x = frame.x.at(change.before * 100.0);
    let [y, low, high] = [change.value(), change.interval[0], change.interval[1]]
        .map(|share| frame.y.at(share * 100.0));
    let colour = colour(point.checkpoint);
    svg.line([x, low], [x, high], &format!("{colour} range"));
    let [low_text, high_text] = change.interval.map(points);
    let said = format!(
        "{}, {}: {} at the base, {} [{low_text}, {high_text}], {} rows",
        study.names[point.checkpoint],
        point.name,
        percent(change.before),
        points(change.value()),
        change.rows
    );
    let open = if change.verdict == Verdict::Open {
        " open"
    } else {
        ""
    };
    svg.mark(point.shape, [x, y], &format!("{colour}{open}"), &said);
    [x, y]
}

/// Names a point where there is room beside it.
fn label(svg: &mut Svg, frame: &Frame, point: &Point<'_>, taken: &mut Vec<[f64; 4]>) {
    let x = frame.x.at(point.change.before * 100.0);
    let y = frame.y.at(point.change.value() * 100.0);
    let wide = point.name.chars().count() as f64 * 6.2;
    let places = [
        ([x + 7.0, y - 6.0], "start", x + 7.0),
        ([x - 7.0, y - 6.0], "end", x - 7.0 - wide),
        ([x + 7.0, y + 14.0], "start", x + 7.0),
        ([x - 7.0, y + 14.0], "end", x - 7.0 - wide),
    ];
    for (place, anchor, left) in places {
        let own = [left, place[1] - 10.0, left + wide, place[1] + 2.0];
        let inside = own[0] > LEFT && own[2] < WIDTH && own[1] > TOP - 8.0 && own[3] < BOTTOM;
        let free = taken.iter().all(|other| {
            own[2] < other[0] || other[2] < own[0] || own[3] < other[1] || other[3] < own[1]
        });
        if inside && free {
            svg.text(place[0], place[1], anchor, &point.name);
            taken.push(own);
            return;
        }
    }
}

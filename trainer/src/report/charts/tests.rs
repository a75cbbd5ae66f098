//! Marks lie where their values say.

use roxmltree::{Document, Node};

use super::{Chart, Sizes, of};
use crate::eval::figures::{Estimate, Figure, Group, Metric};
use crate::report::study::Study;
use crate::report::tests::made;

/// Places are written with one decimal.
const NEAR: f64 = 0.11;

fn study() -> Study {
    let folder = tempfile::tempdir().expect("a folder");
    made::study(folder.path(), ["d", "d"])
}

fn titled(study: &Study, title: &str) -> Chart {
    let sizes = Sizes::of(&study.names, &[("base|<b>".to_owned(), 1000)]);
    let charts = of(study, &sizes, None);
    let found = charts.into_iter().find(|chart| chart.title == title);
    found.unwrap_or_else(|| panic!("no chart `{title}`"))
}

fn number(node: &Node<'_, '_>, name: &str) -> f64 {
    let found = node.attribute(name).and_then(|it| it.parse().ok());
    found.unwrap_or_else(|| panic!("no `{name}` in {node:?}"))
}

fn of_class<'d>(drawing: &'d Document<'d>, name: &str, class: &str) -> Vec<Node<'d, 'd>> {
    let all = drawing.descendants().filter(|it| it.has_tag_name(name));
    all.filter(|it| it.attribute("class").is_some_and(|it| it.contains(class)))
        .collect()
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= NEAR
}

/// Checkpoints of one number of rows are points above each other, and none of them bends the line.
#[test]
fn a_line_has_one_point_for_each_number_of_rows() {
    let mut study = study();
    study.suites.retain(|suite| suite.title == "pairs");
    let [_, tuned] = &*study.names else {
        panic!("two checkpoints");
    };
    let again = format!("{tuned}-again");
    study.names.push(again);
    for suite in &mut study.suites {
        let first = suite.measured.remove(0);
        let (more, found) = (first.expect("figures"), suite.measured.remove(0));
        let evaluated = more.evaluated.clone();
        let rows = more.rows.clone();
        let other = crate::report::study::Measured { evaluated, rows };
        suite.measured = vec![Some(more), found, Some(other)];
        suite.compared.push(None);
    }
    let chart = titled(&study, "EM over the number of training rows");
    let drawing = Document::parse(&chart.panels[0].svg).expect("a drawing");
    assert_eq!(of_class(&drawing, "circle", "c").len(), 3);
    let path = of_class(&drawing, "polyline", "curve")[0].attribute("points");
    assert_eq!(path.expect("points").split(' ').count(), 2);
    assert!(chart.panels[0].sentence.contains("A line joins the first"));
}

/// The numbers on an axis and their places.
fn ticks(drawing: &Document<'_>, class: &str, place: &str) -> Vec<(f64, f64)> {
    let texts = of_class(drawing, "text", class).into_iter();
    let tick = |it: Node<'_, '_>| {
        let text = it.text()?;
        let number_in = match text.strip_suffix('k') {
            Some(thousands) => thousands.parse::<f64>().ok()? * 1000.0,
            None => text.parse().ok()?,
        };
        Some((number_in, number(&it, place)))
    };
    texts.filter_map(tick).collect()
}

#[test]
fn bars_and_their_intervals_are_as_long_as_their_values() {
    let study = study();
    let suite = study.suites.iter().find(|it| it.title == "pairs");
    let suite = suite.expect("the suite");
    let chart = titled(&study, "pairs by type");
    let titles: Vec<&str> = chart.panels.iter().map(|it| &*it.title).collect();
    assert_eq!(titles, ["EM", "ES", "hallucination-aligned", "preference"]);
    let figures = [
        Metric::ExactMatch,
        Metric::EditSimilarity,
        Metric::HallucinationAligned,
        Metric::Preference,
    ];
    for (panel, metric) in chart.panels.iter().zip(figures) {
        let drawing = Document::parse(&panel.svg).expect("a drawing");
        let kinds = ["import", "method", "parameter"].map(|kind| Group::Kind(kind.to_owned()));
        let each = kinds.iter().flat_map(|kind| [(kind, 0), (kind, 1)]);
        let values = each.map(|(kind, at)| (at, suite.estimate(at, kind, Figure::whole(metric))));
        let values: Vec<(usize, &Estimate)> =
            values.map(|(at, it)| (at, it.expect("measured"))).collect();
        let bars = of_class(&drawing, "rect", "c");
        let whiskers = of_class(&drawing, "line", "whisker");
        assert_eq!((bars.len(), whiskers.len()), (6, 18));
        let start = number(&bars[0], "x");
        let ticks = ticks(&drawing, "middle", "x");
        let (most, place) = ticks.last().expect("numbers");
        let unit = (place - start) / most;
        assert!(
            ticks
                .iter()
                .all(|(value, x)| near(*x, start + value * unit))
        );
        for ((bar, lines), (at, found)) in bars.iter().zip(whiskers.chunks(3)).zip(values) {
            let place = |share: f64| start + share * 100.0 * unit;
            assert_eq!(bar.attribute("class"), Some(&*format!("c{at}")));
            assert!(near(number(bar, "x"), start));
            let end = start + number(bar, "width");
            // What is 0 is a line.
            assert!(near(end, place(found.value).max(start + 0.5)), "{found:?}");
            let [low, high] = found.interval.map(place);
            assert!(near(number(&lines[0], "x1"), low), "{found:?}");
            assert!(near(number(&lines[0], "x2"), high), "{found:?}");
            let middle = number(bar, "y") + number(bar, "height") / 2.0;
            assert!(near(number(&lines[0], "y1"), middle));
            for (line, x) in lines[1..].iter().zip([low, high]) {
                assert!(near(number(line, "x1"), x) && near(number(line, "x2"), x));
            }
        }
    }
    let less = &chart.panels[2];
    assert!(less.sentence.starts_with("Less is better."));
    assert!(less.svg.contains("less is better"));
}

#[test]
fn points_of_curves_lie_at_their_rows_and_values() {
    let study = study();
    let figure = Figure::whole(Metric::ExactMatch);
    let chart = titled(&study, "EM over the number of training rows");
    let drawing = Document::parse(&chart.panels[0].svg).expect("a drawing");
    let scale = |ticks: &[(f64, f64)]| {
        let ((a, from), (b, to)) = (ticks[0], ticks[ticks.len() - 1]);
        move |value: f64| from + (value - a) / (b - a) * (to - from)
    };
    let mut across = ticks(&drawing, "middle", "x");
    across.iter_mut().for_each(|(rows, _)| *rows = rows.log10());
    // A number stands 4 units below its line.
    let mut up = ticks(&drawing, "end", "y");
    up.iter_mut().for_each(|(_, y)| *y -= 4.0);
    let (x, y) = (scale(&across), scale(&up));
    let points = of_class(&drawing, "circle", "c");
    let ranges = of_class(&drawing, "line", "range");
    let paths = of_class(&drawing, "polyline", "curve");
    assert_eq!((points.len(), ranges.len(), paths.len()), (4, 4, 2));
    let suites = study.suites.iter().enumerate();
    let each = suites.flat_map(|(curve, suite)| [(curve, suite, 0, 3.0), (curve, suite, 1, 4.0)]);
    for ((point, range), (curve, suite, at, rows)) in points.iter().zip(&ranges).zip(each) {
        let found = suite.estimate(at, &Group::All, figure).expect("measured");
        let place = [x(rows), y(found.value * 100.0)];
        assert!(near(number(point, "cx"), place[0]), "{place:?} {point:?}");
        assert!(near(number(point, "cy"), place[1]), "{place:?} {point:?}");
        let [low, high] = found.interval.map(|end| y(end * 100.0));
        assert!(near(number(range, "y1"), low) && near(number(range, "y2"), high));
        assert!(near(number(range, "x1"), place[0]));
        let path = paths[curve].attribute("points").expect("points");
        let [cx, cy] = ["cx", "cy"].map(|it| number(point, it));
        assert!(path.split(' ').any(|it| it == format!("{cx:.1},{cy:.1}")));
        assert_eq!(point.attribute("class"), Some(&*format!("c{curve}")));
    }
}

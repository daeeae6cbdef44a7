//! The lines of the templates where a chart failed, for a person at a terminal.

use pinnace_engine::Chart;
use pinnace_engine::render::RenderError;
use pinnace_engine::template::Place;

/// Lines before and after the one in question.
const AROUND: usize = 2;
/// The longest line that is shown, in characters.
const WIDTH: usize = 160;
/// The most places that are shown; a chain of includes can be long.
const PLACES: usize = 4;

/// One excerpt for each template of the chain, the outermost first; empty if the error has no place.
pub fn of(error: &RenderError, chart: &Chart, values: &serde_json::Value) -> String {
    let empty = serde_json::Map::new();
    // The names of aliased subcharts are those of the chart that was rendered.
    let rendered = chart.for_values(values.as_object().unwrap_or(&empty), &mut Vec::new());
    let chart = rendered.as_ref().unwrap_or(chart);
    let places = error.places();
    let skipped = places.len().saturating_sub(PLACES);
    let mut text = String::new();
    for place in &places[skipped..] {
        if let Some(source) = chart.template_text(&place.file) {
            text.push_str("\n\n");
            text.push_str(&lines(place, &source));
        }
    }
    text
}

/// The line of a place with its neighbours, and a mark below its column.
fn lines(place: &Place, source: &str) -> String {
    let column = place.column.map_or(String::new(), |column| format!(":{}", column + 1));
    let mut text = format!("  --> {}:{}{column}", place.file, place.line);
    let first = place.line.saturating_sub(AROUND).max(1);
    let last = place.line + AROUND;
    let width = last.to_string().len();
    for (number, line) in (1..).zip(source.lines()).skip(first - 1).take(last + 1 - first) {
        let shown: String = line.chars().take(WIDTH).collect();
        let mark = if number == place.line { '>' } else { ' ' };
        text.push_str(&format!("\n{mark} {number:width$} | {shown}"));
        if let (true, Some(column)) = (number == place.line, place.column) {
            let before = line.get(..column).map_or(0, |before| before.chars().count());
            if before < WIDTH {
                text.push_str(&format!("\n  {:width$} | {:before$}^", "", ""));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_around_a_place() {
        let source = "one\ntwo\n  {{ .Values.é.x }}\nfour\nfive\nsix\n";
        let place = Place { file: "c/templates/a.yaml".to_owned(), line: 3, column: Some(5) };
        assert_eq!(
            lines(&place, source),
            "  --> c/templates/a.yaml:3:6\n  1 | one\n  2 | two\n> 3 |   {{ .Values.é.x }}\n    |      ^\n  4 | four\n  5 | five"
        );
        let place = Place { line: 1, column: None, ..place };
        assert_eq!(lines(&place, "only"), "  --> c/templates/a.yaml:1\n> 1 | only");
    }
}

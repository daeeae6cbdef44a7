//! Tables as kubectl prints them: pure.

/// Between two columns.
const GAP: usize = 3;

/// Rows of text under a heading.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(ToString::to_string).collect()] }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// The width of each column.
    pub fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(width).collect()
    }

    /// The heading and all rows.
    pub fn text(&self) -> String {
        let widths = self.widths();
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

/// One row; no blanks at its end, and no line breaks in it.
pub fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (column, cell) in cells.iter().enumerate() {
        let cell = cell.split_whitespace().collect::<Vec<_>>().join(" ");
        text.push_str(&cell);
        let width = widths.get(column).copied().unwrap_or(0);
        let blanks = width.saturating_sub(cell.chars().count()) + GAP;
        text.extend(std::iter::repeat_n(' ', blanks));
    }
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["NAME", "READY", "AGE"]);
        assert!(table.is_empty());
        table.row(vec!["qdrant-operator-v2".into(), "True".into(), "5m".into()]);
        table.row(vec!["ä".into(), "False".into(), String::new()]);
        let expected = "\
NAME                 READY   AGE
qdrant-operator-v2   True    5m
ä                    False
";
        assert_eq!(table.text(), expected);
    }

    #[test]
    fn a_message_of_several_lines_stays_on_one() {
        assert_eq!(line(&["a\n  b".to_owned()], &[5]), "a b\n");
    }
}

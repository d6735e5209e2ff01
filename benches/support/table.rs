//! Table: rows for people, in Markdown.

/// Prints each row as it comes, so that a run can be watched.
#[derive(Debug)]
pub(crate) struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Prints the head.
    pub(crate) fn begin(columns: &[&str]) -> Self {
        let widths = columns.iter().map(|column| column.len().max(MIN_WIDTH)).collect();
        let table = Table { widths };
        table.row(&columns.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>());
        table.row(&table.widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>());
        table
    }

    /// Prints a row.
    pub(crate) fn row(&self, cells: &[String]) {
        let padded = cells.iter().zip(&self.widths).enumerate().map(|(at, (cell, width))| {
            if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        println!("| {} |", padded.collect::<Vec<_>>().join(" | "));
    }
}

/// A number with commas between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

const MIN_WIDTH: usize = 6;

//! Tables and numbers for a terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A table with a header and right-aligned columns but the first, indented by two.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(ToString::to_string));
    table.add_rows(rows.iter().cloned());
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 2 } else { 1 }, 1));
        column.set_cell_alignment(if at == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    let text = table.to_string();
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A time as a person says it: 45 s, 3 min 20 s, 2 h 5 min.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_two_units() {
        for (seconds, text) in [(0.25, "0.2 s"), (45.0, "45 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 05 min")] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn columns_of_a_table_are_aligned() {
        let text = table(&["shape", "N"], &[vec!["2x8".into(), "5.8k".into()], vec!["2x128".into(), "470k".into()]]);
        assert_eq!(text, "  shape     N\n  2x8    5.8k\n  2x128  470k\n");
    }
}

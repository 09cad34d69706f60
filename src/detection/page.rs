//! The matrix as a page of the documentation.

use std::fmt::Write as _;

use super::{Matrix, Row};
use crate::report::markdown::cell;

/// The matrix in Markdown, with the command that made it.
#[must_use]
pub fn page(matrix: &Matrix) -> String {
    let proven = matrix.rows.iter().filter(|row| row.is_proven()).count();
    let mut page = format!(
        "# Detection matrix\n\n\
         Each row is a mistake that the reference target makes on request. It counts as proven when a requirement that\n\
         names it was violated in at least 19 of 20 runs of its case, and no unrelated requirement ever was.\n\n\
         {proven} of {} proven, {} seeds each. Made by:\n\n```console\n$ {}\n```\n\n\
         | defect | what the service does wrong | case | caught by | caught | missed | failed | blamed otherwise | proven |\n\
         |---|---|---|---|---:|---:|---:|---|---|\n",
        matrix.rows.len(),
        matrix.seeds,
        matrix.command
    );
    for row in &matrix.rows {
        page.push_str(&line(row));
    }
    let timed: Vec<_> =
        matrix.rows.iter().filter_map(|row| Some((&row.defect.name, row.defect.timing.as_ref()?))).collect();
    if !timed.is_empty() {
        page.push_str(
            "\n## Defects that are a matter of timing\n\nThese count as proven when they are caught at all.\n\n",
        );
        for (name, why) in timed {
            let _ = writeln!(page, "- {}: {}", cell(name), cell(why));
        }
    }
    page.push_str("\n## Where these mistakes come from\n\n");
    for row in &matrix.rows {
        let _ = writeln!(page, "- {}: {}", cell(&row.defect.name), cell(&row.defect.origin));
    }
    page
}

fn line(row: &Row) -> String {
    let defect = &row.defect;
    let blamed: Vec<_> = row.blamed.iter().map(|(id, runs)| format!("{id} ({runs})")).collect();
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        cell(&defect.name),
        cell(&defect.summary),
        cell(&defect.case),
        cell(&defect.caught_by.join(", ")),
        row.caught,
        row.missed,
        row.failed,
        cell(&blamed.join(", ")),
        if row.is_proven() { "yes" } else { "**no**" },
    )
}

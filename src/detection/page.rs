//! The matrix as a page of the documentation.

use std::fmt::Write as _;

use super::{Matrix, Row, Timing};
use crate::report::markdown::cell;

/// The matrix in Markdown, with the command that made it.
#[must_use]
pub fn page(matrix: &Matrix) -> String {
    let proven = matrix.rows.iter().filter(|row| row.is_proven()).count();
    let mut page = format!(
        "# Detection matrix\n\n\
         Each row is a mistake that the reference target makes on request. It counts as proven when the requirement that\n\
         names it was violated in at least 19 of 20 runs of its case, and no unrelated requirement ever was. Where random\n\
         timing decides whether a run shows the mistake (`likely`), being caught at all is enough.\n\n\
         {proven} of {} proven, {} seeds each. Made by:\n\n```console\n$ {}\n```\n\n\
         | defect | what the service does wrong | case | caught by | timing | caught | missed | failed | blamed otherwise | proven |\n\
         |---|---|---|---|---|---:|---:|---:|---|---|\n",
        matrix.rows.len(),
        matrix.seeds,
        matrix.command
    );
    for row in &matrix.rows {
        page.push_str(&line(row));
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
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        cell(&defect.name),
        cell(&defect.summary),
        cell(&defect.case),
        cell(&defect.caught_by),
        match defect.timing {
            Timing::Certain => "certain",
            Timing::Likely => "likely",
        },
        row.caught,
        row.missed,
        row.failed,
        cell(&blamed.join(", ")),
        if row.is_proven() { "yes" } else { "**no**" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::{Defect, Sight};

    #[test]
    fn a_page_says_what_was_caught_and_by_which_command() {
        let defect = Defect {
            name: "check-then-insert".into(),
            summary: "Looks a key up, | then writes it".into(),
            origin: "One caller never shows it.".into(),
            caught_by: "ledger.once".into(),
            also: Vec::new(),
            case: "concurrent-copies".into(),
            timing: Timing::Certain,
        };
        let mut row = Row::new(defect);
        row.count(Sight::Caught);
        row.count(Sight::Blamed { on: vec!["ledger.event".into()], also_caught: false });
        let page = page(&Matrix { rows: vec![row], seeds: 2, command: "fireassay defects --seeds 2".into() });
        assert!(
            page.contains("0 of 1 proven, 2 seeds each") && page.contains("$ fireassay defects --seeds 2"),
            "{page}"
        );
        let line = "| check-then-insert | Looks a key up, \\| then writes it | concurrent-copies | ledger.once | certain | 1 | 1 | 0 | ledger.event (1) | **no** |";
        assert!(page.contains(line), "{page}");
    }
}

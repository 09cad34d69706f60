//! The matrix as a page of the documentation.

use std::fmt::Write as _;

use super::hunt::section;
use super::{Defect, Matrix, Row, Timing};
use crate::report::markdown::cell;

/// The columns. A page with others is of no use for going on.
const COLUMNS: &str = "\
| defect | what the service does wrong | case | caught by | may also break | timing | caught | failed | blamed otherwise | proven |
|---|---|---|---|---|---|---|---:|---|---|
";

/// How a row of a proven defect ends.
const PROVEN: &str = "| yes |";

/// The matrix in Markdown. Of the `defects` that were not run now, the rows are taken from the `earlier` page, if the
/// same version of the tool wrote it; those that are in neither are left out. Its section of hunts stays.
#[must_use]
pub fn page(matrix: &Matrix, defects: &[Defect], earlier_page: &str) -> String {
    let maker = format!("fireassay {}", env!("CARGO_PKG_VERSION"));
    let earlier = if earlier_page.contains(&maker) && earlier_page.contains(COLUMNS) { earlier_page } else { "" };
    let earlier = &earlier[..earlier.len() - section(earlier).len()];
    let row_of = |defect: &Defect| {
        let now = matrix.rows.iter().find(|row| row.defect.name == defect.name).map(line);
        let start = format!("| {} |", cell(&defect.name));
        now.or_else(|| earlier.lines().find(|line| line.starts_with(&start)).map(|line| format!("{line}\n")))
    };
    let rows: Vec<_> = defects.iter().filter_map(|defect| Some((defect, row_of(defect)?))).collect();
    let proven = rows.iter().filter(|(_, row)| row.trim_end().ends_with(PROVEN)).count();
    let mut page = format!(
        "# Detection matrix\n\n\
         Each row is a mistake that a reference target makes on request. `certain`: every run of the case shows it; it is\n\
         proven when at least 19 of 20 runs caught it, or all where there were fewer. `likely`: a run shows it with some luck;\n\
         it is proven when at least one caught it, and the row says what luck it takes. Caught means that the requirement in\n\
         `caught by` was violated. A run in which any was violated that is neither this one nor in `may also break` spoils\n\
         the proof. Failed runs, in which the environment broke down, count as not caught.\n\n\
         {proven} of {} proven. Written by {maker}, for the rows of the defects it names, or of all:\n\n\
         ```console\n$ {}\n```\n\n{COLUMNS}",
        rows.len(),
        matrix.command
    );
    page.extend(rows.iter().map(|(_, row)| row.as_str()));
    page.push_str("\n## Where these mistakes come from\n\n");
    for (defect, _) in &rows {
        let _ = writeln!(page, "- {}: {}", cell(&defect.name), cell(&defect.origin));
    }
    page.push_str(section(earlier_page));
    page
}

fn line(row: &Row) -> String {
    let defect = &row.defect;
    let blamed: Vec<_> = row.blamed.iter().map(|(id, runs)| format!("{id} ({runs})")).collect();
    let timing = match (defect.timing, &defect.luck) {
        (Timing::Certain, _) => "certain".to_owned(),
        (Timing::Likely, None) => "likely".to_owned(),
        (Timing::Likely, Some(luck)) => format!("likely: {luck}"),
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} of {} | {} | {} {}\n",
        cell(&defect.name),
        cell(&defect.summary),
        cell(&defect.case),
        cell(&defect.caught_by),
        cell(&defect.also.join(", ")),
        cell(&timing),
        row.caught,
        row.runs(),
        row.failed,
        cell(&blamed.join(", ")),
        if row.is_proven() { PROVEN } else { "| **no** |" },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Sight;

    fn defect(name: &str) -> Defect {
        Defect {
            name: name.into(),
            summary: "Looks a key up, | then writes it".into(),
            origin: "One caller never shows it.".into(),
            caught_by: "ledger.once".into(),
            also: vec!["ledger.acked".into()],
            case: "concurrent-copies".into(),
            timing: Timing::Certain,
            luck: None,
            window: None,
        }
    }

    fn matrix(defect: Defect, sights: &[Sight]) -> Matrix {
        let mut row = Row::new(defect);
        sights.iter().for_each(|sight| row.count(sight.clone()));
        Matrix { rows: vec![row], command: "fireassay defects --seeds 2".into() }
    }

    #[test]
    fn a_page_says_what_was_caught_and_by_which_command() {
        let blamed = Sight::Blamed { on: vec!["ledger.event".into()], also_caught: false };
        let defects = [defect("check-then-insert")];
        let page = page(&matrix(defects[0].clone(), &[Sight::Caught, blamed]), &defects, "");
        assert!(page.contains("0 of 1 proven") && page.contains("$ fireassay defects --seeds 2"), "{page}");
        let line = "| check-then-insert | Looks a key up, \\| then writes it | concurrent-copies | ledger.once | ledger.acked | certain | 1 of 2 | 0 | ledger.event (1) | **no** |";
        assert!(page.contains(line), "{page}");
    }

    #[test]
    fn luck_is_printed_with_its_reason() {
        let lucky = Defect { timing: Timing::Likely, luck: Some("a cut at COMMIT".into()), ..defect("a") };
        let page = page(&matrix(lucky.clone(), &[Sight::Missed, Sight::Caught]), &[lucky], "");
        assert!(page.contains("| likely: a cut at COMMIT | 1 of 2 | 0 |  | yes |"), "{page}");
    }

    #[test]
    fn rows_of_other_defects_are_kept_and_those_never_run_are_left_out() {
        let all = [defect("a"), defect("b"), defect("c")];
        let earlier = page(&matrix(all[0].clone(), &[Sight::Caught]), &all, "");
        let both = page(&matrix(all[1].clone(), &[Sight::Missed]), &all, &earlier);
        let rows: Vec<_> = both.lines().filter(|line| line.ends_with(PROVEN) || line.ends_with("**no** |")).collect();
        assert!(matches!(rows[..], [a, b] if a.starts_with("| a |") && b.starts_with("| b |")), "{both}");
        assert!(both.contains("1 of 2 proven"), "{both}");
        let of_another_version = earlier.replace("fireassay 0", "fireassay 999");
        assert!(!page(&matrix(all[1].clone(), &[]), &all, &of_another_version).contains("| a |"));
    }
}

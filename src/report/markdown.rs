//! The report as Markdown, for the summary page of a CI job.

use std::fmt::Write as _;

use super::Told;
use super::summary::{Standing, name, reasons, totals};
use super::terminal::seconds;
use super::text::clean;

/// The most that a summary page may hold, in bytes; a CI server refuses a longer one as a whole.
const PAGE_BYTES_MAX: usize = 900 << 10;

/// A table of all runs and the stories of what was found.
#[must_use]
pub fn page(told: &[Told]) -> String {
    let mut page = format!(
        "## fireassay: {}\n\n| | case | seed | time | recovery | |\n|---|---|---|---|---|---|\n",
        totals(told.iter().map(|told| &told.report))
    );
    for told in told {
        let report = &told.report;
        let why = reasons(report).into_iter().next().unwrap_or_default();
        let recovery = report.figures.recovery.map(seconds).unwrap_or_default();
        let (standing, seed) = (Standing::of(report).to_string(), report.seed.to_string());
        let cells = [&standing, &name(report), &seed, &seconds(report.took), &recovery, &why];
        let _ = writeln!(page, "| {} |", cells.map(|text| cell(text)).join(" | "));
    }
    for told in told {
        for story in &told.stories {
            let text: Vec<_> = story.lines.iter().map(ToString::to_string).collect();
            let section = format!("\n### {}\n\n{}\n", cell(&story.headline), fenced(&text.join("\n")));
            if page.len() + section.len() > PAGE_BYTES_MAX {
                page.push_str("\nMore findings are in the JUnit report; this page is full.\n");
                return page;
            }
            page.push_str(&section);
        }
    }
    page
}

/// Text for a table cell or a heading: one line in which nothing is markup.
#[must_use]
pub fn cell(text: &str) -> String {
    let mut safe = String::new();
    for c in clean(text, 300).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '@' => safe.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

/// A code block whose fence is longer than any row of backticks in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report;
    use crate::report::tell;

    #[test]
    fn a_page_names_each_run_and_tells_each_finding() {
        let cases = [report("retries", 1, &["ledger.once"]), report("broker-down", 1, &[])];
        let told: Vec<_> = cases.iter().map(|report| tell(report, None)).collect();
        let page = page(&told);
        assert!(page.contains("## fireassay: 2 runs: 1 pass, 1 VIOLATION"), "{page}");
        assert!(page.contains("| pass | broker-down | 1 | 4.2 s | 0.3 s |  |"), "{page}");
        assert!(page.contains("```text\nledger.once: A transfer is applied"), "{page}");
    }

    #[test]
    fn nothing_in_a_cell_is_markup() {
        assert_eq!(cell("a|b <img> @all `x`\n#1"), "a\\|b &lt;img&gt; &#64;all \\`x\\`\\\\n\\#1");
    }

    #[test]
    fn backticks_cannot_end_a_code_block() {
        assert!(fenced("a ```` b").starts_with("`````text\n"));
        assert!(fenced("plain").starts_with("```text\n"));
    }
}

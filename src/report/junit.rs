//! JUnit XML: suite = profile, test case = case, under names that no seed or date changes.
//!
//! A violation is a `failure`; a failed environment and too little evidence are an `error`;
//! what does not apply or is declared is `skipped` with its reason.
//! A declared failure that is none any more is a `failure` of its own.
//! Of several seeds the worst run stands for the case, and says how many came to the same.

use std::io;
use std::time::Duration;

use junit_report::{OffsetDateTime, Report, TestCase, TestCaseBuilder, TestSuiteBuilder};

use super::Told;
use super::summary::{Standing, name, reasons, stale_sentence};
use super::terminal::seconds;
use super::text::clean;
use crate::judgement::Verdict;

/// Longest message attribute, in characters: servers show it in a list.
const MESSAGE_CHARS_MAX: usize = 300;

/// Writes the report of all runs. `stale`: declared failures that are none any more.
///
/// # Errors
/// When the sink cannot be written to.
pub fn write(told: &[Told], stale: &[String], sink: impl io::Write) -> io::Result<()> {
    let mut report = Report::new();
    for profile in in_order(told.iter().map(|told| told.report.profile.as_str())) {
        let of_profile: Vec<&Told> = told.iter().filter(|told| told.report.profile == profile).collect();
        let mut suite = TestSuiteBuilder::new(&legal(profile));
        // A case that was never started has no time.
        if let Some(start) = of_profile.iter().map(|told| told.report.started_unix).filter(|start| *start > 0).min() {
            let start = i64::try_from(start).ok().and_then(|start| OffsetDateTime::from_unix_timestamp(start).ok());
            suite.set_timestamp(start.unwrap_or(OffsetDateTime::UNIX_EPOCH));
        }
        let names: Vec<_> = of_profile.iter().map(|told| name(&told.report)).collect();
        for case in in_order(names.iter().map(String::as_str)) {
            let runs = of_profile.iter().zip(&names).filter(|(_, name)| *name == case);
            let runs: Vec<&Told> = runs.map(|(told, _)| *told).collect();
            suite.add_testcases(test_case(&runs));
        }
        let of_profile = |id: &&String| id.split_once('.').is_some_and(|(first, _)| first == profile);
        suite.add_testcases(stale.iter().filter(of_profile).map(|id| stale_case(profile, id)));
        report.add_testsuite(suite.build());
    }
    report.write_xml(sink).map_err(io::Error::other)
}

/// The worst of a case's runs; `None` when there is none.
fn test_case(runs: &[&Told]) -> Option<TestCase> {
    let worst = runs.iter().rev().max_by_key(|told| Standing::of(&told.report))?;
    let report = &worst.report;
    let standing = Standing::of(report);
    let took: Duration = runs.iter().map(|told| told.report.took).sum();
    let took = junit_report::Duration::try_from(took).unwrap_or(junit_report::Duration::MAX);
    let called = legal(&name(report));
    let mut message = reasons(report).into_iter().next().unwrap_or_else(|| standing.to_string());
    if runs.len() > 1 {
        let same = runs.iter().filter(|told| Standing::of(&told.report) == standing).count();
        message = format!("{same} of {} seeds: {message}", runs.len());
    }
    let message = legal(&clean(&message, MESSAGE_CHARS_MAX));
    let mut case = match standing {
        Standing::Pass => TestCaseBuilder::success(&called, took),
        Standing::Violation => TestCaseBuilder::failure(&called, took, &kind(report), &message),
        Standing::Error => TestCaseBuilder::error(&called, took, "environment", &message),
        Standing::Inconclusive => TestCaseBuilder::error(&called, took, "inconclusive", &message),
        Standing::Expected => TestCaseBuilder::skipped_with_cause(&called, "expected", &message),
        Standing::NotApplicable => TestCaseBuilder::skipped_with_cause(&called, "not-applicable", &message),
    };
    case.set_classname(&legal(&report.profile));
    let mut output = Vec::new();
    if standing != Standing::Pass {
        case.set_trace(&legal(&body(worst)));
        if !report.directory.as_os_str().is_empty() {
            // GitLab and Jenkins fetch the file that this line names.
            output.push(format!("[[ATTACHMENT|{}]]", report.directory.join("history.jsonl").display()));
        }
    }
    // The library knows no properties.
    if let Some(slowest) = runs.iter().filter_map(|told| told.report.figures.recovery).max() {
        output.push(format!("slowest recovery: {}", seconds(slowest)));
    }
    if !output.is_empty() {
        case.set_system_out(&legal(&output.join("\n")));
    }
    Some(case.build())
}

/// A declaration that hides nothing would hide the next failure.
fn stale_case(profile: &str, requirement: &str) -> TestCase {
    let name = legal(&format!("expected {requirement}"));
    let sentence = legal(&clean(&stale_sentence(requirement), MESSAGE_CHARS_MAX));
    let mut case = TestCaseBuilder::failure(&name, junit_report::Duration::ZERO, "stale", &sentence);
    case.set_classname(&legal(profile));
    case.build()
}

/// What is wrong, as the type of a failure: the ids of the requirements that are violated.
fn kind(report: &crate::runner::CaseReport) -> String {
    let violated = report.findings.iter().filter(|judged| judged.verdict == Verdict::Violation);
    legal(&violated.map(|judged| judged.requirement.id.as_str()).collect::<Vec<_>>().join(", "))
}

fn body(told: &Told) -> String {
    let mut lines = vec![clean(&told.report.title, MESSAGE_CHARS_MAX), format!("seed {}", told.report.seed)];
    lines.extend(reasons(&told.report));
    for story in &told.stories {
        lines.push(String::new());
        lines.extend(story.lines.iter().map(ToString::to_string));
    }
    lines.join("\n")
}

/// Only characters that XML 1.0 allows, and nothing that ends a CDATA section.
fn legal(text: &str) -> String {
    let allowed =
        |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(allowed).collect::<String>().replace("]]>", "]] >")
}

/// Each once, in the order of first appearance.
fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::report::samples::{case_file, history, report};
    use crate::report::stored::StoredRun;
    use crate::report::tell;
    use crate::runner::CaseReport;

    fn xml(reports: &[CaseReport]) -> String {
        xml_with(reports, &[])
    }

    fn xml_with(reports: &[CaseReport], stale: &[String]) -> String {
        let stored = StoredRun { case: case_file(), history: history() };
        let told: Vec<_> = reports.iter().map(|report| tell(report, Some(&stored))).collect();
        let mut xml = Vec::new();
        write(&told, stale, &mut xml).expect("a report");
        String::from_utf8(xml).expect("text").replace("><", ">\n<")
    }

    #[test]
    fn the_worst_seed_stands_for_a_case_whose_name_is_stable() {
        let xml = xml(&[report("retries", 1, &[]), report("retries", 7, &["ledger.once"]), report("retries", 8, &[])]);
        expect![[r#"
            <?xml version="1.0" encoding="utf-8"?>
            <testsuites>
            <testsuite id="0" name="ledger" package="testsuite/ledger" tests="1" errors="0" failures="1" hostname="localhost" timestamp="2023-11-14T22:13:20Z" time="12.75">
            <testcase name="retries" time="12.75" classname="ledger">
            <failure type="ledger.once" message="1 of 3 seeds: ledger.once: double: k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3">
            <![CDATA[Transfers are sent again
            seed 7
            ledger.once: double: k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3

            ledger.once: A transfer is applied at most once per idempotency key.
            why:      A debit that is applied twice takes money from somebody.
            expected: one transfer for the key k-0
            found:    k-0 was applied twice: t-1 and t-2 each took 250 EUR from a-3
                800.0 ms  client 3 → api-2   transfer k-0 a-3→a-1 250 EUR   (1st attempt)
                812.4 ms  ✂ kill api-2 (fault 1)
                813.0 ms  client 3 ← api-2   k-0: no answer: connection reset
                813.1 ms  ✂ fault 1 bit: it ended by SIGKILL with 1 request open
                830.0 ms  client 3 → api-1   transfer k-0 a-3→a-1 250 EUR   (2nd attempt)
                842.0 ms  client 3 ← api-1   k-0: 201 transfer t-2
               2000.0 ms  journal #1 a-3 −250 EUR transfer t-1
               2000.0 ms  journal #3 a-3 −250 EUR transfer t-2
            and 2 more findings of this requirement, in result.json
            everything that happened: target/fireassay/runs/retries-7/history.jsonl
            judge it again: fireassay check target/fireassay/runs/retries-7
            run it again:   fireassay replay target/fireassay/runs/retries-7]]>
            </failure>
            <system-out>
            <![CDATA[[[ATTACHMENT|target/fireassay/runs/retries-7/history.jsonl]]
            slowest recovery: 0.3 s]]>
            </system-out>
            </testcase>
            </testsuite>
            </testsuites>"#]].assert_eq(&xml);
    }

    #[test]
    fn each_standing_has_its_element() {
        let with = |case: &str, verdict| CaseReport { verdict, ..report(case, 1, &[]) };
        let failed = CaseReport { error: Some("no java".into()), ..with("c", Verdict::Inconclusive) };
        let xml =
            xml(&[with("a", Verdict::Pass), with("b", Verdict::Inconclusive), failed, with("d", Verdict::Expected)]);
        for element in [
            "errors=\"2\" failures=\"0\"",
            "<error type=\"inconclusive\"",
            "<error type=\"environment\" message=\"no java\"",
            "<skipped type=\"expected\"",
        ] {
            assert!(xml.contains(element), "{element} is missing in\n{xml}");
        }
    }

    #[test]
    fn a_declaration_that_is_stale_is_a_failure_beside_the_case_that_passed() {
        let xml = xml_with(&[report("retries", 1, &[])], &["ledger.acked".into(), "other.acked".into()]);
        for part in ["tests=\"2\" errors=\"0\" failures=\"1\"", "name=\"expected ledger.acked\"", "type=\"stale\""] {
            assert!(xml.contains(part), "{part} is missing in\n{xml}");
        }
    }

    #[test]
    fn a_case_that_was_never_started_names_no_file_and_no_time() {
        let directory = std::path::PathBuf::new();
        let unstarted =
            CaseReport { verdict: Verdict::NotApplicable, directory, started_unix: 0, ..report("a", 1, &[]) };
        let xml = xml(&[unstarted, report("b", 1, &[])]);
        assert!(xml.contains("<skipped type=\"not-applicable\"") && !xml.contains("ATTACHMENT"), "{xml}");
        assert!(xml.contains("timestamp=\"2023-"), "{xml}");
    }

    #[test]
    fn nothing_a_target_says_can_break_the_document() {
        let mut hostile = report("retries", 1, &["ledger.once"]);
        hostile.findings[0].finding.anomalies[0].found = "]]></failure>\u{0}\u{ffff}\u{1b}\" & <x>".into();
        let xml = xml(&[hostile]);
        assert!(!xml.contains(|c: char| c.is_control() && c != '\n'), "{xml}");
        assert_eq!(xml.matches("]]>").count(), xml.matches("<![CDATA[").count(), "{xml}");
    }
}

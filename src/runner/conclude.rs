//! From a history to what it comes to. The runner and `fireassay check` both end here, so that they cannot disagree.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use super::{CaseFile, FaultReport, Figures, Judged, NOTES_MAX};
use crate::history::{End, FaultChange, History, IntentId, Outcome, Phase, ProcessChange, StepId, What};
use crate::judgement::{Finding, Verdict};
use crate::profile::{JudgedCase, Profile};

/// What a history comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    /// The case as a whole.
    pub verdict: Verdict,
    /// See [`CaseReport::whole`](super::CaseReport::whole).
    pub whole: bool,
    /// One for each requirement of the case.
    pub findings: Vec<Judged>,
    /// One for each step of the plan.
    pub faults: Vec<FaultReport>,
    /// The counts and the recovery; the other times are left at zero.
    pub figures: Figures,
    /// What kept the target from being given any load.
    pub stuck: Option<String>,
    /// What else a reader should know, the earliest first.
    pub notes: Vec<String>,
}

/// Judges a history by the requirements of its case. Pure: the same history gives the same conclusion.
#[must_use]
pub fn conclude(profile: &dyn Profile, case: &CaseFile, history: &History) -> Conclusion {
    let requirements: Vec<String> = case.requirements.iter().map(|requirement| requirement.id.clone()).collect();
    let judged = JudgedCase { requirements: &requirements, script: &case.script, plan: &case.plan };
    let findings = weigh(case, profile.judge(history, &judged));
    let faults = faults(case, history);
    let shortfalls = shortfalls(history);
    let whole = history.end() == Some(&End::Completed)
        && case.plan.is_carried_out(|step| faults.get(step).is_some_and(|fault| fault.bit.is_some()))
        && shortfalls.is_empty();
    let verdict = verdict(&findings, whole);
    let stuck = match history.end() {
        Some(End::Stuck(why)) => Some(why.clone()),
        _ => None,
    };
    Conclusion { verdict, whole, findings, faults, figures: figures(history), stuck, notes: notes(shortfalls, history) }
}

/// What each finding counts for, after the target's declared failures.
fn weigh(case: &CaseFile, findings: Vec<Finding>) -> Vec<Judged> {
    case.requirements
        .iter()
        .zip(findings)
        .map(|(requirement, mut finding)| {
            if case.regression.is_some() {
                // It does little on purpose; that this little was seen is enough.
                finding.evidence.iter_mut().for_each(|evidence| evidence.least = evidence.least.min(1));
            }
            if let Some((_, lack)) = case.lacks.iter().find(|(id, _)| *id == requirement.id) {
                return Judged::lacking(requirement, lack);
            }
            let declared = case.expected.iter().find(|(id, _)| *id == requirement.id);
            let expected = declared.map(|(_, reason)| reason.clone());
            let verdict = match finding.verdict() {
                Verdict::Violation if expected.is_some() => Verdict::Expected,
                other => other,
            };
            Judged { requirement: requirement.clone(), finding, verdict, expected, lacks: None }
        })
        .collect()
}

/// What became of each step of the plan. A step that the history says nothing about was never reached.
fn faults(case: &CaseFile, history: &History) -> Vec<FaultReport> {
    let mut reports: Vec<FaultReport> = (0u16..)
        .zip(&case.plan.steps)
        .map(|(step, planned)| FaultReport {
            step: StepId(step),
            fault: planned.to_string(),
            bit: None,
            missed: Some("the run ended before it was due".into()),
        })
        .collect();
    for event in &history.events {
        let What::Fault { step, change } = &event.what else { continue };
        let Some(report) = reports.get_mut(usize::from(step.0)) else { continue };
        match change {
            FaultChange::Injected(what) => {
                report.fault.clone_from(what);
                report.missed = Some("no sign that it made a difference".into());
            }
            FaultChange::Bit(evidence) => (report.bit, report.missed) = (Some(evidence.clone()), None),
            FaultChange::Missed(why) if report.bit.is_none() => report.missed = Some(why.clone()),
            FaultChange::Missed(_) | FaultChange::Healed(_) => {}
        }
    }
    reports
}

/// A violation stands whatever else happened. A pass needs a run that ended in order, in which the faults bit, nothing
/// ended that nobody ended, and nothing was owed at the end: whatever the case asks of its requirements.
fn verdict(findings: &[Judged], whole: bool) -> Verdict {
    let worst = findings.iter().map(|judged| judged.verdict).max().unwrap_or(Verdict::Inconclusive);
    if whole { worst } else { worst.max(Verdict::Inconclusive) }
}

/// What no requirement of the case may ask for, and yet no healthy target does.
fn shortfalls(history: &History) -> Vec<String> {
    let mut gone = BTreeMap::new();
    let mut owed = None;
    let mut blind = Vec::new();
    for event in &history.events {
        match &event.what {
            What::Process { name, change: ProcessChange::Exited { status, expected: false } } => {
                gone.insert(name, status);
            }
            What::Process { name, change: ProcessChange::Ready } => {
                gone.remove(name);
            }
            What::Blind { why } => blind.push(format!("not seen: {why}")),
            What::Unsettled { owed: what } => owed = Some(format!("at the deadline for settling, still owed: {what}")),
            _ => {}
        }
    }
    let gone = gone.into_iter().map(|(name, status)| format!("{name} ended by itself and did not come back: {status}"));
    gone.chain(owed).chain(blind).collect()
}

fn notes(shortfalls: Vec<String>, history: &History) -> Vec<String> {
    let notes = history.events.iter().filter_map(|event| match &event.what {
        What::Note { text } => Some(text.clone()),
        _ => None,
    });
    shortfalls.into_iter().chain(notes).take(NOTES_MAX).collect()
}

fn figures(history: &History) -> Figures {
    let mut figures = Figures::default();
    let mut intents: HashSet<IntentId> = HashSet::new();
    for event in &history.events {
        match &event.what {
            What::Invoke { intent, .. } => {
                figures.attempts += 1;
                intents.insert(*intent);
            }
            What::Return { outcome, .. } => match outcome {
                Outcome::Ok { .. } => figures.ok += 1,
                Outcome::Refused { .. } => figures.refused += 1,
                Outcome::Unknown(_) => figures.unknown += 1,
            },
            What::Rows { .. } => figures.readings += 1,
            What::Record(_) => figures.records += 1,
            _ => {}
        }
    }
    figures.intents = intents.len() as u64;
    figures.recovery = recovery(history);
    figures
}

/// From the last heal, or the last answer of the load if that came later, until the target had settled; `None` if it did not.
fn recovery(history: &History) -> Option<Duration> {
    let mut phase = Phase::Setup;
    let mut undisturbed = None;
    for event in &history.events {
        match &event.what {
            // What cannot be healed is over when it has been done.
            What::Fault { change: FaultChange::Injected(_) | FaultChange::Healed(_), .. } => {
                undisturbed = Some(event.at);
            }
            What::Return { .. } if phase == Phase::Load => undisturbed = Some(event.at),
            What::Unsettled { .. } => return None,
            // The audit begins when the target has settled.
            What::Phase { phase: Phase::Audit } => {
                return Some(event.at.since_start().saturating_sub(undisturbed?.since_start()));
            }
            What::Phase { phase: entered } => phase = *entered,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Event;
    use crate::profile::{Field, Operation, Pending};
    use crate::report::samples::{case_file, history, judged};
    use crate::suite::{Suite, SuiteError};

    /// Finds what it was told to find.
    #[derive(Debug)]
    struct Says(Vec<Finding>);

    impl Profile for Says {
        fn name(&self) -> &'static str {
            "ledger"
        }
        fn operations(&self) -> &'static [Operation] {
            &[]
        }
        fn readings(&self) -> &'static [&'static str] {
            &[]
        }
        fn event_fields(&self) -> &'static [Field] {
            &[]
        }
        fn read_suite(&self, _path: &str, _text: &str) -> Result<Suite, SuiteError> {
            Err(SuiteError("no suites here".into()))
        }
        fn pending(&self, _events: &[Event]) -> Pending {
            Pending::Nothing
        }
        fn judge(&self, _history: &History, _case: &JudgedCase<'_>) -> Vec<Finding> {
            self.0.clone()
        }
    }

    fn says(violated: bool) -> Says {
        Says(vec![judged("ledger.once", violated).finding, judged("ledger.acked", false).finding])
    }

    fn without(history: History, leave_out: impl Fn(&Event) -> bool) -> History {
        History { events: history.events.into_iter().filter(|event| !leave_out(event)).collect() }
    }

    #[test]
    fn the_counts_come_from_the_history() {
        let conclusion = conclude(&says(false), &case_file(), &history());
        let figures = conclusion.figures;
        assert_eq!((figures.intents, figures.attempts, figures.ok, figures.unknown), (2, 3, 1, 1));
        assert_eq!((conclusion.verdict, conclusion.faults[0].fault.as_str()), (Verdict::Pass, "kill api-2"));
    }

    #[test]
    fn recovery_is_from_the_last_heal_or_the_end_of_the_load_until_the_target_has_settled() {
        use crate::history::Moment;
        let recovery = |marks: &[(u64, What)]| {
            let mut events = history().events;
            events.extend(
                marks.iter().map(|(millis, what)| Event { at: Moment(millis * 1_000_000), what: what.clone() }),
            );
            conclude(&says(false), &case_file(), &History { events }).figures.recovery
        };
        let healed =
            |at| (at, What::Fault { step: StepId(0), change: FaultChange::Healed("api-2 started again".into()) });
        let (settle, audit) = (What::Phase { phase: Phase::Settle }, What::Phase { phase: Phase::Audit });
        // The last answer of the load came at 842 ms.
        assert_eq!(recovery(&[(3_000, settle.clone()), (3_842, audit.clone())]), Some(Duration::from_secs(3)));
        assert_eq!(
            recovery(&[healed(2_900), (3_000, settle.clone()), (3_900, audit.clone())]),
            Some(Duration::from_secs(1))
        );
        let owed = What::Unsettled { owed: "2 events".into() };
        assert_eq!(recovery(&[(3_000, settle.clone()), (9_000, owed), (9_001, audit)]), None);
        assert_eq!(recovery(&[(3_000, settle)]), None, "it was cut off");
    }

    #[test]
    fn a_fault_that_did_not_bite_spoils_a_pass_but_not_a_violation() {
        let toothless =
            without(history(), |event| matches!(&event.what, What::Fault { change: FaultChange::Bit(_), .. }));
        let conclusion = conclude(&says(false), &case_file(), &toothless);
        assert_eq!(conclusion.verdict, Verdict::Inconclusive);
        assert_eq!(conclusion.faults[0].missed.as_deref(), Some("no sign that it made a difference"));
        assert_eq!(conclude(&says(true), &case_file(), &toothless).verdict, Verdict::Violation);
    }

    #[test]
    fn an_instance_that_ended_by_itself_is_no_pass() {
        let change = |change| What::Process { name: "api-1".into(), change };
        let exited = change(ProcessChange::Exited { status: "signal: 11".into(), expected: false });
        let at = history().events[0].at;
        let mut crashed = history();
        crashed.events.insert(1, Event { at, what: exited });
        let conclusion = conclude(&says(false), &case_file(), &crashed);
        assert_eq!(conclusion.verdict, Verdict::Inconclusive);
        assert_eq!(conclusion.notes, ["api-1 ended by itself and did not come back: signal: 11"]);
        crashed.events.insert(2, Event { at, what: change(ProcessChange::Ready) });
        assert_eq!(conclude(&says(false), &case_file(), &crashed).verdict, Verdict::Pass);
    }

    #[test]
    fn a_target_that_still_owes_something_is_no_pass() {
        let mut late = history();
        let at = late.events[0].at;
        late.events.insert(1, Event { at, what: What::Unsettled { owed: "2 events".into() } });
        let conclusion = conclude(&says(false), &case_file(), &late);
        assert_eq!(conclusion.verdict, Verdict::Inconclusive);
        assert_eq!(conclusion.notes, ["at the deadline for settling, still owed: 2 events"]);
    }

    #[test]
    fn a_target_that_got_no_load_is_no_pass_and_says_why() {
        let mut stuck = without(history(), |event| matches!(event.what, What::End { .. }));
        let at = stuck.events[0].at;
        let notes = (0..9).map(|number| What::Note { text: number.to_string() });
        let end = What::End { why: End::Stuck("it answered 500".into()) };
        stuck.events.extend(notes.chain([end]).map(|what| Event { at, what }));
        let conclusion = conclude(&says(false), &case_file(), &stuck);
        assert_eq!((conclusion.verdict, conclusion.stuck.as_deref()), (Verdict::Inconclusive, Some("it answered 500")));
        assert_eq!(conclusion.notes, ["0", "1", "2", "3", "4"]);
    }

    #[test]
    fn a_run_that_was_cut_off_is_no_pass() {
        let cut = without(history(), |event| matches!(event.what, What::End { .. }));
        assert_eq!(conclude(&says(false), &case_file(), &cut).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_the_target_lacks_is_not_judged() {
        let mut case = case_file();
        case.lacks.push(("ledger.once".into(), "it has no keys".into()));
        let conclusion = conclude(&says(true), &case, &history());
        assert_eq!((conclusion.verdict, conclusion.findings[0].verdict), (Verdict::Pass, Verdict::NotApplicable));
        case.lacks.push(("ledger.acked".into(), "it acknowledges nothing".into()));
        assert_eq!(conclude(&says(true), &case, &history()).verdict, Verdict::NotApplicable);
    }

    #[test]
    fn a_regression_has_to_see_something_but_not_much() {
        let mut seldom = says(false);
        for (finding, seen) in seldom.0.iter_mut().zip([1, 0]) {
            (finding.evidence[0].seen, finding.evidence[0].least) = (seen, 10);
        }
        let verdicts = |case: &CaseFile| {
            let conclusion = conclude(&seldom, case, &history());
            conclusion.findings.iter().map(|judged| judged.verdict).collect::<Vec<_>>()
        };
        assert_eq!(verdicts(&case_file()), [Verdict::Inconclusive; 2]);
        let regression = CaseFile { regression: Some("bc66a6179a61".into()), ..case_file() };
        assert_eq!(verdicts(&regression), [Verdict::Pass, Verdict::Inconclusive]);
    }

    #[test]
    fn a_declared_violation_counts_as_expected() {
        let mut case = case_file();
        case.expected.push(("ledger.once".into(), "keys are kept for a day only".into()));
        let conclusion = conclude(&says(true), &case, &history());
        assert_eq!((conclusion.verdict, conclusion.findings[0].verdict), (Verdict::Expected, Verdict::Expected));
        assert_eq!(conclude(&says(false), &case, &history()).verdict, Verdict::Pass);
    }
}

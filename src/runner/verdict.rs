//! From a history to the verdict of a case. Pure: the same stored run gives the same verdict again.

use std::collections::BTreeSet;

use super::{CaseFile, FaultReport, Figures, Judged};
use crate::history::{End, FaultChange, History, Outcome, StepId, What};
use crate::judgement::Verdict;
use crate::profile::{JudgedCase, Profile};

/// What a history comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The worst of all.
    pub verdict: Verdict,
    /// One for each requirement of the case.
    pub findings: Vec<Judged>,
    /// One for each step of the plan.
    pub faults: Vec<FaultReport>,
}

/// Judges a run by its case and its history alone.
///
/// A fault that did not bite, and a run that did not go through all its phases, make the case inconclusive at best:
/// what it was meant to show was not put to the test.
#[must_use]
pub fn judge(profile: &dyn Profile, case: &CaseFile, history: &History) -> Judgement {
    let requirements: Vec<_> = case.requirements.iter().map(|requirement| requirement.id.clone()).collect();
    let judged_case = JudgedCase { requirements: &requirements, script: &case.script, plan: &case.plan };
    let findings: Vec<_> = profile
        .judge(history, &judged_case)
        .into_iter()
        .zip(&case.requirements)
        .map(|(finding, requirement)| {
            let declared = case.expected.iter().find(|(id, _)| *id == requirement.id).map(|(_, reason)| reason.clone());
            let expected = declared.filter(|_| finding.verdict() == Verdict::Violation);
            let verdict = if expected.is_some() { Verdict::Expected } else { finding.verdict() };
            Judged { requirement: requirement.clone(), finding, verdict, expected }
        })
        .collect();
    let faults: Vec<_> = (0..case.plan.steps.len()).map(|index| fault_report(case, history, index)).collect();
    let least = if history.end() != Some(&End::Completed) || faults.iter().any(|fault| fault.bit.is_none()) {
        Verdict::Inconclusive
    } else {
        Verdict::NotApplicable
    };
    let verdict = findings.iter().map(|judged| judged.verdict).fold(least, Verdict::max);
    Judgement { verdict, findings, faults }
}

fn fault_report(case: &CaseFile, history: &History, index: usize) -> FaultReport {
    let step = StepId(u16::try_from(index).unwrap_or(u16::MAX));
    let mut report = FaultReport { step, fault: case.plan.steps[index].to_string(), bit: None, missed: None };
    for event in &history.events {
        match &event.what {
            What::Fault { step: of, change: FaultChange::Bit(evidence) } if *of == step => {
                report.bit = Some(evidence.clone());
            }
            What::Fault { step: of, change: FaultChange::Missed(why) } if *of == step => {
                report.missed = Some(why.clone());
            }
            _ => {}
        }
    }
    report
}

/// Completes a run's figures with the counts that its history holds.
#[must_use]
pub(super) fn count(history: &History, mut figures: Figures) -> Figures {
    let mut intents = BTreeSet::new();
    for event in &history.events {
        match &event.what {
            What::Invoke { intent, .. } => {
                intents.insert(*intent);
                figures.attempts += 1;
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
    figures
}

//! Which cases with which seeds.

use std::time::Duration;

use super::failure::{Failure, did_you_mean};
use crate::runner::Planned;
use crate::suite::{Case, Suite, Tier};

/// How much is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum TierChoice {
    /// A few minutes: for every change.
    #[default]
    Quick,
    /// All of quick and more: before a release.
    Full,
}

impl From<TierChoice> for Tier {
    fn from(choice: TierChoice) -> Self {
        match choice {
            TierChoice::Quick => Self::Quick,
            TierChoice::Full => Self::Full,
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection<'a> {
    /// These cases, whatever their tier; empty: all of the tier.
    pub(crate) cases: &'a [String],
    /// Only cases that check this requirement.
    pub(crate) requirement: Option<&'a str>,
    /// Up to this tier.
    pub(crate) tier: TierChoice,
}

/// The selected cases in the order of the suite.
pub(crate) fn select(suite: &Suite, selection: &Selection<'_>) -> Result<Vec<Case>, Failure> {
    let ids = || suite.cases.iter().map(|case| case.id.as_str());
    if let Some(unknown) = selection.cases.iter().find(|id| !ids().any(|known| known == **id)) {
        let what = format!("the suite {} has no case `{unknown}`{}", suite.profile, did_you_mean(unknown, ids()));
        return Err(Failure::usage(what, "fireassay list"));
    }
    let requirements = || suite.requirements.iter().map(|requirement| requirement.id.as_str());
    if let Some(unknown) = selection.requirement.filter(|id| !requirements().any(|known| known == *id)) {
        let what = format!(
            "the suite {} has no requirement `{unknown}`{}",
            suite.profile,
            did_you_mean(unknown, requirements())
        );
        return Err(Failure::usage(what, "fireassay list"));
    }
    let tier = Tier::from(selection.tier);
    let is_asked = |case: &&Case| match selection.cases {
        [] => case.tier <= tier,
        ids => ids.contains(&case.id),
    };
    let checks =
        |case: &&Case| selection.requirement.is_none_or(|id| case.requirements.iter().any(|checked| checked == id));
    let selected: Vec<Case> = suite.cases.iter().filter(is_asked).filter(checks).cloned().collect();
    if selected.is_empty() {
        let next = match (selection.cases, selection.requirement, selection.tier) {
            ([], Some(_), TierChoice::Quick) => "add --tier full".to_owned(),
            (_, Some(id), _) => format!("fireassay explain {id} names the cases that check it"),
            _ => "fireassay list".to_owned(),
        };
        return Err(Failure::nothing(format!("no case of the suite {} is selected", suite.profile), next));
    }
    Ok(selected)
}

/// Every case with every seed: all cases with the first seed, then all with the next.
pub(crate) fn plan(cases: &[Case], first_seed: u64, seeds: u64) -> Vec<Planned> {
    let seeds = (0..seeds).map(|step| first_seed.wrapping_add(step));
    seeds.flat_map(|seed| cases.iter().map(move |case| Planned::drawn(case.clone(), seed))).collect()
}

/// `NAME=VALUE`, as `--env` takes it.
pub(crate) fn read_variable(text: &str) -> Result<(String, String), String> {
    let hint = "write NAME=VALUE, as in REFERENCE_DEFECTS=check-then-insert";
    let (name, value) = text.split_once('=').ok_or(hint)?;
    if name.is_empty() || text.contains('\0') {
        return Err(hint.into());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// `30s`, as `--settle` takes it.
pub(crate) fn read_settle(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(settle) if !settle.is_zero() => Ok(settle),
        Ok(_) => Err("the target gets no time to settle".to_owned()),
        Err(error) => Err(format!("{error}; write it as in 30s or 2m")),
    }
}

/// The cases with this deadline for settling, if there is one, instead of their own.
pub(crate) fn with_settle(mut cases: Vec<Case>, settle: Option<Duration>) -> Vec<Case> {
    for case in &mut cases {
        case.settle = settle.unwrap_or(case.settle);
    }
    cases
}

/// How many sandboxes at a time unless told: they mostly wait, but each has processes of its own.
pub(crate) fn default_jobs() -> usize {
    /// Beyond this the stack, which all sandboxes share, is the bottleneck.
    const JOBS_MOST: usize = 4;
    std::thread::available_parallelism().map_or(1, usize::from).min(JOBS_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::exit;
    use crate::report::samples::suite;

    #[test]
    fn without_names_the_tier_decides() {
        let ids = |tier| {
            let selected = select(&suite(), &Selection { tier, ..Selection::default() }).expect("a selection");
            selected.iter().map(|case| case.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(TierChoice::Quick), ["retries"]);
        assert_eq!(ids(TierChoice::Full), ["retries", "broker-down"]);
    }

    #[test]
    fn a_named_case_is_run_whatever_its_tier() {
        let cases = ["broker-down".to_owned()];
        let selected = select(&suite(), &Selection { cases: &cases, ..Selection::default() }).expect("a selection");
        assert_eq!(selected.len(), 1);
    }

    #[test]
    fn an_unknown_case_is_a_mistake_with_a_suggestion() {
        let cases = ["retrys".to_owned()];
        let failure = select(&suite(), &Selection { cases: &cases, ..Selection::default() }).expect_err("no such case");
        assert_eq!(
            (failure.code, failure.what.as_str()),
            (exit::USAGE, "the suite ledger has no case `retrys`; did you mean `retries`?")
        );
    }

    #[test]
    fn nothing_selected_is_told_apart_and_says_what_would_select() {
        let selection = Selection { requirement: Some("ledger.event"), ..Selection::default() };
        let failure = select(&suite(), &selection).expect_err("only a full case checks it");
        assert_eq!((failure.code, failure.next.as_str()), (exit::NOTHING, "add --tier full"));
    }

    #[test]
    fn seeds_follow_each_other_and_cases_keep_their_order() {
        let planned = plan(&suite().cases, 7, 2);
        let order: Vec<_> = planned.iter().map(|run| (run.case(), run.seed())).collect();
        assert_eq!(order, [("retries", 7), ("broker-down", 7), ("retries", 8), ("broker-down", 8)]);
    }

    #[test]
    fn a_variable_needs_a_name() {
        assert_eq!(read_variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(read_variable("=b").is_err());
        assert!(read_variable("A").is_err());
    }
}

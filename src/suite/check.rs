//! What a suite has to be besides well written: everything in it means something, and nothing is left unchecked.

use std::collections::BTreeSet;

use super::SuiteError;
use super::locate::{Place, Step};
use super::read::{CaseText, ExploreText, SuiteText};
use crate::fault::spec::{FaultSpec, HealSpec, When};
use crate::fault::{Pick, StormSpec};
use crate::source::suggest;

use Step::{Index, Key};

pub(super) fn suite<W>(profile: &str, suite: &SuiteText<W>, place: &Place<'_>) -> Result<(), SuiteError> {
    if suite.profile != profile {
        let what = format!("this is a suite of profile `{}`, not of `{profile}`", suite.profile);
        return Err(place.wrong(&[Key("profile")], &what, None));
    }
    if suite.version == 0 {
        return Err(place.wrong(&[Key("version")], "versions count from 1", None));
    }
    requirements(profile, suite, place)?;
    cases(suite, place)?;
    let checked: BTreeSet<_> = suite.case.iter().flat_map(|case| &case.requirements).collect();
    for (index, requirement) in suite.requirement.iter().enumerate() {
        if !checked.contains(&requirement.id) {
            return Err(place.wrong(
                &[Key("requirement"), Index(index), Key("id")],
                &format!("no case checks `{}`", requirement.id),
                Some("add it to `requirements` of a case, or remove it"),
            ));
        }
    }
    Ok(())
}

fn requirements<W>(profile: &str, suite: &SuiteText<W>, place: &Place<'_>) -> Result<(), SuiteError> {
    let mut seen = BTreeSet::new();
    for (index, requirement) in suite.requirement.iter().enumerate() {
        let at = |key| [Key("requirement"), Index(index), Key(key)];
        let id = requirement.id.as_str();
        if !id.split_once('.').is_some_and(|(prefix, word)| prefix == profile && is_word(word)) {
            let help = format!("write `{profile}.` and a word of small letters and `-`, as in `{profile}.once`");
            return Err(place.wrong(&at("id"), &format!("`{id}` is not the id of a requirement"), Some(&help)));
        }
        if !seen.insert(id) {
            return Err(place.wrong(&at("id"), &format!("two requirements are called `{id}`"), None));
        }
        for (key, text) in [("text", &requirement.text), ("why", &requirement.why)] {
            if text.trim().is_empty() {
                return Err(place.wrong(&at(key), &format!("`{key}` of `{id}` is empty"), None));
            }
        }
    }
    Ok(())
}

fn cases<W>(suite: &SuiteText<W>, place: &Place<'_>) -> Result<(), SuiteError> {
    let known: Vec<_> = suite.requirement.iter().map(|requirement| requirement.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    if suite.case.is_empty() {
        return Err(place.wrong(&[], "the suite has no case", Some("add one under `[[case]]`")));
    }
    for (index, text) in suite.case.iter().enumerate() {
        let at = |key| [Key("case"), Index(index), Key(key)];
        if !is_word(&text.id) {
            let help = "use small letters, digits and `-`, as in `killed-api`";
            return Err(place.wrong(&at("id"), &format!("`{}` is not the id of a case", text.id), Some(help)));
        }
        if !seen.insert(text.id.as_str()) {
            return Err(place.wrong(&at("id"), &format!("two cases are called `{}`", text.id), None));
        }
        case(index, text, &known, place)?;
    }
    Ok(())
}

fn case<W>(index: usize, case: &CaseText<W>, known: &[&str], place: &Place<'_>) -> Result<(), SuiteError> {
    let at = |key| [Key("case"), Index(index), Key(key)];
    if case.title.trim().is_empty() {
        return Err(place.wrong(&at("title"), "the title is empty", None));
    }
    if case.requirements.is_empty() {
        let help = "a case that checks nothing proves nothing: list ids of requirements";
        return Err(place.wrong(&at("requirements"), "the case has no requirements", Some(help)));
    }
    for (number, id) in case.requirements.iter().enumerate() {
        let here = [Key("case"), Index(index), Key("requirements"), Index(number)];
        if !known.contains(&id.as_str()) {
            return Err(place.wrong(&here, &format!("unknown requirement `{id}`"), Some(&suggest(id, known))));
        }
        if case.requirements[..number].contains(id) {
            return Err(place.wrong(&here, &format!("`{id}` is listed twice"), None));
        }
    }
    if case.read_every.is_some_and(|span| span.0.is_zero()) {
        return Err(place.wrong(&at("read_every"), "a pause of nothing", Some("leave it out to read only at the end")));
    }
    if case.settle.0.is_zero() {
        return Err(place.wrong(&at("settle"), "the target gets no time to settle", None));
    }
    if let Some((key, what, help)) = storm_mistake(case) {
        return Err(place.wrong(&[Key("case"), Index(index), Key("storm"), Key(key)], what, help));
    }
    for (number, spec) in case.fault.iter().enumerate() {
        if let Some((key, what)) = mistake(number, spec) {
            return Err(place.wrong(&[Key("case"), Index(index), Key("fault"), Index(number), Key(key)], what, None));
        }
    }
    Ok(())
}

/// The first thing in a storm that means nothing, under which key it is, and how to mend it.
fn storm_mistake<W>(case: &CaseText<W>) -> Option<(&'static str, &'static str, Option<&'static str>)> {
    let storm = case.storm.as_ref()?;
    if case.explore != Some(ExploreText::Storm) {
        return Some((
            "",
            "a storm that nothing draws from",
            Some("add `explore = \"storm\"` to the case, or remove it"),
        ));
    }
    match storm.faults {
        0 => Some(("faults", "a storm without faults", Some("leave `explore` out, or raise `faults`"))),
        faults if faults > StormSpec::FAULTS_MAX => Some(("faults", "a storm has 500 faults at most", None)),
        _ if storm.menu.is_empty() => {
            Some(("menu", "nothing to draw from", Some("leave `menu` out for what fits any target")))
        }
        _ => None,
    }
}

/// The first thing in a fault that could be read but means nothing, and under which key it is.
fn mistake(number: usize, spec: &FaultSpec) -> Option<(&'static str, &'static str)> {
    const BACKWARDS: &str = "the range has its low end above its high end";
    let when_backwards = match spec.when {
        When::Operations([low, high]) => low > high,
        When::At([low, high]) | When::AfterPrevious([low, high]) => low > high,
    };
    let pick = spec.inject.at_exchange().map(|at| at.pick);
    match (spec.when, spec.heal, pick) {
        _ if when_backwards => Some(("when", BACKWARDS)),
        (When::AfterPrevious(_), ..) if number == 0 => Some(("when", "no fault is written above this one")),
        (_, HealSpec::Operations([low, high]), _) if low > high => Some(("heal", BACKWARDS)),
        (.., Some(Pick::Nth(0) | Pick::First(0))) => Some(("inject", "exchanges count from 1")),
        (.., Some(Pick::Probability(p))) if !(p > 0.0 && p <= 1.0) => {
            Some(("inject", "a probability is above 0 and at most 1"))
        }
        _ if spec.times == 0 => Some(("times", "a fault that never happens; remove it")),
        _ => None,
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

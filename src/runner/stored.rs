//! Whether a stored case can be run: files come from other versions, other machines and other people's hands.

use super::CaseFile;
use crate::fault::Trigger;
use crate::history::{InstanceName, IntentId};
use crate::profile;
use crate::target::Target;

/// Why a stored case cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(pub String);

/// Sees that nothing in a stored case speaks of what is not in it.
///
/// # Errors
/// The first thing that does.
pub fn is_whole(file: &CaseFile) -> Result<(), Misfit> {
    let script = &file.script;
    let known = |id: &IntentId| (id.0 as usize) < script.intents.len();
    let sent = script.clients.iter().flatten().map(|step| step.intent);
    let listed = script.setup.iter().chain(&script.probes).chain(&script.audit).copied();
    let bound = script.intents.iter().flat_map(|intent| &intent.binds).map(|bind| bind.intent);
    if let Some(unknown) = sent.chain(listed).chain(bound).find(|id| !known(id)) {
        let (asked, last) = (unknown.0, script.intents.len());
        return Err(Misfit(format!("its script speaks of intent {asked}, and there are {last}, counted from 0")));
    }
    if script.clients.len() > usize::from(u16::MAX) {
        return Err(Misfit(format!("its script has {} callers, and {} are the most", script.clients.len(), u16::MAX)));
    }
    for (index, step) in file.plan.steps.iter().enumerate() {
        if let Trigger::After { step: other, .. } = step.trigger
            && usize::from(other.0) >= index
        {
            let (fault, other) = (index + 1, other.0 + 1);
            return Err(Misfit(format!("its fault {fault} waits for fault {other}, which is not an earlier one")));
        }
    }
    Ok(())
}

/// Sees that a stored case can be run against a target.
///
/// # Errors
/// When the target has another profile, or not the instances that the plan treats.
pub fn fits(file: &CaseFile, target: &Target) -> Result<(), Misfit> {
    if profile::named(&file.profile).is_none() {
        return Err(Misfit(format!("it is of the profile `{}`, which this fireassay does not have", file.profile)));
    }
    if !target.profiles.contains(&file.profile) {
        let has = target.profiles.join(", ");
        return Err(Misfit(format!(
            "it is of the profile `{}`, and the target `{}` implements {has}",
            file.profile, target.name
        )));
    }
    let known = target.instances();
    let mut treated = file.plan.steps.iter().flat_map(|step| step.fault.instances());
    match treated.find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(missing) => Err(Misfit(format!(
            "its plan treats {missing}, and the target `{}` has {}",
            target.name,
            known.iter().map(InstanceName::to_string).collect::<Vec<_>>().join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{ClockChange, Fault, Heal, Step};
    use crate::history::StepId;
    use crate::profile::script;
    use crate::report::samples::case_file;
    use std::time::Duration;

    #[test]
    fn what_a_script_does_not_have_is_noticed_before_anything_is_sent() {
        assert_eq!(is_whole(&case_file()), Ok(()));
        let mut file = case_file();
        file.script.clients = vec![vec![script::Step { intent: IntentId(3), after: Duration::ZERO, copies: 1 }]];
        let why = is_whole(&file).expect_err("there is no intent 3").to_string();
        assert_eq!(why, "its script speaks of intent 3, and there are 0, counted from 0");
    }

    #[test]
    fn a_fault_can_only_wait_for_an_earlier_one() {
        let mut file = case_file();
        let trigger = Trigger::After { step: StepId(1), pause: Duration::ZERO };
        file.plan.steps.push(Step { trigger, fault: Fault::FlushRedis, heal: Heal::AtEnd });
        let why = is_whole(&file).expect_err("it waits for itself").to_string();
        assert_eq!(why, "its fault 2 waits for fault 2, which is not an earlier one");
    }

    #[test]
    fn a_target_needs_the_profile_and_the_instances() {
        let target = Target::load(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/targets/reference")));
        let target = target.expect("the reference target");
        assert_eq!(fits(&case_file(), &target), Ok(()));
        let mut file = case_file();
        let missing = InstanceName { role: "api".into(), number: 9 };
        for fault in [Fault::Kill(missing.clone()), Fault::Clock { of: missing, change: ClockChange::Freeze }] {
            file.plan.steps[0].fault = fault;
            let why = fits(&file, &target).expect_err("there is no api-9").to_string();
            assert_eq!(why, "its plan treats api-9, and the target `reference` has api-1, api-2, relay-1");
        }
        let file = CaseFile { profile: "lottery".into(), ..case_file() };
        let why = fits(&file, &target).expect_err("there is no such profile").to_string();
        assert_eq!(why, "it is of the profile `lottery`, which this fireassay does not have");
    }
}

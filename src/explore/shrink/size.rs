//! How large a case is, in what a reader has to keep in mind.

use std::fmt;

use crate::report::text::count;
use crate::runner::CaseFile;

/// What a case consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Steps of the plan.
    pub faults: usize,
    /// Callers with something to do.
    pub clients: usize,
    /// What they send: every step, as often as it is sent at once. What they send again when in doubt does not count.
    pub operations: usize,
}

impl Size {
    /// The size of a case.
    #[must_use]
    pub fn of(case: &CaseFile) -> Self {
        let clients = &case.script.clients;
        Self {
            faults: case.plan.steps.len(),
            clients: clients.iter().filter(|steps| !steps.is_empty()).count(),
            operations: clients.iter().flatten().map(|step| usize::from(step.copies.max(1))).sum(),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.faults, "fault"), (self.clients, "client"), (self.operations, "operation")];
        f.write_str(&words.map(|(number, thing)| count(number as u64, thing)).join(", "))
    }
}

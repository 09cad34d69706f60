//! The oracles.
use super::facts::Facts;
use crate::judgement::Finding;
use crate::profile::JudgedCase;
/// Judges.
#[must_use]
pub fn judge(_facts: &Facts, _case: &JudgedCase<'_>) -> Vec<Finding> {
    Vec::new()
}
#[cfg(test)]
pub(in crate::profile::ledger) fn requirements() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}

//! Pending.
use super::facts::Facts;
use crate::profile::Pending;
pub(super) fn pending(_facts: &Facts) -> Pending {
    Pending::Nothing
}

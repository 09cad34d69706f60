//! What a run violated, in the terms in which two runs are compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::judgement::Verdict;
use crate::runner::Judged;

/// The requirements that a run violated, each with the kinds of its anomalies.
///
/// Two runs of the same case hit different transfers at different moments; that both doubled a debit is what they share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(pub BTreeMap<String, BTreeSet<String>>);

impl Signature {
    /// What these findings violate, whether the target declares it or not.
    #[must_use]
    pub fn of(findings: &[Judged]) -> Self {
        let violated = findings.iter().filter(|it| matches!(it.verdict, Verdict::Violation | Verdict::Expected));
        let kinds = |it: &Judged| it.finding.anomalies.iter().map(|anomaly| anomaly.kind.clone()).collect();
        Self(violated.map(|it| (it.requirement.id.clone(), kinds(it))).collect())
    }

    /// Whether nothing was violated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The part of it that is about one requirement.
    #[must_use]
    pub fn only(&self, requirement: &str) -> Self {
        let only = self.0.get_key_value(requirement);
        Self(only.map(|(id, kinds)| (id.clone(), kinds.clone())).into_iter().collect())
    }

    /// Whether a run with the signature `seen` violates one of these requirements.
    #[must_use]
    pub fn is_met_by(&self, seen: &Self) -> bool {
        self.0.keys().any(|id| seen.0.contains_key(id))
    }

    /// Whether it does so with an anomaly of the same kind.
    #[must_use]
    pub fn is_met_in_kind_by(&self, seen: &Self) -> bool {
        self.0.iter().any(|(id, kinds)| seen.0.get(id).is_some_and(|seen| !seen.is_disjoint(kinds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::judged;

    #[test]
    fn a_run_is_known_by_what_it_violates_and_how() {
        let wanted = Signature::of(&[judged("ledger.once", true), judged("ledger.acked", false)]);
        assert_eq!(wanted.0.keys().collect::<Vec<_>>(), ["ledger.once"]);
        let mut other = judged("ledger.once", true);
        other.finding.anomalies[0].kind = "phantom".into();
        let seen = Signature::of(&[other]);
        assert!(wanted.is_met_by(&seen) && !wanted.is_met_in_kind_by(&seen));
        assert!(wanted.is_met_in_kind_by(&wanted) && !wanted.is_met_by(&Signature::default()));
        assert_eq!((wanted.only("ledger.once"), wanted.only("ledger.acked").is_empty()), (wanted.clone(), true));
    }
}

//! Exit codes. Scripts rely on them; none changes its meaning.

use crate::report::summary::Standing;
use crate::runner::RunReport;

/// Every run passed, or is wrong only as declared.
pub const PASS: u8 = 0;

/// A requirement was violated. Outranks everything else that may have gone wrong besides.
pub const VIOLATION: u8 = 1;

/// The command line, a manifest, a suite or a stored run cannot be used.
pub const USAGE: u8 = 2;

/// The environment failed: no Postgres, no Java, the target does not start, the disk is full.
pub const ENVIRONMENT: u8 = 3;

/// Nothing was selected, or nothing of it applies to the target.
pub const NOTHING: u8 = 4;

/// Nothing was wrong as far as could be seen, but too little was seen to say so.
pub const INCONCLUSIVE: u8 = 5;

/// The user cut it short.
pub const INTERRUPTED: u8 = 130;

/// The one of two codes that outranks the other.
#[must_use]
pub fn worse(one: u8, other: u8) -> u8 {
    const RANKS: [u8; 7] = [VIOLATION, INTERRUPTED, USAGE, ENVIRONMENT, INCONCLUSIVE, PASS, NOTHING];
    let rank = |code: u8| RANKS.iter().position(|known| *known == code).unwrap_or(RANKS.len());
    if rank(other) < rank(one) { other } else { one }
}

/// The code for what all runs together came to. `is_stale`: a declared failure is none any more.
#[must_use]
pub fn code_of(run: &RunReport, is_stale: bool) -> u8 {
    let standings = || run.cases.iter().map(Standing::of);
    if is_stale || standings().any(|standing| standing == Standing::Violation) {
        VIOLATION
    } else if run.interrupted {
        INTERRUPTED
    } else if standings().any(|standing| standing == Standing::Error) {
        ENVIRONMENT
    } else if standings().any(|standing| standing == Standing::Inconclusive) {
        INCONCLUSIVE
    } else if standings().all(|standing| standing == Standing::NotApplicable) {
        NOTHING
    } else {
        PASS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::Verdict;
    use crate::report::samples::report;
    use crate::runner::CaseReport;

    fn run(cases: Vec<CaseReport>) -> RunReport {
        RunReport { cases, ..RunReport::default() }
    }

    fn with(verdict: Verdict) -> CaseReport {
        CaseReport { verdict, ..report("a", 1, &[]) }
    }

    #[test]
    fn each_standing_has_its_code() {
        assert_eq!(code_of(&run(vec![]), false), NOTHING);
        assert_eq!(code_of(&run(vec![with(Verdict::NotApplicable)]), false), NOTHING);
        assert_eq!(code_of(&run(vec![with(Verdict::NotApplicable), with(Verdict::Pass)]), false), PASS);
        assert_eq!(code_of(&run(vec![with(Verdict::Expected)]), false), PASS);
        assert_eq!(code_of(&run(vec![with(Verdict::Pass), with(Verdict::Inconclusive)]), false), INCONCLUSIVE);
        let failed = CaseReport { error: Some("no java".into()), ..with(Verdict::Inconclusive) };
        assert_eq!(code_of(&run(vec![with(Verdict::Inconclusive), failed]), false), ENVIRONMENT);
    }

    #[test]
    fn a_violation_outranks_the_rest() {
        let failed = CaseReport { error: Some("no java".into()), ..with(Verdict::Inconclusive) };
        let mut all = run(vec![failed, with(Verdict::Violation)]);
        all.interrupted = true;
        assert_eq!(code_of(&all, false), VIOLATION);
        all.cases.pop();
        assert_eq!(code_of(&all, false), INTERRUPTED);
        assert_eq!(code_of(&all, true), VIOLATION);
    }
}

//! Carrying a search out.

use std::sync::Arc;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::search::Search;
use super::terms::{Decision, Proposal, Ran, Seen};
use crate::explore::Signature;
use crate::report::stored::read_run;
use crate::runner::{CaseReport, Planned, Session, Sink};

/// Runs what the search proposes until it is over or somebody cancels. Each run is kept as any other.
pub async fn shrink(
    session: &Session,
    search: &mut Search,
    jobs: usize,
    sink: &dyn Sink,
    cancel: &CancellationToken,
    decided: &dyn Fn(&Decision),
) {
    let mut run = 0;
    while let Some(Proposal { case, runs, .. }) = search.propose() {
        let batch = (runs as usize).clamp(1, jobs.max(1));
        let planned = Planned::stored(Arc::clone(&case));
        let reports = (run..run + batch).map(|run| session.run_one(&planned, run, run + 1, sink));
        let reports = join_all(reports).await;
        run += batch;
        if cancel.is_cancelled() {
            search.interrupt();
            return;
        }
        let seen = reports.into_iter().map(|report| read(report, search.goal())).collect();
        if let Some(decision) = search.tell(seen) {
            decided(&decision);
        }
    }
}

fn read(report: CaseReport, goal: &Signature) -> Seen {
    if goal.is_met_in_kind_by(&Signature::of(&report.findings)) {
        // A run whose history cannot be read back is of no use to go on from.
        return read_run(&report.directory).map_or(Seen::Nothing, |stored| {
            Seen::Hit(Box::new(Ran { history: stored.history, findings: report.findings, directory: report.directory }))
        });
    }
    if report.failure().is_some() || report.interrupted { Seen::Nothing } else { Seen::Miss }
}

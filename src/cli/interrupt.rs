//! Running asynchronous work under Ctrl-C: the first ends it in order, the second at once.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::{exit, output};

/// How long threads that wait for something may take to end once the work is done.
const THREADS_GRACE: Duration = Duration::from_secs(2);

/// Runs `work` to its end on a runtime of its own. The token is cancelled by SIGINT or SIGTERM;
/// a second signal ends the process on the spot, and the system ends its children with it.
pub(super) fn run<T, F: Future<Output = T>>(work: impl FnOnce(CancellationToken) -> F) -> Result<T, Failure> {
    let failed = |error: std::io::Error| {
        Failure::environment(
            format!("failed to start the asynchronous runtime: {error}"),
            "see the limits on threads and open files (ulimit -a)",
        )
    };
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    let done = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let cancel = CancellationToken::new();
        let token = cancel.clone();
        tokio::spawn(async move {
            let mut signalled = async || tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () };
            signalled().await;
            token.cancel();
            output::note("stopping: what has been recorded is kept; once more to stop at once");
            signalled().await;
            std::process::exit(i32::from(exit::INTERRUPTED));
        });
        Ok(work(cancel).await)
    });
    // A thread that still waits for a server which is gone by now holds nobody up.
    runtime.shutdown_timeout(THREADS_GRACE);
    done
}

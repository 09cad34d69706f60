//! A service's process: its log, its runtime, its end.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

/// How long background work (a closing producer, a consumer that leaves its group) may hold up the end.
const END_LIMIT: Duration = Duration::from_millis(500);

/// Does the work of a process, and logs to stderr in JSON.
pub fn run(work: impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>>) -> ExitCode {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    // Two workers: a service is meant to run several times on a small machine.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(END_LIMIT);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "ended");
            ExitCode::FAILURE
        }
    }
}

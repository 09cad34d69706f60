//! Being told to end.

use tokio::signal::unix::{SignalKind, signal};

use crate::defects::{Defect, Defects};

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn requested(defects: Defects) {
    // Made where nobody thought of signals: without a handler the system ends the process on the spot, and with it every
    // request that was being answered.
    if defects.has(Defect::AbruptStop) {
        std::future::pending::<()>().await;
    }
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be handled; the process will end abruptly");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: ending"),
        _ = interrupt.recv() => tracing::info!("SIGINT: ending"),
    }
}

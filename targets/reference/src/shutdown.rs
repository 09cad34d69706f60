//! Being told to end.

use crate::defects::{Defect, Defects};

/// Waits for SIGTERM or SIGINT.
pub(crate) async fn requested(defects: Defects) {
    // Made where nobody thought of signals: without a handler the system ends the process on the spot, and with it every
    // request that was being answered.
    if defects.has(Defect::AbruptStop) {
        std::future::pending::<()>().await;
    }
    reference_common::shutdown::requested().await;
}

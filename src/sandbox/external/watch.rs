//! Whether the servers are still there, so that the target is not blamed for what is not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::{External, TRY_DEADLINE};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks at the servers for as long as it exists.
#[derive(Debug)]
pub(in crate::sandbox) struct Watch {
    servers: [(&'static str, SocketAddr); 3],
    lost: Arc<Mutex<Option<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Watch {
    /// Begins to look.
    pub(in crate::sandbox) fn start(external: &External) -> Self {
        let servers =
            [("postgres", external.postgres.address), ("redis", external.redis.address), ("kafka", external.kafka)];
        let lost = Arc::<Mutex<Option<String>>>::default();
        let told = Arc::clone(&lost);
        let task = async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let found = find_lost(servers).await.map(|(server, at, why)| {
                    format!("{server} at {at}, which fireassay did not start, does not answer any more ({why})")
                });
                *told.lock().unwrap_or_else(PoisonError::into_inner) = found;
            }
        };
        Self { servers, lost, _task: AbortOnDropHandle::new(tokio::spawn(task)) }
    }

    /// Which server did not answer when it was last looked at, and how.
    pub(in crate::sandbox) fn lost_by_itself(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which server does not answer now.
    pub(in crate::sandbox) async fn lost(&self) -> Option<&'static str> {
        find_lost(self.servers).await.map(|(server, ..)| server)
    }
}

async fn find_lost(servers: [(&'static str, SocketAddr); 3]) -> Option<(&'static str, SocketAddr, String)> {
    for (server, at) in servers {
        match tokio::time::timeout(TRY_DEADLINE, TcpStream::connect(at)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Some((server, at, error.to_string())),
            Err(_) => return Some((server, at, format!("no answer within {} s", TRY_DEADLINE.as_secs()))),
        }
    }
    None
}

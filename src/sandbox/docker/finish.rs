//! Orders to the daemon that have to be seen through.

use std::future::Future;
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::{DockerError, failure};

/// Does something to its end, on a thread of its own. Whoever stops waiting, as after Ctrl-C, waits in the destructor
/// nevertheless, and what came of it is dropped: the daemon carries out what it was asked in any case, and what it makes has
/// to be known to be removed.
///
/// The deed has to end by itself.
///
/// # Errors
/// When the machine has no thread left for it.
pub(super) async fn to_its_end<T: Send + 'static>(
    what: &str,
    deed: impl Future<Output = T> + Send + 'static,
) -> Result<T, DockerError> {
    let (tell, told) = oneshot::channel();
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| failure(what, &error))?;
    let work = move || {
        // Cannot fail: nobody stops listening before this thread has ended.
        let _ = tell.send(runtime.block_on(deed));
    };
    let thread = thread::Builder::new().name("containers".to_owned()).spawn(work);
    let thread = thread.map_err(|error| failure(what, &error))?;
    let mut waiting = Waiting { told, thread: Some(thread) };
    (&mut waiting.told).await.map_err(|_| failure(what, "it went wrong half-way"))
}

struct Waiting<T> {
    told: oneshot::Receiver<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic has been told of by then.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;

    /// Counts those that were made and those that were removed.
    struct Made(Arc<AtomicU8>);

    impl Drop for Made {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_done_and_then_dropped() {
        let (begun, removed) = (Arc::new(Notify::new()), Arc::new(AtomicU8::new(0)));
        let (begins, made) = (Arc::clone(&begun), Made(Arc::clone(&removed)));
        let order = to_its_end("make it", async move {
            begins.notify_one();
            tokio::time::sleep(Duration::from_millis(50)).await;
            made
        });
        tokio::select! {
            _ = order => panic!("it takes longer than to begin"),
            () = begun.notified() => {}
        }
        assert_eq!(removed.load(SeqCst), 1);
    }

    #[tokio::test]
    async fn what_is_waited_for_is_handed_over() {
        let removed = Arc::new(AtomicU8::new(0));
        let counted = Arc::clone(&removed);
        let made = to_its_end("make it", async move { Made(counted) }).await;
        assert_eq!(removed.load(SeqCst), 0);
        drop(made);
        assert_eq!(removed.load(SeqCst), 1);
    }
}

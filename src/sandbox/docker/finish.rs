//! Orders to the daemon that have to be seen through.

use std::future::Future;
use std::io;
use std::thread::{self, JoinHandle};

use tokio::runtime::Builder;
use tokio::sync::oneshot;

use super::{ANSWER_DEADLINE, DockerError, failure};

/// Does something to its end, on a thread of its own. Whoever stops waiting, as after Ctrl-C, waits in the destructor
/// nevertheless, and what came of it is dropped: the daemon carries out what it was asked in any case, and what it makes has
/// to be known to be removed.
///
/// The deed has to end by itself.
///
/// # Errors
/// When the machine has no thread or no file descriptor left for it.
pub(super) async fn to_its_end<T: Send + 'static>(
    what: &str,
    deed: impl Future<Output = T> + Send + 'static,
) -> Result<T, DockerError> {
    let (tell, told) = oneshot::channel();
    let thread = on_a_thread(async move {
        // Cannot fail: nobody stops listening before this thread has ended.
        let _ = tell.send(deed.await);
    });
    let thread = thread.map_err(|error| failure(what, &error))?;
    let mut waiting = Waiting { told, thread: Some(thread) };
    (&mut waiting.told).await.map_err(|_| failure(what, "the thread that was to do it ended before"))
}

/// Does something in a destructor, where nothing can be waited for: on a runtime of its own, as ours may be ending.
pub(super) fn in_destructor(deed: impl Future<Output = ()> + Send + 'static) {
    if let Ok(thread) = on_a_thread(async { tokio::time::timeout(ANSWER_DEADLINE, deed).await }) {
        let _ = thread.join();
    }
}

fn on_a_thread<T: Send + 'static>(
    deed: impl Future<Output = T> + Send + 'static,
) -> io::Result<JoinHandle<io::Result<T>>> {
    // The runtime is made there, and so is never dropped where nothing may be waited for.
    let work = move || Ok(Builder::new_current_thread().enable_all().build()?.block_on(deed));
    thread::Builder::new().name("containers".to_owned()).spawn(work)
}

struct Waiting<T> {
    told: oneshot::Receiver<T>,
    thread: Option<JoinHandle<io::Result<()>>>,
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

    /// Counts those that were removed.
    struct Made(Arc<AtomicU8>);

    impl Drop for Made {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_done_and_then_dropped() {
        let [begun, given_up] = [Arc::new(Notify::new()), Arc::new(Notify::new())];
        let removed = Arc::new(AtomicU8::new(0));
        let (begins, goes_on, made) = (Arc::clone(&begun), Arc::clone(&given_up), Made(Arc::clone(&removed)));
        let order = to_its_end("make it", async move {
            begins.notify_one();
            goes_on.notified().await;
            // Whoever does not wait for the end has looked by then.
            tokio::time::sleep(Duration::from_millis(50)).await;
            made
        });
        tokio::select! {
            _ = order => panic!("it has not been let go on"),
            () = async { begun.notified().await; given_up.notify_one() } => {}
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

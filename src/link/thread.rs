//! The thread that carries the links of this process.
//!
//! A link waits for sockets nearly all of its time, and what it does for a message is short. Threads that share such work
//! hand connections to each other for every message, which costs more than the work; and oracles and readers of the same
//! runtime would stand between two messages. So all links have one thread, and nothing else has it.

use std::future::pending;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Handle};

/// Begun by the first link, and there until the process ends.
static THREAD: Mutex<Option<Handle>> = Mutex::new(None);

/// Where tasks of links are spawned.
///
/// # Errors
/// When the machine has no thread or no file descriptor left.
pub(super) fn handle() -> io::Result<Handle> {
    let mut begun = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*begun {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("links".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(begun.insert(handle).clone())
}

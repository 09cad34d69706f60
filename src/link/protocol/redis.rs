//! Redis's wire protocol, RESP, in its versions 2 and 3 (Redis serialization protocol specification).
//!
//! Replies come in the order of the commands. Between them come pushes, which answer nothing; version 2 has no type of
//! its own for them, so that a subscribed connection has to be told by what it says.

mod commands;
mod element;
mod replies;
mod requests;
mod stand_in;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Reader, Unreadable};

/// The most commands of a connection that may wait for their replies.
const PIPELINE_MAX: usize = 65_536;

/// Readers for a new connection.
pub(super) fn readers() -> (Box<dyn Reader>, Box<dyn Reader>) {
    let asked = Asked::default();
    (Box::new(requests::Requests::new(asked.clone())), Box::new(replies::Replies::new(asked)))
}

/// The commands that wait for their replies, which come in the same order.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<VecDeque<Question>>>);

#[derive(Clone, Copy, Debug)]
struct Question {
    exchange: u64,
    answer: Answer,
}

/// What is special about the answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Plain,
    /// Something of a script stands even if it fails halfway.
    Script,
    /// Commands are queued from now on.
    Multi,
    /// Nothing means that the transaction was not executed.
    Exec,
    /// The transaction is given up.
    Discard,
    /// The connection speaks another version from now on.
    Hello(u8),
    /// The connection is as new.
    Reset,
    /// So many confirmations, which look like pushes.
    Subscription(usize),
}

impl Asked {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, question: Question) -> Result<(), Unreadable> {
        let mut queue = self.queue();
        if queue.len() == PIPELINE_MAX {
            return Err(Unreadable("more than 65,536 commands wait for their replies"));
        }
        queue.push_back(question);
        Ok(())
    }
}

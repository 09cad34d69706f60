//! Postgres's wire protocol, version 3 (PostgreSQL's manual, chapter "Frontend/Backend Protocol").
//!
//! An exchange is what the server answers with one ReadyForQuery: a simple query, a function call, or a batch of the
//! extended protocol up to its Sync. It is called after the shape of the SQL that it executes.

mod batch;
mod frame;
mod kind;
mod replies;
mod requests;
mod shape;
mod stand_in;
mod statements;
mod token;
mod truth;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Reader, Unreadable};

/// The most exchanges of a connection that may wait for their replies.
const PIPELINE_MAX: usize = 16_384;

/// The most requests for encryption that may wait for their answers; clients make one of each kind.
const ENCRYPTION_MAX: u8 = 4;

/// Readers for a new connection.
pub(super) fn readers() -> (Box<dyn Reader>, Box<dyn Reader>) {
    let asked = Asked::default();
    (Box::new(requests::Requests::new(asked.clone())), Box::new(replies::Replies::new(asked)))
}

/// What the readers of the two directions know together.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    /// Requests for encryption that wait for their answer of one byte.
    encryption: u8,
    /// The server has agreed: everything from here on is secret.
    encrypted: bool,
    /// What waits for a ReadyForQuery, in the order in which they come.
    questions: VecDeque<Question>,
}

#[derive(Clone, Copy, Debug)]
enum Question {
    Exchange {
        exchange: u64,
        /// It came by the extended protocol.
        extended: bool,
        /// Some of it may stand even if it fails.
        commits_inside: bool,
    },
    /// The Sync after a client's copy of data. The server answers either this or the one before the copy.
    SyncAfterCopy,
}

impl Asked {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn ask(&mut self, question: Question) -> Result<(), Unreadable> {
        if self.questions.len() == PIPELINE_MAX {
            return Err(Unreadable("more than 16,384 queries wait for their replies"));
        }
        self.questions.push_back(question);
        Ok(())
    }

    fn ask_for_encryption(&mut self) -> Result<(), Unreadable> {
        if self.encryption == ENCRYPTION_MAX {
            return Err(Unreadable("a connection asks for encryption again and again"));
        }
        self.encryption += 1;
        Ok(())
    }
}

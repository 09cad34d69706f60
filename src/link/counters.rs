//! What a link counts as it goes.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::faults::Way;

/// What a link has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections accepted.
    pub opened: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections reset because the upstream could not be reached.
    pub refused: u64,
    /// Bytes passed on to the upstream.
    pub request_bytes: u64,
    /// Bytes passed on to the callers.
    pub reply_bytes: u64,
    /// Requests begun, where the protocol is read; health probes and reads are among them.
    pub exchanges: u64,
    /// Of these, those that may change something.
    pub changes: u64,
    /// Streams (one direction of a connection) that could not be read any further and pass as bytes. Replies of Kafka do
    /// not pass then: their connection is cut.
    pub degraded: u64,
    /// Why the first of them could not be read.
    pub degraded_because: Option<String>,
}

/// The counters as they are written.
#[derive(Debug, Default)]
pub(super) struct Tally {
    opened: AtomicU64,
    refused: AtomicU64,
    request_bytes: AtomicU64,
    reply_bytes: AtomicU64,
    exchanges: AtomicU64,
    changes: AtomicU64,
    degraded: AtomicU64,
    degraded_because: OnceLock<&'static str>,
    /// Why a connection could not be accepted, the first time.
    not_accepted: OnceLock<String>,
}

impl Tally {
    /// The number of a new connection, from 1.
    pub(super) fn opened(&self) -> u64 {
        self.opened.fetch_add(1, Relaxed) + 1
    }

    pub(super) fn passed(&self, way: Way, bytes: usize) {
        let counter = match way {
            Way::Requests => &self.request_bytes,
            Way::Replies => &self.reply_bytes,
        };
        counter.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn exchange(&self, changes: bool) {
        self.exchanges.fetch_add(1, Relaxed);
        if changes {
            self.changes.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn degraded(&self, why: &'static str) {
        self.degraded.fetch_add(1, Relaxed);
        self.degraded_because.get_or_init(|| why);
    }

    pub(super) fn not_accepted(&self, error: &io::Error) {
        self.not_accepted.get_or_init(|| error.to_string());
    }

    /// Why the first connection could not be accepted, if so.
    pub(super) fn not_accepted_because(&self) -> Option<&str> {
        self.not_accepted.get().map(String::as_str)
    }

    /// Why the first stream could not be read any further, if so.
    pub(super) fn degraded_because(&self) -> Option<&'static str> {
        self.degraded_because.get().copied()
    }

    /// What has been counted, with this many connections open.
    pub(super) fn counters(&self, open: usize) -> Counters {
        let Self {
            opened, refused, request_bytes, reply_bytes, exchanges, changes, degraded, degraded_because, ..
        } = self;
        Counters {
            opened: opened.load(Relaxed),
            open: open as u64,
            refused: refused.load(Relaxed),
            request_bytes: request_bytes.load(Relaxed),
            reply_bytes: reply_bytes.load(Relaxed),
            exchanges: exchanges.load(Relaxed),
            changes: changes.load(Relaxed),
            degraded: degraded.load(Relaxed),
            degraded_because: degraded_because.get().map(ToString::to_string),
        }
    }
}

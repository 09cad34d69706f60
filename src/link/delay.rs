//! The delay line: each chunk leaves at its arrival plus the delay, in the order of arrival.
//!
//! Sleeping once per chunk instead would add the delays up and turn latency into a bandwidth limit.

use std::collections::VecDeque;

use tokio::time::Instant;

/// The most bytes a line holds; then the sender waits, as it would for a full pipe.
const BYTES_MAX: usize = 4 << 20;

/// Chunks on their way.
#[derive(Debug, Default)]
pub(super) struct DelayLine {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
}

impl DelayLine {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes < BYTES_MAX
    }

    /// Adds a chunk that is due at `due`, or with the one before it if that is due later.
    pub(super) fn push(&mut self, due: Instant, bytes: Vec<u8>) {
        let due = self.chunks.back().map_or(due, |(last, _)| due.max(*last));
        self.bytes += bytes.len();
        self.chunks.push_back((due, bytes));
    }

    /// The first chunk, if it is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        let (_, bytes) = self.chunks.pop_front_if(|(due, _)| *due <= now)?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    /// Makes all chunks due at `now`.
    pub(super) fn release(&mut self, now: Instant) {
        for (due, _) in &mut self.chunks {
            *due = (*due).min(now);
        }
    }

    /// Waits until the first chunk is due; for ever when there is none.
    pub(super) async fn due(&self) {
        match self.chunks.front() {
            Some((due, _)) => tokio::time::sleep_until(*due).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn chunks_leave_in_order_and_not_before_they_are_due() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut line = DelayLine::default();
        line.push(ms(30), b"a".to_vec());
        line.push(ms(10), b"b".to_vec());
        assert_eq!(line.pop_due(ms(29)), None);
        line.due().await;
        assert!(Instant::now() >= ms(30));
        assert_eq!(line.pop_due(ms(30)), Some(b"a".to_vec()));
        assert_eq!(line.pop_due(ms(30)), Some(b"b".to_vec()), "a smaller delay must not overtake");
        assert!(line.is_empty());
    }

    #[tokio::test]
    async fn a_full_line_has_no_room_and_release_empties_it() {
        let mut line = DelayLine::default();
        let due = Instant::now() + Duration::from_secs(3_600);
        line.push(due, vec![0; BYTES_MAX]);
        assert!(!line.has_room());
        line.release(Instant::now());
        assert_eq!(line.pop_due(Instant::now()).map(|chunk| chunk.len()), Some(BYTES_MAX));
        assert!(line.has_room());
    }
}

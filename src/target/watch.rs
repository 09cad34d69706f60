//! Looking for texts in what a target says: ids that should be there, secrets that should not.

use std::collections::BTreeSet;
use std::io::{self, Read};

use aho_corasick::{AhoCorasick, BuildError};

/// The most that is read of one stream, in bytes.
const STREAM_BYTES_MAX: u64 = 1 << 30;

/// Texts to look for, all at once.
#[derive(Clone, Debug)]
pub struct Watch {
    texts: Vec<String>,
    automaton: AhoCorasick,
}

impl Watch {
    /// Looks for these; `None` when there are none.
    ///
    /// # Errors
    /// When they are too many or too long.
    pub fn new(texts: &[String]) -> Result<Option<Self>, BuildError> {
        // An empty text is everywhere.
        let texts: Vec<String> = texts.iter().filter(|text| !text.is_empty()).cloned().collect();
        if texts.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { automaton: AhoCorasick::new(&texts)?, texts }))
    }

    /// Adds those that occur in a piece of data to `found`.
    pub fn look(&self, data: &[u8], found: &mut BTreeSet<String>) {
        // Overlapping, so that a text that is part of another one is found as well.
        for hit in self.automaton.find_overlapping_iter(data) {
            let text = &self.texts[hit.pattern().as_usize()];
            if !found.contains(text) {
                found.insert(text.clone());
            }
        }
    }

    /// Those that occur in a stream.
    ///
    /// # Errors
    /// When it cannot be read, or is too long to be read whole.
    pub fn look_through(&self, stream: impl Read) -> io::Result<BTreeSet<String>> {
        let mut stream = stream.take(STREAM_BYTES_MAX);
        let mut found = BTreeSet::new();
        // What a text may begin with at the end of one chunk is kept for the next.
        let overlap = self.texts.iter().map(String::len).max().unwrap_or(1) - 1;
        let mut chunk = Vec::new();
        while Read::take(&mut stream, 1 << 20).read_to_end(&mut chunk)? > 0 {
            self.look(&chunk, &mut found);
            let done = chunk.len().saturating_sub(overlap);
            chunk.drain(..done);
        }
        if stream.limit() == 0 {
            return Err(io::Error::other(format!("longer than {STREAM_BYTES_MAX} bytes")));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn watch(texts: &[&str]) -> Watch {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Watch::new(&texts).expect("few").expect("some")
    }

    #[test]
    fn without_texts_there_is_nothing_to_look_for() {
        assert!(Watch::new(&[]).expect("few").is_none());
        assert!(Watch::new(&[String::new()]).expect("few").is_none());
    }

    /// Gives one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let some = buffer.len().min(1);
            self.0.read(&mut buffer[..some])
        }
    }

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(data in "[ab]{0,60}", texts in prop::collection::vec("[ab]{1,4}", 1..5)) {
            let watch = watch(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            let expected: BTreeSet<String> = texts.into_iter().filter(|text| data.contains(text.as_str())).collect();
            prop_assert_eq!(watch.look_through(Slow(data.as_bytes())).expect("short"), expected);
        }
    }

    #[test]
    fn a_text_over_the_edge_of_two_chunks_is_found() {
        let mut data = vec![b'.'; (1 << 20) - 3];
        data.extend_from_slice(b"secret");
        data.extend_from_slice(&vec![b'.'; 1 << 20]);
        assert_eq!(watch(&["secret", "absent"]).look_through(&data[..]).expect("short").len(), 1);
    }
}

//! What clients in other languages really said, recorded by `tests/traffic/record`.

use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::*;

/// The recordings of a protocol.
fn recordings(of: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traffic").join(of);
    let mut found: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "bin"));
    found.sort();
    assert!(!found.is_empty(), "no recordings of {of}: run tests/traffic/record");
    found
}

/// The chunks of a recording: whether each is a reply, and its bytes.
fn chunks(mut recording: &[u8]) -> Vec<(bool, &[u8])> {
    let mut chunks = Vec::new();
    while let Some((&[way, a, b, c, d], rest)) = recording.split_first_chunk() {
        let (chunk, rest) = rest.split_at(u32::from_be_bytes([a, b, c, d]) as usize);
        chunks.push((way == 1, chunk));
        recording = rest;
    }
    chunks
}

/// Reads each recording in the order in which it passed, in pieces of `size`, and compares what was told with the text
/// next to it. Gives back what came in and what went out as replies.
fn follow_recordings(protocol: Protocol, of: &str, size: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for path in recordings(of) {
        let recording = std::fs::read(&path).unwrap();
        let (asking, answering) = protocol.readers(address(), "run-1.");
        let (mut asking, mut answering) = (Feed::new(asking), Feed::new(answering));
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        for (reply, chunk) in chunks(&recording) {
            let (feed, stream) = if reply { (&mut answering, &mut replies) } else { (&mut asking, &mut requests) };
            stream.extend(chunk);
            chunk.chunks(size).for_each(|part| feed.push(part));
            assert!(feed.buffer.len() <= HELD_MAX, "{path:?}: {} bytes held", feed.buffer.len());
        }
        let (asked, answered) = (asking.finish(), answering.finish());
        assert_eq!(asked.unreadable.or(answered.unreadable), None, "{path:?}");
        assert!(asked.bytes == requests, "{path:?}");
        expect_file![path.with_extension("txt")].assert_eq(&story(&asked, &answered));
        all.push((replies, answered.bytes));
    }
    all
}

#[test]
fn of_nodes_postgres_driver() {
    for size in [1, 1_000, usize::MAX] {
        for (came, left) in follow_recordings(Protocol::Postgres, "postgres", size) {
            assert!(came == left);
        }
    }
}

#[test]
fn of_pythons_redis_client() {
    for size in [1, 1_000, usize::MAX] {
        for (came, left) in follow_recordings(Protocol::Redis, "redis", size) {
            assert!(came == left);
        }
    }
}

#[test]
fn of_javas_kafka_client() {
    for size in [1, 1_000, usize::MAX] {
        for (came, left) in follow_recordings(Protocol::Kafka, "kafka", size) {
            assert_eq!(came.len(), left.len(), "both addresses are equally long");
            let host = |stream: &[u8]| stream.windows(9).position(|window| window == b"127.0.0.1");
            let Some(at) = host(&came) else { continue };
            let real = &came[at..at + 13];
            assert_ne!(&left[at..at + 13], real);
            assert!(!left.windows(13).any(|window| window == real), "a reply leads past the link");
        }
    }
}

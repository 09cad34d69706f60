//! Feeds readers as the pumps of a link do, and sees that every byte comes out as it went in.

use std::net::SocketAddr;

use super::protocol::{Begin, Bytes, Kind, Piece, Protocol, Reader};

/// More than any reader holds back, except where Kafka's replies are rewritten.
const HELD_MAX: usize = 70 << 10;

/// Panics when a reader loses, changes or hoards bytes.
pub fn follow(protocol: Protocol, mut recording: &[u8]) {
    let (asking, answering) = protocol.readers(SocketAddr::from(([127, 0, 0, 1], 40_001)), "run-1.");
    let (mut requests, mut replies) = (Feed::new(asking), Feed::new(answering));
    while let Some((&[way, a, b, c, d], rest)) = recording.split_first_chunk() {
        let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX).min(rest.len());
        let (chunk, rest) = rest.split_at(len);
        recording = rest;
        let feed = if way % 2 == 0 { &mut requests } else { &mut replies };
        feed.push(chunk);
        assert!(feed.held.len() <= HELD_MAX || protocol == Protocol::Kafka, "{} bytes are held back", feed.held.len());
    }
    let _ = (requests.reader.finish(), replies.reader.finish());
}

struct Feed {
    reader: Box<dyn Reader>,
    held: Vec<u8>,
}

impl Feed {
    fn new(reader: Box<dyn Reader>) -> Self {
        Self { reader, held: Vec::new() }
    }

    fn push(&mut self, chunk: &[u8]) {
        self.held.extend_from_slice(chunk);
        let mut at = 0;
        // A reader that tells without end would be a loop.
        let mut silent = 0;
        loop {
            match self.reader.read(&self.held[at..]) {
                Ok(Piece::More) => break,
                Ok(piece) => {
                    assert!(piece.len() <= self.held.len() - at, "more is passed than there is");
                    if let Piece::Begin(Begin { kind: Kind::Request(label), .. }) = &piece {
                        let plain = label.text.chars().all(|char| char == ' ' || char.is_ascii_graphic());
                        assert!(plain && label.text.len() < 1_000, "{:?}", label.text);
                    }
                    silent = if piece.len() == 0 { silent + 1 } else { 0 };
                    assert!(silent < 3, "nothing passes any more");
                    at += piece.len();
                }
                Err(_) => self.reader = Box::new(Bytes),
            }
        }
        self.held.drain(..at);
    }
}

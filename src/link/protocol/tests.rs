//! The readers against every fragmentation, against damage and against noise.

mod http;
mod kafka;
mod kafka_answers;
mod noise;
mod postgres;
mod redis;
mod traffic;

use std::fmt::Write;
use std::net::SocketAddr;

use expect_test::Expect;

use super::*;

/// More than any reader holds back, except for the replies of Kafka that it rewrites.
const HELD_MAX: usize = 70 << 10;

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 40_001))
}

/// What a reader made of a stream.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// The bytes that leave.
    bytes: Vec<u8>,
    /// The boundaries, each with how many bytes had been read before it.
    told: Vec<(usize, Told)>,
    unreadable: Option<Unreadable>,
}

#[derive(Clone, Debug, PartialEq)]
enum Told {
    Request(u64, Label),
    Reply(u64),
    End(End),
}

impl Seen {
    fn labels(&self) -> Vec<&Label> {
        self.told
            .iter()
            .filter_map(|(_, told)| if let Told::Request(_, label) = told { Some(label) } else { None })
            .collect()
    }

    fn ends(&self) -> impl Iterator<Item = &End> {
        self.told.iter().filter_map(|(_, told)| if let Told::End(end) = told { Some(end) } else { None })
    }
}

/// Feeds a reader as a pump does.
struct Feed {
    reader: Box<dyn Reader>,
    buffer: Vec<u8>,
    read: usize,
    seen: Seen,
}

impl Feed {
    fn new(reader: Box<dyn Reader>) -> Self {
        Self { reader, buffer: Vec::new(), read: 0, seen: Seen::default() }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let piece = match self.reader.read(&self.buffer[at..]) {
                Ok(Piece::More) => break,
                Ok(piece) => piece,
                Err(why) => {
                    self.seen.unreadable = Some(why);
                    self.reader = Box::new(Bytes);
                    continue;
                }
            };
            let passed = &self.buffer[at..at + piece.len()];
            let place = self.read + at;
            at += passed.len();
            match piece {
                Piece::Begin(Begin { exchange, kind: Kind::Request(label), .. }) => {
                    self.seen.told.push((place, Told::Request(exchange, label)));
                    self.seen.bytes.extend(passed);
                }
                Piece::Begin(Begin { exchange, kind: Kind::Reply { rewritten }, .. }) => {
                    self.seen.told.push((place, Told::Reply(exchange)));
                    self.seen.bytes.extend(rewritten.as_deref().unwrap_or(passed));
                }
                Piece::End(end) => self.seen.told.push((place, Told::End(end))),
                Piece::Pass(_) | Piece::More => self.seen.bytes.extend(passed),
            }
        }
        self.buffer.drain(..at);
        self.read += at;
    }

    fn finish(mut self) -> Seen {
        let end = self.reader.finish().map(|end| (self.read, Told::End(end)));
        self.seen.told.extend(end);
        self.seen.bytes.extend(std::mem::take(&mut self.buffer));
        self.seen
    }
}

/// Both directions, each cut at these places.
fn follow(protocol: Protocol, requests: &[u8], replies: &[u8], cuts: &[usize]) -> (Seen, Seen) {
    let (asking, answering) = protocol.readers(address(), "run-1.");
    let run = |reader, stream: &[u8]| {
        let mut feed = Feed::new(reader);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            feed.push(&stream[pair[0]..pair[1]]);
            assert!(feed.buffer.len() <= HELD_MAX || protocol == Protocol::Kafka, "{} bytes held", feed.buffer.len());
        }
        feed.finish()
    };
    (run(asking, requests), run(answering, replies))
}

/// Follows both directions as a whole and byte by byte, and compares what was told with what is expected: a line for
/// each exchange.
#[track_caller]
fn check(protocol: Protocol, requests: &[u8], replies: &[u8], expected: Expect) {
    let (asked, answered) = follow(protocol, requests, replies, &[]);
    assert_eq!(asked.bytes, requests);
    assert_eq!(answered.bytes, replies);
    let every_byte: Vec<_> = (0..requests.len().max(replies.len())).collect();
    let story = story(&asked, &answered);
    assert_eq!(follow(protocol, requests, replies, &every_byte), (asked, answered));
    expected.assert_eq(&story);
}

/// A line for each exchange: `1 POST /transfers (changes) 62 B: Applied 201, 40 B`.
fn story(asked: &Seen, answered: &Seen) -> String {
    let mut story = String::new();
    for (_, told) in &asked.told {
        let Told::Request(exchange, label) = told else { continue };
        let changes = if label.changes { " (changes)" } else { "" };
        write!(story, "{exchange} {}{changes}", label.text).unwrap();
        match asked.ends().find(|end| end.exchange == *exchange) {
            Some(end) => write!(story, " {} B: ", end.bytes).unwrap(),
            None => story.push_str(" unfinished: "),
        }
        let reply = answered.ends().find(|end| end.exchange == *exchange);
        let begun = answered.told.iter().any(|(_, told)| *told == Told::Reply(*exchange));
        match reply {
            Some(End { said, code, bytes, .. }) => {
                let code = code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
                writeln!(story, "{said:?}{code}, {bytes} B").unwrap();
            }
            None => writeln!(story, "{}", if begun { "reply unfinished" } else { "no reply" }).unwrap(),
        }
    }
    for (who, seen) in [("requests", asked), ("replies", answered)] {
        if let Some(why) = seen.unreadable {
            writeln!(story, "{who}: {why}").unwrap();
        }
    }
    story
}

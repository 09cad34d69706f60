//! Replies of Kafka that are made up from requests, in every version: each field as Kafka's message definitions have it.

use super::*;
use crate::fault::ErrorReply;

const PRODUCE: i16 = 0;
const OFFSET_COMMIT: i16 = 8;
const END_TXN: i16 = 26;
const TXN_OFFSET_COMMIT: i16 = 28;

/// Topics with their partitions.
const TOPICS: [(&str, &[u32]); 2] = [("a", &[0, 7]), ("bb", &[1])];

/// A message under construction, fields in their order, each from the version on that has it.
struct Message {
    version: i16,
    flexible: bool,
    bytes: Vec<u8>,
}

impl Message {
    fn put(&mut self, since: i16, bytes: &[u8]) -> &mut Self {
        if self.version >= since {
            self.bytes.extend(bytes);
        }
        self
    }

    fn text(&mut self, since: i16, text: Option<&str>) -> &mut Self {
        let len = text.map_or(0, str::len) as u8;
        let size = match (self.flexible, text) {
            (true, None) => vec![0],
            (true, Some(_)) => vec![len + 1],
            (false, None) => vec![0xff, 0xff],
            (false, Some(_)) => vec![0, len],
        };
        self.put(since, &size).put(since, text.unwrap_or_default().as_bytes())
    }

    fn count(&mut self, count: usize) -> &mut Self {
        let count = count as u8;
        let size = if self.flexible { vec![count + 1] } else { vec![0, 0, 0, count] };
        self.put(0, &size)
    }

    fn tags(&mut self, tags: &[u8]) -> &mut Self {
        let tags = if self.flexible { tags } else { b"" };
        self.put(0, tags)
    }

    fn topics(&mut self, numbered_since: i16, tags: &[u8], mut partition: impl FnMut(&mut Self)) {
        self.count(TOPICS.len());
        for (topic, partitions) in TOPICS {
            if self.version >= numbered_since {
                self.put(0, &[topic.as_bytes()[0]; 16]);
            } else {
                self.text(0, Some(topic));
            }
            self.count(partitions.len());
            for number in partitions {
                self.put(0, &number.to_be_bytes());
                partition(self);
                self.tags(tags);
            }
            self.tags(tags);
        }
    }
}

fn frame(head: &[&[u8]], version: i16, flexible_since: i16, fill: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message { version, flexible: version >= flexible_since, bytes: head.concat() };
    fill(&mut message);
    [&(message.bytes.len() as u32).to_be_bytes()[..], &message.bytes].concat()
}

/// Tagged fields that requests may have and made-up replies do not.
const TAGS: &[u8] = b"\x01\x05\x02hi";

fn request(key: i16, version: i16) -> Vec<u8> {
    let head: [&[u8]; 4] = [&key.to_be_bytes(), &version.to_be_bytes(), b"\0\0\0\x2a", b"\0\x02me"];
    match key {
        PRODUCE => frame(&head, version, 9, |to| {
            to.tags(TAGS).text(3, None).put(0, b"\xff\xff").put(0, &[0, 0, 7, 0]);
            to.topics(13, TAGS, |to| {
                to.count(6).put(0, b"records"[..6].into());
            });
            to.tags(TAGS);
        }),
        OFFSET_COMMIT => frame(&head, version, 8, |to| {
            to.tags(TAGS).text(0, Some("group")).put(1, &[0, 0, 0, 3]).text(1, Some("member")).text(7, None);
            if (2..=4).contains(&version) {
                to.put(2, &[0xff; 8]);
            }
            to.topics(10, TAGS, |to| {
                to.put(0, &[9; 8]).put(6, &[0; 4]);
                if version == 1 {
                    to.put(1, &[5; 8]);
                }
                to.text(0, Some("metadata"));
            });
            to.tags(TAGS);
        }),
        TXN_OFFSET_COMMIT => frame(&head, version, 3, |to| {
            to.tags(TAGS).text(0, Some("transaction")).text(0, Some("group")).put(0, &[1; 10]);
            to.put(3, &[0; 4]).text(3, Some("member")).text(3, None);
            to.topics(99, TAGS, |to| {
                to.put(0, &[9; 8]).put(2, &[0; 4]).text(0, None);
            });
            to.tags(TAGS);
        }),
        _ => frame(&head, version, 3, |to| {
            to.tags(TAGS).text(0, Some("transaction")).put(0, &[1; 10]).put(0, &[1]).tags(TAGS);
        }),
    }
}

fn reply(key: i16, version: i16, error: i16) -> Vec<u8> {
    let head: [&[u8]; 1] = [b"\0\0\0\x2a"];
    let error = error.to_be_bytes();
    let unthrottled = [0; 4];
    match key {
        PRODUCE => frame(&head, version, 9, |to| {
            to.tags(b"\0").topics(13, b"\0", |to| {
                to.put(0, &error).put(0, &[0xff; 8]).put(2, &[0xff; 8]).put(5, &[0xff; 8]);
                if version >= 8 {
                    to.count(0).text(8, None);
                }
            });
            to.put(1, &unthrottled).tags(b"\0");
        }),
        OFFSET_COMMIT => frame(&head, version, 8, |to| {
            to.tags(b"\0").put(3, &unthrottled).topics(10, b"\0", |to| {
                to.put(0, &error);
            });
            to.tags(b"\0");
        }),
        TXN_OFFSET_COMMIT => frame(&head, version, 3, |to| {
            to.tags(b"\0").put(0, &unthrottled).topics(99, b"\0", |to| {
                to.put(0, &error);
            });
            to.tags(b"\0");
        }),
        _ => frame(&head, version, 3, |to| {
            to.tags(b"\0").put(0, &unthrottled).put(0, &error).put(5, &[0xff; 10]).tags(b"\0");
        }),
    }
}

/// ApiVersions of version 0, from nobody.
const STAND_IN: &[u8] = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x2a\xff\xff";

/// What the broker answers it with.
const OFFERS: &[u8] = b"\0\0\0\x10\0\0\0\x2a\0\0\0\0\0\x01\0\x12\0\0\0\x04";

/// Reads a request, has it answered, and reads what the broker says to the stand-in.
fn answered(request: &[u8], answer: &Answer) -> Result<StandIn, Unfit> {
    let (mut asking, mut answering) = Protocol::Kafka.readers(address(), "");
    let Ok(Piece::Begin(Begin { kind: Kind::Request(label), .. })) = asking.read(request) else { panic!("a request") };
    let stand_in = asking.stand_in(request, &label, answer)?;
    let Ok(Piece::Begin(begin)) = answering.read(OFFERS) else { panic!("an answer to the stand-in") };
    assert_eq!(begin.exchange, 1);
    Ok(stand_in)
}

#[test]
fn every_version_is_answered_in_its_own_form() {
    let calls =
        [(PRODUCE, 0..=13, 19), (OFFSET_COMMIT, 0..=10, 14), (TXN_OFFSET_COMMIT, 0..=5, 14), (END_TXN, 0..=5, 14)];
    for (key, versions, unless_told) in calls {
        for version in versions {
            let request = request(key, version);
            let expected = |error, code: Option<&str>| StandIn {
                request: Some(STAND_IN.to_vec()),
                reply: Reply::Made(MadeUp {
                    bytes: reply(key, version, error),
                    code: code.and_then(|code| Code::new(code.as_bytes())),
                }),
            };
            let told = Answer::Error(Some(ErrorReply::Kafka(7)));
            assert_eq!(answered(&request, &told), Ok(expected(7, Some("REQUEST_TIMED_OUT"))), "{key} {version}");
            let name = crate::fault::kafka_errors::name(unless_told);
            assert_eq!(
                answered(&request, &Answer::Error(None)),
                Ok(expected(unless_told, Some(&name))),
                "{key} {version}"
            );
            let swallowed = answered(&request, &Answer::Success);
            match key {
                OFFSET_COMMIT | TXN_OFFSET_COMMIT => assert_eq!(swallowed, Ok(expected(0, None)), "{key} {version}"),
                _ => assert_eq!(swallowed, Err(Unfit("what its success would say is not certain"))),
            }
        }
    }
    let foreign = Answer::Error(Some(ErrorReply::Http(503)));
    assert!(answered(&request(PRODUCE, 7), &foreign).is_err());
}

#[test]
fn a_made_up_reply_byte_by_byte() {
    assert_eq!(
        reply(OFFSET_COMMIT, 2, 0),
        b"\0\0\0\x29\0\0\0\x2a\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\0\0\0\0\0\0\x07\0\0\0\x02bb\0\0\0\x01\0\0\0\x01\0\0"
    );
    assert_eq!(
        reply(OFFSET_COMMIT, 8, 16).escape_ascii().to_string(),
        b"\0\0\0\x29\0\0\0\x2a\0\0\0\0\0\x03\x02a\x03\0\0\0\0\0\x10\0\0\0\0\x07\0\x10\0\0\x03bb\x02\0\0\0\x01\0\x10\0\0\0".escape_ascii().to_string()
    );
}

#[test]
fn a_request_that_breaks_off_or_is_not_known_is_not_answered() {
    let whole = request(OFFSET_COMMIT, 8);
    for len in 14..whole.len() - TAGS.len() {
        let mut cut = whole[..len].to_vec();
        cut.splice(..4, (len as u32 - 4).to_be_bytes());
        let refused = answered(&cut, &Answer::Success);
        assert_eq!(refused, Err(Unfit("the request has a form that is not known")), "{len} bytes");
    }
    let unknown = request(OFFSET_COMMIT, 8);
    let later = [&unknown[..6], b"\0\x0b", &unknown[8..]].concat();
    assert_eq!(answered(&later, &Answer::Success), Err(Unfit("replies to this call are not known well enough")));
    // No transaction, and acks = 0: no answer is wanted.
    let silent = [&request(PRODUCE, 3)[..4 + 2 + 2 + 4 + 4 + 2], &[0; 2], &request(PRODUCE, 3)[20..]].concat();
    assert_eq!(answered(&silent, &Answer::Error(None)), Err(Unfit("it wants no answer")));
}

#[test]
fn successes_become_errors_and_errors_stay() {
    for (key, versions) in [(PRODUCE, 0..=12), (OFFSET_COMMIT, 0..=10), (TXN_OFFSET_COMMIT, 0..=5), (END_TXN, 0..=5)] {
        for version in versions {
            let (mut asking, mut answering) = Protocol::Kafka.readers(address(), "");
            assert!(matches!(asking.read(&request(key, version)), Ok(Piece::Begin(_))));
            let good = reply(key, version, 0);
            let Ok(Piece::Begin(_)) = answering.read(&good) else { panic!("a reply: {key} {version}") };
            let failed = |reply: &[u8]| answering.fail(reply, Some(&ErrorReply::Kafka(7))).map(|made| made.bytes);
            assert_eq!(failed(&good), Ok(reply(key, version, 7)), "{key} {version}");
            let refused = reply(key, version, 3);
            assert_eq!(failed(&refused), Ok(refused.clone()), "{key} {version}");
        }
    }
}

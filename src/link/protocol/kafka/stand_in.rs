//! A call that stands in for others, and replies made up from what was asked for.

use super::call::{Call, key};
use super::fields::Fields;
use super::moved::Moved;
use super::{REPLY_HEAD, REQUEST_HEAD, framed, outcome};
use crate::fault::{ErrorReply, kafka_errors};
use crate::link::protocol::stand_in::{FOREIGN, UNCERTAIN};
use crate::link::protocol::{Answer, Code, MadeUp, Reply, StandIn, Unfit};

/// What stands in: every broker answers it in its turn, and it does nothing.
pub(super) const CALL: Call = Call { key: key::API_VERSIONS, version: 0 };

pub(super) const UNKNOWN: Unfit = Unfit("replies to this call are not known well enough");

const NONE: i16 = 0;
const REQUEST_TIMED_OUT: i16 = 7;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_ENOUGH_REPLICAS: i16 = 19;

/// The versions whose replies are made up; those that Kafka 4.1 has.
fn is_known(call: Call) -> bool {
    let highest = match call.key {
        key::PRODUCE => 13,
        key::OFFSET_COMMIT => 10,
        key::END_TXN | key::TXN_OFFSET_COMMIT => 5,
        _ => return false,
    };
    (0..=highest).contains(&call.version)
}

/// `request` is the whole frame.
pub(super) fn stand_in(call: Call, request: &[u8], answer: &Answer) -> Result<StandIn, Unfit> {
    if !is_known(call) {
        return Err(UNKNOWN);
    }
    let error = match answer {
        Answer::Error(error) => code(
            error.as_ref(),
            if call.key == key::PRODUCE { NOT_ENOUGH_REPLICAS } else { COORDINATOR_LOAD_IN_PROGRESS },
        )?,
        Answer::Success if matches!(call.key, key::OFFSET_COMMIT | key::TXN_OFFSET_COMMIT) => NONE,
        Answer::Success => return Err(UNCERTAIN),
    };
    let malformed = Unfit("the request has a form that is not known");
    let correlation: [u8; 4] =
        request.get(REPLY_HEAD..REQUEST_HEAD).and_then(|bytes| bytes.try_into().ok()).ok_or(malformed)?;
    let body = reply(call, &request[REQUEST_HEAD..], error).ok_or(malformed)?;
    let made = MadeUp { bytes: framed(correlation, &body), code: told(error) };
    let asks =
        [&CALL.key.to_be_bytes()[..], &CALL.version.to_be_bytes(), &correlation, &(-1_i16).to_be_bytes()].concat();
    let request = [&(asks.len() as u32).to_be_bytes()[..], &asks].concat();
    Ok(StandIn { request: Some(request), reply: Reply::Made(made) })
}

/// A whole reply of the broker with an error in the place of every success.
pub(super) fn fail(call: Call, reply: &[u8], error: Option<&ErrorReply>) -> Result<MadeUp, Unfit> {
    let error = code(error, if call.key == key::PRODUCE { REQUEST_TIMED_OUT } else { COORDINATOR_NOT_AVAILABLE })?;
    let (head, body) = reply.split_at_checked(REPLY_HEAD).ok_or(UNKNOWN)?;
    if !is_known(call) || !outcome::concerns(call, reply.len()) {
        return Err(UNKNOWN);
    }
    let body = outcome::fail(call, body, error).ok_or(UNKNOWN)?;
    Ok(MadeUp { bytes: [head, &body].concat(), code: told(error) })
}

fn code(error: Option<&ErrorReply>, unless_told: i16) -> Result<i16, Unfit> {
    match error {
        None => Ok(unless_told),
        Some(ErrorReply::Kafka(code)) => Ok(*code),
        Some(_) => Err(FOREIGN),
    }
}

fn told(error: i16) -> Option<Code> {
    if error == NONE { None } else { Code::new(kafka_errors::name(error).as_bytes()) }
}

/// What follows the correlation id in a reply that says `error` of everything that `request` asks for. `request` is what
/// follows the correlation id there.
fn reply(call: Call, request: &[u8], error: i16) -> Option<Vec<u8>> {
    // The client's name is written in the classic form everywhere.
    let mut fields = Fields { rest: request, flexible: false };
    fields.text()?;
    fields.flexible = call.is_flexible();
    fields.tags()?;
    skip_to_topics(call, &mut fields)?;
    let Call { key, version } = call;
    let mut reply = Moved { fields, out: Vec::with_capacity(request.len()) };
    reply.no_tags();
    // How long the client is throttled: before the rest, in Produce after it.
    let throttled = [0; 4];
    if matches!(key, key::END_TXN | key::TXN_OFFSET_COMMIT) || (key == key::OFFSET_COMMIT && version >= 3) {
        reply.out.extend(throttled);
    }
    if key == key::END_TXN {
        reply.out.extend(error.to_be_bytes());
        if version >= 5 {
            // No producer id and no epoch.
            reply.out.extend([0xff; 8 + 2]);
        }
    } else {
        reply.topics(call, error)?;
    }
    if key == key::PRODUCE && version >= 1 {
        reply.out.extend(throttled);
    }
    reply.no_tags();
    Some(reply.out)
}

/// Passes over what a request says before its topics.
fn skip_to_topics(call: Call, fields: &mut Fields<'_>) -> Option<()> {
    let Call { key, version } = call;
    match key {
        key::PRODUCE => {
            if version >= 3 {
                fields.text()?;
            }
            fields.take(2 + 4)?;
        }
        key::OFFSET_COMMIT => {
            fields.text()?;
            if version >= 1 {
                fields.take(4)?;
                fields.text()?;
            }
            if version >= 7 {
                fields.text()?;
            }
            if (2..=4).contains(&version) {
                fields.take(8)?;
            }
        }
        key::TXN_OFFSET_COMMIT => {
            fields.text()?;
            fields.text()?;
            fields.take(8 + 2)?;
            if version >= 3 {
                fields.take(4)?;
                fields.text()?;
                fields.text()?;
            }
        }
        _ => {}
    }
    Some(())
}

impl Moved<'_> {
    /// The topics of a request, with an error for each of their partitions.
    fn topics(&mut self, call: Call, error: i16) -> Option<()> {
        for _ in 0..self.count()? {
            if matches!((call.key, call.version), (key::PRODUCE, 13..) | (key::OFFSET_COMMIT, 10..)) {
                self.fixed(16)?;
            } else {
                self.text()?;
            }
            for _ in 0..self.count()? {
                self.fixed(4)?;
                self.out.extend(error.to_be_bytes());
                self.partition(call)?;
                self.fields.tags()?;
                self.no_tags();
            }
            self.fields.tags()?;
            self.no_tags();
        }
        Some(())
    }

    /// Passes over the rest of a partition in the request, and says what its error is followed by in the reply.
    fn partition(&mut self, Call { key, version }: Call) -> Option<()> {
        match key {
            key::PRODUCE => {
                let size = self.fields.count()?;
                self.fields.take(usize::try_from(size).ok()?)?;
                // No offset, no time, no start of the log.
                let numbers = [0, 2, 5].iter().filter(|since| version >= **since).count();
                self.out.extend(std::iter::repeat_n(0xff, 8 * numbers));
                if version >= 8 {
                    self.put_count(0);
                    self.put_text(None);
                }
            }
            key::OFFSET_COMMIT => {
                let times = if version == 1 { 8 } else { 0 };
                self.fields.take(8 + times + if version >= 6 { 4 } else { 0 })?;
                self.fields.text()?;
            }
            _ => {
                self.fields.take(8 + if version >= 2 { 4 } else { 0 })?;
                self.fields.text()?;
            }
        }
        Some(())
    }

    fn no_tags(&mut self) {
        if self.fields.flexible {
            self.put_varint(0);
        }
    }

    fn put_count(&mut self, count: u32) {
        if self.fields.flexible {
            self.put_varint(u64::from(count) + 1);
        } else {
            self.out.extend(count.to_be_bytes());
        }
    }
}

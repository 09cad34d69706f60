//! Replies of Kafka that name brokers, with the link's address put in their place.
//!
//! The forms are those of Apache Kafka 4.1's message definitions. Versions above the ones known here are never used,
//! because ApiVersions replies are cut down to [`OFFERED`]. What that costs: Fetch above 15 (a hint at the new leader,
//! which clients otherwise learn from Metadata), share groups, and the addresses in DescribeQuorum. Produce cannot be
//! cut down like this: transactions of the second kind need its version 12.

use std::net::SocketAddr;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) key: i16,
    pub(super) version: i16,
}

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;
const DESCRIBE_QUORUM: i16 = 55;
const DESCRIBE_CLUSTER: i16 = 60;
const SHARE_FETCH: i16 = 78;
const SHARE_ACKNOWLEDGE: i16 = 79;

/// The highest version that a client is told of. A negative one: not offered at all.
const OFFERED: [(i16, i16); 8] = [
    (PRODUCE, 13),
    (FETCH, 15),
    (METADATA, 13),
    (FIND_COORDINATOR, 6),
    (DESCRIBE_QUORUM, 1),
    (DESCRIBE_CLUSTER, 2),
    (SHARE_FETCH, -1),
    (SHARE_ACKNOWLEDGE, -1),
];

/// Whether replies to a call have to be rewritten.
pub(super) fn concerns(call: Call) -> bool {
    match call.key {
        PRODUCE => call.version >= 10,
        // Not offered; a client that uses it all the same must not get past the link unseen.
        FETCH => call.version > 15,
        METADATA | FIND_COORDINATOR | DESCRIBE_CLUSTER | API_VERSIONS => true,
        DESCRIBE_QUORUM => call.version > 1,
        SHARE_FETCH | SHARE_ACKNOWLEDGE => true,
        _ => false,
    }
}

/// The reply with every broker at `address`. `body` is what follows the correlation id. `None` when it cannot be read.
pub(super) fn rewrite(call: Call, body: &[u8], address: SocketAddr) -> Option<Vec<u8>> {
    let Call { key, version } = call;
    let offered = OFFERED.iter().find(|(offered, _)| *offered == key).map(|(_, version)| *version);
    if offered.is_some_and(|offered| version > offered) {
        return None;
    }
    let flexible = match key {
        PRODUCE | METADATA => version >= 9,
        FIND_COORDINATOR | API_VERSIONS => version >= 3,
        _ => true,
    };
    let mut reply = Reply { rest: body, out: Vec::with_capacity(body.len() + 64), flexible, address };
    // ApiVersions replies never have tagged fields in their header: the client does not know yet what both can read.
    if flexible && key != API_VERSIONS {
        reply.tags()?;
    }
    match key {
        PRODUCE => reply.produce(version)?,
        METADATA => reply.metadata(version)?,
        FIND_COORDINATOR => reply.find_coordinator(version)?,
        API_VERSIONS => reply.api_versions()?,
        DESCRIBE_CLUSTER => reply.describe_cluster(version)?,
        _ => return None,
    }
    reply.out.extend_from_slice(reply.rest);
    Some(reply.out)
}

/// A reply on its way from `rest` to `out`. Every method moves what it is named after; what no method has moved at the
/// end is moved as it is.
struct Reply<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
    flexible: bool,
    address: SocketAddr,
}

impl<'a> Reply<'a> {
    fn metadata(&mut self, version: i16) -> Option<()> {
        self.fixed(if version >= 3 { 4 } else { 0 })?;
        for _ in 0..self.count()? {
            self.broker()?;
            if version >= 1 {
                self.text()?;
            }
            self.tags()?;
        }
        Some(())
    }

    fn find_coordinator(&mut self, version: i16) -> Option<()> {
        self.fixed(if version >= 1 { 4 } else { 0 })?;
        if version < 4 {
            self.fixed(2)?;
            if version >= 1 {
                self.text()?;
            }
            return self.broker();
        }
        for _ in 0..self.count()? {
            self.text()?;
            self.broker()?;
            self.fixed(2)?;
            self.text()?;
            self.tags()?;
        }
        Some(())
    }

    fn describe_cluster(&mut self, version: i16) -> Option<()> {
        self.fixed(4 + 2)?;
        self.text()?;
        self.fixed(if version >= 1 { 1 } else { 0 })?;
        self.text()?;
        self.fixed(4)?;
        for _ in 0..self.count()? {
            self.broker()?;
            self.text()?;
            self.fixed(if version >= 2 { 1 } else { 0 })?;
            self.tags()?;
        }
        Some(())
    }

    /// From version 10 on: brokers are in tagged field 0 of the whole reply.
    fn produce(&mut self, version: i16) -> Option<()> {
        for _ in 0..self.count()? {
            if version >= 13 {
                self.fixed(16)?;
            } else {
                self.text()?;
            }
            for _ in 0..self.count()? {
                self.fixed(4 + 2 + 8 + 8 + 8)?;
                for _ in 0..self.count()? {
                    self.fixed(4)?;
                    self.text()?;
                    self.tags()?;
                }
                self.text()?;
                self.tags()?;
            }
            self.tags()?;
        }
        self.fixed(4)?;
        for _ in 0..self.varint()? {
            let tag = self.varint()?;
            if tag != 0 {
                self.sized()?;
                continue;
            }
            // Its size changes with the addresses: write the field apart, then its size, then the field.
            let size = self.take_varint()?;
            let (field, rest) = self.rest.split_at_checked(usize::try_from(size).ok()?)?;
            let mut endpoints = Reply { rest: field, out: Vec::new(), flexible: true, address: self.address };
            for _ in 0..endpoints.count()? {
                endpoints.broker()?;
                endpoints.text()?;
                endpoints.tags()?;
            }
            endpoints.out.extend_from_slice(endpoints.rest);
            self.put_varint(endpoints.out.len() as u64);
            self.out.append(&mut endpoints.out);
            self.rest = rest;
        }
        Some(())
    }

    fn api_versions(&mut self) -> Option<()> {
        let error: [u8; 2] = *self.rest.first_chunk()?;
        if error != [0, 0] {
            // Asked for in a version that the broker does not know: it answers in version 0 and names ApiVersions only.
            return Some(());
        }
        self.fixed(2)?;
        for _ in 0..self.count()? {
            let key = i16::from_be_bytes(*self.rest.first_chunk()?);
            self.fixed(2 + 2)?;
            let highest = i16::from_be_bytes(self.take(2)?.try_into().ok()?);
            let offered = OFFERED.iter().find(|(offered, _)| *offered == key).map_or(highest, |(_, offered)| *offered);
            self.out.extend_from_slice(&highest.min(offered).to_be_bytes());
            self.tags()?;
        }
        Some(())
    }

    /// Node id, host and port, the latter two replaced. An empty host stands for no broker and stays.
    fn broker(&mut self) -> Option<()> {
        self.fixed(4)?;
        let host = self.take_text()?;
        let port = self.take(4)?;
        if host.is_none_or(<[u8]>::is_empty) {
            self.put_text(host);
            self.out.extend_from_slice(port);
        } else {
            self.put_text(Some(self.address.ip().to_string().as_bytes()));
            self.out.extend_from_slice(&u32::from(self.address.port()).to_be_bytes());
        }
        Some(())
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    fn fixed(&mut self, len: usize) -> Option<()> {
        let taken = self.take(len)?;
        self.out.extend_from_slice(taken);
        Some(())
    }

    fn take_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn varint(&mut self) -> Option<u64> {
        let value = self.take_varint()?;
        self.put_varint(value);
        Some(value)
    }

    /// The number of entries of an array; a missing array has none. A number that cannot be true ends in `None` soon:
    /// every entry takes bytes.
    fn count(&mut self) -> Option<u64> {
        if self.flexible {
            return Some(self.varint()?.saturating_sub(1));
        }
        let bytes = *self.rest.first_chunk()?;
        self.fixed(4)?;
        Some(u64::try_from(i32::from_be_bytes(bytes)).unwrap_or(0))
    }

    fn take_text(&mut self) -> Option<Option<&'a [u8]>> {
        let len = if self.flexible {
            self.take_varint()?.checked_sub(1)
        } else {
            u64::try_from(i16::from_be_bytes(self.take(2)?.try_into().ok()?)).ok()
        };
        let Some(len) = len else { return Some(None) };
        Some(Some(self.take(usize::try_from(len).ok()?)?))
    }

    fn put_text(&mut self, text: Option<&[u8]>) {
        if self.flexible {
            self.put_varint(text.map_or(0, |text| text.len() as u64 + 1));
        } else {
            self.out.extend_from_slice(&text.map_or(-1, |text| text.len() as i16).to_be_bytes());
        }
        self.out.extend_from_slice(text.unwrap_or_default());
    }

    fn text(&mut self) -> Option<()> {
        let text = self.take_text()?;
        self.put_text(text);
        Some(())
    }

    fn sized(&mut self) -> Option<()> {
        let size = self.varint()?;
        self.fixed(usize::try_from(size).ok()?)
    }

    fn tags(&mut self) -> Option<()> {
        if self.flexible {
            for _ in 0..self.varint()? {
                self.varint()?;
                self.sized()?;
            }
        }
        Some(())
    }
}

//! Replies of Kafka that name brokers, with the link's address put in their place.
//!
//! The forms are those of Apache Kafka 4.1's message definitions. Versions above the ones known here are never used,
//! because ApiVersions replies are cut down to [`OFFERED`]. What that costs: Fetch above 15 (a hint at the new leader,
//! which clients otherwise learn from Metadata), share groups, and the addresses in DescribeQuorum. Produce cannot be
//! cut down that far: transactions of the second kind need its version 12. Above it, topics have no names any more.

use std::net::SocketAddr;

use super::call::{Call, key};
use super::fields::Fields;
use super::moved::Moved;

/// The highest version that a client is told of. A negative one: not offered at all.
const OFFERED: [(i16, i16); 8] = [
    (key::PRODUCE, 12),
    (key::FETCH, 15),
    (key::METADATA, 13),
    (key::FIND_COORDINATOR, 6),
    (key::DESCRIBE_QUORUM, 1),
    (key::DESCRIBE_CLUSTER, 2),
    (key::SHARE_FETCH, -1),
    (key::SHARE_ACKNOWLEDGE, -1),
];

/// Whether replies to a call have to be rewritten.
pub(super) fn concerns(call: Call) -> bool {
    match call.key {
        key::PRODUCE => call.version >= 10,
        // Not offered; a client that uses it all the same must not get past the link unseen.
        key::FETCH => call.version > 15,
        key::METADATA | key::FIND_COORDINATOR | key::DESCRIBE_CLUSTER | key::API_VERSIONS => true,
        key::DESCRIBE_QUORUM => call.version > 1,
        key::SHARE_FETCH | key::SHARE_ACKNOWLEDGE => true,
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
    let flexible = call.is_flexible();
    let mut reply = Moved::new(body, flexible);
    // ApiVersions replies never have tagged fields in their header: the client does not know yet what both can read.
    if flexible && key != key::API_VERSIONS {
        reply.tags()?;
    }
    match key {
        key::PRODUCE => reply.produce(version, address)?,
        key::METADATA => reply.metadata(version, address)?,
        key::FIND_COORDINATOR => reply.find_coordinator(version, address)?,
        key::API_VERSIONS => reply.api_versions()?,
        key::DESCRIBE_CLUSTER => reply.describe_cluster(version, address)?,
        _ => return None,
    }
    reply.out.extend_from_slice(reply.fields.rest);
    Some(reply.out)
}

impl Moved<'_> {
    fn metadata(&mut self, version: i16, address: SocketAddr) -> Option<()> {
        self.fixed(if version >= 3 { 4 } else { 0 })?;
        for _ in 0..self.count()? {
            self.broker(address)?;
            if version >= 1 {
                self.text()?;
            }
            self.tags()?;
        }
        Some(())
    }

    fn find_coordinator(&mut self, version: i16, address: SocketAddr) -> Option<()> {
        self.fixed(if version >= 1 { 4 } else { 0 })?;
        if version < 4 {
            self.fixed(2)?;
            if version >= 1 {
                self.text()?;
            }
            return self.broker(address);
        }
        for _ in 0..self.count()? {
            self.text()?;
            self.broker(address)?;
            self.fixed(2)?;
            self.text()?;
            self.tags()?;
        }
        Some(())
    }

    fn describe_cluster(&mut self, version: i16, address: SocketAddr) -> Option<()> {
        self.fixed(4 + 2)?;
        self.text()?;
        self.fixed(if version >= 1 { 1 } else { 0 })?;
        self.text()?;
        self.fixed(4)?;
        for _ in 0..self.count()? {
            self.broker(address)?;
            self.text()?;
            self.fixed(if version >= 2 { 1 } else { 0 })?;
            self.tags()?;
        }
        Some(())
    }

    /// From version 10 on: brokers are in tagged field 0 of the whole reply.
    fn produce(&mut self, version: i16, address: SocketAddr) -> Option<()> {
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
            let mut endpoints = Moved::new(self.fields.sized()?, true);
            for _ in 0..endpoints.count()? {
                endpoints.broker(address)?;
                endpoints.text()?;
                endpoints.tags()?;
            }
            endpoints.out.extend_from_slice(endpoints.fields.rest);
            self.put_varint(endpoints.out.len() as u64);
            self.out.append(&mut endpoints.out);
        }
        Some(())
    }

    fn api_versions(&mut self) -> Option<()> {
        if self.moved(Fields::int16)? != 0 {
            // Asked for in a version that the broker does not know: it answers in version 0 and names ApiVersions only.
            return Some(());
        }
        for _ in 0..self.count()? {
            let key = self.moved(Fields::int16)?;
            self.fixed(2)?;
            let highest = self.fields.int16()?;
            let offered = OFFERED.iter().find(|(offered, _)| *offered == key).map_or(highest, |(_, offered)| *offered);
            self.out.extend_from_slice(&highest.min(offered).to_be_bytes());
            self.tags()?;
        }
        Some(())
    }

    /// Node id, host and port, the latter two replaced. An empty host stands for no broker and stays.
    fn broker(&mut self, address: SocketAddr) -> Option<()> {
        self.fixed(4)?;
        let host = self.fields.text()?;
        let port = self.fields.take(4)?;
        if host.is_none_or(<[u8]>::is_empty) {
            self.put_text(host);
            self.out.extend_from_slice(port);
        } else {
            self.put_text(Some(address.ip().to_string().as_bytes()));
            self.out.extend_from_slice(&u32::from(address.port()).to_be_bytes());
        }
        Some(())
    }
}

//! stub
use crate::fault::{Direction, Edge, Pick, Repeat};
use std::net::SocketAddr;
use std::time::Duration;
#[derive(Debug)]
pub struct Link {}
pub enum Protocol {
    Http,
    Postgres,
    Redis,
    Kafka,
}
pub enum LinkFault {
    Partition(Direction),
    Cut,
    Latency { delay: Duration, jitter: Duration },
    Blackhole,
    LoseReply(Pick),
    CutBefore(Pick),
    Repeat { pick: Pick, how: Repeat },
}
pub struct Injection;
impl Injection {
    pub fn bite(&self) -> Option<String> {
        None
    }
    pub fn heal(&self) -> String {
        String::new()
    }
}
impl Link {
    pub async fn open(_e: Edge, _u: SocketAddr, _p: Protocol, _s: u64) -> std::io::Result<Link> {
        Ok(Link {})
    }
    pub fn accept(&self) {}
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], 1).into()
    }
    pub fn inject(&self, _f: LinkFault) -> Injection {
        Injection
    }
}

//! Ports of 127.0.0.1, shared fairly by all harnesses of a machine.
//!
//! Between choosing a port and listening on it, another harness could choose it too; and while a killed instance is down
//! its port looks free. So a port is reserved by a name in Linux's abstract socket namespace, which all
//! harnesses see, which has the same scope as the ports themselves, and which vanishes with its owner.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// A port of 127.0.0.1 that no other harness takes while this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _reservation: UnixListener,
}

/// No port could be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "all ports of 127.0.0.1 from {first} to {last} are taken; \
     free some or choose another range, for example FIREASSAY_PORTS=20000-29999"
)]
pub struct PortError {
    /// First port of the range.
    pub first: u16,
    /// Last port of the range.
    pub last: u16,
}

impl Port {
    /// Takes a port of `range` that nobody listens on and no harness has reserved.
    ///
    /// # Errors
    /// When there is none.
    pub fn reserve(range: &RangeInclusive<u16>) -> Result<Self, PortError> {
        // Goes around the range rather than from its start, so that a port that was just given up rests a while.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (first, last) = (*range.start(), *range.end());
        let size = u32::from(last.saturating_sub(first)) + 1;
        // Harnesses start at different places and so seldom try the same ports.
        let start = std::process::id().wrapping_mul(101);
        (0..size)
            .filter_map(|_| {
                let turn = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % size;
                Self::try_reserve(first + u16::try_from(turn).ok()?)
            })
            .next()
            .ok_or(PortError { first, last })
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    fn try_reserve(number: u16) -> Option<Self> {
        let name = UnixAddress::from_abstract_name(format!("fireassay-port-{number}")).ok()?;
        let port = Self { number, _reservation: UnixListener::bind_addr(&name).ok()? };
        (!is_taken(&port.address())).then_some(port)
    }
}

/// Whether somebody listens there at this moment.
pub(super) fn is_taken(address: &SocketAddr) -> bool {
    TcpListener::bind(address).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_twice_and_comes_back() {
        let range = 19_400..=19_402;
        let ports: Vec<Port> = (0..3).map(|_| Port::reserve(&range).unwrap()).collect();
        let error = Port::reserve(&range).unwrap_err();
        assert_eq!(error, PortError { first: 19_400, last: 19_402 });
        assert!(error.to_string().contains("FIREASSAY_PORTS"));
        drop(ports);
        assert!(Port::reserve(&range).is_ok());
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 19_410)).unwrap();
        let port = Port::reserve(&(19_410..=19_411)).unwrap();
        assert_eq!(port.number(), 19_411);
        drop(stranger);
    }
}

//! Whether a host is one that only we and our neighbours reach: what others depend on may be production.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::ExternalError;
use super::urls::Place;

const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);

/// The addresses of a server. Unless the user knows better, every one of them has to be private.
pub(super) async fn resolve(
    server: &'static str,
    place: &Place,
    not_production: bool,
) -> Result<Vec<SocketAddr>, ExternalError> {
    let unresolved = |why: &str| ExternalError::Unresolved { server, at: place.to_string(), why: why.to_owned() };
    let look_up = tokio::net::lookup_host((place.host.as_str(), place.port));
    let found: Vec<SocketAddr> = match tokio::time::timeout(RESOLVE_DEADLINE, look_up).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return Err(unresolved(&error.to_string())),
        Err(_) => return Err(unresolved(&format!("no answer within {} s", RESOLVE_DEADLINE.as_secs()))),
    };
    if found.is_empty() {
        return Err(unresolved("it has no address"));
    }
    match found.iter().find(|address| !is_private(address.ip())) {
        Some(public) if !not_production => {
            Err(ExternalError::Public { server, at: place.to_string(), address: public.ip() })
        }
        _ => Ok(found),
    }
}

/// Loopback, private (RFC 1918), link-local or unique local (RFC 4193).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(v4.into()),
            None => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_is_what_cannot_be_reached_from_outside() {
        let private = [
            "127.0.0.1",
            "127.8.9.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.0.9",
            "::1",
            "fe80::1",
            "fd00::7",
            "fc00::7",
            "::ffff:10.0.0.1",
        ];
        for address in private {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        let public = [
            "0.0.0.0",
            "8.8.8.8",
            "172.32.0.1",
            "172.15.0.1",
            "192.169.0.1",
            "100.64.0.1",
            "11.0.0.1",
            "::",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "ff02::1",
        ];
        for address in public {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_public_host_is_refused_unless_the_user_knows_it() {
        let place = Place { host: "203.0.113.7".to_owned(), port: 5432 };
        let why = resolve("postgres", &place, false).await.unwrap_err();
        assert!(why.is_mistake());
        let text = why.to_string();
        assert!(text.contains("203.0.113.7:5432") && text.contains("--i-know-this-is-not-production"), "{text}");
        assert_eq!(resolve("postgres", &place, true).await.unwrap(), ["203.0.113.7:5432".parse().unwrap()]);
        let here = Place { host: "localhost".to_owned(), port: 1 };
        assert!(resolve("redis", &here, false).await.is_ok());
    }
}

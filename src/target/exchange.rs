//! One HTTP request and its reply: whole, or why not.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::{Client, Request, Response, redirect, retry};

use super::printable::printable;
use crate::history::Doubt;

/// The largest reply to a call, in bytes.
pub(super) const REPLY_BYTES_MAX: usize = 1 << 20;

/// The largest reading, in bytes.
pub(super) const READING_BYTES_MAX: usize = 64 << 20;

/// A whole reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is no whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Not a byte of the request left.
    NotSent(String),
    /// It may have arrived.
    Doubt(Doubt),
}

/// A client that does exactly what it is told: an attempt in the history is one request on the wire.
///
/// What remains of hyper's own doing is safe: a request is sent on a new connection when the pooled one turned out
/// closed before the first byte of it was written.
pub(super) fn client() -> Result<Client, String> {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .http1_only()
        .tcp_nodelay(true)
        .build()
        .map_err(|error| format!("failed to set up an HTTP client: {error}"))
}

/// Sends `request` and receives at most `bytes_max` of its reply's body, `timeout` for everything together.
/// A reply that is given up takes its connection with it.
pub(super) async fn exchange(
    client: &Client,
    request: Request,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Reply, Failure> {
    let whole = async {
        let response = client.execute(request).await.map_err(|error| failure(&error))?;
        receive(response, bytes_max).await
    };
    tokio::time::timeout(timeout, whole).await.unwrap_or(Err(Failure::Doubt(Doubt::Timeout)))
}

async fn receive(mut response: Response, bytes_max: usize) -> Result<Reply, Failure> {
    let status = response.status().as_u16();
    let too_long = || Failure::Doubt(Doubt::Unreadable(format!("body longer than {bytes_max} bytes")));
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, body })
}

fn failure(error: &reqwest::Error) -> Failure {
    let io = cause::<io::Error>(error);
    if error.is_connect() {
        let why = match io {
            Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            Some(io) => io.to_string(),
            None => innermost(error),
        };
        return Failure::NotSent(why);
    }
    let hyper = cause::<hyper::Error>(error);
    Failure::Doubt(match (io, hyper) {
        (_, Some(hyper)) if hyper.is_parse() => Doubt::Unreadable(format!("not HTTP: {}", innermost(error))),
        (Some(io), _) => Doubt::Reset(printable(&io.to_string(), 200)),
        (None, Some(hyper)) if hyper.is_incomplete_message() => {
            Doubt::Reset("the connection was closed before the reply was complete".into())
        }
        _ => Doubt::Reset(innermost(error)),
    })
}

fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

fn innermost(error: &reqwest::Error) -> String {
    chain(error).last().map(|error| printable(&error.to_string(), 200)).unwrap_or_default()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

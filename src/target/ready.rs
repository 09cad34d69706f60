//! Whether an instance is ready.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::exchange::{Failure, REPLY_BYTES_MAX, client, exchange};
use super::manifest::Ready;
use super::printable::excerpt;
use super::request;
use crate::history::Doubt;

/// How long one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Who closes a connection this soon does not listen.
const CLOSED_WITHIN: Duration = Duration::from_millis(20);

/// Probes once.
pub(super) async fn probe(address: SocketAddr, ready: &Ready) -> Result<(), String> {
    match ready {
        Ready::Running => Ok(()),
        Ready::Port => match tokio::time::timeout(PROBE_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stays_open(&stream).await.map_err(|why| format!("port {}: {why}", address.port())),
            Ok(Err(error)) => Err(format!("port {}: {error}", address.port())),
            Err(_) => {
                Err(format!("port {}: no answer within {}", address.port(), humantime::format_duration(PROBE_TIMEOUT)))
            }
        },
        Ready::Http(path) => health(address, path).await.map_err(|why| format!("GET {path}: {why}")),
    }
}

/// Docker accepts connections for a container that does not listen yet, and closes them at once.
async fn stays_open(stream: &TcpStream) -> Result<(), &'static str> {
    let mut byte = [0];
    match tokio::time::timeout(CLOSED_WITHIN, stream.peek(&mut byte)).await {
        Ok(Ok(0) | Err(_)) => Err("it accepts connections and closes them at once"),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

async fn health(address: SocketAddr, path: &str) -> Result<(), String> {
    let request = request::get(address, path)?;
    match exchange(&client()?, request, REPLY_BYTES_MAX, PROBE_TIMEOUT).await {
        Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
        Ok(reply) => Err(format!("status {}: {}", reply.status, excerpt(&reply.body))),
        Err(failure) => Err(describe(&failure)),
    }
}

/// A failure in a few words.
pub(super) fn describe(failure: &Failure) -> String {
    match failure {
        Failure::NotSent(why) => why.clone(),
        Failure::Doubt(Doubt::Timeout) => "no complete reply in time".into(),
        Failure::Doubt(Doubt::Reset(why) | Doubt::Unreadable(why)) => why.clone(),
        Failure::Doubt(Doubt::Status { status, body }) => format!("status {status}: {body}"),
        Failure::Doubt(Doubt::Abandoned) => "abandoned".into(),
    }
}

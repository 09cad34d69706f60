//! Delivering a request a second time, as a retrying proxy or a late packet would.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::accept::Shared;
use super::exchange::Delivery;
use super::protocol::{Code, Piece};
use super::socket::Socket;
use crate::fault::Repeat;

/// The most that is read at once.
const CHUNK: usize = 16 << 10;

/// How long the second delivery may take to be answered.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// A connection for a second delivery. It goes straight to the upstream: no other fault of the link touches it.
pub(super) async fn connect(shared: &Shared) -> io::Result<Socket> {
    shared.upstream.connect().await
}

/// Delivers in a task of its own that outlives the connection and the injection, but not the link.
pub(super) fn deliver(shared: &Arc<Shared>, delivery: Delivery, connected: Option<Socket>) {
    delivery.evidence.delivery_begins();
    let link = Arc::clone(shared);
    shared.spawn(async move {
        let closing = link.closing.clone();
        closing.run_until_cancelled(deliver_and_tell(&link, delivery, connected)).await;
    });
}

async fn deliver_and_tell(shared: &Shared, delivery: Delivery, connected: Option<Socket>) {
    if let Repeat::Late(pause) = delivery.how {
        tokio::time::sleep(pause).await;
    }
    let Delivery { evidence, label, .. } = &delivery;
    let attempt = async {
        let stream = match connected {
            Some(stream) => stream,
            None => connect(shared).await?,
        };
        exchange(shared, stream, &delivery.request).await
    };
    match tokio::time::timeout(ANSWER_DEADLINE, attempt).await {
        Ok(Ok(Some(code))) => evidence.act(format!("delivered {label} again, answered {code}")),
        Ok(Ok(None)) => evidence.act(format!("delivered {label} again, answered in a way that cannot be read")),
        Ok(Err(error)) => evidence.miss(format!("{label}: the second delivery failed: {error}")),
        Err(_) => evidence.miss(format!("{label}: the second delivery was not answered in {ANSWER_DEADLINE:?}")),
    }
    evidence.delivery_ends();
}

/// Sends the request, reads its whole reply and drops it. Its code, if the reply can be read.
async fn exchange(shared: &Shared, stream: Socket, request: &[u8]) -> io::Result<Option<Code>> {
    let (mut asking, mut answering) = shared.protocol.readers(shared.address, shared.prefix());
    // Tells the reader of replies what was asked.
    let mut rest = request;
    while let Ok(piece @ (Piece::Begin(_) | Piece::Pass(_))) = asking.read(rest) {
        rest = &rest[piece.len()..];
    }
    stream.write_all(request).await?;
    let mut buffer = BytesMut::new();
    loop {
        match answering.read(&buffer) {
            Ok(Piece::More) => {
                buffer.reserve(CHUNK);
                if stream.read(&mut buffer).await? == 0 {
                    return match answering.finish() {
                        Some(end) => Ok(end.code),
                        None => Err(io::ErrorKind::UnexpectedEof.into()),
                    };
                }
            }
            Ok(Piece::End(end)) => return Ok(end.code),
            Ok(piece) => {
                let _ = buffer.split_to(piece.len());
            }
            Err(_) => return Ok(None),
        }
    }
}

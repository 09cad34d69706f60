//! The payment gateway, over HTTP. Each call is on a connection of its own: one that died silently while it was idle would
//! cost an attempt.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect, retry};
use serde::Deserialize;
use serde_json::json;

use crate::domain::{Card, Correlation, MinorUnits, OrderId};

/// What a call may take, from connecting to the last byte.
const CALL_LIMIT: Duration = Duration::from_secs(1);
/// What connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// How long to wait after a 429 that does not say it.
const THROTTLE_DEFAULT: Duration = Duration::from_secs(1);
/// What is read of an answer at most, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// A charge to make.
pub(crate) struct Charge<'a> {
    pub(crate) order: &'a OrderId,
    pub(crate) amount: MinorUnits,
    pub(crate) currency: &'a str,
    pub(crate) card: &'a Card,
    /// What makes a repetition the same charge.
    pub(crate) key: Option<&'a str>,
    pub(crate) correlation: Option<&'a Correlation>,
}

/// What the gateway did with a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The money is ours.
    Charged,
    /// It never will be.
    Declined,
}

/// What came of trying to charge.
#[derive(Debug)]
pub(crate) enum Answer {
    /// This, for certain.
    Done(Effect),
    /// Nothing. It is to be asked again after so long.
    Throttled(Duration),
    /// Nothing, and it is no use to ask again.
    Refused(StatusCode),
    /// Nothing: there is no connection, so the request cannot have got there.
    Unreachable,
    /// Nobody knows.
    Open(String),
}

/// Why a look at an order's charges told nothing.
#[derive(Debug)]
pub(crate) enum LookError {
    /// There is no connection.
    Unreachable,
    /// It did not answer, or not in a way that can be understood.
    Failed(String),
}

/// The gateway.
pub(crate) struct Gateway {
    client: Client,
    charges: String,
}

impl Gateway {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub(crate) fn new(url: &str) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            // Whether to try again is decided where it is counted.
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_LIMIT)
            .timeout(CALL_LIMIT)
            .build()?;
        let charges = format!("{}/charges", url.trim_end_matches('/'));
        client.get(&charges).build()?;
        Ok(Self { client, charges })
    }

    /// Tries to charge, once.
    pub(crate) async fn charge(&self, charge: &Charge<'_>) -> Answer {
        let Charge { order, amount, currency, card, key, correlation } = charge;
        let body = json!({"order": order, "amount": amount, "currency": currency, "card": card.number()}).to_string();
        let mut request = self.request(Method::POST, &self.charges, *correlation).body(body);
        request = request.header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", *key);
        }
        match request.send().await {
            Ok(response) => judge(&response),
            Err(error) if error.is_connect() => Answer::Unreachable,
            Err(error) => Answer::Open(cause(error)),
        }
    }

    /// Looks what has become of an order's charges. `None`: there is none.
    pub(crate) async fn look(
        &self,
        order: &OrderId,
        correlation: Option<&Correlation>,
    ) -> Result<Option<Effect>, LookError> {
        let url = format!("{}?order={}", self.charges, escaped(order.as_str()));
        let response = self.request(Method::GET, &url, correlation).send().await.map_err(|error| {
            if error.is_connect() { LookError::Unreachable } else { LookError::Failed(cause(error)) }
        })?;
        if response.status() != StatusCode::OK {
            return Err(LookError::Failed(format!("asked for charges, the gateway answered {}", response.status())));
        }
        let body = read(response).await.map_err(LookError::Failed)?;
        let Charges { charges } = serde_json::from_slice(&body)
            .map_err(|_| LookError::Failed("the gateway's list of charges is unreadable".to_owned()))?;
        let has = |status: &str| charges.iter().any(|charge| charge.status == status);
        // If there is money, it is paid, whatever else was tried.
        Ok(if has("succeeded") {
            Some(Effect::Charged)
        } else if has("declined") {
            Some(Effect::Declined)
        } else {
            None
        })
    }

    fn request(&self, method: Method, url: &str, correlation: Option<&Correlation>) -> RequestBuilder {
        let request = self.client.request(method, url);
        match correlation {
            Some(correlation) => request.header("x-correlation-id", correlation.as_str()),
            None => request,
        }
    }
}

#[derive(Deserialize)]
struct Charges {
    charges: Vec<Charged>,
}

#[derive(Deserialize)]
struct Charged {
    status: String,
}

/// The status alone decides: what the body adds is of no use to us, and a reply that broke off behind it has told all.
fn judge(response: &Response) -> Answer {
    match response.status() {
        status if status.is_success() => Answer::Done(Effect::Charged),
        StatusCode::PAYMENT_REQUIRED => Answer::Done(Effect::Declined),
        StatusCode::TOO_MANY_REQUESTS => Answer::Throttled(retry_after(response).unwrap_or(THROTTLE_DEFAULT)),
        status @ StatusCode::REQUEST_TIMEOUT => Answer::Open(format!("the gateway answered {status}")),
        status if status.is_server_error() => Answer::Open(format!("the gateway answered {status}")),
        status => Answer::Refused(status),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.trim().parse::<u32>().ok()?;
    Some(Duration::from_secs(seconds.into()))
}

async fn read(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(cause)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err("the gateway's answer is too long".to_owned());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An order's id within a URL.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// What went wrong, in words that have neither a URL nor anything of the request in them.
fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        "the gateway did not answer in time".to_owned()
    } else {
        format!("the gateway broke off: {}", error.without_url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_escaped() {
        assert_eq!(escaped("o-1&order=2/é"), "o-1%26order%3D2%2F%C3%A9");
    }

    #[test]
    fn a_url_that_is_none_is_refused() {
        assert!(Gateway::new("no url").is_err());
        assert!(Gateway::new("http://127.0.0.1:1/").is_ok());
    }
}

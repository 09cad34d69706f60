//! What comes in, checked at the door. Nothing is guessed: an amount that is not a whole number is no amount. What is
//! refused is not repeated in the answer, because it may be a card's number in the wrong field.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Number;

use super::errors::ApiError;
use crate::domain::{Card, Correlation, Currency, Customer, Key, OrderId, Wish};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    customer: String,
    card: String,
    amount: Number,
    currency: String,
}

/// The idempotency key.
pub(super) fn key(headers: &HeaderMap) -> Result<Key, ApiError> {
    let value = headers.get("idempotency-key").ok_or_else(|| ApiError::bad_request("missing_key"))?;
    value.to_str().ok().and_then(Key::new).ok_or_else(|| ApiError::bad_request("bad_key"))
}

/// The correlation id: the caller's, or else a new one, so that everything can be followed.
pub(super) fn correlation(headers: &HeaderMap) -> Result<Correlation, ApiError> {
    let Some(value) = headers.get("x-correlation-id") else { return Ok(Correlation::fresh()) };
    let correlation = value.to_str().ok().and_then(Correlation::new);
    correlation.ok_or_else(|| ApiError::bad_request("bad_correlation_id"))
}

/// An order's id out of a path. What cannot be one names no order.
pub(super) fn order(text: &str) -> Result<OrderId, ApiError> {
    OrderId::new(text).ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "unknown_order"))
}

/// The body of `POST /orders`.
pub(super) fn wish(body: Result<Bytes, BytesRejection>) -> Result<Wish, ApiError> {
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        _ => ApiError::bad_request("unreadable_body"),
    })?;
    // The reader of fields would take a list of values for an object without names.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::unprocessable("bad_fields"));
    }
    let Body { customer, card, amount, currency } = serde_json::from_slice(&bytes).map_err(|error| {
        // Well-formed JSON of another shape, or no JSON at all.
        if error.is_data() { ApiError::unprocessable("bad_fields") } else { ApiError::bad_request("bad_json") }
    })?;
    let bad = |what: &str| ApiError::unprocessable(what);
    Ok(Wish {
        customer: Customer::new(&customer).ok_or_else(|| bad("bad_customer"))?,
        card: Card::new(&card).ok_or_else(|| bad("bad_card"))?,
        // `1.0`, `1e3` and `"1"` are no whole numbers: whoever sends them counts otherwise than we.
        amount: amount.as_i64().filter(|amount| *amount >= 1).ok_or_else(|| bad("bad_amount"))?,
        currency: Currency::new(&currency).ok_or_else(|| bad("bad_currency"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"customer":"c","card":"4242424242424242","amount":1999,"currency":"EUR"}"#;

    fn read(body: &str) -> Result<Wish, ApiError> {
        wish(Ok(body.to_owned().into()))
    }

    #[test]
    fn a_wish_is_read() {
        let wish = read(GOOD).expect("good");
        assert_eq!((wish.amount, wish.card.number()), (1999, "4242424242424242"));
        for amount in ["1", "9007199254740993", "9223372036854775807"] {
            assert_eq!(read(&GOOD.replace("1999", amount)).expect(amount).amount.to_string(), amount);
        }
    }

    #[test]
    fn wishes_are_strict() {
        for amount in ["0", "-1", "1.0", "1e3", "\"1\"", "null", "true", "9223372036854775808", "01"] {
            assert!(read(&GOOD.replace("1999", amount)).is_err(), "{amount}");
        }
        for (from, to) in [("\"c\"", "\"\""), ("EUR", "euro"), ("4242424242424242", ""), ("\"amount\"", "\"total\"")] {
            assert!(read(&GOOD.replace(from, to)).is_err(), "{to}");
        }
        let list = r#" ["c","4242424242424242",1999,"EUR"]"#;
        for body in ["", "{", "[]", list, "null", "{}", &GOOD.replace('}', r#","note":""}"#), "\0"] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    #[test]
    fn refusals_do_not_repeat_what_was_sent() {
        let refused = read(&GOOD.replace("\"EUR\"", "4242424242424242")).expect_err("a number is no currency");
        assert!(!format!("{refused:?}").contains("4242"), "{refused:?}");
    }

    #[test]
    fn a_correlation_id_is_made_up_when_there_is_none() {
        assert_ne!(correlation(&HeaderMap::new()).expect("new"), correlation(&HeaderMap::new()).expect("new"));
    }
}

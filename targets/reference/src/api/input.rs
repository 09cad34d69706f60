//! What comes in, checked at the door. Nothing is guessed: an amount that is not a whole number is no amount.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Number;

use super::errors::ApiError;
use crate::defects::{Defect, Defects};
use crate::domain::{AccountId, Currency, Key, MinorUnits, Order};

/// A body that was read, or why not.
pub(super) type Body = Result<Bytes, BytesRejection>;

/// An account to open.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) id: AccountId,
    pub(super) currency: Currency,
    pub(super) floor: MinorUnits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningBody {
    id: String,
    currency: String,
    #[serde(default)]
    limit: MinorUnits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderBody {
    from: String,
    to: String,
    amount: Number,
    currency: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyBody {}

/// The idempotency key.
pub(super) fn key(headers: &HeaderMap) -> Result<Key, ApiError> {
    let value = headers.get("idempotency-key").ok_or_else(|| ApiError::bad_request("missing_key"))?;
    value.to_str().ok().and_then(Key::new).ok_or_else(|| ApiError::bad_request("bad_key"))
}

/// An account's id out of a path.
pub(super) fn account(text: &str) -> Result<AccountId, ApiError> {
    AccountId::new(text).ok_or_else(|| ApiError::unprocessable("bad_account"))
}

/// The body of `POST /accounts`.
pub(super) fn opening(body: Body) -> Result<Opening, ApiError> {
    let OpeningBody { id, currency, limit } = json(body)?;
    Ok(Opening { id: account(&id)?, currency: currency_of(&currency)?, floor: limit })
}

/// The body of `POST /transfers`.
pub(super) fn order(body: Body, defects: &Defects) -> Result<Order, ApiError> {
    let OrderBody { from, to, amount, currency } = json(body)?;
    let amount = amount_of(&amount, defects).ok_or_else(|| ApiError::unprocessable("bad_amount"))?;
    let order = Order { from: account(&from)?, to: account(&to)?, amount, currency: currency_of(&currency)? };
    if order.from == order.to {
        return Err(ApiError::unprocessable("same_account"));
    }
    Ok(order)
}

/// The body of a request that says all in its path: `{}`, or none.
pub(super) fn nothing(body: Body) -> Result<(), ApiError> {
    let bytes = read(body)?;
    if bytes.is_empty() { Ok(()) } else { json::<EmptyBody>(Ok(bytes)).map(drop) }
}

/// A whole number of at least 1 that fits. `1.0`, `1e3` and `"1"` are none: whoever sends them counts otherwise than we.
fn amount_of(number: &Number, defects: &Defects) -> Option<MinorUnits> {
    let amount = if defects.has(Defect::FloatAmount) {
        // Made by a language whose numbers are all of this kind, or by a model with `amount: float`.
        #[expect(clippy::cast_possible_truncation, reason = "this is the mistake")]
        let amount = number.as_f64()? as MinorUnits;
        amount
    } else {
        number.as_i64()?
    };
    // Made by leaving it to the form in the browser. A negative transfer takes from the account that it pays to.
    if amount < 1 && !defects.has(Defect::NegativeAccepted) {
        return None;
    }
    // Made by an `int` that was large enough for the tests, in a place that comes after the checks.
    #[expect(clippy::cast_possible_truncation, reason = "this is the mistake")]
    let narrow = MinorUnits::from(amount as i32);
    Some(if defects.has(Defect::Overflow32) { narrow } else { amount })
}

fn currency_of(text: &str) -> Result<Currency, ApiError> {
    Currency::new(text).ok_or_else(|| ApiError::unprocessable("bad_currency"))
}

fn read(body: Body) -> Result<Bytes, ApiError> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        _ => ApiError::bad_request("unreadable_body"),
    })
}

fn json<T: DeserializeOwned>(body: Body) -> Result<T, ApiError> {
    let bytes = read(body)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // Well-formed JSON of another shape, or no JSON at all.
        if error.is_data() { ApiError::unprocessable("bad_fields") } else { ApiError::bad_request("bad_json") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(json: &str) -> Option<MinorUnits> {
        amount_with(json, "")
    }

    fn amount_with(json: &str, defects: &str) -> Option<MinorUnits> {
        let defects = defects.parse().expect("they exist");
        let body = format!(r#"{{"from":"a","to":"b","amount":{json},"currency":"EUR"}}"#);
        order(Ok(body.into()), &defects).ok().map(|order| order.amount)
    }

    #[test]
    fn whole_numbers_are_exact() {
        for exact in [1, 1 << 33, (1 << 53) + 1, MinorUnits::MAX] {
            assert_eq!(amount(&exact.to_string()), Some(exact));
        }
    }

    #[test]
    fn nothing_else_is_an_amount() {
        for bad in [
            "0",
            "-1",
            "1.0",
            "1.5",
            "1e3",
            "\"1\"",
            "null",
            "true",
            "[1]",
            "9223372036854775808",
            "01",
            "NaN",
            "1e400",
        ] {
            assert_eq!(amount(bad), None, "{bad}");
        }
    }

    #[test]
    fn defects_of_amounts_do_what_they_say() {
        assert_eq!(amount_with("1.5", "float-amount"), Some(1));
        assert_eq!(amount_with("9007199254740993", "float-amount"), Some(9_007_199_254_740_992));
        assert_eq!(amount_with("8589934593", "overflow-32"), Some(1));
        assert_eq!(amount_with("-5", "negative-accepted"), Some(-5));
    }

    #[test]
    fn transfers_are_strict() {
        let refused = |body: &str| order(Ok(body.to_owned().into()), &Defects::default()).expect_err(body);
        for body in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            r#"{"from":"a","to":"a","amount":1,"currency":"EUR"}"#,
            r#"{"from":"","to":"b","amount":1,"currency":"EUR"}"#,
            r#"{"from":"a","to":"b","amount":1,"currency":"euro"}"#,
            r#"{"from":"a","to":"b","amount":1}"#,
            r#"{"from":"a","to":"b","amount":1,"amount":2,"currency":"EUR"}"#,
            r#"{"from":"a","to":"b","amount":1,"currency":"EUR","note":""}"#,
            "\u{0}",
        ] {
            refused(body);
        }
    }

    #[test]
    fn a_reversal_has_no_body() {
        assert!(nothing(Ok(Bytes::new())).is_ok());
        assert!(nothing(Ok("{}".into())).is_ok());
        assert!(nothing(Ok(r#"{"amount":1}"#.into())).is_err());
        assert!(nothing(Ok("{".into())).is_err());
    }
}

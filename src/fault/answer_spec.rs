//! Faults that answer in the place of the one who was asked, as a suite writes them. An error is checked against the
//! protocol of its edge as soon as it is read.
//!
//! ```toml
//! inject = { answer-error = { edge = "api->postgres", on = "insert *", error = "40001" } }
//! inject = { swallow = { edge = "relay->kafka", on = "OffsetCommit" } }
//! inject = { fail-reply = { edge = "relay->kafka", on = "Produce *", error = "REQUEST_TIMED_OUT" } }
//! ```

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use super::error_reply::ErrorReply;
use super::exchange::{Pattern, Pick};
use super::kafka_errors;
use super::spec::{ExchangeSpec, first};

/// The longest error line of Redis that is put in the place of a reply.
const LINE_MAX: usize = 200;

/// Exchanges, and the error that they are answered with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ErrorText", into = "ErrorText")]
pub struct ErrorSpec {
    /// Which exchanges.
    pub exchanges: ExchangeSpec,
    /// The error; one that the protocol knows well unless told.
    pub error: Option<ErrorReply>,
}

/// Exchanges that are swallowed: on an edge where that can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ExchangeSpec", into = "ExchangeSpec")]
pub struct SwallowSpec(pub(super) ExchangeSpec);

/// [`ErrorSpec`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorText {
    edge: String,
    #[serde(default)]
    on: Option<Pattern>,
    #[serde(default = "first")]
    pick: Pick,
    #[serde(default, deserialize_with = "text_or_number")]
    error: Option<String>,
}

impl TryFrom<ErrorText> for ErrorSpec {
    type Error = String;

    fn try_from(ErrorText { edge, on, pick, error }: ErrorText) -> Result<Self, String> {
        let error = error.map(|text| read(&edge, &text)).transpose()?;
        Ok(Self { exchanges: ExchangeSpec { edge, on, pick }, error })
    }
}

impl From<ErrorSpec> for ErrorText {
    fn from(ErrorSpec { exchanges: ExchangeSpec { edge, on, pick }, error }: ErrorSpec) -> Self {
        let error = error.map(|error| match error {
            ErrorReply::Redis(line) => line,
            other => other.to_string(),
        });
        Self { edge, on, pick, error }
    }
}

impl TryFrom<ExchangeSpec> for SwallowSpec {
    type Error = String;

    fn try_from(spec: ExchangeSpec) -> Result<Self, String> {
        match asked(&spec.edge) {
            "redis" | "kafka" => Ok(Self(spec)),
            _ => Err(format!(
                "`swallow` cannot answer on `{}`: what success would say there is not certain; use it on an edge to redis or kafka, or `answer-error`",
                spec.edge
            )),
        }
    }
}

impl From<SwallowSpec> for ExchangeSpec {
    fn from(spec: SwallowSpec) -> Self {
        spec.0
    }
}

/// Who is asked on an edge.
fn asked(edge: &str) -> &str {
    edge.rsplit("->").next().unwrap_or_default().trim()
}

/// The error of the protocol that is spoken on an edge.
fn read(edge: &str, text: &str) -> Result<ErrorReply, String> {
    let (found, form) = match asked(edge) {
        "postgres" => (
            sqlstate(text),
            "a SQLSTATE of five digits and capital letters that leaves the connection open, as `40001`".into(),
        ),
        "redis" => (
            line(text),
            format!(
                "a line of at most {LINE_MAX} characters that begins with a word in capital letters, as `OOM command not allowed when used memory > 'maxmemory'.`"
            ),
        ),
        "kafka" => (kafka_errors::code(text).map(ErrorReply::Kafka), kafka_form(text)),
        _ => (status(text), "a status from 400 to 599, as `503`".into()),
    };
    found.ok_or_else(|| format!("`{}` is no error of {edge}; write {form}", text.escape_debug()))
}

/// The codes that say goodbye end the connection, which an answer in the place of another does not.
fn sqlstate(text: &str) -> Option<ErrorReply> {
    let is_code = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let is_none = ["00", "01", "02"].iter().any(|class| text.starts_with(class));
    let ends = text.starts_with("08") || matches!(text, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04");
    (is_code && !is_none && !ends).then(|| ErrorReply::Postgres(text.to_owned()))
}

fn line(text: &str) -> Option<ErrorReply> {
    let word = text.split(' ').next().unwrap_or_default();
    let is_code = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_line = text.len() <= LINE_MAX && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (is_code && is_line).then(|| ErrorReply::Redis(text.to_owned()))
}

fn status(text: &str) -> Option<ErrorReply> {
    text.parse().ok().filter(|status| (400..=599).contains(status)).map(ErrorReply::Http)
}

fn kafka_form(text: &str) -> String {
    let meant = text.to_ascii_uppercase();
    let nearest = kafka_errors::names().max_by(|a, b| {
        let likeness = |name: &str| strsim::jaro_winkler(&meant, name);
        likeness(a).total_cmp(&likeness(b))
    });
    format!("the name or the number of an error code of Kafka's, as `{}`", nearest.unwrap_or_default())
}

/// `error = "503"` and `error = 503` say the same.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct TextOrNumber;

    impl Visitor<'_> for TextOrNumber {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an error code, as a text or a number")
        }

        fn visit_str<E>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_i64<E>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_u64<E>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }

    deserializer.deserialize_any(TextOrNumber).map(Some)
}

#[cfg(test)]
mod tests {
    use crate::fault::spec::InjectSpec;
    use crate::fault::{Act, ErrorReply};

    #[derive(serde::Deserialize)]
    struct Line {
        inject: InjectSpec,
    }

    fn read(inject: &str) -> Result<InjectSpec, String> {
        let read: Result<Line, _> = toml::from_str(&format!("inject = {{ {inject} }}"));
        read.map(|line| line.inject).map_err(|error| error.message().to_owned())
    }

    #[track_caller]
    fn accepts(edge: &str, error: &str, expected: ErrorReply) {
        let text = format!(r#"fail-reply = {{ edge = "{edge}", error = {error} }}"#);
        let spec = read(&text).expect("a fault");
        assert_eq!(spec.at_exchange().map(|at| at.act), Some(Act::FailReply(Some(expected))));
        // What is stored is read again.
        let stored = serde_json::to_string(&spec).expect("text");
        assert_eq!(serde_json::from_str::<InjectSpec>(&stored).expect("a fault"), spec);
    }

    #[track_caller]
    fn refuses(edge: &str, error: &str, expected: &str) {
        let refused = read(&format!(r#"answer-error = {{ edge = "{edge}", error = {error} }}"#));
        assert_eq!(
            refused.expect_err("a mistake"),
            format!("{} is no error of {edge}; write {expected}", error.replace('"', "`"))
        );
    }

    #[test]
    fn an_error_fits_the_protocol_of_its_edge() {
        accepts("api->postgres", r#""40001""#, ErrorReply::Postgres("40001".into()));
        accepts("api->redis", r#""OOM no room""#, ErrorReply::Redis("OOM no room".into()));
        accepts("every relay->kafka", r#""NOT_ENOUGH_REPLICAS""#, ErrorReply::Kafka(19));
        accepts("relay->kafka", "-1", ErrorReply::Kafka(-1));
        accepts("relay->kafka", r#""7""#, ErrorReply::Kafka(7));
        accepts("client->api", "503", ErrorReply::Http(503));
        accepts("client->api-1", r#""429""#, ErrorReply::Http(429));
        let plain = read(r#"answer-error = { edge = "api->postgres", on = "COMMIT" }"#).expect("a fault");
        assert_eq!(plain.at_exchange().map(|at| at.act), Some(Act::AnswerError(None)));
    }

    #[test]
    fn an_error_of_another_protocol_is_refused_with_a_hint() {
        let sqlstate = "a SQLSTATE of five digits and capital letters that leaves the connection open, as `40001`";
        for error in [r#""503""#, r#""40p01""#, r#""00000""#, r#""57P01""#] {
            refuses("api->postgres", error, sqlstate);
        }
        let line = "a line of at most 200 characters that begins with a word in capital letters, as `OOM command not allowed when used memory > 'maxmemory'.`";
        refuses("api->redis", r#""no""#, line);
        refuses("api->redis", r#""""#, line);
        let name = "the name or the number of an error code of Kafka's, as `NOT_ENOUGH_REPLICAS`";
        refuses("relay->kafka", r#""not_enough_replica""#, name);
        refuses("client->api", r#""200""#, "a status from 400 to 599, as `503`");
        let broken = read(r#"answer-error = { edge = "api->redis", error = "ERR a\r\n+OK" }"#).expect_err("a mistake");
        assert!(broken.starts_with(r"`ERR a\r\n+OK` is no error of api->redis"), "{broken}");
        let unknown = read(r#"answer-error = { edge = "api->redis", errors = "ERR" }"#).expect_err("a mistake");
        assert!(unknown.contains("unknown field `errors`"), "{unknown}");
    }

    #[test]
    fn only_edges_on_which_success_is_certain_are_swallowed_on() {
        assert!(read(r#"swallow = { edge = "relay->kafka", on = "OffsetCommit" }"#).is_ok());
        assert!(read(r#"swallow = { edge = "api->redis", on = "XACK" }"#).is_ok());
        let refused = read(r#"swallow = { edge = "api->postgres" }"#).expect_err("a mistake");
        assert!(refused.starts_with("`swallow` cannot answer on `api->postgres`"), "{refused}");
    }
}

//! An error of a protocol, as a caller hears it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kafka_errors;

/// An error that is put in the place of a reply. Which kind fits is the link's protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorReply {
    /// A status of HTTP from 400 to 599.
    Http(u16),
    /// A SQLSTATE of Postgres: five digits and capital letters.
    Postgres(String),
    /// A line of Redis without its `-`: `OOM command not allowed when used memory > 'maxmemory'.`.
    Redis(String),
    /// An error code of Kafka's.
    Kafka(i16),
}

impl ErrorReply {
    /// For people: the error, or that it is any.
    pub(super) fn or_any(error: Option<&Self>) -> String {
        error.map_or_else(|| "an error".to_owned(), ToString::to_string)
    }
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => status.fmt(f),
            Self::Postgres(text) => text.fmt(f),
            // Its first word is its code.
            Self::Redis(line) => line.split(' ').next().unwrap_or_default().fmt(f),
            Self::Kafka(code) => kafka_errors::name(*code).fmt(f),
        }
    }
}

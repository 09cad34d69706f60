//! What the replies to an exchange say about what it changed.
//!
//! CommandComplete alone is not enough: a deferred constraint can still fail after it. What counts is the status of
//! ReadyForQuery, together with the tags of what was completed before. A COMMIT of a transaction that has failed is
//! answered without an error, but with the tag ROLLBACK.

use crate::link::protocol::{Code, Said};

/// What has been heard of one exchange.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// The SQLSTATE of the first error.
    error: Option<Code>,
    /// Some of it has been committed.
    committed: bool,
    /// Some of it has been rolled back.
    rolled_back: bool,
    /// A transaction was prepared, to be committed by somebody later.
    prepared: bool,
    /// Something was done since the last commit or rollback.
    more: bool,
}

impl Truth {
    /// The tag of a CommandComplete.
    pub(super) fn completed(&mut self, tag: &[u8]) {
        match tag {
            b"COMMIT" | b"COMMIT PREPARED" => (self.committed, self.more) = (true, false),
            b"ROLLBACK" | b"ROLLBACK PREPARED" => (self.rolled_back, self.more) = (true, false),
            b"PREPARE TRANSACTION" => (self.prepared, self.more) = (true, false),
            // They do nothing by themselves.
            b"BEGIN" | b"START TRANSACTION" | b"SET" => {}
            _ => self.more = true,
        }
    }

    /// The body of an ErrorResponse, of which the end may be missing: fields of a letter and a text.
    pub(super) fn failed(&mut self, mut fields: &[u8]) {
        let mut code = None;
        while let [kind, rest @ ..] = fields {
            fields = rest;
            if *kind == 0 {
                break;
            }
            let text = super::frame::take_text(&mut fields);
            if *kind == b'C' {
                code = Code::new(text);
            }
        }
        if self.error.is_none() {
            self.error = code.or_else(|| Code::new(b"error"));
        }
    }

    /// The status of ReadyForQuery. `commits_inside`: whether some of it may stand even if it failed.
    pub(super) fn ready(self, status: u8, commits_inside: bool) -> (Said, Option<Code>) {
        if let Some(code) = self.error {
            let doubtful = self.committed || self.prepared || commits_inside;
            return (if doubtful { Said::Unclear } else { Said::Refused }, Some(code));
        }
        let mixed = usize::from(self.committed) + usize::from(self.rolled_back) + usize::from(self.prepared) > 1;
        let said = match status {
            _ if mixed => Said::Unclear,
            b'E' => Said::Refused,
            b'I' | b'T' if self.committed || self.prepared => match (self.more, status) {
                (false, _) if self.prepared => Said::Pending,
                (false, _) => Said::Applied,
                (true, b'I') if self.committed => Said::Applied,
                // Some of it stands, some of it may not.
                (true, _) => Said::Unclear,
            },
            b'T' => Said::Pending,
            b'I' if self.rolled_back && self.more => Said::Unclear,
            b'I' if self.rolled_back => return (Said::Refused, Code::new(b"ROLLBACK")),
            b'I' => Said::Applied,
            _ => Said::Unclear,
        };
        (said, None)
    }
}

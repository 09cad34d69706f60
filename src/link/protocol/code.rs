//! What a protocol calls the way a request ended.

use std::fmt;

/// The longest code; the rest is left out.
const CODE_MAX: usize = 40;

/// `201` of HTTP, `40P01` of Postgres, `WRONGTYPE` of Redis: printable ASCII without spaces, of limited length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::link) struct Code(String);

impl Code {
    /// What came from the wire, up to the first byte that no code has.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let text: String = bytes
            .iter()
            .take(CODE_MAX)
            .take_while(|byte| byte.is_ascii_graphic())
            .map(|byte| char::from(*byte))
            .collect();
        (!text.is_empty()).then_some(Self(text))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

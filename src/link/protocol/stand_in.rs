//! Answering in the place of the upstream, without either end of a connection being wrong about its state.
//!
//! Replies come in the order of requests, and a server has a state that depends on what it was asked. Therefore a request
//! that is not to have an effect is not just left out: a *stand-in* goes to the server instead, which fails where the
//! request is to fail, or does nothing. Its reply comes when the request's would have come, and is replaced on its way
//! to the caller.

use super::Code;
use crate::fault::ErrorReply;

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::link) enum Answer {
    /// With an error; without one, with one that services meet.
    Error(Option<ErrorReply>),
    /// As if it had worked.
    Success,
}

/// What goes to the upstream in the place of a request, and what its reply becomes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::link) struct StandIn {
    /// `None` where nothing goes there: the connection ends with the reply.
    pub(in crate::link) request: Option<Vec<u8>>,
    pub(in crate::link) reply: Reply,
}

/// What a reply becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::link) enum Reply {
    /// This, whatever it was.
    Made(MadeUp),
    /// This, if it was what the stand-in is answered with when all is well.
    Instead { of: &'static [u8], made: MadeUp },
    /// This, said by the link itself when the upstream has said all that it will say.
    Own(MadeUp),
    /// What the reader of replies makes of it.
    Failed(Option<ErrorReply>),
}

/// A reply that the upstream did not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::link) struct MadeUp {
    pub(in crate::link) bytes: Vec<u8>,
    /// What it says, if it is an error.
    pub(in crate::link) code: Option<Code>,
}

/// Why an exchange cannot be answered so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::link) struct Unfit(pub(in crate::link) &'static str);

/// An error of another protocol; a suite with one is not read.
pub(super) const FOREIGN: Unfit = Unfit("the error is not one of this protocol's");

/// Success of something that says more than that it worked.
pub(super) const UNCERTAIN: Unfit = Unfit("what its success would say is not certain");

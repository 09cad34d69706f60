//! From calls to HTTP requests and from replies to outcomes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::Target;
use crate::history::{Call, InstanceName, Outcome};
use crate::profile::Profile;

/// Speaks to the instances of one run.
#[derive(Debug)]
pub struct Driver {}

/// Why something could not be read from the target.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct DriverError(pub String);

impl Driver {
    /// A driver for a target that speaks `profile` at these addresses (those of the links).
    ///
    /// # Errors
    /// When the manifest's mapping does not fit the profile.
    pub fn new(
        target: &Target,
        profile: &'static dyn Profile,
        addresses: BTreeMap<InstanceName, SocketAddr>,
    ) -> Result<Self, DriverError> {
        let _ = (target, profile, addresses);
        Err(DriverError("not written yet".into()))
    }

    /// Sends one attempt and waits for its outcome, `timeout` at most.
    pub async fn call(&self, to: &InstanceName, call: &Call, timeout: Duration) -> Outcome {
        let _ = (to, call, timeout);
        Outcome::Unknown(crate::history::Doubt::Timeout)
    }

    /// Takes a reading in one snapshot: through the API, or by SQL if the manifest has a query for it.
    ///
    /// # Errors
    /// When the target does not answer or the answer cannot be read.
    pub async fn read(&self, source: &str, timeout: Duration) -> Result<Vec<Value>, DriverError> {
        let _ = (source, timeout);
        Err(DriverError("not written yet".into()))
    }
}

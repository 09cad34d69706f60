//! From calls to HTTP requests and from replies to outcomes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::Target;
use super::exchange::{Failure, READING_BYTES_MAX, REPLY_BYTES_MAX, client, exchange};
use super::manifest::Ready;
use super::manifest::Topic;
use super::mapping::{Mapping, OperationMapping};
use super::publish::Publisher;
use super::ready::{describe, probe};
use super::request::request;
use super::{reply, sql};
use crate::history::{Call, InstanceName, Outcome};
use crate::profile::Profile;

/// Speaks to the instances of one run.
#[derive(Debug)]
pub struct Driver {
    mapping: Mapping,
    /// Those of the front role.
    instances: BTreeMap<InstanceName, Instance>,
    /// URL of the run's database, for readings by SQL.
    database: String,
    /// Where callers publish, if they do.
    source: Option<Topic>,
    /// There once it is connected.
    publisher: Option<Publisher>,
}

/// A client for each, so that no instance inherits another's connections.
#[derive(Debug)]
struct Instance {
    address: SocketAddr,
    client: Client,
}

/// Why something could not be read from the target.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct DriverError(pub String);

impl Driver {
    /// A driver for a target that speaks `profile` at these addresses (those of the links to the front role's instances).
    /// `database` is the URL of the run's database, directly: readings by SQL do not pass a link.
    ///
    /// # Errors
    /// When the target does not speak the profile or none of the addresses is of its front role.
    pub fn new(
        target: &Target,
        profile: &'static dyn Profile,
        addresses: BTreeMap<InstanceName, SocketAddr>,
        database: &str,
    ) -> Result<Self, DriverError> {
        let mapping = target.mappings.get(profile.name()).cloned().ok_or_else(|| {
            DriverError(format!("the target {} does not list `{}` among its `profiles`", target.name, profile.name()))
        })?;
        let mut instances = BTreeMap::new();
        for (name, address) in addresses.into_iter().filter(|(name, _)| name.role == target.front) {
            instances.insert(name, Instance { address, client: client().map_err(DriverError)? });
        }
        if instances.is_empty() {
            return Err(DriverError(format!(
                "the run has no instance of the role `{}` that takes requests",
                target.front
            )));
        }
        let (database, source) = (database.to_owned(), target.source.clone());
        Ok(Self { mapping, instances, database, source, publisher: None })
    }

    /// With a producer for the topic that the target consumes from, if it has one; directly at the broker and not through
    /// a link. Topics of the run begin with `prefix`.
    ///
    /// # Errors
    /// When the client library refuses its settings.
    pub fn publishing(mut self, brokers: &str, prefix: &str) -> Result<Self, DriverError> {
        if let Some(topic) = &self.source {
            let publisher = Publisher::new(brokers, topic.in_run(prefix));
            self.publisher = Some(publisher.map_err(|error| DriverError(error.to_string()))?);
        }
        Ok(self)
    }

    /// Sends one attempt and waits for its outcome, `timeout` at most.
    /// What is published goes to the broker, whichever instance is named.
    pub async fn call(&self, to: &InstanceName, call: &Call, timeout: Duration) -> Outcome {
        if let Some(record) = self.mapping.publications.get(call.operation.as_str()) {
            let Some(publisher) = &self.publisher else { return not_sent("nobody is connected to the broker") };
            return publisher.publish(record, call, timeout).await;
        }
        let Some(operation) = self.mapping.operations.get(call.operation.as_str()) else {
            return not_sent(&format!("the profile has no operation `{}`", call.operation));
        };
        let Some(instance) = self.instances.get(to) else {
            return not_sent(&format!("there is no instance `{to}` that takes requests"));
        };
        let request = match request(operation, instance.address, call) {
            Ok(request) => request,
            Err(why) => return not_sent(&why),
        };
        match exchange(&instance.client, request, REPLY_BYTES_MAX, timeout).await {
            Ok(reply) => reply::outcome(operation, &reply),
            Err(Failure::NotSent(why)) => not_sent(&why),
            Err(Failure::Doubt(doubt)) => Outcome::Unknown(doubt),
        }
    }

    /// Takes a reading in one snapshot: through the API, or by SQL if the manifest has a query for it.
    /// Through the API every instance is asked in turn until one answers, all within `timeout`.
    ///
    /// # Errors
    /// When the target does not answer or the answer cannot be read.
    pub async fn read(&self, source: &str, timeout: Duration) -> Result<Vec<Value>, DriverError> {
        let failed = |why: &str| DriverError(format!("failed to read the {source}: {why}"));
        let operation = self.mapping.operations.get(source).ok_or_else(|| failed("the profile has no such reading"))?;
        if let Some(query) = &operation.sql {
            return sql::read(&self.database, query, timeout).await.map_err(|why| failed(&why));
        }
        let end = Instant::now() + timeout;
        let mut reasons = Vec::new();
        for (asked, (name, instance)) in self.instances.iter().enumerate() {
            // What is left is shared, so that one silent instance does not use up the time of all.
            let left = u32::try_from(self.instances.len() - asked).unwrap_or(u32::MAX);
            let share = end.saturating_duration_since(Instant::now()) / left;
            match instance.read(operation, source, share).await {
                Ok(rows) => return Ok(rows),
                Err(why) => reasons.push(format!("{name}: {why}")),
            }
        }
        Err(failed(&reasons.join("; ")))
    }

    /// Probes an instance once, at its own address and not through a link. `Err` says why it is not ready.
    ///
    /// # Errors
    /// When it is not ready yet; the caller asks again until its deadline.
    pub async fn ready(address: SocketAddr, ready: &Ready) -> Result<(), DriverError> {
        probe(address, ready).await.map_err(DriverError)
    }
}

impl Instance {
    async fn read(&self, operation: &OperationMapping, source: &str, timeout: Duration) -> Result<Vec<Value>, String> {
        let call = Call { operation: source.to_owned(), fields: Map::new(), raw: None };
        let request = request(operation, self.address, &call)?;
        let reply = exchange(&self.client, request, READING_BYTES_MAX, timeout).await.map_err(|f| describe(&f))?;
        match reply::outcome(operation, &reply) {
            Outcome::Ok { reply: mut fields, .. } => match fields.remove("rows") {
                Some(Value::Array(rows)) => Ok(rows),
                _ => Err("the field `rows` is not a list".into()),
            },
            Outcome::Refused { why, .. } => Err(format!("refused with status {}: {why}", reply.status)),
            Outcome::Unknown(doubt) => Err(describe(&Failure::Doubt(doubt))),
        }
    }
}

/// It must not have happened: not a byte left.
pub(super) fn not_sent(why: &str) -> Outcome {
    Outcome::Refused { status: None, why: format!("not sent: {why}"), reply: Map::new() }
}

//! Whether those who consume together have shared out what there is to consume.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode;

use super::{Kafka, failure, is_loading, options};
use crate::sandbox::ServiceError;

/// For one look.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);

/// What the broker calls a group whose members have their partitions.
const STABLE: &str = "Stable";

impl Kafka {
    /// The first group with this prefix whose members have not shared out the partitions yet: somebody has just joined, or
    /// was just missed. `None`: each has, and so a group without members.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub async fn unshared_group(&self, prefix: &str) -> Result<Option<String>, ServiceError> {
        let (admin, prefix) = (Arc::clone(&self.admin.0), prefix.to_owned());
        let look = move || {
            let groups = match admin.inner().fetch_group_list(None, LOOK_DEADLINE) {
                // While the first group of all is being made, the broker does not know them yet.
                Err(error) if is_loading(&error) => return Ok(Some("of consumers".to_owned())),
                groups => groups?,
            };
            let of_run = groups.groups().iter().filter(|group| group.name().starts_with(&prefix));
            let mut unshared = of_run.filter(|group| !group.members().is_empty() && group.state() != STABLE);
            Ok(unshared.next().map(|group| group.name().to_owned()))
        };
        let failed = |why: &dyn std::fmt::Display| failure("look at the groups of consumers", why);
        let looked = tokio::task::spawn_blocking(look).await.map_err(|error| failed(&error))?;
        looked.map_err(|error: rdkafka::error::KafkaError| failed(&error))
    }

    /// The names of all groups.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub async fn groups(&self) -> Result<Vec<String>, ServiceError> {
        let admin = Arc::clone(&self.admin.0);
        let look = move || {
            let groups = admin.inner().fetch_group_list(None, LOOK_DEADLINE);
            groups.map(|found| found.groups().iter().map(|group| group.name().to_owned()).collect())
        };
        let failed = |why: &dyn std::fmt::Display| failure("list the groups of consumers", why);
        let looked = tokio::task::spawn_blocking(look).await.map_err(|error| failed(&error))?;
        match looked {
            // While the first group of all is being made, the broker does not know them yet.
            Err(error) if is_loading(&error) => Ok(Vec::new()),
            looked => looked.map_err(|error| failed(&error)),
        }
    }

    /// Deletes groups. Content with those that are not there; says why one could not be deleted, as while it has members.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub async fn delete_groups(&self, names: &[String]) -> Result<Option<ServiceError>, ServiceError> {
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let answers = self.admin.0.delete_groups(&asked, &options()).await;
        let answers = answers.map_err(|error| failure("delete groups of consumers", &error))?;
        let refused = answers.into_iter().find_map(|answer| match answer {
            Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => None,
            Err((name, code)) => Some(failure(format!("delete the group `{name}`"), &code)),
        });
        Ok(refused)
    }
}

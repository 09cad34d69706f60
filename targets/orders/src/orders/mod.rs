//! Orders, their events and their dead letters, as the database has them. Every change of an order is one transaction,
//! which locks the order's row before any other row of the order: so no two of them wait for each other in a circle.

mod create;
mod direct;
mod error;
mod event;
pub(crate) mod letters;
pub(crate) mod payments;
mod reads;
mod replay;
mod steps;

use std::sync::Arc;

use crate::config;
use crate::defects::Defects;
use reference_common::store::{self, Database};

pub(crate) use error::OrdersError;
pub(crate) use event::Event;
pub(crate) use steps::{Guard, Step};

/// The orders in their database.
pub(crate) struct Orders {
    pub(crate) database: Arc<Database>,
    direct: direct::Publisher,
    pub(crate) defects: Defects,
}

impl Orders {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub(crate) fn new(config: &config::Common) -> Result<Self, sqlx::Error> {
        let options = store::options(&config.database_url, &config.instance)?;
        let direct = direct::Publisher::new(config);
        Ok(Self { database: Database::new(options), direct, defects: config.defects.clone() })
    }

    /// Whether the database answers.
    pub(crate) async fn check(&self) -> Result<(), OrdersError> {
        Ok(self.database.begin().await?.commit().await?)
    }
}

//! What the reference services have in common: the process around them, the switches of their mistakes, and how they
//! talk to Postgres and Kafka.

pub mod defects;
pub mod kafka;
pub mod process;
pub mod shutdown;
pub mod store;

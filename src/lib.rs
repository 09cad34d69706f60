//! fireassay: chaos-testing conformance for services that move money.

pub mod cli;
pub mod clock;
pub mod conformance;
pub mod counterparty;
pub mod detection;
pub mod explore;
pub mod fault;
pub mod history;
pub mod judgement;
pub mod link;
pub mod oracle;
pub mod profile;
pub mod report;
pub mod runner;
pub mod sandbox;
mod source;
pub mod suite;
pub mod target;

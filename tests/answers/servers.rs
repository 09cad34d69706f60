//! Real servers behind a link.

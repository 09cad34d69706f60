//! From a Compose file to a first manifest. No file is read or written here.
//!
//! `read` makes a tree of the text, `service` reads a service, `kind` says which of them fireassay runs itself, `variables`
//! and `address` put the variables of templates where addresses were, `command` puts them before topics in commands, `parts`
//! puts it all together, and `draft` writes it.

mod address;
mod command;
mod draft;
mod health;
mod images;
mod interpolate;
mod kind;
mod mount;
mod notes;
mod page;
mod parts;
mod phrase;
mod read;
mod role;
mod service;
mod skeleton;
mod topics;
mod variables;

use std::path::PathBuf;

pub use read::COMPOSE_BYTES_MAX;
pub use skeleton::skeleton;

use super::parse;
use crate::profile::{self, Profile};

/// A Compose file that no manifest can be made of. The message says what is wrong, where, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ComposeError(pub String);

/// A Compose file, and what is wanted of it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// As the user named it.
    pub path: &'a str,
    /// All of it.
    pub text: &'a str,
    /// What the target is called unless the file says.
    pub name: &'a str,
    /// The way from the manifest's folder to that of the file: `.`, `..`, `./deploy`.
    pub base: &'a str,
    /// What the target implements.
    pub profile: &'static dyn Profile,
    /// The services that become roles; empty: all that are no servers.
    pub services: &'a [String],
}

/// A manifest that somebody goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The manifest.
    pub text: String,
    /// What it is of, in a line.
    pub summary: String,
    /// What is to be done before it is right. The text of the file is in it as it was.
    pub to_do: Vec<String>,
    /// What of the file is not in it.
    pub left_out: Vec<String>,
}

/// Makes a manifest of a Compose file.
///
/// # Errors
/// When it is no Compose file, or there is nothing in it to test.
pub fn draft(wanted: &Wanted<'_>) -> Result<Draft, ComposeError> {
    let parts = parts::of(wanted)?;
    let draft = draft::write(&parts, wanted);
    checked(draft.text.as_str())?;
    Ok(draft)
}

/// What we write, we can read.
fn checked(text: &str) -> Result<(), ComposeError> {
    let read = parse::target("target.toml", text, PathBuf::from("."), profile::all());
    read.map(drop).map_err(|error| {
        ComposeError(format!(
            "the manifest that was made of it cannot be read, which is a mistake of fireassay: {error}"
        ))
    })
}

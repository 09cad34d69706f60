//! Volumes of a Compose file.

use serde_json::Value;

use super::service::scalar;

/// A folder or file in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mount {
    /// Of this machine.
    Bind {
        /// As the file names it, from its own folder.
        here: String,
        /// In the container.
        there: String,
        /// Whether it can only be read there.
        read_only: bool,
    },
    /// One that Docker keeps, and that is empty at the beginning of every run.
    Kept(String),
    /// Something that a manifest has nothing for.
    Other(String),
}

/// What a manifest can say of this one.
pub(super) fn read(value: &Value) -> Mount {
    let other = || Mount::Other(scalar(value).unwrap_or_else(|| value.to_string()));
    let text = |key: &str| value.get(key).and_then(scalar);
    if let Value::Object(_) = value {
        let read_only = value.get("read_only").and_then(Value::as_bool).unwrap_or(false);
        return match (text("type").as_deref(), text("source"), text("target")) {
            (Some("bind"), Some(here), Some(there)) => bind(&here, &there, read_only).unwrap_or_else(other),
            (Some("volume"), source, Some(there)) => Mount::Kept(source.unwrap_or(there)),
            _ => other(),
        };
    }
    let Some(short) = scalar(value) else { return other() };
    match short.split(':').collect::<Vec<_>>().as_slice() {
        [there] if there.starts_with('/') => Mount::Kept((*there).to_owned()),
        [here, there] => bind(here, there, false).unwrap_or_else(|| kept(here).unwrap_or_else(other)),
        // `z` and the like speak of the host's file system and change nothing for the service.
        [here, there, options] => {
            let read_only = options.split(',').any(|option| option == "ro");
            bind(here, there, read_only).unwrap_or_else(|| kept(here).unwrap_or_else(other))
        }
        _ => other(),
    }
}

fn bind(here: &str, there: &str, read_only: bool) -> Option<Mount> {
    let is_path = here.starts_with('/') || here.starts_with('.');
    let is_plain = is_path && there.starts_with('/') && !here.contains(':') && !there.contains(':');
    is_plain.then(|| Mount::Bind { here: here.to_owned(), there: there.to_owned(), read_only })
}

fn kept(name: &str) -> Option<Mount> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then(|| Mount::Kept(name.to_owned()))
}

//! What a manifest says of containers.

use std::path::Path;

use super::manifest::{InContainer, Volume};
use super::table::{Item, Result, Table};
use crate::sandbox::docker::Image;

/// The keys that only a role in a container has.
pub(super) const KEYS: [&str; 3] = ["build", "port", "volumes"];

/// The container of a role, if it has one. Paths start at `directory`.
pub(super) fn read(table: &Table<'_>, directory: &Path) -> Result<Option<InContainer>> {
    let Some(named) = table.get("image") else {
        return match KEYS.iter().find_map(|key| table.get(key)) {
            Some(item) => {
                Err(item.wrong_key("only a container has this", Some("name its image, as in `image = \"acme:1.4\"`")))
            }
            None => Ok(None),
        };
    };
    let volumes = table.get("volumes").map(|item| item.list()).transpose()?.unwrap_or_default();
    let port = table.get("port").map(|item| item.integer(1..=i64::from(u16::MAX))).transpose()?;
    Ok(Some(InContainer {
        image: image(&named)?,
        build: table.get("build").map(|item| item.string().map(|folder| directory.join(folder))).transpose()?,
        port: port.and_then(|port| u16::try_from(port).ok()),
        volumes: volumes.iter().map(|item| volume(item, directory)).collect::<Result<_>>()?,
    }))
}

/// The name of an image. What is in it is Docker's business, but for what would make it something else on a command line.
pub(super) fn image(item: &Item<'_>) -> Result<Image> {
    let name = item.string()?;
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.starts_with('-') || name.contains(is_odd) {
        let help = "write it as for `docker run`, as in `acme/ledger:1.4`";
        return Err(item.wrong(&format!("`{name}` is not the name of an image"), Some(help)));
    }
    Ok(Image::named(name))
}

/// `./config:/etc/acme` or `./config:/etc/acme:ro`, as Docker writes it.
fn volume(item: &Item<'_>, directory: &Path) -> Result<Volume> {
    let text = item.string()?;
    let parts: Vec<&str> = text.split(':').collect();
    let (here, there, read_only) = match parts.as_slice() {
        [here, there] => (here, there, false),
        [here, there, "ro"] => (here, there, true),
        _ => (&"", &"", false),
    };
    let is_path = here.starts_with('/') || here.starts_with('.');
    if !is_path || !there.starts_with('/') {
        let help = "write a path of this machine and one of the container, as in `./config:/etc/acme:ro`";
        return Err(item.wrong(&format!("`{text}` is not a volume"), Some(help)));
    }
    Ok(Volume { here: directory.join(here), there: (*there).to_owned(), read_only })
}

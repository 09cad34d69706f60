//! What the images of services are called, and who builds them.

use super::notes::{At, Notes};
use super::page::list;
use super::service::{Build, Service};

/// Names the images of services that are built without a name, and keeps the one command that builds beside Docker's plain one.
#[derive(Debug)]
pub(super) struct Images<'a> {
    target: &'a str,
    base: &'a str,
    built: Vec<(Build, String)>,
    /// The command for the manifest's own `build`, and the image that it is for.
    pub(super) command: Option<(String, Vec<String>)>,
}

/// The image of a service, with the folder that fireassay builds it from.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) build: Option<String>,
}

impl<'a> Images<'a> {
    pub(super) fn new(target: &'a str, base: &'a str) -> Self {
        Self { target, base, built: Vec::new(), command: None }
    }

    /// The image of this service. `can_build`: the place in the manifest has a `build` of its own.
    pub(super) fn of(&mut self, service: &Service, can_build: bool, at: &At, notes: &mut Notes) -> Image {
        let Some(build) = &service.build else {
            return Image { name: self.named(service.image.as_deref(), &service.name, at, notes), build: None };
        };
        let known = self.built.iter().find(|(other, _)| other == build).map(|(_, name)| name.clone());
        let name = match (&service.image, known) {
            (None, Some(name)) => name,
            (image, _) => self.named(image.as_deref(), &service.name, at, notes),
        };
        let is_known = self.built.contains(&(build.clone(), name.clone()));
        self.built.push((build.clone(), name.clone()));
        if build.context.contains("://") || build.context.starts_with("git@") {
            notes.ask(
                at,
                format!("`{name}` is built from {}, which is elsewhere: build it before the run", build.context),
            );
            return Image { name, build: None };
        }
        let folder = rebased(self.base, &build.context);
        if build.is_plain() && (can_build || is_known) {
            return Image { name, build: can_build.then_some(folder) };
        }
        let command = command(build, &name, &folder);
        match &self.command {
            None => self.command = Some((name.clone(), command)),
            Some((_, other)) if *other == command => {}
            Some(_) => notes.ask(
                at,
                format!(
                    "`{name}` has to be built before the run, as only one command can be `build`: {}",
                    list(command.iter().map(String::as_str))
                ),
            ),
        }
        Image { name, build: None }
    }

    fn named(&self, image: Option<&str>, service: &str, at: &At, notes: &mut Notes) -> String {
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        match image {
            Some(image) if !image.starts_with('-') && !image.contains(is_odd) => image.to_owned(),
            other => {
                if let Some(image) = other {
                    notes.ask(at, format!("`{image}` is not the name of an image"));
                }
                repository(&format!("{}-{service}", self.target))
            }
        }
    }
}

fn command(build: &Build, name: &str, folder: &str) -> Vec<String> {
    let mut words: Vec<String> = ["docker", "build", "--tag", name].map(str::to_owned).to_vec();
    if let Some(file) = &build.dockerfile {
        let file =
            if file.starts_with('/') { file.clone() } else { format!("{}/{file}", folder.trim_end_matches('/')) };
        words.extend(["--file".to_owned(), file]);
    }
    if let Some(target) = &build.target {
        words.extend(["--target".to_owned(), target.clone()]);
    }
    for (name, value) in &build.args {
        words.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
    }
    words.push(folder.to_owned());
    words
}

/// A name that Docker takes for an image: words of small letters and digits with a hyphen between them.
fn repository(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join("-");
    if name.is_empty() { "target".to_owned() } else { name }
}

/// A path of the Compose file, from the manifest's folder.
pub(super) fn rebased(base: &str, path: &str) -> String {
    let rest = path.trim_start_matches("./");
    match (base, rest) {
        _ if path.starts_with('/') => path.to_owned(),
        (base, "" | ".") => base.to_owned(),
        (".", rest) if rest.starts_with("..") => rest.to_owned(),
        (base, rest) => format!("{}/{rest}", base.trim_end_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_names_for_docker() {
        assert_eq!(repository("--[2JWallet_api-"), "2jwallet-api");
        assert_eq!(repository("-"), "target");
    }

    #[test]
    fn paths_start_at_the_manifest() {
        assert_eq!(rebased(".", "."), ".");
        assert_eq!(rebased(".", "./config"), "./config");
        assert_eq!(rebased(".", "../other"), "../other");
        assert_eq!(rebased("..", "."), "..");
        assert_eq!(rebased("../deploy", "./a"), "../deploy/a");
        assert_eq!(rebased("..", "/etc"), "/etc");
    }
}

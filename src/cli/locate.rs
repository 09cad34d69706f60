//! From the names on the command line to targets, suites and defects.

use std::path::{Path, PathBuf};

use super::failure::{Failure, did_you_mean};
use crate::detection::Catalogue;
use crate::profile::{self, Profile};
use crate::runner::CaseFile;
use crate::suite::Suite;
use crate::target::Target;

/// The suites that every binary carries, by profile, so that it works in any folder.
const EMBEDDED: &[(&str, &str)] = &[
    ("ledger", include_str!("../../suites/ledger.toml")),
    ("orders", include_str!("../../suites/orders.toml")),
    ("ordering", include_str!("../../suites/ordering.toml")),
];

/// Where to look when a manifest is wrong.
pub(super) const MANIFEST_KEYS: &str = "docs/target-manifest.md has every key that a manifest may have";

/// `given` is a folder with a `target.toml`, such a file, or the name of a folder under `targets`,
/// here or in a folder above.
pub(crate) fn target(given: &str) -> Result<Target, Failure> {
    let path = target_path(given)?;
    Target::load(&path).map_err(|error| Failure::usage(error.to_string(), MANIFEST_KEYS))
}

/// The target that a stored case was run against: by its manifest, if it is still there, else by its name.
pub(crate) fn target_of(case: &CaseFile) -> Result<Target, Failure> {
    if case.manifest.is_file() {
        return Target::load(&case.manifest).map_err(|error| Failure::usage(error.to_string(), MANIFEST_KEYS));
    }
    target(&case.target)
}

fn target_path(given: &str) -> Result<PathBuf, Failure> {
    let as_path = Path::new(given);
    let manifest = |folder: &Path| folder.join("target.toml");
    if as_path.is_file() || manifest(as_path).is_file() {
        return Ok(as_path.to_owned());
    }
    let named = Path::new("targets").join(given);
    if let Some(found) = up_the_tree(&manifest(&named)) {
        return Ok(found);
    }
    if given.ends_with(".toml") {
        return Err(Failure::usage(
            format!("there is no file `{given}`"),
            "give the manifest of a target, or the folder of a target.toml, with --target; README.md shows a small one",
        ));
    }
    let known = known_targets();
    let known = known.iter().map(String::as_str);
    Err(Failure::usage(
        format!(
            "there is no target `{given}`: neither `{given}/target.toml` nor `targets/{given}/target.toml` here or above{}",
            did_you_mean(given, known)
        ),
        "give the folder of a target.toml with --target; README.md shows a small one",
    ))
}

/// Names of the folders in the nearest `targets`.
fn known_targets() -> Vec<String> {
    let Some(folder) = up_the_tree(Path::new("targets")) else { return Vec::new() };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let with_manifest = entries.filter(|entry| entry.path().join("target.toml").is_file());
    with_manifest.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// `relative` in the current folder or the nearest one above that has it.
fn up_the_tree(relative: &Path) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(relative)).find(|path| path.exists())
}

/// The suite that was asked for: the name of a profile or a file; without a name the one of the target's profile.
pub(crate) fn suite(given: Option<&str>, target: &Target) -> Result<Suite, Failure> {
    match (given, target.profiles.as_slice()) {
        (Some(given), _) => suite_named(given),
        (None, [profile]) => suite_named(profile),
        (None, profiles) => Err(Failure::usage(
            format!("the target {} implements {}, and one is run at a time", target.name, several(profiles)),
            "choose one with --suite",
        )),
    }
}

fn several(profiles: &[String]) -> String {
    if profiles.is_empty() { "no profile".into() } else { profiles.join(", ") }
}

/// The suite of a profile that the binary carries, or the one in a file.
pub(crate) fn suite_named(given: &str) -> Result<Suite, Failure> {
    if let Some((name, text)) = EMBEDDED.iter().find(|(name, _)| *name == given) {
        return read_suite(profile_named(name)?, &format!("suites/{name}.toml"), text);
    }
    let path = Path::new(given);
    if !path.is_file() {
        let known = || EMBEDDED.iter().map(|(name, _)| *name);
        return Err(Failure::usage(
            format!(
                "there is no suite `{given}`: neither a file nor one of {}{}",
                known().collect::<Vec<_>>().join(", "),
                did_you_mean(given, known())
            ),
            "fireassay list",
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("failed to read the suite {given}: {error}"), "see the file's path and rights")
    })?;
    read_suite(profile_named(&profile_of(path, &text))?, given, &text)
}

/// Every suite that the binary carries.
pub(crate) fn embedded_suites() -> Result<Vec<Suite>, Failure> {
    EMBEDDED.iter().map(|(name, _)| suite_named(name)).collect()
}

/// What the file says it is, else its name. A file that is no TOML is explained by the reader of suites.
fn profile_of(path: &Path, text: &str) -> String {
    let said = toml::from_str::<toml::Table>(text).ok();
    let said = said.as_ref().and_then(|table| table.get("profile")?.as_str());
    said.map_or_else(|| path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), str::to_owned)
}

/// The profile with this name.
pub(crate) fn profile_named(name: &str) -> Result<&'static dyn Profile, Failure> {
    profile::named(name).ok_or_else(|| {
        let known = || profile::all().iter().map(|profile| profile.name());
        Failure::usage(
            format!(
                "there is no profile `{name}`, only {}{}",
                known().collect::<Vec<_>>().join(", "),
                did_you_mean(name, known())
            ),
            "fireassay list",
        )
    })
}

fn read_suite(profile: &dyn Profile, path: &str, text: &str) -> Result<Suite, Failure> {
    profile
        .read_suite(path, text)
        .map_err(|error| Failure::usage(error.to_string(), "see the suites that come with fireassay: fireassay list"))
}

/// The defects of a target, to be caught by `suite`.
pub(crate) fn defects(target: &Target, suite: &Suite) -> Result<Catalogue, Failure> {
    defects_in(&target.directory.join("defects.toml"), suite)
}

/// The defects of a target of this suite's profile that has some, where its folder can be found from here.
pub(crate) fn reference_defects(suite: &Suite) -> Result<Option<Catalogue>, Failure> {
    let mut targets = known_targets();
    targets.sort();
    let defects = targets.into_iter().find_map(|name| {
        let folder = Path::new("targets").join(name);
        let defects = up_the_tree(&folder.join("defects.toml"))?;
        let target = Target::load(&up_the_tree(&folder.join("target.toml"))?).ok()?;
        target.profiles.contains(&suite.profile).then_some(defects)
    });
    defects.map(|path| defects_in(&path, suite)).transpose()
}

fn defects_in(path: &Path, suite: &Suite) -> Result<Catalogue, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(
            format!("failed to read the defects {shown}: {error}"),
            "choose a target that has a catalogue of defects, as the reference",
        )
    })?;
    Catalogue::read(&shown, &text, suite)
        .map_err(|error| Failure::usage(error.to_string(), "mend the catalogue of defects"))
}

//! `fireassay init`: a first `target.toml`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use super::failure::Failure;
use super::locate;
use super::output::note;
use crate::report::text::{clean, shell};
use crate::target::compose::{self, COMPOSE_BYTES_MAX, Draft, Wanted};

/// Write a first target.toml, from a Compose file or to be filled in.
///
/// From a Compose file: Postgres, Redis and Kafka are left to fireassay, the other services become roles, jobs that
/// others wait for become the set-up. Where an address of the stack stands in an environment, a template takes its place,
/// so that fireassay is on the line. Variables such as ${NAME:-default} are taken at their defaults; neither `.env` nor
/// `env_file` is read, as they hold secrets. What could not be translated is listed, and marked TODO in the file.
///
/// Without a Compose file: a skeleton with every part that a service usually has, to be filled in.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  fireassay init --compose docker-compose.yml
  fireassay init --compose docker-compose.yml --service api worker --profile orders
  fireassay init --profile ledger --output acme/target.toml

Next: do what is marked TODO in the file, then run one calm case: it shows whether the mapping is right.
  fireassay run --target acme --case calm")]
pub(super) struct Args {
    /// The Compose file.
    #[arg(long, value_name = "FILE")]
    compose: Option<PathBuf>,
    /// Only these services of it become roles; unless told, all that are not servers or tools.
    #[arg(long, value_name = "NAME", num_args = 1.., requires = "compose")]
    service: Vec<String>,
    /// The profile that the service implements: `fireassay list` shows them.
    #[arg(long, default_value = "ledger", value_name = "PROFILE")]
    profile: String,
    /// Where to write it: a file that ends in .toml, or its folder. Folders are made.
    #[arg(long, short, default_value = "target.toml", value_name = "FILE|DIR")]
    output: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

/// The longest line of the list.
const LINE_CHARS_MAX: usize = 600;

pub(super) fn init(args: &Args) -> Result<u8, Failure> {
    let profile = locate::profile_named(&args.profile)?;
    let is_file = args.output.extension().is_some_and(|ending| ending == "toml") && !args.output.is_dir();
    let output = if is_file { args.output.clone() } else { args.output.join("target.toml") };
    let shown = shell(&output.display().to_string());
    if !args.force && output.symlink_metadata().is_ok() {
        return Err(Failure::usage(
            format!("{} is there already", output.display()),
            "write it elsewhere with --output, or over it with --force",
        ));
    }
    let text = match &args.compose {
        Some(file) => {
            let draft = from_compose(args, file, folder_of(&output), profile)?;
            write(&output, &draft.text, args.force)?;
            note(&format!("wrote {shown}: {}", clean(&draft.summary, LINE_CHARS_MAX)));
            list(&draft);
            return Ok(after(&output, draft.to_do.len()));
        }
        None => compose::skeleton(&name_of(&absolute(folder_of(&output))), profile),
    };
    write(&output, &text, args.force)?;
    note(&format!("wrote {shown}: a skeleton for the profile {}", profile.name()));
    let to_do = text.lines().filter(|line| line.contains(" TODO: ")).count();
    Ok(after(&output, to_do))
}

fn from_compose(
    args: &Args,
    file: &Path,
    folder: &Path,
    profile: &'static dyn crate::profile::Profile,
) -> Result<Draft, Failure> {
    let text = read(file)?;
    let here = absolute(folder_of(file));
    let base = way(&absolute(folder), &here);
    let path = file.display().to_string();
    let name = name_of(&here);
    let wanted = Wanted { path: &path, text: &text, name: &name, base: &base, profile, services: &args.service };
    compose::draft(&wanted).map_err(|error| {
        Failure::usage(error.to_string(), "mend the file, or start from a skeleton: fireassay init --profile ledger")
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::usage(
            format!("failed to read the Compose file {}: {why}", file.display()),
            "give the file that `docker compose up` reads, with --compose",
        )
    };
    let opened = fs::File::open(file).map_err(|error| failed(&error))?;
    let mut text = String::new();
    // A device or a pipe does not say how long it is.
    opened.take(COMPOSE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 > COMPOSE_BYTES_MAX {
        return Err(failed(&format!("it is longer than {COMPOSE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn write(output: &Path, text: &str, over: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(
            format!("{} is there already", output.display()),
            "write it elsewhere with --output, or over it with --force",
        ),
        _ => Failure::environment(
            format!("failed to write {}: {error}", output.display()),
            "see the rights of the folder, or write it elsewhere with --output",
        ),
    };
    fs::create_dir_all(folder_of(output)).map_err(failed)?;
    let mut options = OpenOptions::new();
    // Whoever made the file meanwhile keeps it.
    let options = if over { options.create(true).truncate(true) } else { options.create_new(true) };
    let mut file = options.write(true).open(output).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// What is left to do, and what is not there.
fn list(draft: &Draft) {
    let lines = |heading: &str, texts: &[String]| {
        if !texts.is_empty() {
            note(heading);
            texts.iter().for_each(|text| note(&format!("  {}", clean(text, LINE_CHARS_MAX))));
        }
    };
    lines("to do, marked TODO in the file:", &draft.to_do);
    lines("left out:", &draft.left_out);
}

fn after(output: &Path, to_do: usize) -> u8 {
    let folder = folder_of(output);
    let target = if output.file_name().is_some_and(|name| name == "target.toml") { folder } else { output };
    let run = format!("fireassay run --target {} --case calm", shell(&target.display().to_string()));
    let first = if to_do > 0 { "mend what is marked TODO, and: " } else { "" };
    note(&format!(" then: {first}{run}"));
    super::exit::PASS
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The folder from the root on, with what exists of it resolved.
fn absolute(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let existing = folder.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, resolved)) = existing else { return folder };
    let rest = folder.strip_prefix(above).unwrap_or(Path::new(""));
    resolved.join(rest)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(|| "target".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The way from one absolute folder to another, as manifests write it.
fn way(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let mut parts = vec!["..".to_owned(); from.len() - common];
    parts.extend(to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned()));
    match parts.first().map(String::as_str) {
        None => ".".to_owned(),
        Some("..") => parts.join("/"),
        Some(_) => format!("./{}", parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_folders_is_written_as_manifests_do() {
        let check = |from: &str, to: &str, expected: &str| assert_eq!(way(Path::new(from), Path::new(to)), expected);
        check("/a/b", "/a/b", ".");
        check("/a/b", "/a", "..");
        check("/a", "/a/deploy", "./deploy");
        check("/a/b/c", "/a/d", "../../d");
    }
}

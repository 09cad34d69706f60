//! The programs that make the load, found beside the servers that the harness found.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fireassay::sandbox::{ProcessSpec, Processes, StackConfig, needs};

use crate::Failure;

/// Far more than any of them takes.
const DEADLINE: Duration = Duration::from_secs(120);

/// The program `name` in the folder of `server`.
pub(crate) fn beside(config: &StackConfig, server: &str, name: &str) -> Result<PathBuf, Failure> {
    let needs = needs::check(config);
    let need = needs.iter().find(|need| need.name == server).ok_or("no such need")?;
    let found = need.state.as_ref().map_err(|why| format!("{server}: {why}\n  {}", need.how))?;
    let server = Path::new(&found.place);
    // What is on PATH may be a link from elsewhere.
    let places = [Some(server.to_owned()), server.canonicalize().ok()];
    let program =
        places.into_iter().flatten().map(|place| place.with_file_name(name)).find(|program| program.is_file());
    let missing = || format!("there is no {name} beside {}; on Debian it comes with the server", server.display());
    program.ok_or_else(|| missing().into())
}

/// What it says, on both ways out, when it has ended well.
///
/// Like the servers and toxiproxy it gets a session of its own. Linux shares the processor among sessions first: within
/// this one it would take from the links.
pub(crate) async fn run(processes: &Processes, program: &Path, args: Vec<String>) -> Result<String, Failure> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let name = program.display().to_string();
    let process = processes.spawn(&ProcessSpec {
        name: name.clone(),
        program: program.to_owned(),
        args,
        env: vec![("LC_ALL".to_owned(), "C".to_owned())],
        clear_env: false,
        directory: folder.path().to_owned(),
        log: log.clone(),
        user: None,
    })?;
    let status = process.wait(DEADLINE).await.ok_or_else(|| format!("{name} takes for ever"))?;
    let text = std::fs::read_to_string(log)?;
    if status.success() { Ok(text) } else { Err(format!("{name} failed ({status}):\n{text}").into()) }
}

/// The words of a command line, none of which has a space in it.
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

//! The programs that make the load, found beside the servers that the harness found.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fireassay::sandbox::{StackConfig, needs};

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
    program.ok_or_else(|| {
        format!("there is no {name} beside {}; on Debian it comes with the server", server.display()).into()
    })
}

/// What it prints when it has ended well.
pub(crate) async fn run<A: AsRef<OsStr>>(program: &Path, args: impl IntoIterator<Item = A>) -> Result<String, Failure> {
    let mut command = tokio::process::Command::new(program);
    let done = command.args(args).env("LC_ALL", "C").kill_on_drop(true).output();
    let output =
        tokio::time::timeout(DEADLINE, done).await.map_err(|_| format!("{} takes for ever", program.display()))??;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed ({}): {why}", program.display(), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

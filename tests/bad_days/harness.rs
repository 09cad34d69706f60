//! Running the binary with a deadline, and looking whether it left anything behind.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fireassay::history::{History, ProcessChange, What, read_history};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// How long any command here may take in all.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long what a harness started may outlive it.
const GONE_DEADLINE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A harness with its servers is heavy; those of different tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// A folder with a target, a suite, and everything that the harness writes.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    /// The hostile target under a suite with one case.
    pub(crate) fn new(case: &str) -> Self {
        // Postgres runs as another user when we are root, and has to get through.
        let folder = tempfile::Builder::new().prefix("bad-day-").permissions(Permissions::from_mode(0o711)).tempdir();
        let world = Self { folder: folder.expect("a folder") };
        for name in ["tmp", "runs", "target"] {
            fs::create_dir(world.path(name)).expect("a folder");
            fs::set_permissions(world.path(name), Permissions::from_mode(0o711)).expect("rights");
        }
        world.write("target/target.toml", &manifest(""));
        world.write("suite.toml", &suite(case));
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    /// `fireassay run` against the target, with these behaviours in its runs.
    pub(crate) fn command(&self, behaviours: &str) -> Command {
        let mut command = self.bare(env!("CARGO_BIN_EXE_fireassay"));
        command.args(["run", "--target", "target", "--suite", "suite.toml", "--runs-dir", "runs"]);
        command.args(["--junit", "junit.xml", "--env", &format!("HOSTILE={behaviours}")]);
        command
    }

    /// A command in this world, with nothing in the environment that would change its words.
    pub(crate) fn bare(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env("FIREASSAY_TMP", self.path("tmp"));
        for variable in ["FIREASSAY_TARGET", "FIREASSAY_TIER", "FIREASSAY_PORTS", "GITHUB_STEP_SUMMARY", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    /// Starts a command with this name for its output.
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Running<'_> {
        let file = |kind: &str| File::create(self.path(&format!("{name}.{kind}"))).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).spawn().expect("it starts");
        Running { world: self, name: name.to_owned(), child, started: Instant::now() }
    }

    /// Runs a command to its end and sees that nothing is left of it.
    #[track_caller]
    pub(crate) fn run(&self, command: Command) -> Ended {
        let ended = self.start("command", command).end();
        self.assert_nothing_left();
        ended
    }

    /// The folders of the runs, in the order in which they began.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("runs")).expect("runs").flatten().map(|entry| entry.path());
        let mut runs: Vec<_> = entries.filter(|path| path.join("case.json").is_file()).collect();
        runs.sort();
        runs
    }

    /// The result of the run with this seed.
    #[track_caller]
    pub(crate) fn result(&self, seed: u64) -> Value {
        let ending = format!("-{seed}");
        let found = self.runs().into_iter().find(|run| run.to_string_lossy().ends_with(&ending)).expect("a run");
        serde_json::from_slice(&fs::read(found.join("result.json")).expect("a result")).expect("JSON")
    }

    /// Waits until no process and no file of a harness is left.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        let left = || {
            let files =
                fs::read_dir(self.path("tmp")).expect("tmp").flatten().map(|entry| entry.path().display().to_string());
            files.chain(self.processes()).collect::<Vec<_>>()
        };
        let end = Instant::now() + GONE_DEADLINE;
        while !left().is_empty() {
            assert!(Instant::now() < end, "left behind: {:#?}", left());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Processes that have to do with this world: started in it, told of it, or inheriting from it.
    pub(crate) fn processes(&self) -> Vec<String> {
        let folder = self.folder.path().to_str().expect("Unicode");
        let about = |path: PathBuf| {
            let read = |name: &str| fs::read(path.join(name)).unwrap_or_default();
            let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let is_ours = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
                || command.contains(folder)
                || String::from_utf8_lossy(&read("environ")).contains(folder);
            is_ours.then(|| format!("{}: {command}", path.display()))
        };
        let entries = fs::read_dir("/proc").expect("/proc").flatten();
        let processes = entries.filter(|entry| entry.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()));
        processes.filter_map(|entry| about(entry.path())).collect()
    }
}

/// A command under way. Dropped, it is killed.
pub(crate) struct Running<'a> {
    world: &'a World,
    name: String,
    child: Child,
    started: Instant,
}

impl Running<'_> {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }

    /// Waits until the history of its first run fulfils a condition.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&History) -> bool) {
        let world = self.world;
        self.until_there(what, || {
            let history = world.runs().first().and_then(|run| read_history(&run.join("history.jsonl")).ok());
            history.is_some_and(|history| condition(&history))
        });
    }

    /// Waits until something is there.
    #[track_caller]
    pub(crate) fn until_there(&mut self, what: &str, is_there: impl Fn() -> bool) {
        while !is_there() {
            let ended = self.child.try_wait().expect("a status");
            let overdue = self.started.elapsed() > DEADLINE;
            assert!(ended.is_none() && !overdue, "{what}: {ended:?}\n{}", self.read("err"));
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let status = loop {
            match self.child.try_wait().expect("a status") {
                Some(status) => break status,
                None if self.started.elapsed() > DEADLINE => {
                    panic!("still running after {DEADLINE:?}:\n{}", self.read("err"))
                }
                None => std::thread::sleep(LOOK_EVERY),
            }
        };
        Ended { status, stdout: self.read("out"), stderr: self.read("err"), took: self.started.elapsed() }
    }

    fn read(&self, kind: &str) -> String {
        let path = self.world.path(&format!("{}.{kind}", self.name));
        String::from_utf8(fs::read(path).expect("output")).expect("text")
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{:?}\n{}", self.status, self.stderr);
        self
    }

    /// Each of these is on stderr.
    #[track_caller]
    pub(crate) fn expect_words(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing in:\n{}", self.stderr);
        }
        self
    }
}

/// Waits until no other test runs a stack.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The hostile target's manifest; `more` is added to its only role.
pub(crate) fn manifest(more: &str) -> String {
    let program = std::env::current_exe().expect("this program");
    manifest_of(&format!("[{:?}]", program.to_str().expect("Unicode")), more)
}

/// The manifest with this command, as TOML.
pub(crate) fn manifest_of(command: &str, more: &str) -> String {
    format!(
        r#"name = "hostile"
profiles = ["ledger"]

[role.api]
command = {command}
instances = 2
ready = "GET /health"
start_deadline = "3s"
stop_deadline = "300ms"
{more}
[role.api.env]
PORT = "{{{{ port }}}}"
INSTANCE = "{{{{ instance }}}}"
PREFIX = "{{{{ prefix }}}}"

[kafka]
topics = [{{ name = "{{{{ prefix }}}}events", partitions = 1 }}]

[events]
topic = "{{{{ prefix }}}}events"
"#
    )
}

fn suite(case: &str) -> String {
    format!(
        r#"profile = "ledger"
version = 1

[[requirement]]
id = "ledger.recovers"
text = "When the last fault is over, new transfers succeed through every instance."
why = "Outages end."

[[case]]
id = "short"
title = "A few transfers"
tier = "quick"
requirements = ["ledger.recovers"]
{case}
"#
    )
}

/// The pids of the target's instances that a history tells of.
pub(crate) fn instance_pids(history: &History) -> Vec<u32> {
    let started = history.events.iter().filter_map(|event| match &event.what {
        What::Process { change: ProcessChange::Started { pid }, .. } => Some(*pid),
        _ => None,
    });
    started.collect()
}

/// Whether a process is there.
pub(crate) fn is_alive(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

/// Minutes of work.
pub(crate) const LONG: &str = r#"workload = { transfers = { accounts = 2, intents = 5000, again = 0, impossible = 0, reads = 0, callers = { clients = 2, pause = "20ms" } } }
settle = "30s"
"#;

/// A few transfers, and little patience.
pub(crate) const CALM: &str = r#"workload = { transfers = { accounts = 2, intents = 6, again = 0, impossible = 0, reads = 0, callers = { clients = 2, attempts = 2, timeout = "500ms", retry = "50ms" } } }
settle = "2s"
"#;

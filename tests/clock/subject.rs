//! A program whose clock is made wrong, asked for what it sees.
//!
//! It answers a line for each line: `now` with its wall clock, its monotonic clock and further wall clocks, in
//! nanoseconds; `waits` with the name of each wait of 100 ms and how many microseconds it took, and the processor's time
//! as `cpu`; `hold 400` with the length of one wait of so many milliseconds.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use fireassay::clock::{Clock, Library};

/// How long an answer may take: a Java program compiles itself first.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// How far a monotonic clock may seem to be off on a busy machine.
const STEADY_WITHIN: Duration = Duration::from_secs(2);

pub(crate) struct Subject {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    pub(crate) clock: Arc<Clock>,
    /// What its monotonic clock showed when it was first asked, and when that was.
    steady: Option<(i64, Instant)>,
    folder: tempfile::TempDir,
    _library: Library,
}

/// What the program said of its clocks, in nanoseconds.
pub(crate) struct Told {
    pub(crate) wall: i64,
    /// The wall clock by other ways to ask for it.
    pub(crate) others: Vec<i64>,
}

impl Subject {
    pub(crate) fn start(command: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = Library::write(&[folder.path()]).unwrap();
        let clock = Arc::new(Clock::create(&library, &folder.path().join("page")).unwrap());
        let (child, input, lines) = spawn(command, &clock);
        Self { child, input, lines, clock, steady: None, folder, _library: library }
    }

    /// SIGKILL, and the same program once more on the same page.
    pub(crate) fn start_again(&mut self, command: &[&str]) {
        self.end();
        (self.child, self.input, self.lines) = spawn(command, &self.clock);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A folder that is gone in the end.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> String {
        self.lines.recv_timeout(ANSWER_DEADLINE).expect("the program hangs or has ended")
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    pub(crate) fn now(&mut self) -> Told {
        let answer = self.ask("now");
        let mut numbers = answer.split(' ').map(|number| number.parse::<i64>().unwrap());
        let (wall, monotonic) = (numbers.next().unwrap(), numbers.next().unwrap());
        let (first, at) = *self.steady.get_or_insert((monotonic, Instant::now()));
        let off = (monotonic - first - at.elapsed().as_nanos() as i64).abs();
        assert!(off < STEADY_WITHIN.as_nanos() as i64, "the monotonic clock is touched: it is {off} ns off");
        Told { wall, others: numbers.collect() }
    }

    /// How many microseconds each wait took.
    pub(crate) fn waits(&mut self) -> BTreeMap<String, u64> {
        let answer = self.ask("waits");
        let pairs = answer.split(' ').map(|pair| pair.split_once('=').unwrap());
        pairs.map(|(name, micros)| (name.to_owned(), micros.parse().unwrap())).collect()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(command: &[&str], clock: &Clock) -> (Child, ChildStdin, Receiver<String>) {
    let mut env = Vec::new();
    clock.add_to(&mut env);
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .envs(env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    // Ends with the program: its output is closed then.
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let input = child.stdin.take().unwrap();
    (child, input, lines)
}

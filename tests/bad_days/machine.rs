//! What the machine may lack: programs, jars, ports, room, and servers that stay up. Exit code 3.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use fireassay::history::{History, Phase, What};
use libtest_mimic::Completion;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness::{CALM, Ended, LONG, World, turn};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("without_java_it_says_how_to_get_it", without_java_it_says_how_to_get_it),
    ("without_redis_it_says_how_to_get_it", without_redis_it_says_how_to_get_it),
    ("without_postgres_it_says_how_to_get_it", without_postgres_it_says_how_to_get_it),
    ("without_kafka_it_says_how_to_get_it", without_kafka_it_says_how_to_get_it),
    ("without_a_free_port_it_says_how_to_choose_others", without_a_free_port_it_says_how_to_choose_others),
    (
        "a_history_that_cannot_grow_ends_the_run_and_leaves_nothing",
        a_history_that_cannot_grow_ends_the_run_and_leaves_nothing,
    ),
    ("a_lost_server_is_named_by_every_later_run", a_lost_server_is_named_by_every_later_run),
    ("setup_without_a_version_of_kafka_touches_nothing", setup_without_a_version_of_kafka_touches_nothing),
];

/// A run on a machine that lacks something ends at once.
#[track_caller]
fn check(change: impl Fn(&World, &mut Command), words: &[&str]) -> Ended {
    let world = World::new(CALM);
    let mut command = world.command("good");
    change(&world, &mut command);
    let ended = world.run(command);
    ended.expect_code(3).expect_words(&["error: ", "\n next: fireassay doctor"]).expect_words(words);
    ended
}

/// A PATH with every program of this machine but one.
fn path_without(world: &World, missing: &str) -> String {
    let bin = world.path("bin");
    fs::create_dir(&bin).expect("a folder");
    for folder in std::env::split_paths(&std::env::var_os("PATH").expect("PATH")) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name() != missing {
                // The first of a name counts, as on any PATH.
                let _ = symlink(entry.path(), bin.join(entry.file_name()));
            }
        }
    }
    bin.to_str().expect("Unicode").to_owned()
}

fn without_java_it_says_how_to_get_it() {
    let without = |world: &World, command: &mut Command| {
        command.env("PATH", path_without(world, "java")).env_remove("JAVA_HOME");
    };
    check(without, &["\n  java: ", "Java 17 or newer", "ci/setup", "JAVA_HOME"]);
}

fn without_redis_it_says_how_to_get_it() {
    let without = |world: &World, command: &mut Command| {
        command.env("PATH", path_without(world, "redis-server"));
    };
    check(without, &["\n  redis-server: ", "apt install redis-server", "ci/setup"]);
}

fn without_postgres_it_says_how_to_get_it() {
    let without = |_: &World, command: &mut Command| {
        command.env("FIREASSAY_POSTGRES_BIN", "/nowhere");
    };
    check(without, &["\n  postgres: ", "\n  initdb: ", "/nowhere", "ci/setup", "FIREASSAY_POSTGRES_BIN="]);
}

fn without_kafka_it_says_how_to_get_it() {
    let without = |world: &World, command: &mut Command| {
        command.env("FIREASSAY_CACHE", world.path("empty-cache")).env_remove("FIREASSAY_KAFKA_JARS");
    };
    check(without, &["\n  kafka jars: ", "empty-cache", "ci/setup", "FIREASSAY_KAFKA_JARS="]);
}

fn without_a_free_port_it_says_how_to_choose_others() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let without = |_: &World, command: &mut Command| {
        command.env("FIREASSAY_PORTS", format!("{port}-{port}"));
    };
    check(without, &["are taken", &port.to_string(), "FIREASSAY_PORTS=20000-29999"]);
}

/// Much work in little time.
const BUSY: &str = r#"workload = { transfers = { accounts = 2, intents = 300, again = 0, impossible = 0, reads = 0 } }
settle = "30s"
"#;

/// Mounts a small file system on `runs` in a namespace of its own: root may, and so may an ordinary user who is given
/// a namespace of users.
fn in_little_room(command: &Command, room: &str) -> Command {
    const SCRIPT: &str = r#"mount -t tmpfs -o size=$ROOM none runs && exec "$@""#;
    let mut roomless = Command::new("unshare");
    roomless.env("ROOM", room);
    if nix::unistd::geteuid().is_root() {
        roomless.args(["--mount", "sh", "-c", SCRIPT, "sh"]);
    } else {
        roomless.args(["--user", "--map-current-user", "--keep-caps", "--mount", "sh", "-c", SCRIPT, "sh"]);
    }
    roomless.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => roomless.env(name, value),
            None => roomless.env_remove(name),
        };
    }
    roomless.current_dir(command.get_current_dir().expect("a folder"));
    roomless
}

/// Where nobody may mount anything, as in some containers, this test says so; the next one needs no rights.
pub(crate) fn full_disk() -> Completion {
    let _turn = turn();
    let world = World::new(BUSY);
    let mounted = in_little_room(&world.bare("true"), "16k").output().expect("unshare runs");
    if !mounted.status.success() {
        return Completion::ignored_with(String::from_utf8_lossy(&mounted.stderr).trim());
    }
    // The case takes about 110 KiB, the whole history more than that again.
    for (room, file) in [("16k", "case.json: "), ("160k", "the history runs/")] {
        let ended = world.run(in_little_room(&world.command("good"), room));
        ended.expect_code(3).expect_words(&["failed to write", file, "No space left on device", "--runs-dir"]);
    }
    Completion::Completed
}

/// The system refuses to let any file of the harness grow further, from the middle of the load on.
fn a_history_that_cannot_grow_ends_the_run_and_leaves_nothing() {
    let _turn = turn();
    let world = World::new(LONG);
    let command = world.command("good");
    // Ignored, so that the harness sees an error like that of a full disk instead of a signal.
    let mut patient = world.bare("sh");
    patient.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    let mut running = world.start("command", patient);
    running.until("the load begins", is_loading);
    let limited =
        Command::new("prlimit").args([format!("--pid={}", running.pid()), "--fsize=4096".to_owned()]).status();
    assert!(limited.expect("prlimit runs").success());
    let ended = running.end();
    world.assert_nothing_left();
    ended.expect_code(3).expect_words(&["failed to write the history runs/", "File too large", "--runs-dir"]);
}

fn is_loading(history: &History) -> bool {
    history.events.iter().any(|event| matches!(event.what, What::Phase { phase: Phase::Load }))
}

fn a_lost_server_is_named_by_every_later_run() {
    let _turn = turn();
    let world = World::new(LONG);
    let mut command = world.command("good");
    command.args(["--seeds", "3", "--jobs", "1"]);
    let mut running = world.start("command", command);
    running.until("the load begins", is_loading);
    let redis = world.processes().into_iter().find(|process| process.contains("redis-server")).expect("redis");
    let pid = redis.trim_start_matches("/proc/").split(':').next().and_then(|pid| pid.parse().ok()).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("killed");
    let ended = running.end();
    world.assert_nothing_left();
    ended.expect_code(3);
    for seed in [2, 3] {
        let line = ended.stderr.lines().find(|line| line.contains(&format!("seed {seed}  "))).expect("a line");
        assert!(line.contains("error"), "{line}");
    }
    assert_eq!(ended.stderr.matches("redis is not running").count(), 2, "{}", ended.stderr);
}

fn setup_without_a_version_of_kafka_touches_nothing() {
    let world = World::new(CALM);
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(world.path("ci")).expect("a folder");
    fs::copy(project.join("ci/setup"), world.path("ci/setup")).expect("copied");
    let pom = fs::read_to_string(project.join("ci/kafka.pom.xml")).expect("the pom");
    let kept = world.path("cache/kafka/4.0.0/kafka.jar");
    fs::create_dir_all(kept.parent().expect("a folder")).expect("a folder");
    fs::write(&kept, "jar").expect("written");
    for version in ["", "..", "../../target", "4.1 .0"] {
        let start = pom.find("<kafka.version>").expect("a version") + "<kafka.version>".len();
        let end = pom.find("</kafka.version>").expect("a version");
        world.write("ci/kafka.pom.xml", &format!("{}{version}{}", &pom[..start], &pom[end..]));
        let mut command = world.bare("bash");
        command.arg("ci/setup").env("FIREASSAY_CACHE", world.path("cache")).env_remove("FIREASSAY_KAFKA_JARS");
        let ended = world.run(command);
        ended.expect_code(1).expect_words(&["ci/setup: ", "kafka.version", "ci/kafka.pom.xml"]);
        assert!(kept.exists() && world.path("target").exists(), "{version:?} removed what is not its own");
    }
}

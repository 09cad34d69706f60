//! The backend `docker` against a real daemon. `ci/test --docker` runs it: without a daemon there is nothing to test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use fireassay::fault::RedisData;
use fireassay::sandbox::docker::{Container, ContainerSpec, Docker, Image};
use fireassay::sandbox::{Backend, Stack, StackConfig};
use libtest_mimic::{Arguments, Trial};

/// Set in a copy of this program that plays a harness of its own: the folder in which it is to report.
const REPORT: &str = "FIREASSAY_TEST_REPORT";
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a whole harness may take until a run has begun, with the images of its target to be built.
const START_DEADLINE: Duration = Duration::from_secs(120);

const TESTS: [(&str, fn()); 9] = [
    ("a_stack_is_ready_soon_and_gone_when_dropped", a_stack_is_ready_soon_and_gone_when_dropped),
    ("each_server_comes_back_from_a_kill_with_what_it_acknowledged", each_server_comes_back_from_a_kill),
    ("a_container_is_paused_ended_and_started_again", a_container_is_paused_ended_and_started_again),
    ("a_target_in_a_container_cannot_slip_past_its_links", a_target_cannot_slip_past_its_links),
    ("what_a_killed_harness_left_is_removed_at_once", what_a_killed_harness_left_is_removed_at_once),
    ("what_a_killed_harness_left_is_removed_by_the_next", what_a_killed_harness_left_is_removed_by_the_next),
    ("a_harness_killed_in_the_middle_of_a_run_leaves_nothing", a_harness_killed_in_a_run_leaves_nothing),
    ("a_start_that_is_broken_off_leaves_nothing", a_start_that_is_broken_off_leaves_nothing),
    ("an_image_that_is_not_there_is_named", an_image_that_is_not_there_is_named),
];

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(REPORT) {
        return play_a_harness(Path::new(&folder));
    }
    let is_asked_for = StackConfig::from_env().is_ok_and(|config| config.backend == Some(Backend::Docker));
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let tests = if is_asked_for { TESTS.to_vec() } else { Vec::new() };
    // One after the other: a stack is heavy, and times are taken.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, tests.into_iter().map(trial).collect()).exit_code()
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The least of three: what the daemon takes, whatever else the machine does.
async fn quickest(deed: impl AsyncFn() -> Duration) -> Duration {
    let times = [deed().await, deed().await, deed().await];
    times.into_iter().min().unwrap()
}

fn docker(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().unwrap();
    assert!(output.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The containers and networks that the harness with this number has in the daemon.
fn left_by(harness: u32) -> String {
    let filter = format!("name=fireassay-{harness}-");
    let format = "{{.Names}}";
    let containers = docker(&["ps", "--all", "--filter", &filter, "--format", format]);
    containers + &docker(&["network", "ls", "--filter", &filter, "--format", "{{.Name}}"])
}

async fn start() -> Stack {
    Stack::start(&StackConfig::from_env().unwrap(), &|_| ()).await.unwrap()
}

/// An image with a shell that is there anyway.
fn image() -> Image {
    Image::named(std::env::var("FIREASSAY_IMAGE_REDIS").unwrap_or_else(|_| "redis:7.2.5".to_owned()))
}

fn shell(folder: &Path, script: &str) -> ContainerSpec {
    ContainerSpec {
        name: "shell".to_owned(),
        image: image(),
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![("WHAT".to_owned(), "a b".to_owned())],
        ports: Vec::new(),
        volumes: Vec::new(),
        network: None,
        log: folder.join("log"),
    }
}

fn a_stack_is_ready_soon_and_gone_when_dropped() {
    wait(async {
        let begin = Instant::now();
        let stack = start().await;
        let ready = begin.elapsed();
        println!("stack ready in {ready:.1?}");
        assert!(ready < Duration::from_secs(15), "{ready:?}");
        let ours = std::process::id();
        let names = left_by(ours);
        assert_eq!(names.lines().count(), 3, "{names}");
        let ports = docker(&["ps", "--filter", &format!("name=fireassay-{ours}-"), "--format", "{{.Ports}}"]);
        assert!(!ports.contains("0.0.0.0") && ports.matches("127.0.0.1:").count() == 3, "{ports}");
        drop(stack);
        assert_eq!(left_by(ours), "");
    });
}

fn each_server_comes_back_from_a_kill() {
    wait(async {
        let stack = start().await;
        let gone = |killed: fireassay::sandbox::Killed| {
            println!("{killed}");
            assert_eq!(killed.pids.len(), 1, "{killed}");
            assert!(!Path::new("/proc").join(killed.pids[0].to_string()).exists(), "{killed}");
        };
        stack.postgres().create_database("kept").await.unwrap();
        gone(stack.postgres().kill().await.unwrap());
        assert!(stack.postgres().kill().await.unwrap().pids.is_empty());
        assert!(stack.postgres().create_database("nowhere").await.is_err());
        stack.postgres().start().await.unwrap();
        assert!(stack.postgres().create_database("kept").await.is_err(), "it is there already");

        let client = redis::Client::open(stack.redis().url(1, stack.redis().address())).unwrap();
        let ask = |words: &'static [&'static str]| {
            let client = client.clone();
            async move {
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                redis::cmd(words[0]).arg(&words[1..]).query_async::<Option<String>>(&mut connection).await.unwrap()
            }
        };
        ask(&["SET", "key", "kept"]).await;
        gone(stack.redis().kill().await.unwrap());
        stack.redis().start(RedisData::Kept).await.unwrap();
        assert_eq!(ask(&["GET", "key"]).await.as_deref(), Some("kept"));
        stack.redis().kill().await.unwrap();
        stack.redis().start(RedisData::Lost).await.unwrap();
        assert_eq!(ask(&["GET", "key"]).await, None);

        let topics = [("kept".to_owned(), 2)];
        stack.kafka().create_topics(&topics).await.unwrap();
        gone(stack.kafka().kill().await.unwrap());
        stack.kafka().start().await.unwrap();
        let error = stack.kafka().create_topics(&topics).await.unwrap_err();
        assert!(error.to_string().contains("kept"), "{error}");
        stack.stop().await.unwrap();
    });
}

fn a_container_is_paused_ended_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo ending; exit 3' TERM; echo started $(cat there 2>/dev/null) $WHAT; echo before >there
        while :; do date +%s%N >now; sleep 0.01; done";
    let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let status = |code: &str| Some(code.to_owned());
    wait(async {
        let container = Container::new(Docker::connect().await.unwrap(), shell(folder.path(), script));
        let run = container.start().await.unwrap();
        until("its first line", || log() == "started a b\n");

        let pauses = quickest(async || {
            let begin = Instant::now();
            assert!(run.pause().await);
            let took = begin.elapsed();
            assert!(run.is_frozen().await && run.resume().await);
            took
        });
        let pauses = pauses.await;
        println!("paused after {pauses:.1?}");
        assert!(pauses < Duration::from_millis(100), "{pauses:?}");
        assert!(run.pause().await && run.is_frozen().await);
        // Those who write to it still can; it does not read.
        assert!(run.try_status().is_none());
        assert!(run.resume().await && !run.is_frozen().await && !run.resume().await);

        assert!(run.signal("SIGTERM").await);
        let ended = run.wait(DEADLINE).await;
        assert_eq!(ended.map(|ended| ended.to_string()), status("exit status: 3"));
        assert_eq!(log(), "started a b\nending\n");
        assert!(!run.signal("SIGTERM").await && !run.pause().await, "it is not there any more");

        // With its files, and without its earlier output again.
        let run = container.start().await.unwrap();
        until("its second start", || log().ends_with("started before a b\n"));
        assert_eq!(log(), "started a b\nending\nstarted before a b\n");
        let first = Cell::new(Some(run));
        let kills = quickest(async || {
            let run = match first.take() {
                Some(run) => run,
                None => container.start().await.unwrap(),
            };
            let begin = Instant::now();
            assert!(run.signal("SIGKILL").await);
            let ended = run.wait(DEADLINE).await;
            assert_eq!(ended.map(|ended| ended.to_string()), status("signal: 9 (SIGKILL)"));
            begin.elapsed()
        });
        let kills = kills.await;
        println!("killed after {kills:.1?}");
        assert!(kills < Duration::from_millis(500), "{kills:?}");

        // What is killed while it stands still is gone as well.
        let run = container.start().await.unwrap();
        assert!(run.pause().await && run.signal("SIGKILL").await);
        assert_eq!(run.wait(DEADLINE).await.map(|ended| ended.to_string()), status("signal: 9 (SIGKILL)"));

        // Without its files.
        container.discard().await.unwrap();
        let run = container.start().await.unwrap();
        until("its fourth start", || log().ends_with("started a b\n") && log().len() > 60);
        drop(run);
    });
    assert_eq!(left_by(std::process::id()), "");
}

fn a_target_cannot_slip_past_its_links() {
    let folder = tempfile::tempdir().unwrap();
    wait(async {
        let stack = start().await;
        let network = stack.docker().await.unwrap().network().await.unwrap();
        // Stands for a link.
        let link = TcpListener::bind((network.host(), 0)).unwrap();
        let inside = docker(&[
            "inspect",
            "--format",
            "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}",
            docker(&["ps", "--quiet", "--filter", &format!("name=fireassay-{}-", std::process::id())])
                .lines()
                .next()
                .unwrap(),
        ]);
        let inside: IpAddr = inside.trim().parse().unwrap();
        let servers = [stack.postgres().address(), stack.redis().address(), stack.kafka().address()];
        let ports = servers.map(|server| server.port());
        let ways = ports.iter().flat_map(|port| {
            [IpAddr::from([127, 0, 0, 1]), network.host(), inside].map(|host| SocketAddr::new(host, *port))
        });
        let ways = ways.chain([5432, 6379].map(|port| SocketAddr::new(inside, port)));
        let tried: String = ways
            .chain([link.local_addr().unwrap()])
            .map(|way| {
                let (host, port) = (way.ip(), way.port());
                format!("timeout 2 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null && echo reached {way}\n")
            })
            .collect();
        let spec = ContainerSpec {
            network: Some(network.name().to_owned()),
            ..shell(folder.path(), &format!("{tried} echo tried"))
        };
        let container = Container::new(stack.docker().await.unwrap().clone(), spec);
        let run = container.start().await.unwrap();
        assert!(run.wait(Duration::from_secs(60)).await.is_some());
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(log, format!("reached {}\ntried\n", link.local_addr().unwrap()));
    });
    assert_eq!(left_by(std::process::id()), "");
}

/// Starts another harness, with what is on this `PATH`, and says which once it has a container and a network.
fn another_harness(folder: &Path, path: &str) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(REPORT, folder).env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null());
    let other = command.spawn().unwrap();
    until("the other harness has its container", || folder.join("ready").exists());
    let whole = left_by(other.id());
    assert_eq!(whole.lines().count(), 2, "a container and a network: {whole}");
    (other, whole)
}

fn end(mut harness: Child) -> u32 {
    harness.kill().unwrap();
    harness.wait().unwrap();
    harness.id()
}

fn what_a_killed_harness_left_is_removed_at_once() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let path = std::env::var("PATH").unwrap();
    let (killed, _) = another_harness(folders[0].path(), &path);
    let (spared, whole) = another_harness(folders[1].path(), &path);
    let killed = end(killed);
    let begin = Instant::now();
    until("the guardian has cleared up", || left_by(killed).is_empty());
    println!("nothing left {:.1?} after the kill", begin.elapsed());
    assert_eq!(left_by(spared.id()), whole, "what others have is theirs");
    let spared = end(spared);
    until("the guardian has cleared up again", || left_by(spared).is_empty());
}

fn what_a_killed_harness_left_is_removed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    // Where its guardian finds no client of Docker.
    let (other, whole) = another_harness(folder.path(), "/nowhere");
    // One that lives keeps what it has.
    wait(async { Docker::connect().await.unwrap() });
    assert_eq!(left_by(other.id()), whole);

    let other = end(other);
    assert_eq!(left_by(other), whole, "nobody has cleared up yet");
    wait(async { Docker::connect().await.unwrap() });
    assert_eq!(left_by(other), "");
}

/// SIGKILL in the middle of a case whose target runs in containers, too.
fn a_harness_killed_in_a_run_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fireassay"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["run", "--target", "targets/reference/image.toml", "--case", "calm", "--runs-dir"]);
    command.arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut harness = command.spawn().unwrap();
    let end_of_start = Instant::now() + START_DEADLINE;
    // Three servers, two instances of api, the relay and the network.
    while left_by(harness.id()).lines().filter(|name| !name.contains("-setup-")).count() < 7 {
        assert_eq!(harness.try_wait().unwrap(), None, "it ended before it was killed");
        assert!(Instant::now() < end_of_start, "the run did not begin: {}", left_by(harness.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    let harness = end(harness);
    let begin = Instant::now();
    until("the guardian has cleared up", || left_by(harness).is_empty());
    println!("nothing left {:.1?} after the kill", begin.elapsed());
}

/// The other harness of the tests above: reports that it has a container and a network, and waits to be killed.
fn play_a_harness(folder: &Path) -> ExitCode {
    wait(async {
        let docker = Docker::connect().await.unwrap();
        let network = docker.network().await.unwrap().name().to_owned();
        let spec = ContainerSpec { network: Some(network), ..shell(folder, "sleep 600") };
        let container = Container::new(docker, spec);
        let _run = container.start().await.unwrap();
        fs::write(folder.join("ready"), "").unwrap();
        std::future::pending::<()>().await;
    });
    ExitCode::FAILURE
}

/// As Ctrl-C does, while the daemon makes what it was asked for.
fn a_start_that_is_broken_off_leaves_nothing() {
    let mut broken_off = 0;
    for moment in (100..=1_000).step_by(100).map(Duration::from_millis) {
        wait(async {
            broken_off += u32::from(tokio::time::timeout(moment, start()).await.is_err());
            let target = async {
                let folder = tempfile::tempdir().unwrap();
                let docker = Docker::connect().await.unwrap();
                let network = docker.network().await.unwrap().name().to_owned();
                let container = Container::new(
                    docker,
                    ContainerSpec { network: Some(network), ..shell(folder.path(), "sleep 600") },
                );
                container.start().await.unwrap();
                std::future::pending::<()>().await;
            };
            let _ = tokio::time::timeout(moment / 2, target).await;
        });
        assert_eq!(left_by(std::process::id()), "", "broken off after {moment:?}");
    }
    assert!(broken_off >= 3, "{broken_off} of 10 starts of a stack were broken off");
}

fn an_image_that_is_not_there_is_named() {
    let config = StackConfig::from_env().unwrap();
    let images =
        fireassay::sandbox::Images { redis: Some(Image::named("fireassay-nowhere:1")), ..config.images.clone() };
    let config = StackConfig { images, data_root: Some(PathBuf::from("/dev/shm")), ..config };
    wait(async {
        let error = Stack::start(&config, &|_| ()).await.unwrap_err().to_string();
        assert!(error.contains("fireassay-nowhere:1") && error.contains("fireassay doctor"), "{error}");
    });
}

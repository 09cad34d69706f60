//! Targets that treat the harness badly. None passes, each gets a reason, and all ends in bounded time.

use std::fs;
use std::time::Duration;

use fireassay::history::{Phase, What};

use super::harness::{CALM, Ended, World, is_alive, manifest_of, turn};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("targets_that_do_not_start_show_their_last_lines", targets_that_do_not_start_show_their_last_lines),
    (
        "nonsense_for_answers_is_inconclusive_and_says_what_came",
        nonsense_for_answers_is_inconclusive_and_says_what_came,
    ),
    ("a_target_that_cannot_be_restarted_does_not_recover", a_target_that_cannot_be_restarted_does_not_recover),
    ("nothing_of_a_target_survives_its_run", nothing_of_a_target_survives_its_run),
];

/// Kills the one instance there is after the first transfers.
const KILLED: &str = r#"workload = { transfers = { accounts = 2, intents = 6, again = 0, impossible = 0, reads = 0, callers = { clients = 2, attempts = 2, timeout = "500ms", retry = "50ms" } } }
settle = "30s"

[[case.fault]]
when = { operations = [2, 2] }
inject = { kill = "every api" }
heal = { after = "10ms" }
"#;

/// The reports can be read by machines and are harmless on a terminal.
#[track_caller]
fn check_reports(world: &World, ended: &Ended) {
    let junit = fs::read_to_string(world.path("junit.xml")).expect("JUnit");
    let mut reader = quick_xml::Reader::from_str(&junit);
    while reader.read_event().expect("XML") != quick_xml::events::Event::Eof {}
    for (what, text) in [("the terminal", &ended.stderr), ("JUnit", &junit), ("JSON", &ended.stdout)] {
        let nasty = text.chars().find(|c| *c != '\n' && (c.is_control() || "\u{202e}\u{fffe}".contains(*c)));
        assert_eq!(nasty, None, "on {what}:\n{}", text.escape_debug());
    }
}

/// The report of the run with this seed on the terminal: its line and the reasons below.
#[track_caller]
fn told(ended: &Ended, seed: u64) -> String {
    let lines = ended.stderr.lines().skip_while(|line| !line.contains(&format!("  short  seed {seed}  ")));
    let mut lines = lines.peekable();
    let head = lines.next().unwrap_or_else(|| panic!("no line for seed {seed}:\n{}", ended.stderr)).to_owned();
    let reasons = lines.take_while(|line| line.starts_with("                "));
    std::iter::once(head).chain(reasons.map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

fn targets_that_do_not_start_show_their_last_lines() {
    let _turn = turn();
    let world = World::new(CALM);
    let mut command = world.command("exits never-ready");
    command.args(["--seeds", "2", "--jobs", "2", "--format", "json"]);
    let ended = world.run(command);
    ended.expect_code(3);
    check_reports(&world, &ended);
    let exits = told(&ended, 1);
    for words in
        ["error", "ended before it was ready (exit status: 7)", "its last lines:\n", "cannot read the configuration\n"]
    {
        assert!(exits.contains(words), "{words:?} is missing in:\n{exits}");
    }
    let never = told(&ended, 2);
    for words in ["error", "was not ready after 3s: GET /health: connection refused", "never-ready: api-"] {
        assert!(never.contains(words), "{words:?} is missing in:\n{never}");
    }
    assert!(!ended.stderr.contains("\\n"), "line breaks are shown as such:\n{}", ended.stderr);
}

fn nonsense_for_answers_is_inconclusive_and_says_what_came() {
    let _turn = turn();
    let world = World::new(CALM);
    let mut command = world.command("html errors garbage endless mute nasty");
    command.args(["--seeds", "6", "--jobs", "6", "--format", "json"]);
    let ended = world.run(command);
    ended.expect_code(5);
    assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
    check_reports(&world, &ended);
    let reasons: [&[&str]; 6] = [
        &["unreadable answer", "<html><body>Welcome to nginx!"],
        &["answered 500", "out of cheese"],
        &["not HTTP"],
        &["body longer than 1048576 bytes"],
        &["no answer in time"],
        &["refused with 422", "bad\\u{1b}[2J\\u{202e}day"],
    ];
    for (seed, words) in (1..).zip(reasons) {
        let told = told(&ended, seed);
        for word in ["inconclusive", "the set-up"].iter().chain(words) {
            assert!(told.contains(word), "{word:?} is missing in:\n{told}");
        }
        assert_eq!(world.result(seed)["verdict"], "inconclusive");
    }
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((&report["exit_code"], &report["runs"][0]["standing"]), (&5.into(), &"inconclusive".into()));
    let stuck = report["runs"][5]["result"]["stuck"].as_str().expect("a reason");
    assert!(stuck.contains("422"), "{stuck}");
}

fn a_target_that_cannot_be_restarted_does_not_recover() {
    let _turn = turn();
    let world = World::new(KILLED);
    let ended = world.run(world.command("starts-once"));
    ended.expect_code(1).expect_words(&[
        "VIOLATION",
        "ledger.recovers: down: ",
        // Of two that say so, the later may not be among the first notes.
        " ended before it was ready",
        "exit status: 8",
    ]);
    assert!(ended.took < Duration::from_secs(30), "{:?}\n{}", ended.took, ended.stderr);
    check_reports(&world, &ended);
}

/// Children of its own, in its group and out of it; deaf to SIGTERM; and printing without end.
fn nothing_of_a_target_survives_its_run() {
    let _turn = turn();
    let world = World::new(
        &KILLED.replace("kill", "restart").replace("heal = { after = \"10ms\" }\n", "").replace("30s", "1s"),
    );
    let program = std::env::current_exe().expect("this program");
    let program = program.to_str().expect("Unicode");
    world.write("target/target.toml", &manifest_of(&format!("[\"sh\", \"-c\", \"trap '' TERM; exec {program}\"]"), ""));
    let mut command = world.command("leaves-children chatty");
    command.args(["--seeds", "2", "--jobs", "1"]);
    let mut running = world.start("command", command);
    running.until("the first run is over", |history| history.end().is_some());
    let ended = running.end();
    world.assert_nothing_left();
    assert!(matches!(ended.status.code(), Some(1 | 5)), "{}", ended.stderr);
    let history = fireassay::history::read_history(&world.runs()[0].join("history.jsonl")).expect("a history");
    assert!(super::harness::instance_pids(&history).into_iter().all(|pid| !is_alive(pid)));
    assert!(history.events.iter().any(|event| matches!(event.what, What::Phase { phase: Phase::Audit })));
    let bites = world.result(1)["faults"].to_string();
    assert!(bites.contains("did not end within 300ms and was killed"), "{bites}");
    let logs: u64 = world
        .runs()
        .iter()
        .flat_map(|run| fs::read_dir(run.join("logs")).expect("logs").flatten())
        .map(|log| log.metadata().expect("a file").len())
        .sum();
    assert!(logs < 4 * 17 * 1024 * 1024, "{logs} bytes of logs");
}

//! Harnesses that are cut short, and two at once.

use fireassay::history::{End, History, Phase, What, read_history};
use nix::sys::signal::Signal;

use super::harness::{CALM, LONG, Running, World, turn};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("ctrl_c_keeps_what_was_recorded_and_leaves_nothing", ctrl_c_keeps_what_was_recorded_and_leaves_nothing),
    ("ctrl_c_while_the_stack_starts_leaves_nothing", ctrl_c_while_the_stack_starts_leaves_nothing),
    ("a_second_ctrl_c_ends_it_at_once_and_leaves_nothing", a_second_ctrl_c_ends_it_at_once_and_leaves_nothing),
    ("a_killed_harness_leaves_nothing_but_its_history", a_killed_harness_leaves_nothing_but_its_history),
    ("two_harnesses_do_not_meet", two_harnesses_do_not_meet),
];

fn has_begun(history: &History) -> bool {
    let returns = history.events.iter().filter(|event| matches!(event.what, What::Return { .. })).count();
    returns > 10 && history.events.iter().any(|event| matches!(event.what, What::Phase { phase: Phase::Load }))
}

/// A harness in the middle of its load.
#[track_caller]
fn in_the_middle(world: &World) -> Running<'_> {
    let mut running = world.start("command", world.command("leaves-children"));
    running.until("the load is under way", has_begun);
    running
}

/// The stored beginning can be judged.
#[track_caller]
fn check_history(world: &World, end: Option<&End>, code: i32, words: &str) {
    let run = &world.runs()[0];
    let history = read_history(&run.join("history.jsonl")).expect("a history");
    assert!(has_begun(&history));
    assert_eq!(history.end(), end);
    let mut check = world.bare(env!("CARGO_BIN_EXE_fireassay"));
    check.arg("check").arg(run);
    let checked = world.run(check);
    checked.expect_code(code);
    assert!(checked.stdout.contains(words), "{}", checked.stdout);
}

fn ctrl_c_keeps_what_was_recorded_and_leaves_nothing() {
    let _turn = turn();
    let world = World::new(LONG);
    let running = in_the_middle(&world);
    running.signal(Signal::SIGINT);
    let ended = running.end();
    world.assert_nothing_left();
    ended.expect_code(130).expect_words(&[
        "stopping: what has been recorded is kept",
        "interrupted before its end",
        "next: ",
    ]);
    // The checking was not interrupted; the run was, and is too short to be judged.
    check_history(&world, Some(&End::Interrupted), 5, "interrupted before its end");
}

fn ctrl_c_while_the_stack_starts_leaves_nothing() {
    let _turn = turn();
    let world = World::new(LONG);
    let mut running = world.start("command", world.command("good"));
    running.until_there("a server", || world.processes().iter().any(|process| process.contains("java ")));
    running.signal(Signal::SIGINT);
    let ended = running.end();
    world.assert_nothing_left();
    ended.expect_code(130).expect_words(&["interrupted", "nothing is left running"]);
    assert_eq!(world.runs().len(), 0);
}

fn a_second_ctrl_c_ends_it_at_once_and_leaves_nothing() {
    let _turn = turn();
    let world = World::new(LONG);
    let running = in_the_middle(&world);
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGTERM);
    let ended = running.end();
    world.assert_nothing_left();
    ended.expect_code(130);
}

fn a_killed_harness_leaves_nothing_but_its_history() {
    let _turn = turn();
    let world = World::new(LONG);
    let running = in_the_middle(&world);
    running.signal(Signal::SIGKILL);
    let ended = running.end();
    assert_eq!(ended.status.code(), None);
    world.assert_nothing_left();
    check_history(&world, None, 3, "the history was cut off");
}

fn two_harnesses_do_not_meet() {
    let _turn = turn();
    let worlds = [World::new(CALM), World::new(CALM)];
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/targets/reference");
    let running = worlds.each_ref().map(|world| {
        let mut command = world.bare(env!("CARGO_BIN_EXE_fireassay"));
        command.args(["run", "--target", reference, "--suite", "suite.toml", "--runs-dir", "runs"]);
        world.start("command", command)
    });
    for ended in running.map(Running::end) {
        ended.expect_code(0).expect_words(&["1 run: 1 pass"]);
    }
    worlds.iter().for_each(World::assert_nothing_left);
}

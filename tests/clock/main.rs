//! The clocks of real programs in four languages are made wrong while they run. None may hang, spin, or keep the time.
//!
//! A language that this machine does not have is listed as ignored: nothing was shown for it.

// A test may stop where its own assumption fails.
#![allow(clippy::unwrap_used)]

mod broker;
mod schedule;
mod subject;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use fireassay::clock::{Unloadable, loadable};
use fireassay::conformance::Arguments;
use fireassay::fault::{ClockChange, Rate, Shift};
use libtest_mimic::{Failed, Trial};
use subject::Subject;

const HOUR: Duration = Duration::from_hours(1);

/// Has this program be what is tested.
const SERVE: &str = "--serve-librdkafka";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(SERVE) {
        broker::serve();
        return ExitCode::SUCCESS;
    }
    Arguments::from_args().run(trials())
}

fn trials() -> Vec<Trial> {
    let program = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clock/programs").join(name);
    let of = |language: &str, has: &[&str], command: Vec<String>| {
        let command = move || schedule::whole(&command.iter().map(String::as_str).collect::<Vec<_>>());
        let trial = Trial::test(language.to_owned(), move || {
            command();
            Ok(())
        });
        trial.with_ignored_flag(!succeeds(has))
    };
    let text = |path: PathBuf| path.display().to_string();
    vec![
        Trial::test("c", || in_c(schedule::whole)),
        Trial::test("c::what_is_being_changed_is_read_whole", || in_c(whole_settings)),
        Trial::test("c::children_and_other_programs", || in_c(children)),
        Trial::test("c::a_killed_process_proves_nothing_for_the_next", || in_c(killed)),
        Trial::test("c::a_program_that_is_linked_statically_is_refused", statically_linked),
        Trial::test("librdkafka", || {
            let program = std::env::current_exe()?.display().to_string();
            schedule::whole(&[&program, SERVE]);
            Ok(())
        }),
        of("python", &["python3", "--version"], vec!["python3".into(), text(program("subject.py"))]),
        of("node", &["node", "--version"], vec!["node".into(), text(program("subject.mjs"))]),
        // A Java that cannot compile cannot run a program from its source.
        of("java", &["javac", "--version"], vec!["java".into(), text(program("Subject.java"))]),
    ]
}

fn succeeds(command: &[&str]) -> bool {
    Command::new(command[0]).args(&command[1..]).output().is_ok_and(|done| done.status.success())
}

/// Compiles the program in C, and does something with it.
fn in_c(check: impl FnOnce(&[&str])) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("subject");
    compile(&program, &[])?;
    check(&[&program.display().to_string()]);
    Ok(())
}

fn compile(program: &Path, options: &[&str]) -> Result<(), Failed> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/programs/subject.c");
    let done = Command::new("cc").args(["-O1", "-pthread", source, "-o"]).arg(program).args(options).output()?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned().into()) }
}

/// A clock is changed as fast as can be, between settings of which no mixture makes sense, while it is read.
fn whole_settings(command: &[&str]) {
    let mut subject = Subject::start(command);
    subject.now();
    subject.say("watch 1000");
    let fast = ClockChange::Drift(Rate::try_from(2.0).unwrap());
    let step = ClockChange::Step(Shift::forwards(Duration::from_secs(5)));
    let (end, mut changes) = (Instant::now() + Duration::from_millis(1_100), 0);
    while Instant::now() < end {
        // Three, so that each comes into the place of each other.
        for change in [fast, ClockChange::Back, step] {
            subject.clock.change(change).unwrap();
            changes += 1;
        }
    }
    let answer = subject.hear();
    let (readings, misled) = answer.split_once(' ').unwrap();
    assert!(readings.parse::<u64>().unwrap() > 10_000, "{readings} readings");
    assert_eq!(misled, "0", "of those who read {readings} times during {changes} changes");
}

/// Children go by the clock of their instance too, and each is seen by itself.
fn children(command: &[&str]) {
    let mut subject = Subject::start(command);
    subject.now();
    let _skew = subject.clock.change(ClockChange::Step(Shift::forwards(3 * HOUR))).unwrap();
    let answer = subject.ask("fork");
    let (child, wall) = answer.split_once(' ').unwrap();
    schedule::is_near(wall.parse().unwrap(), 3 * schedule::HOUR_NS);
    let child: u32 = child.parse().unwrap();
    assert_ne!(child, subject.pid());
    let readings = subject.clock.readings();
    let of = |pid: u32| readings.iter().find(|reading| reading.pid == pid).copied();
    assert_eq!(of(child).unwrap().generation, 2, "{readings:?}");
    assert_eq!(of(subject.pid()).unwrap().generation, 1, "the parent has not looked since: {readings:?}");

    // The same process, another program: what the one before it has read says nothing of this one.
    subject.now();
    assert_eq!(subject.ask("exec"), "another program");
    let readings = subject.clock.readings();
    assert!(readings.iter().all(|reading| reading.pid != subject.pid() || reading.generation == 0), "{readings:?}");
    schedule::is_near(subject.now().wall, 3 * schedule::HOUR_NS);
}

/// A process that is started again goes by the clock as it is now, and what the killed one read does not count for it.
fn killed(command: &[&str]) {
    let mut subject = Subject::start(command);
    let first = subject.clock.change(ClockChange::Step(Shift::backwards(HOUR))).unwrap();
    schedule::is_near(subject.now().wall, -schedule::HOUR_NS);
    assert!(first.bite().unwrap().contains("1h behind"));
    let dead = subject.pid();
    subject.start_again(command);
    schedule::is_near(subject.now().wall, -schedule::HOUR_NS);
    let second = subject.clock.change(ClockChange::Step(Shift::forwards(3 * HOUR))).unwrap();
    assert_eq!(second.bite(), None, "nobody has looked since");
    assert_eq!(second.why_not(), "no process of the instance asked what time it is while the clock was like that");
    subject.now();
    let bite = second.bite().unwrap();
    assert!(bite.contains(&format!("process {} (subject)", subject.pid())) && !bite.contains(&dead.to_string()));
    assert_eq!(first.heal(), "", "the second has the clock now");
    schedule::is_near(subject.now().wall, 2 * schedule::HOUR_NS);
    assert_eq!(second.heal(), "the clock is right again");
    schedule::is_near(subject.now().wall, 0);
}

fn statically_linked() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("static");
    compile(&program, &["-static"])?;
    assert_eq!(loadable(&program), Err(Unloadable::Static));
    // If somebody started it all the same, nobody would believe that its clock is wrong.
    let mut subject = Subject::start(&[&program.display().to_string()]);
    let skew = subject.clock.change(ClockChange::Freeze).unwrap();
    let start = Instant::now();
    schedule::is_near(subject.now().wall, i64::try_from(start.elapsed().as_nanos())?);
    assert_eq!(skew.bite(), None);
    assert_eq!(skew.why_not(), "no process of the instance has loaded the library that changes its clock");
    assert!(subject.folder().exists());
    Ok(())
}

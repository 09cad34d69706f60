//! The command line, held to its exact words: messages, exit codes and what goes where.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use expect_test::{Expect, expect};
use fireassay::explore::Signature;
use fireassay::explore::regression::Regression;
use fireassay::fault::Plan;
use fireassay::history::{AttemptId, Call, ClientId, End, InstanceName, IntentId, Outcome, Phase, Recorder, What};
use fireassay::profile::Script;
use fireassay::profile::script::{Arrival, Patience};
use fireassay::runner::{CASE_FORMAT, CaseFile};
use fireassay::suite::{Level, Requirement, Tier};
use serde_json::{Value, json};

/// The command in an empty folder, with nothing in the environment that would change its words.
fn fireassay(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fireassay"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for variable in ["FIREASSAY_TARGET", "FIREASSAY_TIER", "GITHUB_STEP_SUMMARY", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    fireassay(folder, arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is text")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

/// A command that fails: nothing on stdout, exactly this on stderr.
#[track_caller]
fn check_failure(folder: &Path, arguments: &[&str], exit: i32, expect: &Expect) {
    let output = run(folder, arguments);
    expect.assert_eq(&text(&output.stderr));
    assert_eq!((code(&output), text(&output.stdout)), (exit, String::new()));
}

#[track_caller]
fn check_usage(arguments: &[&str], expect: &Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    check_failure(folder.path(), arguments, 2, expect);
}

/// The project's own folder, where `targets` and `suites` are.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_unknown_target_says_where_it_was_looked_for() {
    check_usage(
        &["run", "--target", "acme"],
        &expect![[r#"
        error: there is no target `acme`: neither `acme/target.toml` nor `targets/acme/target.toml` here or above
         next: give the folder of a target.toml with --target; README.md shows a small one
    "#]],
    );
}

#[test]
fn a_mistyped_target_is_recognised() {
    check_failure(
        project(),
        &["run", "--target", "referense"],
        2,
        &expect![[r#"
        error: there is no target `referense`: neither `referense/target.toml` nor `targets/referense/target.toml` here or above; did you mean `reference`?
         next: give the folder of a target.toml with --target; README.md shows a small one
    "#]],
    );
}

#[test]
fn an_unknown_option_is_named() {
    check_usage(
        &["run", "--sede", "7"],
        &expect![[r#"
        error: unexpected argument '--sede' found

          tip: a similar argument exists: '--seed'

        Usage: fireassay run --seed <N>

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn a_variable_without_a_value_says_how_to_write_one() {
    check_usage(
        &["run", "--env", "REFERENCE_DEFECTS"],
        &expect![[r#"
        error: invalid value 'REFERENCE_DEFECTS' for '--env <NAME=VALUE>...': write NAME=VALUE, as in REFERENCE_DEFECTS=check-then-insert

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn no_seeds_at_all_are_refused() {
    check_usage(
        &["run", "--seeds", "0"],
        &expect![[r#"
        error: invalid value '0' for '--seeds <N>': 0 is not in 1..=100000

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn a_mistyped_case_is_recognised() {
    check_failure(
        project(),
        &["run", "--case", "killed-apy"],
        2,
        &expect![[r#"
        error: the suite ledger has no case `killed-apy`; did you mean `killed-api`?
         next: fireassay list
    "#]],
    );
}

#[test]
fn nothing_selected_has_a_code_of_its_own() {
    check_failure(
        project(),
        &["run", "--case", "calm", "--requirement", "ledger.reverse-once"],
        4,
        &expect![[r#"
        error: no case of the suite ledger is selected
         next: fireassay explain ledger.reverse-once names the cases that check it
    "#]],
    );
}

#[test]
fn an_unknown_suite_lists_those_there_are() {
    check_usage(
        &["list", "--suite", "legder"],
        &expect![[r#"
        error: there is no suite `legder`: neither a file nor one of ledger, orders, ordering; did you mean `ledger`?
         next: fireassay list
    "#]],
    );
}

#[test]
fn an_unknown_id_is_recognised() {
    check_failure(
        project(),
        &["explain", "ledger.onec"],
        2,
        &expect![[r#"
            error: there is no requirement, case or defect `ledger.onec`; did you mean `ledger.once`?
             next: fireassay list
        "#]],
    );
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    check_usage(
        &["check", "nowhere"],
        &expect![[r#"
        error: failed to read nowhere/case.json: No such file or directory (os error 2)
         next: give the folder of a run, as those under target/fireassay/runs
    "#]],
    );
}

#[test]
fn a_case_of_a_newer_version_names_the_tool_to_use() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("case.json"), r#"{"fireassay_case": 99, "tool": "9.1"}"#).expect("written");
    check_failure(
        folder.path(),
        &["check", "."],
        2,
        &expect![[r#"
            error: ./case.json has format 99, this fireassay reads 2; use the version of fireassay that wrote it (9.1)
             next: the run's folder is fine as it is; judge it with that version
        "#]],
    );
}

#[test]
fn a_damaged_case_is_located() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("case.json"), "{\n  \"tool\": ").expect("written");
    check_failure(
        folder.path(),
        &["check", "."],
        2,
        &expect![[r#"
            error: ./case.json is not the case of a fireassay run: EOF while parsing a value at line 2 column 10
             next: the file is damaged; run the case again
        "#]],
    );
}

/// Stores a run in which one key was sent `times` times to a ledger that applied it `applied` times.
fn store_run(folder: &Path, times: u32, applied: u32, end: Option<End>) {
    let object = |value: Value| value.as_object().cloned().expect("an object");
    let requirement = Requirement {
        id: "ledger.once".into(),
        level: Level::Must,
        text: "A key takes effect once.".into(),
        why: "Money must not move twice.".into(),
    };
    let second = std::time::Duration::from_secs(1);
    let patience = Patience { timeout: second, attempts: 3, pause: second };
    let script = json!({"intents": [], "setup": [], "clients": [], "arrival": Arrival::Closed, "patience": patience, "probes": []});
    let case = CaseFile {
        fireassay_case: CASE_FORMAT,
        tool: "0.1.0".into(),
        profile: "ledger".into(),
        suite: 1,
        case: "concurrent-copies".into(),
        title: "Each transfer is sent several times".into(),
        tier: Tier::Quick,
        target: "reference".into(),
        manifest: "targets/reference/target.toml".into(),
        regression: None,
        env: vec![("REFERENCE_DEFECTS".into(), "check-then-insert".into())],
        seed: 7,
        requirements: vec![requirement],
        expected: Vec::new(),
        lacks: Vec::new(),
        read_every: None,
        settle: std::time::Duration::from_secs(10),
        script: serde_json::from_value::<Script>(script).expect("a script"),
        plan: Plan::default(),
        trace: false,
        to_rest: false,
        one_behind_the_front: false,
    };
    fs::write(folder.join("case.json"), serde_json::to_vec(&case).expect("JSON")).expect("written");
    let recorder = Recorder::create(&folder.join("history.jsonl")).expect("a history");
    let mut sent = 0;
    let mut send = |intent: u32, operation: &str, fields: Value, reply: Value| {
        let (attempt, to) = (AttemptId(sent), InstanceName { role: "api".into(), number: 1 });
        let call = Call { operation: operation.into(), fields: object(fields), raw: None };
        recorder.record(What::Invoke { attempt, intent: IntentId(intent), client: ClientId(3), to, call });
        let reply = object(reply);
        recorder.record(What::Return { attempt, outcome: Outcome::Ok { status: 201, reply } });
        sent += 1;
    };
    recorder.record(What::Phase { phase: Phase::Setup });
    for (intent, account) in [(0, "a-0001"), (1, "a-0003")] {
        send(
            intent,
            "open",
            json!({"account": account, "currency": "EUR", "limit": -1000}),
            json!({"account": account}),
        );
    }
    recorder.record(What::Phase { phase: Phase::Load });
    for time in 0..times {
        let fields = json!({"key": "k-2", "from": "a-0003", "to": "a-0001", "amount": 250, "currency": "EUR"});
        send(2, "transfer", fields, json!({"transfer": format!("t-{}", time.min(applied - 1))}));
    }
    recorder.record(What::Phase { phase: Phase::Audit });
    let row = |sequence: u32, transfer: u32, account: &str, amount: i64| {
        let transfer = format!("t-{transfer}");
        json!({"sequence": sequence, "transfer": transfer, "account": account, "amount": amount, "currency": "EUR", "key": "k-2"})
    };
    let rows = |n: u32| [row(2 * n + 1, n, "a-0003", -250), row(2 * n + 2, n, "a-0001", 250)];
    let added = (0..applied).flat_map(rows).collect();
    recorder.record(What::Rows { sent: recorder.now(), source: "journal".into(), added, removed: Vec::new() });
    if let Some(why) = end {
        recorder.record(What::End { why });
    }
    recorder.flush().expect("stored");
}

/// Judges a stored run twice: the answers are the same.
#[track_caller]
fn check_run(times: u32, applied: u32, end: Option<End>) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), times, applied, end);
    let [first, second] = [run(folder.path(), &["check", "."]), run(folder.path(), &["check", "."])];
    assert_eq!((&first.stdout, first.status), (&second.stdout, second.status));
    assert_eq!(text(&first.stderr), "");
    (code(&first), text(&first.stdout))
}

#[test]
fn a_stored_violation_is_found_again_and_told() {
    let (exit, told) = check_run(2, 2, Some(End::Completed));
    for part in [
        "VIOLATION",
        "double",
        "client 3 → api-1   transfer k-2 a-0003→a-0001 250 EUR   (1st attempt)",
        "journal #3 a-0003 −250 EUR",
        "fireassay replay .",
    ] {
        assert!(told.contains(part), "`{part}` is missing in\n{told}");
    }
    assert_eq!(exit, 1);
}

#[test]
fn a_stored_pass_passes_again() {
    let (exit, told) = check_run(12, 1, Some(End::Completed));
    assert!(exit == 0 && told.trim_start().starts_with("pass  concurrent-copies"), "{exit}: {told}");
}

#[test]
fn too_little_in_a_stored_run_is_inconclusive_and_says_what_is_lacking() {
    let (exit, told) = check_run(2, 1, Some(End::Completed));
    assert!(exit == 5 && told.contains("ledger.once: 1 ") && told.contains(" of at least "), "{exit}: {told}");
}

#[test]
fn a_history_that_was_cut_off_is_no_pass() {
    let (exit, told) = check_run(12, 1, None);
    assert!(exit == 3 && told.contains("the history was cut off"), "{exit}: {told}");
}

#[test]
fn a_violation_stands_even_where_the_history_ends_early() {
    assert_eq!(check_run(12, 2, None).0, 1);
}

#[test]
fn a_damaged_history_is_located() {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), 2, 1, Some(End::Completed));
    let path = folder.path().join("history.jsonl");
    let damaged =
        fs::read_to_string(&path).expect("the history").replacen("\"event\":\"return\"", "\"event\":\"retrun\"", 1);
    fs::write(&path, damaged).expect("written");
    let output = run(folder.path(), &["check", "."]);
    let told = text(&output.stderr);
    assert!(
        code(&output) == 2 && told.contains("./history.jsonl:4: ") && told.contains("next: the file is damaged"),
        "{told}"
    );
}

#[test]
fn help_teaches_by_examples_and_exit_codes() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &["--help"]);
    let help = text(&output.stdout);
    assert_eq!(code(&output), 0);
    for part in ["First steps:", "fireassay doctor", "Exit codes:", "130  interrupted", "  explain ", "  defects "] {
        assert!(help.contains(part), "`{part}` is missing in\n{help}");
    }
}

#[test]
fn list_works_anywhere_and_names_every_requirement_of_every_case() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(folder.path(), &["list", "--format", "json"]);
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(list["fireassay_list"], 1);
    let ledger = &list["suites"][0];
    let ids = |value: &Value| -> BTreeSet<String> {
        let items = value.as_array().expect("a list").iter();
        items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
    };
    let (requirements, cases) = (ids(&ledger["requirements"]), ids(&ledger["cases"]));
    let in_words = text(&run(folder.path(), &["list"]).stdout);
    for id in requirements.iter().chain(&cases) {
        assert!(in_words.contains(id.as_str()), "{id} is missing in\n{in_words}");
        let told = run(folder.path(), &["explain", id]);
        assert!(code(&told) == 0 && text(&told.stdout).starts_with(id.as_str()), "{id} cannot be explained");
    }
    let checked = ledger["cases"].as_array().expect("cases").iter().flat_map(|case| case["requirements"].as_array());
    let checked: BTreeSet<_> = checked.flatten().filter_map(|id| Some(id.as_str()?.to_owned())).collect();
    assert_eq!(checked, requirements, "every requirement is checked by a case, and every case's are there");
}

#[test]
fn a_requirement_is_explained_with_its_reason_its_cases_and_its_defects() {
    let output = run(project(), &["explain", "ledger.once"]);
    let told = text(&output.stdout);
    for part in ["why ", "checked ", "catches ", "concurrent-copies", "fireassay run --requirement ledger.once"] {
        assert!(told.contains(part), "`{part}` is missing in\n{told}");
    }
}

#[test]
fn colour_is_used_when_asked_for_and_not_in_a_pipe() {
    let has_colour = |arguments: &[&str]| text(&run(project(), arguments).stdout).contains("\u{1b}[");
    assert!(has_colour(&["explain", "ledger.once", "--color", "always"]));
    assert!(!has_colour(&["explain", "ledger.once"]));
    assert!(!has_colour(&["explain", "ledger.once", "--color", "never"]));
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command_quietly() {
    let mut child = fireassay(project(), &["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0; 16]).expect("a beginning");
    drop(stdout);
    let output = child.wait_with_output().expect("an end");
    assert_eq!((code(&output), text(&output.stderr)), (0, String::new()));
}

#[test]
fn machines_get_the_verdict_with_its_story() {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), 2, 2, Some(End::Completed));
    let output = run(folder.path(), &["check", ".", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!((&document["exit_code"], &document["runs"][0]["standing"]), (&json!(1), &json!("violation")));
    assert_eq!(document["runs"][0]["stories"][0]["requirement"], "ledger.once");
}

#[test]
fn a_backend_that_there_is_not_is_a_mistake() {
    check_usage(
        &["run", "--backend", "podman"],
        &expect![[r#"
            error: invalid value 'podman' for '--backend <BACKEND>': there is no such backend; write one of auto, process, docker, external

            For more information, try '--help'.
        "#]],
    );
}

#[test]
fn the_doctor_misses_a_daemon_only_where_one_is_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let doctor = |backend| {
        let mut command = fireassay(folder.path(), &["doctor", "--backend", backend]);
        let output = command.env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().expect("the binary runs");
        let line = text(&output.stdout).lines().find(|line| line.contains("docker daemon")).map(str::to_owned);
        (code(&output), line.expect("a line on the daemon"))
    };
    let (missing, line) = doctor("docker");
    assert!(missing == 3 && line.starts_with(" MISSING  docker daemon"), "{missing}: {line}");
    assert!(line.contains("failed to reach a Docker daemon"), "{line}");
    for backend in ["process", "auto"] {
        let (_, line) = doctor(backend);
        assert!(line.starts_with("optional  docker daemon"), "{backend}: {line}");
    }
}

#[test]
fn completions_know_every_command() {
    let script = text(&run(project(), &["completions", "bash"]).stdout);
    for command in ["run", "list", "explain", "doctor", "check", "defects", "completions"] {
        assert!(
            script.contains(&format!("fireassay__subcmd__{command}"))
                || script.contains(&format!("fireassay__{command}")),
            "{command}"
        );
    }
}

#[test]
fn replay_of_what_is_no_run_says_what_to_give() {
    check_usage(
        &["replay", "nowhere"],
        &expect![[r#"
        error: failed to read nowhere: No such file or directory (os error 2)
         next: give the folder of a run, as those under target/fireassay/runs, its case.json, or a file under regressions
    "#]],
    );
}

#[test]
fn a_regression_of_a_newer_version_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.json"), r#"{"fireassay_regression": 7}"#).expect("written");
    check_failure(
        folder.path(),
        &["replay", "a.json"],
        2,
        &expect![[r#"
        error: a.json is not a regression: it has format 7, and this fireassay reads 1
         next: give the folder of a run, as those under target/fireassay/runs, its case.json, or a file under regressions
    "#]],
    );
}

#[test]
fn a_stored_run_whose_target_is_not_there_asks_for_one() {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), 2, 2, Some(End::Completed));
    check_failure(
        folder.path(),
        &["replay", "."],
        2,
        &expect![[r#"
        error: there is no target `reference`: neither `reference/target.toml` nor `targets/reference/target.toml` here or above
         next: give the folder of a target.toml with --target; README.md shows a small one
    "#]],
    );
}

#[test]
fn a_plan_that_treats_what_the_target_does_not_have_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), 2, 2, Some(End::Completed));
    let path = folder.path().join("case.json");
    let mut case: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    case["plan"]["steps"] = json!([{"trigger": {"operations": 1}, "fault": {"kill": "api-9"}, "heal": "at-end"}]);
    fs::write(&path, case.to_string()).expect("written");
    let path = folder.path().to_str().expect("a path");
    let output = run(project(), &["shrink", path]);
    expect![[r#"
        error: RUN cannot be run: its plan treats api-9, and the target `reference` has api-1, api-2, relay-1
         next: choose a target that it fits with --target, or run the case anew: fireassay run
    "#]]
    .assert_eq(&text(&output.stderr).replace(path, "RUN"));
    assert_eq!((code(&output), text(&output.stdout)), (2, String::new()));
}

#[test]
fn what_violated_nothing_cannot_be_made_smaller() {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), 12, 1, Some(End::Completed));
    check_failure(
        folder.path(),
        &["shrink", "."],
        2,
        &expect![[r#"
        error: . violated nothing that could be made smaller
         next: fireassay check . says how it stands
    "#]],
    );
}

#[test]
fn shrink_of_a_requirement_that_was_kept_names_those_that_were_not() {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), 2, 2, Some(End::Completed));
    check_failure(
        folder.path(),
        &["shrink", ".", "--requirement", "ledger.onec"],
        2,
        &expect![[r#"
        error: the run did not violate `ledger.onec`, but ledger.once; did you mean `ledger.once`?
         next: fireassay check .
    "#]],
    );
}

#[test]
fn a_case_alone_has_nothing_to_start_a_search_from() {
    let folder = tempfile::tempdir().expect("a folder");
    store_run(folder.path(), 2, 2, Some(End::Completed));
    fs::remove_file(folder.path().join("history.jsonl")).expect("removed");
    check_failure(
        folder.path(),
        &["shrink", "."],
        2,
        &expect![[r#"
            error: . has no history, and a search starts from what happened
             next: fireassay replay . makes runs that have one
        "#]],
    );
}

/// Keeps the stored run as a regression in `folder`, as `shrink --write` would.
fn keep_regression(folder: &Path) -> String {
    store_run(folder, 2, 2, Some(End::Completed));
    let case = fs::read(folder.join("case.json")).expect("read");
    let case: CaseFile = serde_json::from_slice(&case).expect("a case");
    let violated = Signature([("ledger.once".to_owned(), ["double".to_owned()].into())].into());
    let regression = Regression::new("k-2 was applied twice".into(), violated, None, case);
    let path = regression.write(&folder.join("regressions")).expect("written");
    path.strip_prefix(folder).expect("below").display().to_string()
}

#[test]
fn list_shows_what_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = keep_regression(folder.path());
    let told = text(&run(folder.path(), &["list"]).stdout);
    let section = told.split_once("\nregressions\n").expect("a section").1;
    assert_eq!(section, "  concurrent-copies::5ea8c5ee3769  ledger.once  k-2 was applied twice\n");
    let list = run(folder.path(), &["list", "--format", "json"]);
    let list: Value = serde_json::from_slice(&list.stdout).expect("JSON");
    let kept = &list["regressions"][0];
    assert_eq!((&kept["path"], &kept["case"]), (&path.into(), &"concurrent-copies".into()));
    assert_eq!(kept["violated"], json!({"ledger.once": ["double"]}));
}

#[test]
fn a_regression_that_does_not_fit_is_an_error_before_anything_is_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(keep_regression(folder.path()));
    let mut file: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    file["case"]["script"]["setup"] = json!([3]);
    fs::write(&path, file.to_string()).expect("written");
    let target = project().join("targets/reference");
    let target = target.to_str().expect("a path");
    let expect = expect![[r#"
        error: regressions/concurrent-copies/5ea8c5ee3769.json is not a regression: its script speaks of intent 3, and there are 0, counted from 0
         next: mend or remove the file; `fireassay run --no-regressions` leaves all of them out
    "#]];
    for arguments in [&["list"][..], &["run", "--target", target, "--case", "concurrent-copies"]] {
        let output = run(folder.path(), arguments);
        assert_eq!((code(&output), text(&output.stdout)), (2, String::new()));
        expect.assert_eq(&text(&output.stderr));
    }
    file["case"]["script"]["setup"] = json!([]);
    file["case"]["plan"]["steps"] =
        json!([{"trigger": {"operations": 1}, "fault": {"pause": "api-9"}, "heal": "at-end"}]);
    fs::write(&path, file.to_string()).expect("written");
    let arguments = ["run", "--target", target, "--case", "concurrent-copies"];
    check_failure(
        folder.path(),
        &arguments,
        2,
        &expect![[r#"
            error: regressions/concurrent-copies/5ea8c5ee3769.json is not a regression of this target: its plan treats api-9, and the target `reference` has api-1, api-2, relay-1
             next: mend or remove the file; `fireassay run --no-regressions` leaves all of them out
        "#]],
    );
}

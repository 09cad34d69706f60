//! The command line, held to its exact words: messages, exit codes and what goes where.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use expect_test::{Expect, expect};

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
    check_failure(project(), &["run", "--target", "referense"], 2, &expect![[""]]);
}

#[test]
fn an_unknown_option_is_named() {
    check_usage(&["run", "--sede", "7"], &expect![[""]]);
}

#[test]
fn a_variable_without_a_value_says_how_to_write_one() {
    check_usage(&["run", "--env", "REFERENCE_DEFECTS"], &expect![[""]]);
}

#[test]
fn no_seeds_at_all_are_refused() {
    check_usage(&["run", "--seeds", "0"], &expect![[""]]);
}

#[test]
fn a_mistyped_case_is_recognised() {
    check_failure(project(), &["run", "--case", "killed-apy"], 2, &expect![[""]]);
}

#[test]
fn nothing_selected_has_a_code_of_its_own() {
    check_failure(project(), &["run", "--case", "calm", "--requirement", "ledger.reverse-once"], 4, &expect![[""]]);
}

#[test]
fn an_unknown_suite_lists_those_there_are() {
    check_usage(&["list", "--suite", "legder"], &expect![[""]]);
}

#[test]
fn an_unknown_id_is_recognised() {
    check_failure(project(), &["explain", "ledger.onec"], 2, &expect![[""]]);
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    check_usage(&["check", "nowhere"], &expect![[""]]);
}

#[test]
fn a_case_of_a_newer_version_names_the_tool_to_use() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("case.json"), r#"{"fireassay_case": 99, "tool": "9.1"}"#).expect("written");
    check_failure(folder.path(), &["check", "."], 2, &expect![[""]]);
}

#[test]
fn a_damaged_case_is_located() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("case.json"), "{\n  \"tool\": ").expect("written");
    check_failure(folder.path(), &["check", "."], 2, &expect![[""]]);
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
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(list["fireassay_list"], 1);
    let ledger = &list["suites"][0];
    let ids = |value: &serde_json::Value| -> BTreeSet<String> {
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
fn completions_know_every_command() {
    let script = text(&run(project(), &["completions", "bash"]).stdout);
    for command in ["run", "list", "explain", "doctor", "check", "defects", "schema", "completions"] {
        assert!(
            script.contains(&format!("fireassay__subcmd__{command}"))
                || script.contains(&format!("fireassay__{command}")),
            "{command}"
        );
    }
}

/// Every `$ fireassay …` line of the documentation names a command and options that there are.
#[test]
fn the_commands_of_the_documentation_exist() {
    let mut checked = 0;
    for file in ["README.md", "CONTRIBUTING.md", "docs/architecture.md"] {
        let page = fs::read_to_string(project().join(file)).expect("the page");
        for line in page.lines().filter_map(|line| line.trim_start().strip_prefix("$ fireassay ")) {
            let words: Vec<_> = line.split_whitespace().collect();
            let help = run(project(), &[words[0], "--help"]);
            assert_eq!(code(&help), 0, "{file}: there is no command `{}`", words[0]);
            let help = text(&help.stdout);
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(
                    help.contains(&format!("{option} ")),
                    "{file}: `fireassay {}` has no option {option}",
                    words[0]
                );
            }
            checked += 1;
        }
    }
    assert!(checked >= 8, "the documentation shows only {checked} commands");
}

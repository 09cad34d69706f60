//! From a finding to a regression and on to its repair, through the built binary, on the reference and one of its defects.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Runs a command on the reference target; everything that it keeps goes below `folder`.
fn fireassay(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fireassay"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).arg("--runs-dir").arg(folder.join("runs"));
    for variable in ["FIREASSAY_TARGET", "GITHUB_STEP_SUMMARY"] {
        command.env_remove(variable);
    }
    command.output().expect("fireassay runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn check(output: &Output, exit: i32, parts: &[&str]) {
    let told = text(&output.stderr);
    for part in parts {
        assert!(told.contains(part), "`{part}` is missing in\n{told}");
    }
    assert_eq!(output.status.code(), Some(exit), "{told}");
}

/// The only file below a folder.
fn only_file(folder: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let only = entries.next().expect("an entry");
    assert!(entries.next().is_none(), "more than one in {}", folder.display());
    if only.is_dir() { only_file(&only) } else { only }
}

#[test]
fn a_finding_becomes_a_small_regression_that_passes_once_it_is_mended() {
    let folder = tempfile::tempdir().expect("a folder");
    let regressions = folder.path().join("regressions");
    let kept = regressions.to_str().expect("a path");
    let defect = "REFERENCE_DEFECTS=negative-accepted";

    let found = fireassay(folder.path(), &["run", "--case", "bad-input", "--env", defect, "--format", "json"]);
    let report: Value = serde_json::from_slice(&found.stdout).unwrap_or_else(|_| panic!("{}", text(&found.stderr)));
    let run = report["runs"][0]["result"]["directory"].as_str().expect("a folder").to_owned();
    check(&found, 1, &[&format!("run it again:   fireassay replay {run}")]);

    let shrunk = fireassay(folder.path(), &["shrink", &run, "--budget", "30", "--write", kept]);
    check(&shrunk, 1, &["ledger.bad-input", "faults                 0           0", "kept as "]);
    let file = only_file(&regressions);
    let stored: Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    let clients = stored["case"]["script"]["clients"].as_array().expect("clients");
    let operations: usize = clients.iter().map(|steps| steps.as_array().expect("steps").len()).sum();
    assert!(operations <= 3, "{operations} operations are left");
    assert!(
        stored["case"]["script"]["intents"].as_array().expect("intents").len() < 40,
        "accounts nobody needs are left"
    );

    let file = file.to_str().expect("a path");
    let again = fireassay(folder.path(), &["replay", file, "--times", "2", "--format", "json"]);
    check(&again, 1, &["reproduced 2 of 2", "reproduced: the same kind of anomaly"]);
    let report: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(report["reproduced"][0]["requirement"], "ledger.bad-input");
    assert_eq!((&report["reproduced"][0]["violated"], &report["reproduced"][0]["runs"]), (&2.into(), &2.into()));

    let mended = ["run", "--case", "bad-input", "--regressions", kept, "--env", "REFERENCE_DEFECTS="];
    check(&fireassay(folder.path(), &mended), 0, &["pass  bad-input regression ", "pass  bad-input  seed 1"]);
}

//! A target whose journal is read by SQL, and which shows no idempotency keys, is judged no worse and no better.

use std::process::Command;

/// Runs a case on it and gives back the exit code and the requirements that were violated.
fn run(case: &str, env: &[&str]) -> (Option<i32>, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fireassay"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["run", "--target", "targets/reference/by-sql.toml"]);
    command.args(["--format", "json", "--case", case]);
    for variable in env {
        command.args(["--env", variable]);
    }
    let output = command.output().expect("fireassay runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["runs"][0]["result"]["findings"].as_array().expect("findings");
    let violated = findings.iter().filter(|judged| judged["verdict"] == "violation");
    (
        output.status.code(),
        violated.map(|judged| judged["requirement"]["id"].as_str().expect("an id").to_owned()).collect(),
    )
}

#[test]
fn a_correct_service_passes() {
    assert_eq!(run("calm", &[]), (Some(0), vec![]));
}

#[test]
fn a_double_debit_is_found_without_keys() {
    let (code, violated) = run("concurrent-copies", &["REFERENCE_DEFECTS=check-then-insert"]);
    assert_eq!(code, Some(1));
    assert!(violated.contains(&"ledger.once".to_owned()), "{violated:?}");
}

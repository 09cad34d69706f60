//! Targets that show less than the reference does are judged no worse and no better by what is left.

use std::process::Command;

use serde_json::Value;

/// Its journal is read by SQL, and it shows no idempotency keys.
const BY_SQL: &str = "targets/reference/by-sql.toml";

/// It has no relay and publishes nothing.
const API_ONLY: &str = "targets/reference/api-only.toml";

/// What a command said, in JSON, and its exit code.
fn fireassay(args: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fireassay"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).args(["--format", "json"]);
    let output = command.output().expect("fireassay runs");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// Runs a case on a target and gives back the exit code and the requirements that came to this verdict.
fn run(target: &str, case: &str, env: &[&str], verdict: &str) -> (Option<i32>, Vec<String>) {
    let mut args = vec!["run", "--target", target, "--case", case];
    args.extend(env.iter().flat_map(|variable| ["--env", variable]));
    let (code, report) = fireassay(&args);
    let findings = report["runs"][0]["result"]["findings"].as_array().expect("findings");
    let such = findings.iter().filter(|judged| judged["verdict"] == verdict);
    (code, such.map(|judged| judged["requirement"]["id"].as_str().expect("an id").to_owned()).collect())
}

#[test]
fn a_correct_service_passes_by_sql() {
    assert_eq!(run(BY_SQL, "calm", &[], "violation"), (Some(0), vec![]));
}

#[test]
fn a_double_debit_is_found_without_keys() {
    let (code, violated) = run(BY_SQL, "concurrent-copies", &["REFERENCE_DEFECTS=check-then-insert"], "violation");
    assert_eq!(code, Some(1));
    assert!(violated.contains(&"ledger.once".to_owned()), "{violated:?}");
}

#[test]
fn nobody_waits_for_the_events_of_a_service_that_publishes_none() {
    let events = vec!["ledger.event".to_owned(), "ledger.event-order".to_owned()];
    assert_eq!(run(API_ONLY, "calm", &[], "not-applicable"), (Some(0), events));
}

#[test]
fn a_service_without_a_relay_is_swept() {
    let (code, report) = fireassay(&["sweep", "one-transfer", "--target", API_ONLY]);
    let sweep = &report["sweeps"][0];
    assert_eq!((code, &sweep["verdict"]), (Some(0), &Value::from("pass")), "{sweep}");
    let sites = sweep["sites"].as_array().map_or(0, Vec::len);
    assert!(sites >= 10 && sweep["sites_reached"] == sites, "{sweep}");
}

#[test]
fn what_a_sweep_finds_is_in_its_junit_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("reports/junit.xml");
    let junit = path.to_str().expect("Unicode");
    let mistake = "REFERENCE_DEFECTS=key-before-transfer";
    let acts = ["--action", "crash", "cut-after"];
    let (code, _) = fireassay(
        &[&["sweep", "one-transfer", "--target", API_ONLY, "--env", mistake, "--junit", junit][..], &acts].concat(),
    );
    let xml = std::fs::read_to_string(&path).expect("a report");
    assert_eq!(code, Some(1));
    for part in
        [r#"name="one-transfer""#, r#"type="ledger.acked" message="ledger.acked: lost"#, "ledger.acked as well, when"]
    {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
}

//! `fireassay init`, held to its exact words: what it writes, what it says, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use expect_test::{Expect, ExpectFile, expect, expect_file};

fn init(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fireassay"));
    command.arg("init").args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "nothing goes to stdout");
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A folder with a copy of these fixtures in it, without the manifests that are expected, so that nothing is written beside them.
fn copy(fixture: &str) -> (tempfile::TempDir, PathBuf) {
    let whole = tempfile::tempdir().expect("a folder");
    let folder = whole.path().join(fixture);
    fs::create_dir(&folder).expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose").join(fixture);
    let entries = fs::read_dir(from).expect("fixtures").flatten();
    for entry in entries.filter(|entry| entry.path().extension().is_none_or(|ending| ending != "toml")) {
        fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
    }
    (whole, folder)
}

#[track_caller]
fn check(fixture: &str, arguments: &[&str], manifest: &ExpectFile, expect: &Expect) {
    let (_whole, folder) = copy(fixture);
    let output = init(&folder, arguments);
    expect.assert_eq(&said(&output));
    assert_eq!(output.status.code(), Some(0));
    manifest.assert_eq(&fs::read_to_string(folder.join("target.toml")).expect("a manifest"));
}

#[track_caller]
fn refuses(text: &str, arguments: &[&str], expect: &Expect) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("c.yml"), text).expect("written");
    let output = init(folder.path(), &[&["--compose", "c.yml"], arguments].concat());
    expect.assert_eq(&said(&output));
    assert_eq!(output.status.code(), Some(2));
    assert!(!folder.path().join("target.toml").exists(), "nothing is written");
}

#[test]
fn a_spring_service() {
    check(
        "spring",
        &["--compose", "docker-compose.yml"],
        &expect_file!["compose/spring/target.toml"],
        &expect![[r#"
            wrote target.toml: target `wallet`; roles: api (2 instances), rates (1 instance)
            to do, marked TODO in the file:
              `db` is filled from ./init.sql; fireassay's Postgres begins empty: fill it in [setup]
              [role.api]: WALLET_SIGNING_KEY is not set: `${SIGNING_KEY}` has no default in the file
              [role.api]: SPRING_DATASOURCE_URL: `sslmode=require` has become `sslmode=disable`: the links read what passes, and have no TLS
              [role.api]: RATES_URL names the service `rates`, which cannot be reached: an instance has links to Postgres, Redis and Kafka
              [role.api]: nothing in the environment says the password, database of Redis; give it under the names that the service reads, perhaps `SPRING_DATA_REDIS_PASSWORD = "{{ redis_password }}"`, `SPRING_DATA_REDIS_DATABASE = "{{ redis_database }}"`
              [role.api]: the variables of `.env.api` are not here, as such files hold secrets: write down which ones it needs
              [role.rates]: `entrypoint: ["/bin/rates","--fast"]`: a manifest has nothing for it; the image has to do it by itself
            left out:
              the image `redis:latest` of `cache`: it has no version in its name; fireassay takes its own
              how `cache` is started: `redis-server` and its arguments
              the image `confluentinc/cp-kafka:7.7.0` of `kafka`: it is started in another way than the image that fireassay knows; fireassay takes its own
              `kafka-ui`, which the service does not need
              [role.api]: the other ports: 9090
             then: mend what is marked TODO, and: fireassay run --target . --case calm
        "#]],
    );
}

#[test]
fn a_node_service() {
    check(
        "node",
        &["--compose", "compose.yaml"],
        &expect_file!["compose/node/target.toml"],
        &expect![[r#"
            wrote target.toml: target `node`; roles: api (1 instance), worker (3 instances); set-up: migrate
            to do, marked TODO in the file:
              [role.api]: SESSION_SECRET is not set: its value comes from the shell of whoever starts it
            left out:
              `kafka-init`, whose topics are under [kafka]
             then: mend what is marked TODO, and: fireassay run --target . --case calm
        "#]],
    );
}

#[test]
fn services_that_are_told_all_in_their_commands() {
    check(
        "commands",
        &["--compose", "compose.yaml"],
        &expect_file!["compose/commands/target.toml"],
        &expect![[r#"
            wrote target.toml: target `commands`; roles: api (1 instance), worker (1 instance), mirror (1 instance), script (1 instance), relay (1 instance), loader (1 instance), rates (1 instance)
            to do, marked TODO in the file:
              [role.api]: SMTP_URL names the service `mailhog`, which cannot be reached: an instance has links to Postgres, Redis and Kafka
              [role.api]: the command names the service `mailer`, which cannot be reached: an instance has links to Postgres, Redis and Kafka
              [role.api]: if it has a path that says that it is ready, name it: `ready = "GET /health"`
              [role.mirror]: the command names the service `rates`, which cannot be reached: an instance has links to Postgres, Redis and Kafka
              [role.relay]: the command names `broker` in a way that is not understood: write it with the variables of fireassay
              [role.api]: the command: `orders` is the name of a topic as well; if it is that topic, put `{{ prefix }}` before it
              [role.mirror]: the command: `audit` was taken for the topic of that name; see whether it is
              [role.mirror]: the command: `orders` was taken for the topic of that name; see whether it is
              [role.script]: the command has a script with `late`, `audit` in it: put `{{ prefix }}` before each that is a topic or a group, and see that the topics are under [kafka]
              [role.loader]: the command: `orders` is the name of a topic as well; if it is that topic, put `{{ prefix }}` before it
              [kafka]: see which topic has the events of the profile; the first was taken
            left out:
              `topics`, whose topics are under [kafka]
              `mailer`, which is not started, though `api` names it
              `mailhog`, which is not started, though `api` names it
              `adminer`, which the service does not need
             then: mend what is marked TODO, and: fireassay run --target . --case calm
        "#]],
    );
}

#[test]
fn hostile_names_are_harmless_wherever_they_are_shown() {
    check(
        "hostile",
        &["--compose", "odd-names.yml"],
        &expect_file!["compose/hostile/target.toml"],
        &expect![[r#"
            wrote target.toml: target `2Jwallet`; role: api--31m (1 instance)
            to do, marked TODO in the file:
              [role.api--31m]: `acme/\u{7}wallet` is not the name of an image
              [role.api--31m]: the command has a character in it that no process can be given; it was taken out
              [role.api--31m]: `working_dir: "/\u001b]0;title\u0007"`: a manifest has nothing for it; the image has to do it by itself
              [role.api--31m]: if it has a path that says that it is ready, name it: `ready = "GET /health"`
            left out:
              the image `postgres` of `db`: it has no version in its name; fireassay takes its own
              [role.api--31m]: the variable `A\nB = 'x'\n[role.evil`, which no process can be given
              [role.api--31m]: the variable `NUL`, which no process can be given
              [role.api--31m]: the variable `A=B`, which no process can be given
              [role.api--31m]: the volume `odd`: every run begins with new containers
             then: mend what is marked TODO, and: fireassay run --target . --case calm
        "#]],
    );
}

#[test]
fn an_alias_bomb_does_not_go_off() {
    let (_whole, folder) = copy("hostile");
    let start = Instant::now();
    let output = init(&folder, &["--compose", "alias-bomb.yml"]);
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
    expect![[r#"
        error: alias-bomb.yml:5:16: this cannot be read as YAML: budget breached: RecordedAnchorEvents { recorded_anchor_events: 50001 }
          |
        5 | e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
          |                ^
          = a Compose file is YAML; `docker compose config` reads it as Docker does
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]].assert_eq(&said(&output));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    refuses(
        &"#".repeat((1 << 20) + 1),
        &[],
        &expect![[r#"
        error: failed to read the Compose file c.yml: it is longer than 1048576 bytes
         next: give the file that `docker compose up` reads, with --compose
    "#]],
    );
    refuses(
        &"[".repeat(10_000),
        &[],
        &expect![[r#"
        error: c.yml:1:256: this cannot be read as YAML: recursion limit exceeded
          |
        1 | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
          |                                                                                                                                                                 ^
          = a Compose file is YAML; `docker compose config` reads it as Docker does
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
}

#[test]
fn what_is_no_yaml_is_shown_with_its_place() {
    refuses(
        "services:\n  api:\n    image: [acme\n",
        &[],
        &expect![[r#"
        error: c.yml:3:12: this cannot be read as YAML: unclosed bracket '['
          |
        3 |     image: [acme
          |            ^
          = a Compose file is YAML; `docker compose config` reads it as Docker does
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
    refuses(
        "services:\n  api: { image: a }\n  api: { image: b }\n",
        &[],
        &expect![[r#"
            error: c.yml:3:3: this cannot be read as YAML: the key `api` is there twice
              |
            3 |   api: { image: b }
              |   ^
              = a Compose file is YAML; `docker compose config` reads it as Docker does
             next: mend the file, or start from a skeleton: fireassay init --profile ledger
        "#]],
    );
}

#[test]
fn what_is_no_compose_file_is_refused() {
    refuses(
        "jobs: { build: {} }\n",
        &[],
        &expect![[r#"
        error: c.yml is no Compose file: there is no map of `services` at its top; give the file that `docker compose up` reads
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
    refuses(
        "services: { db: { image: postgres } }\n",
        &[],
        &expect![[r#"
        error: c.yml has no service that could be tested: all of them are servers, tools or jobs; name the one to test with --service
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
    refuses(
        "services: {}\n",
        &[],
        &expect![[r#"
        error: c.yml has no services: there is nothing under `services`; give the file that has those to be tested, or write them there
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
    refuses(
        "services: { api: { extends: { service: base } } }\n",
        &[],
        &expect![[r#"
        error: the service `api` extends another one, and `extends` is not read here; write the file out with `docker compose config > whole.yml` and give that
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
    refuses(
        "include: [other.yml]\nservices: {}\n",
        &[],
        &expect![[r#"
        error: c.yml includes other files, and `include` is not read here; `docker compose config > whole.yml` writes the file out as Docker reads it: give that
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
    refuses(
        "services: { api: { image: a, environment: 7 } }\n",
        &[],
        &expect![[r#"
        error: `services.api.environment` is not a map or a list of `NAME=VALUE`; `docker compose config` says what Docker makes of the file
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
}

#[test]
fn a_service_that_is_not_there_is_recognised() {
    let text = "services: { api: { image: a, ports: [80] }, db: { image: postgres } }\n";
    refuses(
        text,
        &["--service", "apo"],
        &expect![[r#"
        error: there is no service `apo` in the file; did you mean `api`?
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
    refuses(
        text,
        &["--service", "db"],
        &expect![[r#"
        error: the service `db` is Postgres, which fireassay runs itself; name the services that are to be tested
         next: mend the file, or start from a skeleton: fireassay init --profile ledger
    "#]],
    );
}

#[test]
fn a_file_that_is_there_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("target.toml");
    fs::write(&file, "mine").expect("written");
    let output = init(folder.path(), &[]);
    expect![[r#"
        error: target.toml is there already
         next: write it elsewhere with --output, or over it with --force
    "#]]
    .assert_eq(&said(&output));
    assert_eq!((output.status.code(), fs::read_to_string(&file).expect("it")), (Some(2), "mine".to_owned()));
    assert_eq!(init(folder.path(), &["--force"]).status.code(), Some(0));
    assert_ne!(fs::read_to_string(&file).expect("it"), "mine");
}

#[test]
fn paths_lead_from_the_manifest_to_the_file() {
    let (_whole, folder) = copy("spring");
    let arguments = ["--compose", "docker-compose.yml", "--service", "rates", "--output", "chaos/rates"];
    let output = init(&folder, &arguments);
    assert!(said(&output).ends_with("fireassay run --target chaos/rates --case calm\n"), "{}", said(&output));
    let text = fs::read_to_string(folder.join("chaos/rates/target.toml")).expect("a manifest");
    assert!(text.contains("volumes = [\"../../rates.csv:/data/rates.csv:ro\"]"), "{text}");
}

#[test]
fn a_skeleton_of_every_profile_is_a_manifest() {
    for profile in ["ledger", "orders", "ordering"] {
        let folder = tempfile::tempdir().expect("a folder");
        let output = init(folder.path(), &["--profile", profile, "--output", "new/target.toml"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        fireassay::target::Target::load(&folder.path().join("new")).expect("a manifest that can be read");
    }
}

#[test]
fn a_compose_file_makes_a_manifest_for_every_profile() {
    for profile in ["ledger", "orders", "ordering"] {
        let (_whole, folder) = copy("spring");
        let output = init(&folder, &["--compose", "docker-compose.yml", "--profile", profile]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let target = fireassay::target::Target::load(&folder).expect("a manifest that can be read");
        assert_eq!(target.profiles, [profile]);
        assert_eq!(said(&output).contains("{{ gateway }}"), profile == "orders");
    }
}

//! What the author of a manifest reads when something is wrong. The texts are the specification.

use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::example::{manifest, target};
use crate::target::{Expected, Ready, Target, Topic, Variables};

#[track_caller]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&target(text).unwrap_err().to_string());
}

/// The smallest manifest with one thing changed.
#[track_caller]
fn check_changed(from: &str, to: &str, expected: Expect) {
    assert!(manifest("").contains(from), "the test changes nothing");
    check(&manifest("").replacen(from, to, 1), expected);
}

#[track_caller]
fn check_with(more: &str, expected: Expect) {
    check(&manifest(more), expected);
}

const WHOLE: &str = r#"
name = "acme-ledger"
profiles = ["ledger"]
build = ["make", "serve"]
front = "api"

[setup]
command = ["sh", "migrate.sh", "{{ directory }}"]
env = { DATABASE_URL = "{{ postgres }}" }
deadline = "1m"

[role.api]
command = ["sh", "serve.sh", "--port={{ port }}"]
instances = 2
ready = "GET /health"
start_deadline = "20s"
stop_deadline = "300ms"
env = { DATABASE_URL = "{{ postgres }}", CACHE = "{{ redis }}", NAME = "{{ instance }}", FIXED = "1" }

[role.relay]
command = ["sh"]
env = { BROKERS = "{{ kafka }}", TOPIC = "{{ prefix }}payments" }

[kafka]
topics = [{ name = "{{prefix}}payments", partitions = 4 }, { name = "{{ prefix }}dead" }]

[events]
topic = "{{ prefix }}payments"
event = "$.eventId"

[ledger.journal]
sql = "select * from postings order by id;"

[[expected]]
requirement = "ledger.linearizable"
reason = "read from a replica"
issue = "https://example.org/1"
"#;

fn variables() -> Variables {
    Variables {
        port: 8080,
        instance: "api-1".into(),
        postgres: "postgres://p".into(),
        redis: "redis://r".into(),
        kafka: "k:1".into(),
        prefix: "run7.".into(),
        gateway: None,
    }
}

#[test]
fn a_manifest_is_read_whole() {
    let target = target(WHOLE).unwrap();
    assert_eq!((target.name.as_str(), target.front.as_str()), ("acme-ledger", "api"));
    assert_eq!(target.profiles, ["ledger"]);
    assert_eq!(target.build.as_deref(), Some(&["make".to_owned(), "serve".to_owned()][..]));
    let names: Vec<_> = target.roles.iter().map(|role| (role.name.as_str(), role.instances)).collect();
    assert_eq!(names, [("api", 2), ("relay", 1)]);
    assert_eq!(target.roles[0].ready, Ready::Http("/health".into()));
    assert_eq!(target.roles[0].start_deadline, Duration::from_secs(20));
    assert_eq!(target.roles[0].stop_deadline, Duration::from_millis(300));
    assert_eq!(target.roles[1].ready, Ready::Running);
    let topic = |name: &str, partitions| Topic { name: name.into(), partitions };
    assert_eq!(target.topics, [topic("{{ prefix }}payments", 4), topic("{{ prefix }}dead", 1)]);
    assert_eq!(target.events("ledger").unwrap().topic("run7."), "run7.payments");
    let issue = Some("https://example.org/1".into());
    let reason = "read from a replica".into();
    assert_eq!(target.expected, [Expected { requirement: "ledger.linearizable".into(), reason, issue }]);
}

#[test]
fn what_it_lacks_is_told_by_requirement() {
    let target =
        target(&manifest("[[lacks]]\nrequirement = \"ledger.reverse-once\"\nreason = \"no reversals\"")).unwrap();
    assert_eq!(target.lack("ledger.reverse-once").map(|lack| lack.reason.as_str()), Some("no reversals"));
    assert_eq!(target.lack("ledger.once"), None);
}

#[test]
fn the_example_of_the_documentation_is_a_manifest() {
    let page = include_str!("../../../docs/target-manifest.md");
    let example = page.split("```").find_map(|block| block.strip_prefix("toml\n")).expect("the page has an example");
    let target = target(example).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((target.roles.len(), target.expected.len()), (2, 1));
}

#[test]
fn commands_are_rendered() {
    let target = target(WHOLE).unwrap();
    let api = target.render(target.role("api").unwrap(), &variables()).unwrap();
    assert!(api.program.is_absolute() && api.program.ends_with("sh"), "{:?}", api.program);
    assert_eq!(api.arguments, ["serve.sh", "--port=8080"]);
    let env: Vec<_> = api.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(env, ["CACHE=redis://r", "DATABASE_URL=postgres://p", "FIXED=1", "NAME=api-1"]);
    let setup = target.render_setup("postgres://template").unwrap().unwrap();
    assert_eq!(setup.arguments, ["migrate.sh", "/acme"]);
    assert_eq!(setup.env["DATABASE_URL"], "postgres://template");
}

#[test]
fn a_program_that_is_not_there_is_told_when_it_is_needed() {
    let target = target(&manifest("").replace("\"sh\"", "\"./target/release/acme\"")).unwrap();
    let error = target.render(&target.roles[0], &variables()).unwrap_err().to_string();
    expect![[
        "the program `./target/release/acme` was not found; looked in /acme; build the target first, or write its path in the manifest"
    ]]
    .assert_eq(&error);
}

#[test]
fn a_missing_file() {
    expect!["failed to read the manifest /no/such/target: No such file or directory (os error 2); name a target.toml or the folder it is in"].assert_eq(&Target::load(Path::new("/no/such/target")).unwrap_err().to_string());
}

#[test]
fn broken_toml() {
    check_changed(
        "\"ledger\"]",
        "\"ledger\"",
        expect![[r#"
        target.toml:4:1: missing comma between array elements, expected `,`
          |
        4 | [role.api]
          | ^"#]],
    );
    check_with(
        "instances = 2\ninstances = 3\n",
        expect![[r#"
        target.toml:8:1: duplicate key
          |
        8 | instances = 3
          | ^^^^^^^^^"#]],
    );
}

#[test]
fn unknown_keys() {
    check_changed(
        "command",
        "comand",
        expect![[r#"
        target.toml:5:1: unknown key `comand`
          |
        5 | comand = ["sh", "-c", "exit"]
          | ^^^^^^
          = did you mean `command`?"#]],
    );
    check_changed(
        "[role.api]",
        "[roles.api]",
        expect![[r#"
        target.toml:4:2: unknown key `roles`
          |
        4 | [roles.api]
          |  ^^^^^
          = did you mean `role`?"#]],
    );
    check_with(
        "colour = \"red\"",
        expect![[r#"
            target.toml:7:1: unknown key `colour`
              |
            7 | colour = "red"
              | ^^^^^^
              = known here: `command`, `image`, `instances`, `env`, `ready`, `start_deadline`, `stop_deadline`"#]],
    );
}

#[test]
fn a_missing_or_empty_command() {
    check_changed(
        "command = [\"sh\", \"-c\", \"exit\"]\n",
        "",
        expect![[r#"
            target.toml:4:7: `command` is missing
              |
            4 | [role.api]
              |       ^^^
              = say how to start `api`, as in `command = ["./serve"]` or `image = "acme:1.4"`"#]],
    );
    check_changed(
        "[\"sh\", \"-c\", \"exit\"]",
        "[]",
        expect![[r#"
        target.toml:5:11: the command is empty
          |
        5 | command = []
          |           ^^
          = write program and arguments apart, as in `["./serve", "--port", "{{ port }}"]`"#]],
    );
    check_changed(
        "[\"sh\", \"-c\", \"exit\"]",
        "[\"\"]",
        expect![[r#"
        target.toml:5:11: the command is empty
          |
        5 | command = [""]
          |           ^^^^
          = write program and arguments apart, as in `["./serve", "--port", "{{ port }}"]`"#]],
    );
    check_changed(
        "[\"sh\", \"-c\", \"exit\"]",
        "\"./serve\"",
        expect![[r#"
        target.toml:5:11: expected a list of strings
          |
        5 | command = "./serve"
          |           ^^^^^^^^^
          = write program and arguments apart, as in `["./serve", "--port", "{{ port }}"]`"#]],
    );
}

#[test]
fn unknown_profiles() {
    check_changed(
        "[\"ledger\"]",
        "[\"leger\"]",
        expect![[r#"
        target.toml:2:13: unknown profile `leger`
          |
        2 | profiles = ["leger"]
          |             ^^^^^^^
          = did you mean `ledger`?"#]],
    );
    check_changed(
        "[\"ledger\"]",
        "[]",
        expect![[r#"
        target.toml:2:12: the target implements no profile
          |
        2 | profiles = []
          |            ^^
          = known here: `ledger`"#]],
    );
}

#[test]
fn templates() {
    check_with(
        "env = { URL = \"{{ postgress }}\" }",
        expect![[r#"
            target.toml:7:15: unknown template variable `postgress`
              |
            7 | env = { URL = "{{ postgress }}" }
              |               ^^^^^^^^^^^^^^^^^
              = did you mean `postgres`? variables here: `directory`, `instance`, `kafka`, `kafka_host`, `kafka_port`, `port`, `postgres`, `postgres_database`, `postgres_host`, `postgres_password`, `postgres_port`, `postgres_user`, `prefix`, `redis`, `redis_database`, `redis_host`, `redis_password`, `redis_port`"#]],
    );
    check_with(
        "env = { PORT = \"{{ port\" }",
        expect![[r#"
        target.toml:7:16: the template cannot be read: unexpected end of input, expected end of variable block
          |
        7 | env = { PORT = "{{ port" }
          |                ^^^^^^^^^"#]],
    );
    check_with(
        "[setup]\ncommand = [\"sh\", \"{{ kafka }}\"]",
        expect![[r#"
            target.toml:8:18: unknown template variable `kafka`
              |
            8 | command = ["sh", "{{ kafka }}"]
              |                  ^^^^^^^^^^^^^
              = variables here: `directory`, `postgres`, `postgres_database`, `postgres_host`, `postgres_password`, `postgres_port`, `postgres_user`"#]],
    );
    check_with(
        "[ledger.transfer]\nbody = { sum = \"{{ amout }}\" }",
        expect![[r#"
            target.toml:8:16: unknown template variable `amout`
              |
            8 | body = { sum = "{{ amout }}" }
              |                ^^^^^^^^^^^^^
              = did you mean `amount`? variables here: `amount`, `currency`, `from`, `key`, `to`"#]],
    );
    check_with(
        "env = { PORT = 8080 }",
        expect![[r#"
            target.toml:7:16: expected a string, found `8080`
              |
            7 | env = { PORT = 8080 }
              |                ^^^^"#]],
    );
}

#[test]
fn numbers_and_times_and_probes() {
    check_with(
        "instances = 0",
        expect![[r#"
            target.toml:7:13: expected a number from 1 to 100, found `0`
              |
            7 | instances = 0
              |             ^"#]],
    );
    check_with(
        "instances = \"2\"",
        expect![[r#"
        target.toml:7:13: expected a number from 1 to 100, found a value of type string
          |
        7 | instances = "2"
          |             ^^^"#]],
    );
    check_with(
        "start_deadline = \"10\"",
        expect![[r#"
        target.toml:7:18: `10` is not a length of time
          |
        7 | start_deadline = "10"
          |                  ^^^^
          = write a number and its unit, as in `"10s"` or `"300ms"`"#]],
    );
    check_with(
        "stop_deadline = 10",
        expect![[r#"
        target.toml:7:17: expected a length of time
          |
        7 | stop_deadline = 10
          |                 ^^
          = write a number and its unit, as in `"10s"` or `"300ms"`"#]],
    );
    check_changed(
        "\"GET /health\"",
        "\"POST /health\"",
        expect![[r#"
        target.toml:6:9: `POST /health` is not a ready probe
          |
        6 | ready = "POST /health"
          |         ^^^^^^^^^^^^^^
          = write `"GET /health"` (any path), `"port"` or `"running"`"#]],
    );
}

#[test]
fn later_work_is_told() {
    check_with(
        "url = \"http://localhost:8080\"",
        expect![[r#"
            target.toml:7:1: `url` is not supported yet: fireassay starts a role's processes itself
              |
            7 | url = "http://localhost:8080"
              | ^^^
              = give the role a `command` or an `image`"#]],
    );
}

#[test]
fn the_front() {
    check_changed(
        "ready = \"GET /health\"",
        "ready = \"port\"",
        expect![[r#"
        target.toml:1:1: it is not said which role takes the callers' requests
          |
        1 | name = "acme"
          | ^
          = give that role `ready = "GET /health"`, or name it with `front = "api"` above the first table"#]],
    );
    check_changed(
        "profiles",
        "front = \"apis\"\nprofiles",
        expect![[r#"
        target.toml:2:9: there is no role `apis`
          |
        2 | front = "apis"
          |         ^^^^^^
          = did you mean `api`?"#]],
    );
}

#[test]
fn mappings() {
    check_with(
        "[ledger.tranfer]\nrequest = \"POST /x\"",
        expect![[r#"
        target.toml:7:9: unknown key `tranfer`
          |
        7 | [ledger.tranfer]
          |         ^^^^^^^
          = did you mean `transfer`?"#]],
    );
    check_with(
        "[ledger.transfer]\nrequest = \"/payments\"",
        expect![[r#"
        target.toml:8:11: `/payments` is not a request
          |
        8 | request = "/payments"
          |           ^^^^^^^^^^^
          = write method and path, as in `POST /transfers`"#]],
    );
    check_with(
        "[ledger.transfer]\nreply = { id = \"$.id\" }",
        expect![[r#"
        target.toml:8:11: unknown field `id`
          |
        8 | reply = { id = "$.id" }
          |           ^^
          = known here: `transfer`, `status`"#]],
    );
    check_with(
        "[ledger.transfer]\nreply = { transfer = \"payment.id\" }",
        expect![[r#"
            target.toml:8:22: `payment.id` is not a JSONPath
              |
            8 | reply = { transfer = "payment.id" }
              |                      ^^^^^^^^^^^^
              = write a path from the root, as in `$.payment.id`"#]],
    );
    check_with(
        "[ledger.transfer]\nrefused = [99]",
        expect![[r#"
            target.toml:8:12: expected a number from 200 to 599, found `99`
              |
            8 | refused = [99]
              |            ^^"#]],
    );
    check_with(
        "[ledger.transfer]\nrefused = [409]\nunknown = [409]",
        expect![[r#"
        target.toml:9:11: status 409 is both refused and unknown
          |
        9 | unknown = [409]
          |           ^^^^^"#]],
    );
    check_with(
        "[ledger.transfer]\nheaders = { \"X Key\" = \"1\" }",
        expect![[r#"
        target.toml:8:13: `X Key` is not the name of a header
          |
        8 | headers = { "X Key" = "1" }
          |             ^^^^^^^"#]],
    );
    check_with(
        "[ledger.transfer]\nbody = { date = 2020-01-01 }",
        expect![[r#"
        target.toml:8:17: a date has no form in JSON
          |
        8 | body = { date = 2020-01-01 }
          |                 ^^^^^^^^^^
          = write it in quotes"#]],
    );
    check_with(
        "[ledger.transfer]\nsql = \"select 1\"",
        expect![[r#"
        target.toml:8:1: `transfer` is not a reading and cannot be done by SQL
          |
        8 | sql = "select 1"
          | ^^^
          = map it onto a request with `request`, `headers`, `body` and `reply`"#]],
    );
    check_with(
        "[ledger.journal]\nsql = \"delete from journal\"",
        expect![[r#"
        target.toml:8:7: the query is not a `select`
          |
        8 | sql = "delete from journal"
          |       ^^^^^^^^^^^^^^^^^^^^^
          = write one `select` that gives all rows in their order"#]],
    );
    check_with(
        "[ledger.journal]\nsql = \"select 1\"\nrequest = \"GET /journal\"",
        expect![[r#"
        target.toml:9:1: unknown key `request`
          |
        9 | request = "GET /journal"
          | ^^^^^^^
          = known here: `sql`"#]],
    );
}

#[test]
fn topics_and_events() {
    check_with(
        "[kafka]\ntopics = [{ name = \"payments\" }]",
        expect![[r#"
        target.toml:8:20: the topic does not begin with the run's prefix
          |
        8 | topics = [{ name = "payments" }]
          |                    ^^^^^^^^^^
          = begin it with `{{ prefix }}`, and give the service the same prefix in its `env`"#]],
    );
    check_with(
        "[events]\ntopic = \"{{ prefix }}payments\"",
        expect![[r#"
        target.toml:8:9: this topic is not created by anybody
          |
        8 | topic = "{{ prefix }}payments"
          |         ^^^^^^^^^^^^^^^^^^^^^^
          = add it to `topics` of `[kafka]`"#]],
    );
    let kafka = "[kafka]\ntopics = [{ name = \"{{ prefix }}payments\" }]\n[events]\ntopic = \"{{ prefix }}payments\"\n";
    check_with(
        &format!("{kafka}evnt = \"$.id\""),
        expect![[r#"
        target.toml:11:1: unknown key `evnt`
           |
        11 | evnt = "$.id"
           | ^^^^
           = did you mean `event`?"#]],
    );
}

#[test]
fn expected_failures() {
    check_with(
        "[[expected]]\nrequirement = \"orders.once\"\nreason = \"x\"",
        expect![[r#"
        target.toml:8:15: `orders.once` is not a requirement of the target's profiles
          |
        8 | requirement = "orders.once"
          |               ^^^^^^^^^^^^^
          = requirements here: `ledger.…`"#]],
    );
    check_with(
        "[[expected]]\nrequirement = \"ledger.once\"",
        expect![[r#"
        target.toml:7:1: `reason` is missing
          |
        7 | [[expected]]
          | ^^^^^^^^^^^^
          = say why, for whoever reads the report"#]],
    );
}

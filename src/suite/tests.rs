//! What a suite's author reads when something is wrong. The texts are the specification.

use expect_test::{Expect, expect};
use serde::Deserialize;

use super::{Suite, SuiteError, Tier, read};
use crate::fault::spec::{FaultSpec, InjectSpec};
use crate::history::InstanceName;
use crate::profile::{Script, Workload};

/// Tagged inside, which serde reads whole first: the hardest kind to give good errors for.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its Debug form is looked at")]
enum Work {
    Hot { accounts: u32 },
    Opposite { pairs: u32 },
}

impl Workload for Work {
    fn script(&self, _: u64, _: &[InstanceName]) -> Script {
        unreachable!("no test here runs a workload")
    }
}

const GOOD: &str = r#"profile = "ledger"
version = 1

[[requirement]]
id = "ledger.once"
text = "At most once."
why = "Money is debited twice."

[[requirement]]
id = "ledger.drains"
level = "should"
text = "It drains."
why = "Callers are cut off."

[[case]]
id = "killed-mid-transfer"
title = "An instance is killed"
tier = "quick"
requirements = ["ledger.once", "ledger.drains"]
workload = { kind = "hot", accounts = 3 }
read_every = "250ms"
settle = "10s"

[[case.fault]]
when = { operations = [40, 80] }
inject = { kill = "api" }
heal = { after = "300ms" }

[[case.fault]]
when = { at = ["1s", "2s"] }
inject = { partition = { edge = "api->postgres" } }
"#;

fn parse(text: &str) -> Result<Suite, SuiteError> {
    read::<Work>("ledger", "ledger.toml", text)
}

#[track_caller]
fn check(from: &str, to: &str, expected: Expect) {
    assert!(GOOD.contains(from), "the test changes nothing");
    expected.assert_eq(&parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string());
}

#[test]
fn a_suite_is_read_whole() {
    let suite = parse(GOOD).unwrap();
    assert_eq!((suite.profile.as_str(), suite.version, suite.requirements.len()), ("ledger", 1, 2));
    let case = &suite.cases[0];
    assert_eq!((case.id.as_str(), case.tier, case.faults.len()), ("killed-mid-transfer", Tier::Quick, 2));
    assert_eq!(case.read_every.unwrap().as_millis(), 250);
    assert_eq!(case.settle.as_secs(), 10);
    assert!(matches!(&case.faults[0], FaultSpec { inject: InjectSpec::Kill(role), times: 1, .. } if role == "api"));
    assert_eq!(format!("{:?}", case.workload), "Hot { accounts: 3 }");
}

#[test]
fn unknown_key() {
    check(
        "title =",
        "titel =",
        expect![[r#"
        ledger.toml:17:1: unknown field `titel`
           |
        17 | titel = "An instance is killed"
           | ^^^^^
           = did you mean `title`?"#]],
    );
}

#[test]
fn unknown_variant_of_a_fault() {
    check(
        "{ kill =",
        "{ kil =",
        expect![[r#"
        ledger.toml:26:12: unknown variant `kil`
           |
        26 | inject = { kil = "api" }
           |            ^^^
           = did you mean `kill`?"#]],
    );
}

#[test]
fn unknown_key_deep_in_a_fault() {
    check(
        "edge = \"api",
        "egde = \"api",
        expect![[r#"
        ledger.toml:31:26: unknown field `egde`
           |
        31 | inject = { partition = { egde = "api->postgres" } }
           |                          ^^^^
           = did you mean `edge`?"#]],
    );
}

#[test]
fn changes_of_a_clock() {
    let clock = |change: &str| GOOD.replacen("{ kill = \"api\" }", &format!("{{ clock = {change} }}"), 1);
    for good in ["{ step = \"25h\" }", "{ step = \"-90s\" }", "{ drift = 2 }", "\"freeze\"", "\"back\""] {
        let suite = parse(&clock(&format!("{{ of = \"api\", change = {good} }}"))).unwrap();
        assert!(matches!(&suite.cases[0].faults[0].inject, InjectSpec::Clock(spec) if spec.of == "api"), "{good}");
    }
    let check = |change: &str, expected: Expect| expected.assert_eq(&parse(&clock(change)).unwrap_err().to_string());
    check(
        "{ of = \"api\", change = \"frezee\" }",
        expect![[r#"
        ledger.toml:26:43: unknown variant `frezee`
           |
        26 | inject = { clock = { of = "api", change = "frezee" } }
           |                                           ^^^^^^^^
           = did you mean `freeze`?"#]],
    );
    check(
        "{ of = \"api\", change = { step = \"3\" } }",
        expect![[r#"
        ledger.toml:26:43: `3` is no step of a clock (time unit needed, for example 3sec or 3ms); write how far and which way, as in `3h` or `-90s`
           |
        26 | inject = { clock = { of = "api", change = { step = "3" } } }
           |                                           ^^^^^^^^^^^^^^"#]],
    );
    check(
        "{ of = \"api\", change = { drift = 0 } }",
        expect![[r#"
        ledger.toml:26:43: a clock at pace 0 stands still; write `change = "freeze"`
           |
        26 | inject = { clock = { of = "api", change = { drift = 0 } } }
           |                                           ^^^^^^^^^^^^^"#]],
    );
    check(
        "{ of = \"api\", step = \"3h\" }",
        expect![[r#"
        ledger.toml:26:34: unknown field `step`
           |
        26 | inject = { clock = { of = "api", step = "3h" } }
           |                                  ^^^^
           = known here: `of`, `change`"#]],
    );
}

#[test]
fn unknown_key_and_kind_of_a_workload() {
    check(
        "accounts = 3",
        "acounts = 3",
        expect![[r#"
        ledger.toml:20:28: unknown field `acounts`
           |
        20 | workload = { kind = "hot", acounts = 3 }
           |                            ^^^^^^^
           = did you mean `accounts`?"#]],
    );
    check(
        "kind = \"hot\"",
        "kind = \"hott\"",
        expect![[r#"
        ledger.toml:20:21: unknown variant `hott`
           |
        20 | workload = { kind = "hott", accounts = 3 }
           |                     ^^^^^^
           = did you mean `hot`?"#]],
    );
}

#[test]
fn unknown_tier() {
    check(
        "\"quick\"",
        "\"quik\"",
        expect![[r#"
        ledger.toml:18:8: unknown variant `quik`
           |
        18 | tier = "quik"
           |        ^^^^^^
           = did you mean `quick`?"#]],
    );
}

#[test]
fn missing_key() {
    check(
        "title = \"An instance is killed\"\n",
        "",
        expect![[r#"
        ledger.toml:15:1: missing field `title`
           |
        15 | [[case]]
           | ^^^^^^^^"#]],
    );
}

#[test]
fn wrong_type_and_length_of_time() {
    check(
        "version = 1",
        "version = \"1\"",
        expect![[r#"
        ledger.toml:2:11: invalid type: string "1", expected u32
          |
        2 | version = "1"
          |           ^^^"#]],
    );
    check(
        "\"250ms\"",
        "\"250\"",
        expect![[r#"
            ledger.toml:21:14: invalid value: string "250", expected a duration
               |
            21 | read_every = "250"
               |              ^^^^^
               = write a number and its unit, as in `"10s"` or `"300ms"`"#]],
    );
}

#[test]
fn broken_toml() {
    check(
        "tier = \"quick\"",
        "tier = \"quick",
        expect![[r#"
        ledger.toml:18:14: invalid basic string, expected `"`
           |
        18 | tier = "quick
           |              ^"#]],
    );
}

#[test]
fn unknown_requirement() {
    check(
        "[\"ledger.once\"",
        "[\"ledger.onse\"",
        expect![[r#"
        ledger.toml:19:17: unknown requirement `ledger.onse`
           |
        19 | requirements = ["ledger.onse", "ledger.drains"]
           |                 ^^^^^^^^^^^^^
           = did you mean `ledger.once`?"#]],
    );
}

#[test]
fn requirement_that_no_case_checks() {
    check(
        ", \"ledger.drains\"",
        "",
        expect![[r#"
        ledger.toml:10:6: no case checks `ledger.drains`
           |
        10 | id = "ledger.drains"
           |      ^^^^^^^^^^^^^^^
           = add it to `requirements` of a case, or remove it"#]],
    );
}

#[test]
fn case_without_requirements() {
    check(
        "[\"ledger.once\", \"ledger.drains\"]",
        "[]",
        expect![[r#"
        ledger.toml:19:16: the case has no requirements
           |
        19 | requirements = []
           |                ^^
           = a case that checks nothing proves nothing: list ids of requirements"#]],
    );
}

#[test]
fn duplicates() {
    check(
        "id = \"ledger.drains\"",
        "id = \"ledger.once\"",
        expect![[r#"
        ledger.toml:10:6: two requirements are called `ledger.once`
           |
        10 | id = "ledger.once"
           |      ^^^^^^^^^^^^^"#]],
    );
    let (head, cases) = GOOD.split_at(GOOD.find("[[case]]").unwrap());
    expect![[r#"
        ledger.toml:33:6: two cases are called `killed-mid-transfer`
           |
        33 | id = "killed-mid-transfer"
           |      ^^^^^^^^^^^^^^^^^^^^^"#]]
    .assert_eq(&parse(&format!("{head}{cases}{cases}")).unwrap_err().to_string());
}

#[test]
fn requirement_of_another_profile() {
    check(
        "id = \"ledger.once\"",
        "id = \"orders.once\"",
        expect![[r#"
        ledger.toml:5:6: `orders.once` is not the id of a requirement
          |
        5 | id = "orders.once"
          |      ^^^^^^^^^^^^^
          = write `ledger.` and a word of small letters and `-`, as in `ledger.once`"#]],
    );
    check(
        "profile = \"ledger\"",
        "profile = \"orders\"",
        expect![[r#"
        ledger.toml:1:11: this is a suite of profile `orders`, not of `ledger`
          |
        1 | profile = "orders"
          |           ^^^^^^^^"#]],
    );
}

#[test]
fn ranges_that_mean_nothing() {
    check(
        "[40, 80]",
        "[80, 40]",
        expect![[r#"
        ledger.toml:25:8: the range has its low end above its high end
           |
        25 | when = { operations = [80, 40] }
           |        ^^^^^^^^^^^^^^^^^^^^^^^^^"#]],
    );
    check(
        "[\"1s\", \"2s\"]",
        "[\"2s\", \"1s\"]",
        expect![[r#"
        ledger.toml:30:8: the range has its low end above its high end
           |
        30 | when = { at = ["2s", "1s"] }
           |        ^^^^^^^^^^^^^^^^^^^^^"#]],
    );
    check(
        "operations = [40, 80]",
        "after-previous = [\"1s\", \"2s\"]",
        expect![[r#"
        ledger.toml:25:8: no fault is written above this one
           |
        25 | when = { after-previous = ["1s", "2s"] }
           |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"#]],
    );
    check(
        "heal = { after",
        "times = 0\nheal = { after",
        expect![[r#"
        ledger.toml:27:9: a fault that never happens; remove it
           |
        27 | times = 0
           |         ^"#]],
    );
}

#[test]
fn an_empty_suite() {
    expect![[r#"
        ledger.toml:1:1: the suite has no case
          |
        1 | profile = "ledger"
          | ^
          = add one under `[[case]]`"#]]
    .assert_eq(&parse("profile = \"ledger\"\nversion = 1\n").unwrap_err().to_string());
}

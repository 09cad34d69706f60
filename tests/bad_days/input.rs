//! Manifests that cannot be used: file and line, what is wrong, and what was probably meant. Exit code 2.

use super::harness::{CALM, World, manifest, manifest_of};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("an_unknown_key_is_located_and_recognised", an_unknown_key_is_located_and_recognised),
    ("a_missing_command_is_located", a_missing_command_is_located),
    ("an_unknown_template_variable_is_located_and_recognised", an_unknown_template_variable_is_located_and_recognised),
    ("a_program_that_does_not_exist_is_named", a_program_that_does_not_exist_is_named),
];

#[track_caller]
fn check(manifest: &str, code: i32, words: &[&str]) {
    let world = World::new(CALM);
    world.write("target/target.toml", manifest);
    let ended = world.run(world.command("good"));
    ended.expect_code(code).expect_words(words);
    assert_eq!(ended.stdout, "");
}

fn an_unknown_key_is_located_and_recognised() {
    check(
        &manifest("instanses = 3"),
        2,
        &["error: ", "target/target.toml:10:1", "instanses", "`instances`", "\n next: "],
    );
}

fn a_missing_command_is_located() {
    let without: String =
        manifest("").lines().filter(|line| !line.starts_with("command")).map(|line| format!("{line}\n")).collect();
    check(&without, 2, &["target/target.toml:4", "command", "\n next: "]);
}

fn an_unknown_template_variable_is_located_and_recognised() {
    check(
        &manifest("").replace("{{ port }}", "{{ prot }}"),
        2,
        &["target/target.toml:12", "prot", "`port`", "\n next: "],
    );
}

fn a_program_that_does_not_exist_is_named() {
    let _turn = super::harness::turn();
    check(&manifest_of("[\"./no-such-service\"]", ""), 3, &["no-such-service"]);
}

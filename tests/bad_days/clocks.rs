//! Programs whose clocks are out of reach. Nothing is claimed of them, and the reason is given.

use std::fs;
use std::process::Command;

use super::harness::{CALM, World, manifest, turn};

pub(crate) const TESTS: &[(&str, fn())] =
    &[("clocks_that_are_out_of_reach_are_not_claimed", clocks_that_are_out_of_reach_are_not_claimed)];

const FAULTS: &str = r#"
[[case.fault]]
when = { operations = [1, 1] }
inject = { clock = { of = "static", change = { step = "3h" } } }

[[case.fault]]
when = { operations = [1, 1] }
inject = { clock = { of = "idle", change = "freeze" } }

[[case.fault]]
when = { operations = [1, 1] }
inject = { clock = { of = "emptied", change = { step = "-3h" } } }

[[case.fault]]
when = { operations = [1, 1] }
inject = { clock = { of = "busy", change = { step = "-3h" } } }
"#;

const ROLES: &str = r#"
[role.static]
command = ["./static"]

[role.idle]
command = ["sleep", "600"]

[role.emptied]
command = ["./emptied.sh"]

[role.busy]
command = ["sh", "-c", "while :; do date >&2; sleep 0.01; done"]
"#;

fn clocks_that_are_out_of_reach_are_not_claimed() {
    let _turn = turn();
    // Long enough for the one program to ask that is able to.
    let case = CALM.replace("clients = 2,", "clients = 2, pause = \"400ms\",");
    let world = World::new(&format!("{case}{FAULTS}"));
    world.write("target/target.toml", &format!("{}{ROLES}", manifest("")));
    world.write("target/static.c", "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n");
    let mut compiler = Command::new("cc");
    compiler.args(["-static", "static.c", "-o", "static"]).current_dir(world.path("target"));
    assert!(compiler.status().expect("a C compiler").success(), "the program compiles");
    world
        .write("target/emptied.sh", "#!/usr/bin/env -S -i /bin/sh\nwhile :; do /bin/date >&2; /bin/sleep 0.01; done\n");
    let script = world.path("target/emptied.sh");
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(script, rights).expect("rights");

    let ended = world.run(world.command("obeys"));
    let faults = world.result(1)["faults"].clone();
    let told = |number: usize| faults[number].to_string();
    assert!(told(0).contains("the clock of static-1 is out of reach: it is statically linked"), "{faults:#}");
    assert!(told(1).contains("no process of the instance has ever asked the C library"), "{faults:#}");
    assert!(told(2).contains("no process of the instance has ever asked the C library"), "{faults:#}");
    assert!(told(3).contains("was told one that is 3h behind"), "{faults:#}");
    assert!(matches!(ended.status.code(), Some(1 | 5)), "{}", ended.stderr);
}

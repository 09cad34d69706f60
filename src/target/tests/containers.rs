//! What a manifest says of containers, and what its author reads when that is wrong.

use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::example::{manifest, target};
use crate::sandbox::Backend;
use crate::sandbox::docker::Image;
use crate::target::{InContainer, Volume};

/// How the role of the smallest manifest is started.
const COMMAND: &str = r#"command = ["sh", "-c", "exit"]"#;

/// The smallest manifest whose role is a container, with more said of it.
fn contained(more: &str) -> String {
    manifest(more).replacen(COMMAND, "image = \"acme:1.4\"", 1)
}

#[track_caller]
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&target(text).unwrap_err().to_string());
}

#[test]
fn a_role_in_a_container_is_read() {
    let text = contained("build = \"docker\"\nport = 8080\nvolumes = [\"./config:/etc/acme:ro\", \"/data:/data\"]");
    let target = target(&text).unwrap();
    let role = &target.roles[0];
    assert_eq!(role.command, Vec::<String>::new());
    let volume = |here: &str, there: &str, read_only| Volume { here: here.into(), there: there.to_owned(), read_only };
    let expected = InContainer {
        image: Image::named("acme:1.4"),
        build: Some(PathBuf::from("/acme/docker")),
        port: Some(8080),
        volumes: vec![volume("/acme/./config", "/etc/acme", true), volume("/data", "/data", false)],
    };
    assert_eq!(role.container.as_ref(), Some(&expected));
    let images: Vec<_> = target.images_of_its_own().into_iter().collect();
    assert_eq!(images, [(Image::named("acme:1.4"), Some(PathBuf::from("/acme/docker")))]);
}

#[test]
fn what_the_servers_run_as_is_read() {
    let target =
        target(&format!("backend = \"docker\"\nimages = {{ redis = \"redis:7\" }}\n{}", manifest(""))).unwrap();
    assert_eq!(target.backend, Some(Backend::Docker));
    assert_eq!((target.images.redis, target.images.kafka), (Some(Image::named("redis:7")), None));
    assert_eq!(super::example::target(&manifest("")).unwrap().backend, None);
}

#[test]
fn mistakes_are_told() {
    check(
        &format!("backend = \"dokcer\"\n{}", manifest("")),
        expect![[r#"
        target.toml:1:11: there is no backend `dokcer`
          |
        1 | backend = "dokcer"
          |           ^^^^^^^^
          = did you mean `docker`?"#]],
    );
    check(
        &contained("volumes = [\"config:/etc/acme\"]"),
        expect![[r#"
        target.toml:7:12: `config:/etc/acme` is not a volume
          |
        7 | volumes = ["config:/etc/acme"]
          |            ^^^^^^^^^^^^^^^^^^
          = write a path of this machine and one of the container, as in `./config:/etc/acme:ro`"#]],
    );
    check(
        &contained("port = 0"),
        expect![[r#"
        target.toml:7:8: expected a number from 1 to 65535, found `0`
          |
        7 | port = 0
          |        ^"#]],
    );
    check(
        &manifest("port = 8080"),
        expect![[r#"
        target.toml:7:1: only a container has this
          |
        7 | port = 8080
          | ^^^^
          = name its image, as in `image = "acme:1.4"`"#]],
    );
    check(
        &manifest("").replacen(COMMAND, "image = \"a b\"", 1),
        expect![[r#"
        target.toml:5:9: `a b` is not the name of an image
          |
        5 | image = "a b"
          |         ^^^^^
          = write it as for `docker run`, as in `acme/ledger:1.4`"#]],
    );
    check(
        &contained("ports = 8080"),
        expect![[r#"
        target.toml:7:1: unknown key `ports`
          |
        7 | ports = 8080
          | ^^^^^
          = did you mean `port`?"#]],
    );
}

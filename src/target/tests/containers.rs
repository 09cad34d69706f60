//! What a manifest says of containers, and what its author reads when that is wrong.

use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::example::{manifest, target};
use crate::sandbox::Backend;
use crate::sandbox::docker::Image;
use crate::target::{InContainer, Volume};

/// The smallest manifest whose role is a container, with more said of it.
fn contained(more: &str) -> String {
    manifest(more).replacen("command = [\"sh\"]", "image = \"acme:1.4\"", 1)
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
    let target = target(&format!("backend = \"docker\"\nimages = {{ redis = \"redis:7\" }}\n{}", manifest(""))).unwrap();
    assert_eq!(target.backend, Some(Backend::Docker));
    assert_eq!((target.images.redis, target.images.kafka), (Some(Image::named("redis:7")), None));
    assert_eq!(super::example::target(&manifest("")).unwrap().backend, None);
}

#[test]
fn mistakes_are_told() {
    check(&format!("backend = \"dokcer\"\n{}", manifest("")), expect![[""]]);
    check(&contained("volumes = [\"config:/etc/acme\"]"), expect![[""]]);
    check(&contained("port = 0"), expect![[""]]);
    check(&manifest("port = 8080"), expect![[""]]);
    check(&manifest("").replacen("command = [\"sh\"]", "image = \"a b\"", 1), expect![[""]]);
    check(&contained("ports = 8080"), expect![[""]]);
}

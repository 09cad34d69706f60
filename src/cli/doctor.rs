//! `fireassay doctor`: what this machine has and lacks.

use std::fmt::Write as _;

use super::failure::Failure;
use super::output::{Colour, answer};
use super::stack::StackArgs;
use super::{exit, interrupt};
use crate::report::style::{Palette, Tone};
use crate::report::text::clean;
use crate::sandbox::needs::{Need, check, check_docker, check_external};
use crate::sandbox::{Backend, Images};

/// Say what this machine has of what fireassay needs, and how to get the rest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0: everything needed is there; 3: something is missing.")]
pub(super) struct Args {
    #[command(flatten)]
    stack: StackArgs,
}

pub(super) fn doctor(args: &Args, colour: Colour) -> Result<u8, Failure> {
    let config = args.stack.config()?;
    let config = config.or(None, &Images::default());
    let (docker, external) = interrupt::run(async |_| tokio::join!(check_docker(&config), check_external(&config)))?;
    let backend = likely(config.backend.unwrap_or_default(), &docker);
    let needs = weighed(check(&config), docker, external, backend);
    answer(&in_words(&needs, backend, colour.for_stdout()))?;
    Ok(if needs.iter().any(is_missing) { exit::ENVIRONMENT } else { exit::PASS })
}

/// Which backend is going to be used.
fn likely(backend: Backend, docker: &[Need]) -> Backend {
    // Images can be downloaded.
    let daemon_answers = docker.iter().any(|need| need.name == "docker daemon" && need.state.is_ok());
    match backend {
        Backend::Auto if daemon_answers => Backend::Docker,
        Backend::Auto => Backend::Process,
        chosen => chosen,
    }
}

/// What all backends need. Optional is what only one needs that is not going to be used.
fn weighed(processes: Vec<Need>, docker: Vec<Need>, external: Vec<Need>, backend: Backend) -> Vec<Need> {
    let (takes_docker, takes_external) = (backend == Backend::Docker, backend == Backend::External);
    let of_processes = |need: Need| {
        // The directory is there whatever the servers run as.
        let optional = need.optional || ((takes_docker || takes_external) && need.name != "temporary space");
        Need { optional, ..need }
    };
    let of_docker = |need: Need| Need { optional: !takes_docker || need.name != "docker daemon", ..need };
    let of_external = |need: Need| Need { optional: !takes_external, ..need };
    let rest = docker.into_iter().map(of_docker).chain(external.into_iter().map(of_external));
    processes.into_iter().map(of_processes).chain(rest).collect()
}

fn is_missing(need: &Need) -> bool {
    need.state.is_err() && !need.optional
}

fn in_words(needs: &[Need], backend: Backend, palette: Palette) -> String {
    let width = needs.iter().map(|need| need.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for need in needs {
        let name = need.name;
        match &need.state {
            Ok(found) => {
                let words = format!("{}  {}", clean(&found.version, 60), clean(&found.place, 200));
                let _ =
                    writeln!(text, "{}  {name:width$}  {}", palette.paint(Tone::Good, "   there"), words.trim_start());
            }
            Err(why) => {
                let (tone, word) = if need.optional { (Tone::Faint, "optional") } else { (Tone::Bad, " MISSING") };
                let _ = writeln!(text, "{}  {name:width$}  {}", palette.paint(tone, word), clean(why, 300));
                let _ = writeln!(text, "{:8}  {:width$}  get it: {}", "", "", clean(&need.how, 400));
            }
        }
    }
    let lacks_images = needs.iter().any(|need| need.name.starts_with("image of ") && need.state.is_err());
    let missing: Vec<&str> = needs.iter().filter(|need| is_missing(need)).map(|need| need.name).collect();
    let _ = match missing.len() {
        0 if backend == Backend::Docker && lacks_images => writeln!(
            text,
            "\neverything needed is there but for images, which the first run downloads and, where there is no registry, \
             ci/images builds; next: fireassay run"
        ),
        0 => writeln!(text, "\neverything needed is there; next: fireassay run"),
        count => writeln!(text, "\n{count} of {} are missing; next: {}", needs.len(), way(&missing)),
    };
    text
}

/// What to do about all that is missing.
fn way(missing: &[&str]) -> &'static str {
    if missing.iter().all(|name| name.starts_with("external ")) {
        "mend what is said above, and ask again"
    } else if missing.contains(&"docker daemon") {
        "start Docker; on Debian and Ubuntu ci/setup --docker installs and starts it"
    } else {
        "ci/setup installs them on Debian and Ubuntu"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::needs::Found;

    fn need(name: &'static str, optional: bool, state: Result<Found, String>) -> Need {
        Need { name, optional, state, how: "apt install it".into() }
    }

    #[test]
    fn what_the_backend_does_without_is_optional() {
        let missing =
            |needs: &[Need]| -> Vec<&str> { needs.iter().filter(|it| is_missing(it)).map(|it| it.name).collect() };
        let lacking = |name| need(name, false, Err("not there".into()));
        let there = need("docker daemon", false, Ok(Found { place: "answers".into(), version: "20".into() }));
        let weigh = |daemon, backend| {
            let docker = vec![daemon, lacking("image of redis")];
            let backend = likely(backend, &docker);
            let processes = vec![lacking("java"), lacking("temporary space")];
            let needs = weighed(processes, docker, vec![lacking("external kafka")], backend);
            missing(&needs).join(", ")
        };
        assert_eq!(weigh(there.clone(), Backend::Process), "java, temporary space");
        assert_eq!(weigh(there.clone(), Backend::Auto), "temporary space");
        assert_eq!(weigh(lacking("docker daemon"), Backend::Auto), "java, temporary space");
        assert_eq!(weigh(lacking("docker daemon"), Backend::Docker), "temporary space, docker daemon");
        assert_eq!(weigh(lacking("docker daemon"), Backend::External), "temporary space, external kafka");
    }

    #[test]
    fn the_last_line_says_what_helps() {
        let there = |name| need(name, false, Ok(Found { place: String::new(), version: String::new() }));
        let lacking = |name, optional| need(name, optional, Err("it is not".into()));
        let last = |needs: &[Need], backend| {
            in_words(needs, backend, Palette::Plain).lines().last().unwrap_or_default().to_owned()
        };
        let shut = [lacking("external redis", false)];
        assert!(last(&shut, Backend::External).ends_with("next: mend what is said above, and ask again"));
        assert!(last(&[lacking("docker daemon", false)], Backend::Docker).contains("ci/setup --docker"));
        assert!(last(&[lacking("java", false)], Backend::Process).contains("ci/setup installs"));
        let without_images = [there("docker daemon"), lacking("image of redis", true)];
        assert!(last(&without_images, Backend::Docker).contains("ci/images"));
        for backend in [Backend::Process, Backend::External] {
            assert_eq!(last(&without_images, backend), "everything needed is there; next: fireassay run");
        }
    }

    #[test]
    fn each_need_says_where_it_is_or_how_to_get_it() {
        let found = Found { place: "/usr/bin/java".into(), version: "17.0.1".into() };
        let needs = [
            need("java", false, Ok(found)),
            need("postgres", false, Err("no postgres on PATH".into())),
            need("docker daemon", true, Err("none answers".into())),
        ];
        expect_test::expect![[r#"
               there  java           17.0.1  /usr/bin/java
             MISSING  postgres       no postgres on PATH
                                     get it: apt install it
            optional  docker daemon  none answers
                                     get it: apt install it

            1 of 3 are missing; next: ci/setup installs them on Debian and Ubuntu
        "#]]
        .assert_eq(&in_words(&needs, Backend::Process, Palette::Plain));
    }
}

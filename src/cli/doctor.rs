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
    let needs = weighed(check(&config), docker, external, config.backend.unwrap_or_default());
    answer(&in_words(&needs, colour.for_stdout()))?;
    Ok(if needs.iter().any(is_missing) { exit::ENVIRONMENT } else { exit::PASS })
}

/// What all backends need. Optional is what only the one needs that is not going to be used.
fn weighed(processes: Vec<Need>, docker: Vec<Need>, external: Vec<Need>, backend: Backend) -> Vec<Need> {
    // Images can be downloaded.
    let daemon_answers = docker.iter().any(|need| need.name == "docker daemon" && need.state.is_ok());
    let takes_docker = backend == Backend::Docker || (backend == Backend::Auto && daemon_answers);
    let takes_external = backend == Backend::External;
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

fn in_words(needs: &[Need], palette: Palette) -> String {
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
    let missing = needs.iter().filter(|need| is_missing(need)).count();
    match missing {
        0 => text.push_str("\neverything needed is there; next: fireassay run\n"),
        _ => {
            let _ = writeln!(
                text,
                "\n{missing} of {} are missing; next: ci/setup installs them on Debian and Ubuntu",
                needs.len()
            );
        }
    }
    text
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
            let needs = weighed(
                vec![lacking("java"), lacking("temporary space")],
                vec![daemon, lacking("image of redis")],
                vec![lacking("external kafka")],
                backend,
            );
            missing(&needs).join(", ")
        };
        assert_eq!(weigh(there.clone(), Backend::Process), "java, temporary space");
        assert_eq!(weigh(there.clone(), Backend::Auto), "temporary space");
        assert_eq!(weigh(lacking("docker daemon"), Backend::Auto), "java, temporary space");
        assert_eq!(weigh(lacking("docker daemon"), Backend::Docker), "temporary space, docker daemon");
        assert_eq!(weigh(lacking("docker daemon"), Backend::External), "temporary space, external kafka");
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
        .assert_eq(&in_words(&needs, Palette::Plain));
    }
}

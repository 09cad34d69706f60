//! `fireassay doctor`: what this machine has and lacks.

use std::fmt::Write as _;

use super::exit;
use super::failure::Failure;
use super::output::{Colour, answer};
use crate::report::style::{Palette, Tone};
use crate::report::text::clean;
use crate::sandbox::StackConfig;
use crate::sandbox::needs::{Need, check};

/// Say what this machine has of what fireassay needs, and how to get the rest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0: everything needed is there; 3: something is missing.")]
pub(super) struct Args {}

pub(super) fn doctor(_args: &Args, colour: Colour) -> Result<u8, Failure> {
    let config =
        StackConfig::from_env().map_err(|error| Failure::usage(error.to_string(), "mend or unset that variable"))?;
    let needs = check(&config);
    answer(&in_words(&needs, colour.for_stdout()))?;
    Ok(if needs.iter().any(is_missing) { exit::ENVIRONMENT } else { exit::PASS })
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
    fn each_need_says_where_it_is_or_how_to_get_it() {
        let found = Found { place: "/usr/bin/java".into(), version: "17.0.1".into() };
        let needs = [
            need("java", false, Ok(found)),
            need("postgres", false, Err("no postgres on PATH".into())),
            need("docker", true, Err("no docker on PATH".into())),
        ];
        expect_test::expect![[r#"
               there  java      17.0.1  /usr/bin/java
             MISSING  postgres  no postgres on PATH
                                get it: apt install it
            optional  docker    no docker on PATH
                                get it: apt install it

            1 of 3 are missing; next: ci/setup installs them on Debian and Ubuntu
        "#]]
        .assert_eq(&in_words(&needs, Palette::Plain));
    }
}

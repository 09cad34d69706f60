//! The command line. One file for each command; the only part of fireassay that prints.

mod check;
mod completions;
mod defects;
mod doctor;
pub mod exit;
mod explain;
mod failure;
pub(crate) use failure::Failure;
mod init;
mod interrupt;
mod list;
pub(crate) mod locate;
mod output;
#[cfg(test)]
mod pointers;
mod progress;
pub(crate) mod regressions;
mod replay;
pub(crate) mod run;
pub(crate) mod select;
mod shrink;
mod stack;
mod sweep;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::Colour;

/// Chaos-testing conformance for services that move money.
///
/// fireassay starts a service with real Postgres, Kafka and Redis, sends it work, breaks things at the moments that
/// matter, and judges from the recorded history whether a debit was doubled, an event lost or a ledger unbalanced.
#[derive(Debug, Parser)]
#[command(name = "fireassay", version, arg_required_else_help = true, after_help = AFTER_HELP, after_long_help = AFTER_HELP)]
struct Cli {
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

/// First steps and exit codes, at the end of `--help`.
const AFTER_HELP: &str = "\
First steps:
  fireassay doctor                        what this machine has and lacks
  fireassay init --compose FILE           a first target.toml, from a Compose file
  fireassay list                          the cases, and the requirements they check
  fireassay run                           the quick cases against the reference target
  fireassay run --target ./my-service     the same against a service with a target.toml
  fireassay sweep                         a fault at every message of one transfer in turn
  fireassay explain ledger.once           what a requirement demands, and why
  fireassay replay RUN_DIR                a stored run again: how often does it show the same?
  fireassay shrink RUN_DIR                the fewest faults and requests that still show it

Exit codes:
    0  every run passed
    1  a requirement was violated (outranks the rest)
    2  the command line, a manifest, a suite or a stored run cannot be used
    3  the environment failed: see `fireassay doctor`
    4  nothing was selected, or nothing applies to the target
    5  inconclusive: too little was seen to say
  130  interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Run(run::Args),
    Sweep(sweep::Args),
    List(list::Args),
    Explain(explain::Args),
    Doctor(doctor::Args),
    Check(check::Args),
    Replay(replay::Args),
    Shrink(shrink::Args),
    Defects(defects::Args),
    Completions(completions::Args),
}

/// Parses the command line, does what it says and gives back the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too; nobody is left to tell when printing fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE));
        }
    };
    match dispatch(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(cli: &Cli) -> Result<u8, Failure> {
    match &cli.command {
        Command::Init(args) => init::init(args),
        Command::Run(args) => run::run(args, cli.color),
        Command::Sweep(args) => sweep::sweep(args, cli.color),
        Command::List(args) => list::list(args, cli.color),
        Command::Explain(args) => explain::explain(args, cli.color),
        Command::Doctor(args) => doctor::doctor(args, cli.color),
        Command::Check(args) => check::check(args, cli.color),
        Command::Replay(args) => replay::replay(args, cli.color),
        Command::Shrink(args) => shrink::shrink(args, cli.color),
        Command::Defects(args) => defects::defects(args, cli.color),
        Command::Completions(args) => completions::completions(args),
    }
}

/// The command line as clap knows it, for completions.
fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}

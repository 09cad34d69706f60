//! `fireassay completions`: scripts for shells.

use super::failure::Failure;
use super::output::answer;

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  fireassay completions bash > ~/.local/share/bash-completion/completions/fireassay")]
pub(super) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(super) fn completions(args: &Args) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "fireassay", &mut script);
    answer(&String::from_utf8_lossy(&script))?;
    Ok(super::exit::PASS)
}

//! Asking a program for its version, without trusting it to answer.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const ANSWER_DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: u64 = 4096;

/// The version in the first line of what `program --version` prints.
pub(super) fn of(program: &Path) -> Result<String, String> {
    let shown = program.display();
    let answer = first_line(program).map_err(|problem| format!("{shown} --version {problem}"))?;
    number_in(&answer).ok_or_else(|| format!("{shown} --version says no version"))
}

/// The first number of a version: 17 in `17.0.15`.
pub(super) fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

fn first_line(program: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("cannot be run: {error}"))?;
    let (reply, answer) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = output.take(ANSWER_BYTES_MAX).read_to_end(&mut text);
            let _ = reply.send(text);
        });
    }
    let text = answer.recv_timeout(ANSWER_DEADLINE);
    let _ = child.kill();
    let _ = child.wait();
    let text = text.map_err(|_| format!("did not answer within {} s", ANSWER_DEADLINE.as_secs()))?;
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned())
}

/// The first word that starts with a digit, or follows `v=`, up to what cannot belong to a version.
fn number_in(line: &str) -> Option<String> {
    let word = line
        .split_whitespace()
        .map(|word| word.trim_start_matches("v="))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(word.chars().take_while(|c| c.is_ascii_alphanumeric() || ".+-_".contains(*c)).take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        let said = [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "15.18"),
            ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", "7.0.15"),
            ("openjdk 17.0.15 2025-04-15", "17.0.15"),
            ("Docker version 24.0.7, build afdd53b", "24.0.7"),
        ];
        for (line, version) in said {
            assert_eq!(number_in(line).as_deref(), Some(version), "{line}");
        }
        assert_eq!(number_in("hello"), None);
        assert_eq!(major("17.0.15"), Some(17));
    }
}

//! Whether a process group has stopped, as the kernel tells.
//!
//! SIGSTOP takes effect thread by thread, a moment after it was sent. Evidence of a pause rests on the states in `/proc`.

use std::fs;
use std::path::{Path, PathBuf};

/// Whether every living thread of every process in the group has stopped.
pub(super) fn is_frozen(group: u32) -> bool {
    let states: Vec<char> = members(group).iter().flat_map(|member| threads(member)).collect();
    // T: stopped; t: stopped by a tracer; D: in the kernel, and stopped once it comes back; Z and X: dead.
    states.iter().all(|state| "TtDZX".contains(*state)) && states.iter().any(|state| "TtD".contains(*state))
}

/// The folders in `/proc` of the processes of a group.
fn members(group: u32) -> Vec<PathBuf> {
    let processes = numbered(Path::new("/proc"));
    processes.filter(|process| stat(process).is_some_and(|(_, of)| of == group)).collect()
}

/// The states of a process's threads.
fn threads(process: &Path) -> Vec<char> {
    numbered(&process.join("task")).filter_map(|thread| stat(&thread)).map(|(state, _)| state).collect()
}

fn numbered(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// State and process group; `None` when it is gone. See proc_pid_stat(5).
fn stat(folder: &Path) -> Option<(char, u32)> {
    let text = fs::read_to_string(folder.join("stat")).ok()?;
    // The name before them is in parentheses, and may have some in it.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let _parent = fields.next()?;
    Some((state, fields.next()?.parse().ok()?))
}

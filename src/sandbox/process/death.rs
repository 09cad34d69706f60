//! What happens between fork and exec. The only unsafe code of the sandbox.
#![expect(unsafe_code, reason = "the standard library has no safe way to set the parent-death signal")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid, setsid};

/// Gives the child a session of its own, so that no Ctrl-C of the terminal reaches it, and has the kernel kill it
/// when the *thread* that started it ends: start it from a thread that lives as long as it may.
pub(super) fn own_session_until_parent_dies(command: &mut Command) {
    let harness = getpid();
    let prepare = move || {
        setsid()?;
        // The standard library has changed the user before this runs, and a change of user would clear the setting.
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The harness may have died just before: then nobody would ever send the signal.
        if getppid() == harness { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
    };
    // SAFETY: the closure runs in the forked child, where only async-signal-safe calls are allowed. It makes four plain
    // system calls (setsid, prctl, getppid) and allocates nothing; the errors it builds hold only a number.
    unsafe { command.pre_exec(prepare) };
}

/// Gives the child a session of its own and lets it outlive the harness.
pub(super) fn own_session(command: &mut Command) {
    // SAFETY: as above; setsid is one async-signal-safe system call.
    unsafe { command.pre_exec(|| Ok(setsid().map(drop)?)) };
}

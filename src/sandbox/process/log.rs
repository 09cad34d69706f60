//! The output of a process, in a file of limited size.
//!
//! A target that writes without end must not fill the disk, and the newest lines are the ones that explain a failure.
//! So the file is put aside when it is full, and the one put aside before is forgotten.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use super::THREAD_STACK_BYTES;

/// The size at which a file is put aside.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The most that a tail looks at.
const TAIL_BYTES_MAX: u64 = 64 * 1024;
/// The most that a tail shows of one line.
const LINE_CHARS_MAX: usize = 400;

pub(in crate::sandbox) struct BoundedLog {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl BoundedLog {
    pub(in crate::sandbox) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes })
    }

    /// Copies in a thread of its own until the writing end is closed by all who hold it; the receiver is closed then.
    pub(super) fn copy_from(mut self, mut output: PipeReader) -> io::Result<Receiver<()>> {
        let (done, copied) = mpsc::channel();
        let copy = move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                match output.read(&mut buffer) {
                    Ok(0) => break,
                    // A full disk must not stop the process that writes: what cannot be kept is dropped.
                    Ok(length) => drop(self.append(&buffer[..length])),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            drop(done);
        };
        thread::Builder::new().name("output".to_owned()).stack_size(THREAD_STACK_BYTES).spawn(copy)?;
        Ok(copied)
    }

    pub(in crate::sandbox) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.bytes >= LOG_BYTES_MAX {
            let mut old = self.path.clone().into_os_string();
            old.push(".old");
            std::fs::rename(&self.path, old)?;
            *self = Self::open(&self.path)?;
        }
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

/// The last `lines` lines of the file, overlong ones cut, control characters replaced: a terminal must not obey a target.
pub(in crate::sandbox) fn tail(path: &Path, lines: usize) -> String {
    let text = last_bytes(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let text: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    let all: Vec<&str> = text.lines().collect();
    let cut = |line: &&str| match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => (*line).to_owned(),
    };
    all[all.len().saturating_sub(lines)..].iter().map(cut).collect::<Vec<_>>().join("\n")
}

fn last_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_gives_the_last_lines_without_control_characters() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "one\ntwo\n\x1b[31mthree\n").unwrap();
        assert_eq!(tail(&path, 2), "two\n\u{fffd}[31mthree");
        assert_eq!(tail(&directory.path().join("missing"), 2), "");
        std::fs::write(&path, "é".repeat(5_000)).unwrap();
        assert_eq!(tail(&path, 2).chars().count(), LINE_CHARS_MAX + 1);
    }

    #[test]
    fn a_full_file_is_put_aside_and_the_newest_output_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut log = BoundedLog::open(&path).unwrap();
        let block = vec![b'x'; 1024 * 1024];
        for _ in 0..20 {
            log.append(&block).unwrap();
        }
        log.append(b"\nlast\n").unwrap();
        assert_eq!(tail(&path, 1), "last");
        let bytes: u64 =
            std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= 2 * LOG_BYTES_MAX + 6, "{bytes} bytes kept");
    }
}

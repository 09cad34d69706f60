//! Which programs the library cannot be loaded into, said before they are started.
//!
//! Format: the ELF specification, System V ABI, chapters 4 and 5.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// How much of a program's header table is read.
const HEADERS_MAX: u64 = 64 * 1024;

/// The longest name of a dynamic linker.
const LINKER_MAX: u64 = 256;

const TYPE_INTERPRETER: u32 = 3;

/// Why the library cannot be loaded into a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unloadable {
    /// It asks no dynamic linker for anything.
    #[error("it is statically linked, as Go programs often are, so its clock cannot be changed; link it dynamically")]
    Static,
    /// It goes with another C library.
    #[error("it is linked against musl, and the library that changes clocks is made for glibc; link it against glibc")]
    Musl,
    /// It is made for another kind of machine.
    #[error("it is made for another kind of processor than fireassay, so its clock cannot be changed")]
    OtherMachine,
}

/// Refuses a program into which the library certainly cannot be loaded. Nothing is said of scripts and of what cannot be
/// read: there the process itself has to prove what clock it goes by.
///
/// # Errors
/// When it cannot be loaded.
pub fn loadable(program: &Path) -> Result<(), Unloadable> {
    let (Some(theirs), Some(ours)) = (read(program), read(Path::new("/proc/self/exe"))) else { return Ok(()) };
    if (theirs.class, theirs.order, theirs.machine) != (ours.class, ours.order, ours.machine) {
        return Err(Unloadable::OtherMachine);
    }
    match theirs.linker {
        None => Err(Unloadable::Static),
        Some(linker) if linker.contains("ld-musl") => Err(Unloadable::Musl),
        Some(_) => Ok(()),
    }
}

struct Program {
    class: u8,
    order: u8,
    machine: u16,
    /// The dynamic linker that it asks for.
    linker: Option<String>,
}

/// Reads the headers of an ELF file of 64 bits; of one of 32 bits only what kind it is. `None`: it is no ELF file.
fn read(path: &Path) -> Option<Program> {
    let mut file = File::open(path).ok()?;
    let mut header = [0_u8; 64];
    file.read_exact(&mut header).ok()?;
    let [class, order] = [header[4], header[5]];
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    let is_little = order == 1;
    let number = |bytes: &[u8]| -> u64 {
        let push = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if is_little { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) }
    };
    let machine = u16::try_from(number(&header[18..20])).ok()?;
    if class != 2 {
        return Some(Program { class, order, machine, linker: None });
    }
    let (table, size, count) = (number(&header[32..40]), number(&header[54..56]), number(&header[56..58]));
    if size < 56 || size * count > HEADERS_MAX {
        return None;
    }
    let mut headers = vec![0; usize::try_from(size * count).ok()?];
    file.seek(SeekFrom::Start(table)).ok()?;
    file.read_exact(&mut headers).ok()?;
    let mut segments = headers.chunks_exact(usize::try_from(size).ok()?);
    let linker = segments.find(|segment| number(&segment[0..4]) == u64::from(TYPE_INTERPRETER));
    let linker = match linker {
        None => None,
        Some(segment) => {
            file.seek(SeekFrom::Start(number(&segment[8..16]))).ok()?;
            let mut name = Vec::new();
            file.take(number(&segment[32..40]).min(LINKER_MAX)).read_to_end(&mut name).ok()?;
            Some(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
        }
    };
    Some(Program { class, order, machine, linker })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The headers of a program for a machine like this one, with one segment of this type and this dynamic linker.
    fn program(change: impl Fn(&mut Vec<u8>)) -> Result<(), Unloadable> {
        let mut bytes = std::fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        bytes[32..40].copy_from_slice(&64_u64.to_ne_bytes());
        bytes[54..58].copy_from_slice(&[56_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat());
        let name = b"/lib/ld-musl-x86_64.so.1\0";
        let mut segment = vec![0_u8; 56];
        segment[0..4].copy_from_slice(&TYPE_INTERPRETER.to_ne_bytes());
        segment[8..16].copy_from_slice(&120_u64.to_ne_bytes());
        segment[32..40].copy_from_slice(&(name.len() as u64).to_ne_bytes());
        bytes.extend(segment);
        bytes.extend(name);
        change(&mut bytes);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, bytes).unwrap();
        loadable(&path)
    }

    #[test]
    fn programs_of_this_machine_that_are_linked_dynamically_will_do() {
        assert_eq!(loadable(Path::new("/proc/self/exe")), Ok(()));
        assert_eq!(loadable(Path::new("/bin/sh")), Ok(()));
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        assert_eq!(program(|_| {}), Err(Unloadable::Musl));
        assert_eq!(program(|bytes| bytes[64] = 1), Err(Unloadable::Static));
        assert_eq!(program(|bytes| bytes[18] ^= 1), Err(Unloadable::OtherMachine));
        assert_eq!(program(|bytes| bytes[4] = 1), Err(Unloadable::OtherMachine));
    }

    #[test]
    fn of_what_cannot_be_read_nothing_is_said() {
        assert_eq!(program(|bytes| bytes.truncate(70)), Ok(()));
        assert_eq!(program(|bytes| bytes[54..58].fill(0xff)), Ok(()));
        assert_eq!(program(|bytes| bytes[0] = b'#'), Ok(()));
        assert_eq!(loadable(Path::new("/nowhere")), Ok(()));
    }
}

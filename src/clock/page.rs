//! The file that the harness shares with the processes of one instance; `shim/page.h` has the same layout and says how
//! the two sides agree.
#![expect(unsafe_code, reason = "memory that other processes write to can only be looked at through a pointer")]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

use memmap2::MmapRaw;

use super::setting::Setting;

const MAGIC: u64 = 0x6669_7265_6173_7361;
const LAYOUT: u64 = 1;
const HALF_BYTES: usize = 65_536;
const WITNESSES_MAX: usize = 256;

/// How often a place that is being written to is looked at again. Whoever writes takes nanoseconds, unless it has been
/// stopped half way; then there is nothing to be had from it.
const LOOKS_MAX: u32 = 100;

#[repr(C)]
struct ControlHalf {
    magic: AtomicU64,
    layout: AtomicU64,
    generation: AtomicU64,
    settings: [SettingCells; 2],
}

#[repr(C)]
struct SettingCells {
    base_ns: AtomicI64,
    offset_ns: AtomicI64,
    rate_q32: AtomicI64,
}

#[repr(C)]
struct Witness {
    pid: AtomicU32,
    sequence: AtomicU32,
    generation: AtomicU64,
    beats: AtomicU64,
    real_ns: AtomicI64,
    told_ns: AtomicI64,
    spare: [u64; 3],
}

const _: () = assert!(size_of::<ControlHalf>() == 72 && size_of::<Witness>() == 64);

/// What a process has read. It wrote this itself: numbers to be compared, and no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Which process.
    pub pid: u32,
    /// The latest generation of the page that it has read; 0 before the first.
    pub generation: u64,
    /// In how many milliseconds it has read this generation.
    pub beats: u64,
    /// What the machine's clock showed at the latest of them, in nanoseconds since 1970.
    pub real_ns: i64,
    /// What the process was told instead.
    pub told_ns: i64,
}

impl Reading {
    /// How far the process was told a later time than it was.
    #[must_use]
    pub fn error_ns(&self) -> i64 {
        self.told_ns.wrapping_sub(self.real_ns)
    }
}

/// The page, mapped.
#[derive(Debug)]
pub(super) struct Page {
    memory: MmapRaw,
}

impl Page {
    /// Makes the file and maps it.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let file: File = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        file.set_len(2 * HALF_BYTES as u64)?;
        let page = Self { memory: MmapRaw::map_raw(&file)? };
        page.control().layout.store(LAYOUT, Ordering::Relaxed);
        page.control().magic.store(MAGIC, Ordering::Release);
        Ok(page)
    }

    /// Puts a setting in force and gives its generation. Only one thread may do so at a time.
    pub(super) fn set(&self, setting: Setting) -> u64 {
        let control = self.control();
        let generation = control.generation.load(Ordering::Relaxed) + 1;
        // Nobody goes by these cells now; a reader that still does finds that the generation has risen, and looks again.
        let cells = &control.settings[usize::from(generation % 2 == 1)];
        cells.base_ns.store(setting.base_ns, Ordering::Relaxed);
        cells.offset_ns.store(setting.offset_ns, Ordering::Relaxed);
        cells.rate_q32.store(setting.rate_q32, Ordering::Relaxed);
        control.generation.store(generation, Ordering::Release);
        // Before the next change may touch the cells that were in force until now.
        fence(Ordering::SeqCst);
        generation
    }

    /// What each process that has loaded the library has read.
    pub(super) fn readings(&self) -> Vec<Reading> {
        self.witnesses().iter().filter_map(read).collect()
    }

    fn control(&self) -> &ControlHalf {
        // SAFETY: the mapping lives as long as `self`, is aligned to a page and `HALF_BYTES` long on this side, every
        // field is an atomic integer, for which any bytes are a value, and all access by anybody is atomic.
        unsafe { &*self.memory.as_ptr().cast::<ControlHalf>() }
    }

    fn witnesses(&self) -> &[Witness; WITNESSES_MAX] {
        // SAFETY: as above, on the other side of the middle; `spare` is touched by nobody.
        unsafe { &*self.memory.as_ptr().add(HALF_BYTES).cast::<[Witness; WITNESSES_MAX]>() }
    }
}

fn read(witness: &Witness) -> Option<Reading> {
    (0..LOOKS_MAX).find_map(|_| {
        let before = witness.sequence.load(Ordering::Acquire);
        let reading = Reading {
            pid: witness.pid.load(Ordering::Relaxed),
            generation: witness.generation.load(Ordering::Relaxed),
            beats: witness.beats.load(Ordering::Relaxed),
            real_ns: witness.real_ns.load(Ordering::Relaxed),
            told_ns: witness.told_ns.load(Ordering::Relaxed),
        };
        fence(Ordering::Acquire);
        let is_whole = before.is_multiple_of(2) && witness.sequence.load(Ordering::Relaxed) == before;
        (is_whole && reading.pid != 0).then_some(reading)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> (tempfile::TempDir, Page) {
        let folder = tempfile::tempdir().unwrap();
        let page = Page::create(&folder.path().join("page")).unwrap();
        (folder, page)
    }

    #[test]
    fn generations_rise_and_nobody_has_read_any() {
        let (_folder, page) = page();
        assert_eq!([page.set(Setting::RIGHT), page.set(Setting::RIGHT)], [1, 2]);
        assert_eq!(page.readings(), []);
    }

    #[test]
    fn the_setting_in_force_is_never_written_to() {
        let (_folder, page) = page();
        for number in 1..10 {
            let generation = page.set(Setting { base_ns: number, offset_ns: number, rate_q32: number });
            let cells = &page.control().settings[usize::from(generation % 2 == 1)];
            assert_eq!(cells.offset_ns.load(Ordering::Relaxed), number);
            let before = &page.control().settings[usize::from(generation % 2 == 0)];
            assert_eq!(before.offset_ns.load(Ordering::Relaxed), number - 1);
        }
    }

    #[test]
    fn what_is_half_written_is_not_read() {
        let (_folder, page) = page();
        let witness = &page.witnesses()[3];
        witness.pid.store(77, Ordering::Relaxed);
        witness.sequence.store(1, Ordering::Relaxed);
        assert_eq!(page.readings(), []);
        witness.sequence.store(2, Ordering::Relaxed);
        assert_eq!(page.readings().len(), 1);
    }

    #[test]
    fn a_page_is_not_made_over_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page");
        Page::create(&path).unwrap();
        assert!(Page::create(&path).is_err());
    }
}

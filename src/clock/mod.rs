//! Making the wall clock of one instance wrong while it runs, and seeing from inside that it is.
//!
//! A small library of our own (`shim`, in C) is loaded into the processes of the instance and answers for the C library
//! whenever they ask what time it is. It goes by a page in memory that the harness changes. Only the wall clock is touched:
//! what measures lengths of time stays right, and waits until a time of day keep the length that was meant.
//!
//! **Invariant:** nobody is believed. Each process writes into the page what it was told and when; a change has made a
//! difference when that agrees with what the harness wanted, for the very generation of the page that the change made.

mod elf;
mod library;
mod page;
mod setting;

pub use elf::{Unloadable, loadable};
pub use library::{Library, LibraryError};
pub use page::Reading;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime::format_duration;

use crate::fault::ClockChange;
use page::Page;
use setting::Setting;

/// The variable that tells the library where its page is.
const PAGE_VARIABLE: &str = "FIREASSAY_CLOCK";

/// The variable that has the dynamic linker load the library.
const PRELOAD_VARIABLE: &str = "LD_PRELOAD";

/// How wrong a clock that drifts or stands still has to be for it to count.
const NOTICEABLE: Duration = Duration::from_millis(1);

/// The wall clock of one instance, through all its starts. It is right at first.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
    page: Page,
    now: Mutex<Now>,
}

/// What the page has.
#[derive(Clone, Copy, Debug)]
struct Now {
    generation: u64,
    setting: Setting,
}

impl Clock {
    /// Makes the clock's page in a new file. Each start of the instance reads the same page, and what another process
    /// wrote there counts for nothing any more.
    ///
    /// # Errors
    /// When the file cannot be made or mapped.
    pub fn create(library: &Library, file: &Path) -> io::Result<Self> {
        let page = Page::create(file)?;
        let now = Now { generation: page.set(Setting::RIGHT), setting: Setting::RIGHT };
        Ok(Self { library: library.path().to_owned(), file: file.to_owned(), page, now: Mutex::new(now) })
    }

    /// Adds to an environment what loads the library. A library that the target itself preloads stays, and comes first.
    pub fn add_to(&self, env: &mut Vec<(String, String)>) {
        let ours = self.library.display().to_string();
        let theirs = env.iter().rposition(|(name, value)| name == PRELOAD_VARIABLE && !value.is_empty());
        match theirs.map(|place| &mut env[place].1) {
            Some(value) => *value = format!("{value}:{ours}"),
            None => env.push((PRELOAD_VARIABLE.to_owned(), ours)),
        }
        env.push((PAGE_VARIABLE.to_owned(), self.file.display().to_string()));
    }

    /// Changes what the clock shows, for every process of the instance at once. `None`: it is as it was, because it was
    /// right and was to be put right.
    pub fn change(self: &Arc<Self>, change: ClockChange) -> Option<Skew> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let at_ns = wall_now_ns();
        let setting = match change {
            ClockChange::Step(shift) => now.setting.stepped(at_ns, shift.nanoseconds()),
            ClockChange::Drift(rate) => now.setting.paced(at_ns, rate.get()),
            ClockChange::Freeze => now.setting.paced(at_ns, 0.0),
            ClockChange::Back if now.setting == Setting::RIGHT => return None,
            ClockChange::Back => Setting::RIGHT,
        };
        let before_ns = now.setting.error_ns(at_ns);
        *now = Now { generation: self.page.set(setting), setting };
        Some(Skew { clock: Arc::clone(self), generation: now.generation, setting, change, before_ns })
    }

    /// What the processes of the instance have read, those that have read nothing yet among them.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading> {
        self.page.readings()
    }

    fn put_right(&self, generation: u64) -> bool {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ours = now.generation == generation;
        if is_ours {
            *now = Now { generation: self.page.set(Setting::RIGHT), setting: Setting::RIGHT };
        }
        is_ours
    }
}

/// A change of a clock that is in force until another one takes over.
#[derive(Debug)]
pub struct Skew {
    clock: Arc<Clock>,
    generation: u64,
    setting: Setting,
    change: ClockChange,
    /// How wrong the clock was until then.
    before_ns: i64,
}

impl Skew {
    /// The proof that a process of the instance goes by the changed clock, with figures; `None` while there is none.
    #[must_use]
    pub fn bite(&self) -> Option<String> {
        let readings = self.clock.readings();
        let ours = readings.into_iter().filter(|reading| reading.generation == self.generation);
        let told = |reading: &Reading| self.setting.error_ns(reading.real_ns) == reading.error_ns();
        let reading =
            ours.filter(|reading| told(reading) && self.shows(reading)).max_by_key(|reading| reading.beats)?;
        Some(format!(
            "process {} ({}) asked what time it is and was told one that is {}",
            reading.pid,
            program(reading.pid),
            Wrong(reading.error_ns()),
        ))
    }

    /// Why there is no proof.
    #[must_use]
    pub fn why_not(&self) -> String {
        let readings = self.clock.readings();
        match (readings.is_empty(), readings.iter().any(|reading| reading.generation > 0)) {
            (true, _) => "no process of the instance has loaded the library that changes its clock".to_owned(),
            (_, false) => "no process of the instance has ever asked the C library what time it is".to_owned(),
            (_, true) => "no process of the instance asked what time it is while the clock was like that".to_owned(),
        }
    }

    /// Whether no later change has the clock yet.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.clock.now.lock().unwrap_or_else(PoisonError::into_inner).generation == self.generation
    }

    /// Puts the clock right. Says what was done; nothing when a later change has the clock by now.
    #[must_use]
    pub fn heal(&self) -> String {
        let is_wrong = self.setting != Setting::RIGHT;
        if is_wrong && self.clock.put_right(self.generation) {
            "the clock is right again".into()
        } else {
            String::new()
        }
    }

    /// Whether the reading differs from what it would have been before the change.
    fn shows(&self, reading: &Reading) -> bool {
        let difference = reading.error_ns().abs_diff(self.before_ns);
        match self.change {
            ClockChange::Step(_) | ClockChange::Back => difference > 0,
            ClockChange::Drift(_) | ClockChange::Freeze => u128::from(difference) >= NOTICEABLE.as_nanos(),
        }
    }
}

/// How wrong a clock is, in words.
struct Wrong(i64);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.unsigned_abs() / 1_000;
        let by = format_duration(Duration::from_micros(micros));
        match self.0 {
            0 => f.write_str("right"),
            ..0 => write!(f, "{by} behind"),
            _ => write!(f, "{by} ahead"),
        }
    }
}

/// The name of a process's program, or what is left of it.
fn program(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map_or_else(|_| "gone".to_owned(), |name| name.trim().to_owned())
}

/// The machine's own wall clock.
fn wall_now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

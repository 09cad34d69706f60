//! An allocator that counts, to state memory by measurement.
#![allow(unreachable_pub, reason = "each bench compiles it for itself")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes in use.
pub static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The most bytes that were in use at a time.
pub static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, with counters.
pub struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator; only sizes are counted besides.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

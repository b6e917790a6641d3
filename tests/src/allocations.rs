//! A global allocator that counts what each thread allocates.
//!
//! Must never allocate itself, nor change what the system's allocator does. The one file of this crate with `unsafe` in it.
//!
//! ```
//! use durability_testkit::allocations::{CountingAllocator, allocations};
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator;
//!
//! let (text, cost) = allocations(|| String::from("on the heap"));
//! assert_eq!((cost.calls, cost.bytes_peak), (1, text.len()));
//! assert_eq!(allocations(|| 1 + 1).1.calls, 0);
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counted by thread. Tests may run beside each other.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

/// What some work allocated, in its own thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allocations {
    /// Calls for memory, or for more of it.
    pub calls: u64,
    /// The most bytes held at a time, beyond those before.
    pub bytes_peak: usize,
}

/// Does some work and tells what it allocated. All zeros unless [`CountingAllocator`] is the global allocator.
pub fn allocations<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
    let (calls, held) = (CALLS.get(), HELD.get());
    PEAK.set(held);
    let result = work();
    let bytes_peak = PEAK.get().saturating_sub(held);
    (result, Allocations { calls: CALLS.get().wrapping_sub(calls), bytes_peak })
}

fn grown(bytes: usize) {
    // Not counted where there is no telling any more: in a thread that is ending.
    let _ = CALLS.try_with(|calls| calls.set(calls.get().wrapping_add(1)));
    let _ = HELD.try_with(|held| {
        held.set(held.get().saturating_add(bytes));
        PEAK.try_with(|peak| peak.set(peak.get().max(held.get())))
    });
}

fn shrunk(bytes: usize) {
    // A thread may free what another one allocated.
    let _ = HELD.try_with(|held| held.set(held.get().saturating_sub(bytes)));
}

// SAFETY: every call goes to the system's allocator with the arguments it came with. The counters are plain cells without a
// destructor, so touching them neither allocates nor enters this code again.
#[expect(unsafe_code, reason = "an allocator cannot be had without")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrunk(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        shrunk(layout.size());
        grown(bytes);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

//! The heap, counted. The core takes its buffers from it when a log is opened.
//!
//! Must never give out what it has not.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::addr_of_mut;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded_alloc::LlffHeap;

const BYTES: usize = 8 * 1024;
static mut MEMORY: [u64; BYTES / 8] = [0; BYTES / 8];

struct Counted(LlffHeap);

#[global_allocator]
static HEAP: Counted = Counted(LlffHeap::empty());
static HELD: AtomicU32 = AtomicU32::new(0);
static MOST: AtomicU32 = AtomicU32::new(0);
static ALLOCATIONS: AtomicU32 = AtomicU32::new(0);

/// Makes the heap ready. Once, before anything allocates.
pub fn start() {
    // SAFETY: called once, and nothing else refers to the memory.
    unsafe { HEAP.0.init(addr_of_mut!(MEMORY) as usize, BYTES) }
}

// SAFETY: every call is the heap's own, with the caller's arguments. There is one thread: the counters need no more than they do.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = held() + u32::try_from(layout.size()).unwrap_or(u32::MAX);
        HELD.store(held, Ordering::Relaxed);
        MOST.store(most().max(held), Ordering::Relaxed);
        ALLOCATIONS.store(allocations() + 1, Ordering::Relaxed);
        // SAFETY: the caller's contract is the heap's.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.store(held() - u32::try_from(layout.size()).unwrap_or(u32::MAX), Ordering::Relaxed);
        // SAFETY: the block came from this heap, with this layout.
        unsafe { self.0.dealloc(block, layout) }
    }
}

/// Bytes that are held.
pub fn held() -> u32 {
    HELD.load(Ordering::Relaxed)
}

/// The most bytes that ever were.
pub fn most() -> u32 {
    MOST.load(Ordering::Relaxed)
}

/// Allocations so far.
pub fn allocations() -> u32 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

//! A heap that only grows.
//!
//! Must never hand out a byte twice.
#![allow(unsafe_code, reason = "an allocator is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

const HEAP_BYTES: usize = 64 << 20;

/// A heap that only grows. The kernel hands out its pages when they are touched.
#[repr(C, align(4096))]
struct Heap {
    bytes: UnsafeCell<[u8; HEAP_BYTES]>,
    used: AtomicUsize,
}

// SAFETY: the bytes are only handed out, each to one caller, through the atomic counter.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap { bytes: UnsafeCell::new([0; HEAP_BYTES]), used: AtomicUsize::new(0) };

/// Bytes handed out so far, those given back included.
pub(crate) fn used() -> usize {
    HEAP.used.load(Ordering::Relaxed)
}

// SAFETY: every block lies within `bytes`, is aligned, and overlaps no other, as the counter only grows; the counter's
// update cannot panic.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.bytes.get().cast::<u8>();
        let place = |used: usize| {
            let start = base.addr().checked_add(used)?.checked_next_multiple_of(layout.align())?;
            let end = (start - base.addr()).checked_add(layout.size())?;
            (end <= HEAP_BYTES).then_some(end)
        };
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, place) {
            // SAFETY: `place` found that the block ends within `bytes`, so its start lies there too.
            Ok(used) => place(used)
                .map_or(core::ptr::null_mut(), |end| unsafe { base.add(end - layout.size()) }),
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

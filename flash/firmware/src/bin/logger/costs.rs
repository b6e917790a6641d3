//! What operations cost: instructions, stack, heap.

use durability_firmware::stack::{self, Painted};
use durability_firmware::{board, heap};
use semihosting::println;

/// One kind of operation.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Cost {
    times: u32,
    /// The most stack that it took.
    stack: u32,
    /// Instructions, without those of the flash driver.
    total: u64,
    least: u64,
    most: u64,
    /// Instructions of the driver, which copies words.
    driver: u64,
    allocations: u32,
    /// The most bytes that were on the heap afterwards.
    heap: u32,
}

impl Cost {
    const NONE: Self = Self {
        times: 0,
        stack: 0,
        total: 0,
        least: u64::MAX,
        most: 0,
        driver: 0,
        allocations: 0,
        heap: 0,
    };

    fn print(&self, what: &str) {
        if self.times == 0 {
            return;
        }
        let times = u64::from(self.times);
        println!(
            "| {what} | {} | {} | {} | {} | {} | {} | {:.2} | {} |",
            self.times,
            self.total / times,
            self.least,
            self.most,
            self.driver / times,
            self.stack,
            f64::from(self.allocations) / f64::from(self.times),
            self.heap,
        );
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Costs {
    /// An append and its sync, within a segment.
    pub(crate) append: Cost,
    /// The first append of a boot, and its sync.
    pub(crate) first: Cost,
    /// An append and its sync that began a segment.
    pub(crate) rotate: Cost,
    /// A batch.
    pub(crate) batch: Cost,
    pub(crate) mount: Cost,
    pub(crate) open: Cost,
    pub(crate) recover: Cost,
    pub(crate) publish: Cost,
    pub(crate) prepare: Cost,
    /// The most bytes that were ever on the heap.
    pub(crate) heap: u32,
}

impl Costs {
    pub(crate) const fn none() -> Self {
        Self {
            append: Cost::NONE,
            first: Cost::NONE,
            rotate: Cost::NONE,
            batch: Cost::NONE,
            mount: Cost::NONE,
            open: Cost::NONE,
            recover: Cost::NONE,
            publish: Cost::NONE,
            prepare: Cost::NONE,
            heap: 0,
        }
    }

    pub(crate) fn print(&self) {
        println!(
            "| operation | times | instructions | least | most | driver's, besides | peak stack | allocations | heap held after |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
        self.append.print("append and sync");
        self.first.print("first append of a boot, and sync");
        self.rotate.print("append and sync that begins a segment");
        self.batch.print("batch of 4 and sync");
        self.mount.print("mount of the flash directory");
        self.open.print("opening the log, repairs included");
        self.recover.print("recovery: checkpoint and replay");
        self.publish.print("publishing a checkpoint, pruning included");
        self.prepare.print("preparing a slot: two erases");
        println!();
        println!("Heap at its fullest: {} bytes.", self.heap);
    }
}

/// An operation that is being measured.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    stack: Painted,
    allocations: u32,
    driver: u64,
    start: u64,
}

impl Stopwatch {
    /// Begins, with the driver's instructions so far.
    pub(crate) fn start(driver: u64) -> Self {
        let (stack, allocations) = (stack::paint(), heap::allocations());
        Self { stack, allocations, driver, start: board::instructions() }
    }

    /// Ends, and books.
    pub(crate) fn stop(self, driver: u64, cost: &mut Cost) {
        let spent = board::instructions() - self.start;
        let driver = driver - self.driver;
        let own = spent.saturating_sub(driver);
        cost.times += 1;
        cost.total += own;
        cost.least = cost.least.min(own);
        cost.most = cost.most.max(own);
        cost.driver += driver;
        cost.stack = cost.stack.max(self.stack.used());
        cost.allocations += heap::allocations() - self.allocations;
        cost.heap = cost.heap.max(heap::held());
    }
}

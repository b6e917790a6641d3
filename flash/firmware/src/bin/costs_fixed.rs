//! What the log of raw records without a heap takes at run time: instructions, the stack of each operation, painted, and the memory of what stays.
//!
//! On a chip of its own, which never loses its power: a tail is torn by leaving a batch half written.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "the memory that survives a reset is asked for, once")]

use core::hint::black_box;
use core::panic::PanicInfo;

use durability_core::walog::{FixedWalReader, FixedWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
use durability_firmware::chip::{ChipError, Driver, OneChip};
use durability_firmware::stack::{self, Painted};
use durability_firmware::{board, kept};
use durability_flash::{FlashDirectory, FlashError, FlashOptions};
use semihosting::{println, process};

type Flash = FlashDirectory<Driver, 16>;
type Writer<'d, 'b> = FixedWalWriter<'b, &'d Flash>;
type Reader<'d, 'b> = FixedWalReader<'b, &'d Flash>;
type Failure = Error<FlashError<ChipError>>;

const BUFFER_BYTES: usize = 256;
/// More than this is a mistake.
const STACK_BYTES_MAX: u32 = 3072;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    board::start();
    // SAFETY: once after a reset.
    let OneChip(chip) = unsafe { kept::kept::<OneChip>() };
    chip.erase_all(1);
    match run(Driver(chip)) {
        Ok(()) => process::exit(0),
        Err(error) => println!("failed: {error}"),
    }
    process::exit(1)
}

/// What an operation took, at the most.
#[derive(Debug)]
struct Cost {
    what: &'static str,
    times: u32,
    stack: u32,
    instructions: u64,
}

/// An operation that is being measured.
struct Stopwatch {
    stack: Painted,
    start: u64,
}

impl Stopwatch {
    fn start() -> Self {
        Self { stack: stack::paint(), start: board::instructions() }
    }

    fn stop(self, cost: &mut Cost) {
        let spent = board::instructions() - self.start;
        cost.times += 1;
        cost.instructions = cost.instructions.max(spent);
        cost.stack = cost.stack.max(self.stack.used());
    }
}

impl Cost {
    const fn of(what: &'static str) -> Self {
        Self { what, times: 0, stack: 0, instructions: 0 }
    }
}

#[inline(never)]
fn mount(driver: Driver) -> Result<Flash, FlashError<ChipError>> {
    Flash::mount(driver, FlashOptions::new().name_bytes_max(24))
}

fn options() -> WalOptions {
    WalOptions::new().compact_frames(true)
}

#[inline(never)]
fn open<'d, 'b>(dir: &'d Flash, memory: &'b mut [u8]) -> Result<Writer<'d, 'b>, Failure> {
    FixedWalWriter::open(dir, options(), memory)
}

#[inline(never)]
fn append(wal: &mut Writer<'_, '_>, record: &[u8]) -> Result<(), Failure> {
    wal.append(record)?;
    let _durable = black_box(wal.flush_and_sync()?);
    Ok(())
}

#[inline(never)]
fn read<'d, 'b>(dir: &'d Flash, memory: &'b mut [u8]) -> Result<Reader<'d, 'b>, Failure> {
    FixedWalReader::open(dir, options(), ReadMode::Strict, memory)
}

#[inline(never)]
fn next(entries: &mut Reader<'_, '_>) -> Result<Option<EntryId>, Failure> {
    Ok(entries.next()?.map(|entry| entry.id))
}

fn run(driver: Driver) -> Result<(), Failure> {
    let mut costs = [
        Cost::of("mount of the flash directory"),
        Cost::of("opening: a log is begun"),
        Cost::of("append and sync"),
        Cost::of("append and sync that begins a segment"),
        Cost::of("opening: a torn tail is repaired"),
        Cost::of("opening after a close"),
        Cost::of("pruning to two segments"),
        Cost::of("close"),
        Cost::of("opening a reader"),
        Cost::of("reading an entry"),
    ];
    let [mounting, begin, within, rotate, repair, again, prune, close, opening, reading] =
        &mut costs;
    let watch = Stopwatch::start();
    let mounted = mount(driver);
    watch.stop(mounting);
    let Ok(dir) = mounted else { process::exit(2) };
    let mut memory = [0; BUFFER_BYTES];

    let watch = Stopwatch::start();
    let opened = open(&dir, &mut memory);
    watch.stop(begin);
    let mut wal = opened?;
    for number in 0..150_u8 {
        let segments = wal.segments();
        let watch = Stopwatch::start();
        let appended = append(&mut wal, &[number; 32]);
        let mut other = Cost::of("");
        watch.stop(&mut other);
        let cost = if wal.segments() > segments { &mut *rotate } else { &mut *within };
        cost.times += 1;
        cost.stack = cost.stack.max(other.stack);
        cost.instructions = cost.instructions.max(other.instructions);
        appended?;
    }
    // Longer than the memory, so that part of it is programmed; and nobody writes the rest.
    let long = [7_u8; 100];
    let _ids = wal.append_batch(&[&long, &long, &long, &long])?;
    core::mem::forget(wal);

    let watch = Stopwatch::start();
    let opened = open(&dir, &mut memory);
    watch.stop(repair);
    let mut wal = opened?;
    if wal.torn_bytes() == 0 || wal.last_entry_id() != EntryId::new(150) {
        process::exit(3)
    }
    let watch = Stopwatch::start();
    let pruned = wal.truncate_to_segments(2);
    watch.stop(prune);
    pruned?;
    append(&mut wal, &[1; 32])?;
    let watch = Stopwatch::start();
    let closed = wal.close();
    watch.stop(close);
    closed?;

    let watch = Stopwatch::start();
    let opened = open(&dir, &mut memory);
    watch.stop(again);
    let wal = opened?;
    let (first, last) = (wal.first_entry_id(), wal.last_entry_id());
    drop(wal);

    let watch = Stopwatch::start();
    let opened = read(&dir, &mut memory);
    watch.stop(opening);
    let mut entries = opened?;
    let mut shown = 0;
    loop {
        let watch = Stopwatch::start();
        let entry = next(&mut entries);
        watch.stop(reading);
        if entry?.is_none() {
            break;
        }
        shown += 1;
    }
    let expected = last.map_or(0, EntryId::get) + 1 - first.get();
    if shown != expected || entries.last_entry_id() != last {
        process::exit(4)
    }
    print(&costs);
    let deepest = costs.iter().map(|cost| cost.stack).max().unwrap_or(0);
    if deepest > STACK_BYTES_MAX {
        println!("failed: {deepest} bytes of stack");
        process::exit(5)
    }
    Ok(())
}

fn print(costs: &[Cost]) {
    println!();
    println!(
        "**{}**, without a heap, compact frames, a buffer of {BUFFER_BYTES} bytes.",
        board::NAME
    );
    println!();
    println!("| operation | times | instructions at the most, driver's included | peak stack |");
    println!("|---|--:|--:|--:|");
    for Cost { what, times, stack, instructions } in costs {
        println!("| {what} | {times} | {instructions} | {stack} |");
    }
    println!();
    println!(
        "Besides its buffer the writer takes {} bytes, a reader {}, and the directory of 16 slots {}.",
        size_of::<Writer<'_, '_>>(),
        size_of::<Reader<'_, '_>>(),
        size_of::<Flash>() - size_of::<Driver>()
    );
    println!();
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    process::exit(101)
}

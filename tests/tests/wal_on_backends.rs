//! The write-ahead log works on every backend of the kit, and on flash through a power cut inside any program or erase.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::result_large_err,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use durability_core::storage::{Directory, MemoryDirectory};
use durability_core::walog::{RawWalReader, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
use durability_flash::{FlashDirectory, FlashOptions};
use durability_testkit::backends::{FatDirectory, NorChip, Tearing};

fn options() -> WalOptions {
    // A few entries fill a segment, so that a short run rotates.
    WalOptions::new().segment_bytes(512).buffer_bytes(512).read_bytes(512)
}

/// The same with frames that are as small as they get.
fn compact() -> WalOptions {
    options().compact_frames(true)
}

fn payload(id: u64) -> Vec<u8> {
    let length = usize::try_from(id % 90).unwrap() + 1;
    (0..length).map(|at| u8::try_from((id + at as u64) % 251).unwrap()).collect()
}

/// Checks that what is replayed is what was appended, and returns the ids of the first and the last entry.
fn replay<D: Directory>(dir: &D) -> Result<(u64, u64), Error<D::Error>> {
    let mut reader = RawWalReader::open(dir, options())?;
    let first = reader.first_entry_id().get();
    let mut next = first;
    let mut entries = reader.entries(ReadMode::BestEffort)?;
    while let Some(entry) = entries.next()? {
        assert_eq!(entry.id.get(), next, "ids have no gap");
        assert_eq!(entry.payload, payload(next), "entry {next}");
        next += 1;
    }
    Ok((first, next - 1))
}

/// What became of a run: entries up to `durable` are on the medium, those up to `issued` may be.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    durable: u64,
    issued: u64,
    pruned_before: u64,
}

fn run<D: Directory>(dir: &D, options: WalOptions, seen: &mut Seen) -> Result<(), Error<D::Error>> {
    let mut wal = RawWalWriter::open(dir, options)?;
    let start = wal.last_entry_id().map_or(0, EntryId::get);
    for id in start + 1..=start + 16 {
        seen.issued = id;
        assert_eq!(wal.append(&payload(id))?.get(), id);
        if id % 3 == 0 {
            seen.durable = wal.flush_and_sync()?.through().map_or(0, EntryId::get);
            assert_eq!(seen.durable, id);
        }
        if id % 8 == 0 {
            seen.pruned_before = id - 3;
            wal.truncate_prefix(EntryId::new(id - 3).unwrap())?;
        }
    }
    wal.close()?;
    seen.durable = seen.issued;
    Ok(())
}

fn three_runs<D: Directory>(dir: &D, options: [WalOptions; 3]) {
    let mut seen = Seen::default();
    for options in options {
        run(dir, options, &mut seen).unwrap();
        let (first, last) = replay(dir).unwrap();
        assert_eq!(last, seen.issued);
        assert!(first <= seen.pruned_before.max(1));
    }
    assert_eq!(seen.issued, 48);
}

type Flash<const GRANULE: usize> = FlashDirectory<NorChip<1, GRANULE, 1024>, 40>;

fn mount<const GRANULE: usize>(chip: NorChip<1, GRANULE, 1024>) -> Flash<GRANULE> {
    FlashDirectory::mount(chip.powered(), FlashOptions::new()).unwrap()
}

fn nor<const GRANULE: usize>() -> Flash<GRANULE> {
    mount(NorChip::new(80))
}

#[test]
fn the_log_goes_on_over_three_runs_on_every_backend() {
    for compact in [[false; 3], [true; 3], [true, false, true]] {
        let all = || compact.map(|compact| options().compact_frames(compact));
        three_runs(&MemoryDirectory::new(), all());
        three_runs(&MemoryDirectory::arc(), all());
        three_runs(&FatDirectory::new().unwrap(), all());
        three_runs(&&nor::<1>(), all());
        three_runs(&&nor::<4>(), all());
        three_runs(&&nor::<16>(), all());
        three_runs(&&nor::<64>(), all());
    }
}

fn cut_everywhere<const GRANULE: usize>(options: fn() -> WalOptions, tearings: &[Tearing]) {
    let whole = nor::<GRANULE>();
    run(&&whole, options(), &mut Seen::default()).unwrap();
    let operations = whole.into_flash().operations();
    for tearing in tearings {
        for nth in 1..=operations {
            let dir = nor::<GRANULE>();
            dir.with_flash(|chip| chip.cut_power_at(nth, *tearing));
            let mut seen = Seen::default();
            assert!(run(&&dir, options(), &mut seen).is_err(), "the cut at {nth} was not reached");
            let after = mount(dir.into_flash());
            let case = format!("granule {GRANULE}, cut at {nth}, {tearing:?}, {seen:?}");
            let (first, last) = replay(&&after).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert!(last >= seen.durable, "{case}: entries end at {last}");
            assert!(last <= seen.issued, "{case}: entries end at {last}");
            assert!(first <= seen.pruned_before.max(1), "{case}: entries begin at {first}");
            let mut next = Seen::default();
            run(&&after, options(), &mut next).unwrap_or_else(|error| panic!("{case}: {error}"));
            assert!(next.issued > seen.durable, "{case}");
            replay(&&after).unwrap_or_else(|error| panic!("{case}: {error}"));
        }
    }
}

#[test]
fn a_power_cut_on_flash_loses_nothing_durable_and_never_locks_out() {
    cut_everywhere::<1>(options, &Tearing::ALL);
    cut_everywhere::<4>(options, &Tearing::ALL);
    cut_everywhere::<4>(compact, &Tearing::ALL);
    cut_everywhere::<8>(options, &Tearing::ALL);
}

/// A granule that holds a frame's padding may keep the padding alone: zeros behind 0xFF.
#[test]
fn torn_padding_on_flash_never_locks_out() {
    cut_everywhere::<16>(options, &Tearing::ALL);
    cut_everywhere::<16>(compact, &Tearing::ALL);
    cut_everywhere::<64>(options, &Tearing::ALL);
    cut_everywhere::<64>(compact, &Tearing::ALL);
    cut_everywhere::<256>(options, &Tearing::ALL);
}

#[test]
fn memory_of_an_odd_length_that_has_served_to_read_never_splits_a_granule() {
    let dir = nor::<4>();
    let options = || options().buffer_bytes(256).read_bytes(257);
    drop(RawWalWriter::open(&dir, options()).unwrap());
    let mut wal = RawWalWriter::open(&dir, options()).unwrap();
    for _ in 0..4 {
        wal.append(&[7; 100]).unwrap();
    }
    // What is cut off is looked for with the memory that is written with afterwards.
    let _durable = wal.flush_and_sync().unwrap();
    wal.truncate_suffix(EntryId::new(3).unwrap()).unwrap();
    for _ in 0..4 {
        wal.append(&[8; 300]).unwrap();
    }
    wal.close().unwrap();
}

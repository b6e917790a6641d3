//! Puts one log through one plan, and checks that it is a log.
//!
//! Must treat every log alike.

use crate::chip::{Chip, Meter, REGION_BYTES};
use crate::contender::{Failure, Log};
use crate::heap;

/// Records whose costs are counted.
pub(crate) const RECORDS: usize = 10_000;

/// What is appended, and how often it is made durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) record_bytes: usize,
    pub(crate) sync_every: usize,
}

impl Plan {
    pub(crate) const ALL: [Self; 4] = [
        Self { record_bytes: 32, sync_every: 1 },
        Self { record_bytes: 32, sync_every: 16 },
        Self { record_bytes: 256, sync_every: 1 },
        Self { record_bytes: 256, sync_every: 16 },
    ];

    /// Records until the region has been full, and the oldest data dropped: from there on is counted.
    const fn until_full(self) -> usize {
        let bytes = REGION_BYTES + REGION_BYTES / 4;
        (bytes / self.record_bytes).next_multiple_of(16)
    }
}

/// What a log took.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    /// Within appends and syncs.
    pub(crate) appending: Meter,
    /// While nothing was to be appended.
    pub(crate) idle: Meter,
    /// The longest that one append took, with the sync behind it where there was one.
    pub(crate) worst_typical_ns: u64,
    /// The same, with erases as slow as is allowed.
    pub(crate) worst_slow_ns: u64,
    /// Allocations within appends and syncs.
    pub(crate) allocations: usize,
    pub(crate) ram: usize,
    /// Opening a full region for appending.
    pub(crate) mount: Meter,
    /// Reading all of it after that.
    pub(crate) replay: Meter,
    /// Records that it held.
    pub(crate) kept: usize,
}

/// The record of a number: the number, and bytes that look random.
fn record(number: usize, into: &mut [u8]) {
    let mut state = number as u64;
    for piece in into.chunks_mut(8) {
        // SplitMix64, Steele, Lea and Flood 2014.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        piece.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..piece.len()]);
    }
    into[..4].copy_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

/// Runs a log.
pub(crate) fn measure<L: Log>(plan: Plan) -> Result<Figures, Failure> {
    let chip = Chip::new();
    let mut bytes = vec![0; plan.record_bytes];
    let before = heap::begin();
    let mut log = L::format(&chip, plan.record_bytes)?;
    let mut figures = Figures {
        name: L::NAME,
        appending: Meter::default(),
        idle: Meter::default(),
        worst_typical_ns: 0,
        worst_slow_ns: 0,
        allocations: 0,
        ram: 0,
        mount: Meter::default(),
        replay: Meter::default(),
        kept: 0,
    };
    log.idle()?;
    let full = plan.until_full();
    for number in 0..full + RECORDS {
        record(number, &mut bytes);
        if number < full {
            log.append(&bytes)?;
            if (number + 1).is_multiple_of(plan.sync_every) {
                log.sync()?;
            }
            log.idle()?;
            continue;
        }
        append(&mut log, &chip, plan, number, &bytes, &mut figures)?;
        let start = chip.meter();
        log.idle()?;
        figures.idle = figures.idle.plus(chip.meter().since(start));
    }
    figures.ram = log.ram() + heap::most_since(before);
    // As a power cut would: what is in memory is gone.
    drop(log);
    reopen::<L>(&chip, plan, &mut figures)?;
    Ok(figures)
}

fn append<L: Log>(
    log: &mut L,
    chip: &Chip,
    plan: Plan,
    number: usize,
    bytes: &[u8],
    figures: &mut Figures,
) -> Result<(), Failure> {
    let (start, allocated) = (chip.meter(), heap::allocations());
    log.append(bytes)?;
    if (number + 1).is_multiple_of(plan.sync_every) {
        log.sync()?;
    }
    let cost = chip.meter().since(start);
    figures.allocations += heap::allocations() - allocated;
    figures.appending = figures.appending.plus(cost);
    figures.worst_typical_ns = figures.worst_typical_ns.max(cost.typical_ns);
    figures.worst_slow_ns = figures.worst_slow_ns.max(cost.slow_ns);
    Ok(())
}

/// Mounts, reads, and checks that the newest records are there, in order and without a gap.
fn reopen<L: Log>(chip: &Chip, plan: Plan, figures: &mut Figures) -> Result<(), Failure> {
    let start = chip.meter();
    let mut log = L::mount(chip, plan.record_bytes)?;
    let mounted = chip.meter();
    let (mut expected, mut kept, mut wrong) = (None, 0_usize, 0_usize);
    let mut bytes = vec![0; plan.record_bytes];
    log.replay(&mut |found| {
        let number = found.first_chunk().map_or(0, |number| u32::from_le_bytes(*number)) as usize;
        record(number, &mut bytes);
        wrong += usize::from(found != bytes || expected.is_some_and(|expected| expected != number));
        expected = Some(number + 1);
        kept += 1;
    })?;
    figures.mount = mounted.since(start);
    figures.replay = chip.meter().since(mounted);
    figures.kept = kept;
    let end = plan.until_full() + RECORDS;
    if wrong > 0 || expected != Some(end) {
        let name = L::NAME;
        return Err(format!(
            "{name}: {wrong} records are wrong; it ends before {expected:?}, not {end}"
        )
        .into());
    }
    Ok(())
}

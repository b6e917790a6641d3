//! Verifies a log, many segments at a time.
//!
//! Must say what a replay would say: of several segments that are damaged, the first in the log, whichever was found first.

use core::num::NonZero;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::resume_unwind;
use std::thread;

use durability_core::storage::Directory;
use durability_core::walog::{RawWalReader, ReplayReport, WalOptions};
use durability_core::{Error, ReadMode};

/// A segment's place in the log, and what was found in it.
type Found<E> = (usize, Result<ReplayReport, Error<E>>);

/// Reads and verifies all of a log, with up to so many threads, the caller's own among them; reports what a replay would.
///
/// Changes nothing, and takes no lock. Beside a writer that prunes it may meet [`Error::Missing`], as a reader does.
///
/// **Limits.** Memory is that of a [`RawWalReader`] for each thread. Where no thread can be begun, fewer do.
///
/// ```
/// use std::thread::available_parallelism;
///
/// use durability::storage::FsDirectory;
/// use durability::walog::{RawWalWriter, WalOptions};
/// use durability::{ReadMode, verify};
/// # let scratch = tempfile::tempdir()?;
/// # let path = scratch.path().join("data");
/// let dir = FsDirectory::new(&path)?;
/// let mut wal = RawWalWriter::open(dir.clone(), WalOptions::new())?;
/// wal.append(b"record")?;
/// wal.close()?;
/// let report = verify(dir, WalOptions::new(), ReadMode::Strict, available_parallelism()?)?;
/// assert_eq!(report.entries, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`RawWalReader::open`], and as a replay of the whole log in this mode.
///
/// # Panics
/// Where the directory panics.
pub fn verify<D>(
    dir: D,
    options: WalOptions,
    mode: ReadMode,
    threads: NonZero<usize>,
) -> Result<ReplayReport, Error<D::Error>>
where
    D: Directory<Reader: Sync, Error: Send> + Sync,
{
    let reader = RawWalReader::open(dir, options)?;
    let numbers: Vec<u32> = reader.segment_numbers().collect();
    let next = AtomicUsize::new(0);
    let work = || verify_some(&reader, mode, &numbers, &next);
    let mut found = thread::scope(|scope| {
        let others = threads.get().min(numbers.len()).saturating_sub(1);
        let others: Vec<_> = (0..others)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut found = work();
        for other in others {
            found.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        found
    });
    found.sort_unstable_by_key(|&(index, _)| index);
    let mut whole = ReplayReport::default();
    for (_, segment) in found {
        let segment = segment?;
        whole.entries = whole.entries.saturating_add(segment.entries);
        whole.segments = whole.segments.saturating_add(segment.segments);
        (whole.last_id, whole.torn) = (segment.last_id, segment.torn);
    }
    Ok(whole)
}

/// Verifies one segment after the other that nobody else has taken, until one is damaged.
fn verify_some<D: Directory>(
    reader: &RawWalReader<D>,
    mode: ReadMode,
    numbers: &[u32],
    next: &AtomicUsize,
) -> Vec<Found<D::Error>> {
    let mut found = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(&number) = numbers.get(index) else { return found };
        let result = reader.verify_segment(mode, number);
        if result.is_err() {
            // Those in front of it are taken already; none behind it matters.
            next.store(numbers.len(), Ordering::Relaxed);
        }
        found.push((index, result));
    }
}

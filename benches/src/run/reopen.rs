//! W6: from opening a log until its first append is accepted, each time in a process of its own; and what opening and reading
//! cost as the log grows.
//!
//! The baseline reads one segment, full, that the process before has written: what must be read of a log whose process was killed.

use std::cell::RefCell;
use std::path::Path;

use super::child::{Errand, Operation};
use super::contender::{BATCH, Contender, Ending};
use super::finding::{Case, Part};
use super::rounds::{Limits, Side, rounds};
use super::sample::Sample;
use super::session::{BASE, Session, baseline, library};
use super::workloads::SEGMENT_BYTES;
use crate::{Failure, Framed, Kind, Scratch};

/// A process for each turn, and a log that grows in each: fewer rounds than elsewhere.
const ROUNDS_MAX: usize = 5;
/// Peers open logs up to this size: some take minutes to write a larger one.
const PEER_MIB_MAX: usize = 256;
/// Bytes of a record in the logs that grow.
const RECORD_BYTES: usize = 1 << 10;

/// A log to be opened.
#[derive(Clone, Copy)]
struct Kept {
    bytes: usize,
    /// Of payload and frames.
    total: usize,
    segment_bytes: u64,
}

impl Kept {
    /// Whole batches of them, if one fits: a batch that does not goes to the next segment, and the tails of both sides would drift apart.
    fn records_in_segment(self) -> usize {
        let fit = self.segment_bytes as usize / Framed::frame_bytes(self.bytes);
        if fit < BATCH { fit } else { fit / BATCH * BATCH }
    }

    /// Fills whole segments, and the last one but for a twentieth.
    fn count(self) -> usize {
        let segments = (self.total as u64 / self.segment_bytes).max(1) as usize;
        let each = self.records_in_segment();
        (segments - 1) * each + each * 19 / 20
    }

    fn errand(self, side: &str, operation: Operation, ending: Ending, folder: &Path) -> Errand {
        let count = match (operation, ending, side) {
            // The baseline's log is the one segment that is read.
            (Operation::Fill, _, "B1") => self.records_in_segment().saturating_sub(1),
            (Operation::Fill | Operation::Replay, ..) => self.count(),
            // As many as bring the next tail to where this one was.
            (Operation::Reopen, _, "B1") => self.records_in_segment().saturating_sub(2),
            (Operation::Reopen, Ending::Clean, _) => 0,
            (Operation::Reopen, Ending::Killed, _) => self.records_in_segment(),
        };
        Errand {
            side: side.to_owned(),
            operation,
            ending,
            bytes: self.bytes,
            count,
            segment_bytes: self.segment_bytes,
            folder: folder.to_path_buf(),
        }
    }
}

/// W6, for each size of records.
pub(super) fn reopen(session: &mut Session<'_>) -> Result<(), Failure> {
    let total = session.sizes.replay_bytes;
    let segment_bytes = segment_bytes(session);
    for (name, ending) in [("W6-clean", Ending::Clean), ("W6-killed", Ending::Killed)] {
        let part = Part::fast(name);
        for bytes in session.sizes.records.clone() {
            let kept = Kept { bytes, total, segment_bytes };
            compare(session, part, &Case::bytes(bytes), kept, Operation::Reopen, ending)?;
        }
        let how = if ending == Ending::Clean { "a clean close" } else { "a kill" };
        let title = format!("W6: reopen {} MiB after {how}, until the first append", total >> 20);
        session.table(part, &title, "record", "B1, one segment's read", "");
    }
    Ok(())
}

/// Open time, replay time and memory, against the size of the log.
pub(super) fn grow(session: &mut Session<'_>) -> Result<(), Failure> {
    let parts = [
        (
            "open-clean",
            Operation::Reopen,
            Ending::Clean,
            "Opening a log that grows, after a clean close",
        ),
        (
            "open-killed",
            Operation::Reopen,
            Ending::Killed,
            "Opening a log that grows, after a kill",
        ),
        (
            "open-replay",
            Operation::Replay,
            Ending::Clean,
            "Reading a log that grows, time for each record",
        ),
    ];
    let segment_bytes = segment_bytes(session);
    for (name, operation, ending, title) in parts {
        let part = Part::fast(name);
        for mib in session.options.open_mib.clone() {
            let kept = Kept { bytes: RECORD_BYTES, total: mib << 20, segment_bytes };
            compare(session, part, &Case::mib(mib), kept, operation, ending)?;
        }
        let base = if operation == Operation::Replay { "B1" } else { "B1, one segment's read" };
        session.table(part, title, "log", base, "");
    }
    Ok(())
}

fn segment_bytes(session: &Session<'_>) -> u64 {
    if session.options.smoke { 1 << 20 } else { SEGMENT_BYTES }
}

fn compare(
    session: &mut Session<'_>,
    part: Part,
    case: &Case,
    kept: Kept,
    operation: Operation,
    ending: Ending,
) -> Result<(), Failure> {
    let kind = if operation == Operation::Replay { Kind::Replay } else { Kind::Reopen };
    let (ours, base) = (library(), baseline(kind));
    let mut all: Vec<&dyn Contender> = vec![ours.as_ref(), base.as_ref()];
    let peers = session
        .peers
        .iter()
        .filter(|peer| peer.misfit(kind).is_none() && kept.total >> 20 <= PEER_MIB_MAX);
    all.extend(peers.map(AsRef::as_ref));
    let mut sides = Vec::new();
    for (index, contender) in all.iter().enumerate() {
        let scratch = Scratch::within(session.options.folder.as_deref())?;
        let folder = scratch.join("log");
        let name = contender.name();
        // A side's log is written when its first turn comes.
        let filled = RefCell::new(false);
        sides.push(Side {
            name: name.to_owned(),
            required: index <= BASE,
            turn: Box::new(move || -> Result<Sample, Failure> {
                let _kept = &scratch;
                if !filled.replace(true) {
                    let mut fill = kept.errand(name, Operation::Fill, ending, &folder);
                    if operation == Operation::Replay {
                        fill.count = kept.count();
                    }
                    fill.run()?;
                }
                kept.errand(name, operation, ending, &folder).run()
            }),
        });
    }
    let limits = session.options.limits();
    let limits = Limits { rounds: limits.rounds.min(ROUNDS_MAX), ..limits };
    let series = rounds(&mut sides, limits)?;
    drop(sides);
    session.found(part, case, &series);
    Ok(())
}

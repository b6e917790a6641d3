//! Checkpoints, written and synced, and read, beside a plain stream of the same bytes.

use super::finding::{Case, Part};
use super::rounds::{Side, rounds};
use super::sample::Sample;
use super::session::Session;
use crate::{Failure, Ours, Plain, Records, Scratch, Setup, Time, Workload};

/// Makes both tables.
pub(super) fn checkpoints(session: &mut Session<'_>) -> Result<(), Failure> {
    let ways = [
        ("checkpoint-write", Workload::WriteCheckpoint, "Checkpoint, written and synced"),
        ("checkpoint-read", Workload::ReadCheckpoint, "Checkpoint, read"),
    ];
    for (name, workload, title) in ways {
        let part = Part::fast(name);
        for bytes in session.sizes.records.clone() {
            compare(session, part, workload, bytes)?;
        }
        let title = format!("{title}: {} MiB", session.sizes.append_bytes >> 20);
        session.table(part, &title, "items", "a plain stream", "");
    }
    Ok(())
}

fn compare(
    session: &mut Session<'_>,
    part: Part,
    workload: Workload,
    bytes: usize,
) -> Result<(), Failure> {
    let records = Records::new(bytes);
    let count = records.count_for(session.sizes.append_bytes);
    let within = session.options.folder.clone();
    let kept = Scratch::within(within.as_deref())?;
    let kept_log = kept.join("log");
    let setup = Setup { folder: &kept_log, segment_bytes: 0, records: &records, count };
    workload.prepare(&setup)?;
    let turn = |ours: bool| -> Result<Sample, Failure> {
        let scratch = Scratch::within(within.as_deref())?;
        let fresh = scratch.join("log");
        let folder = if workload.reads() { &kept_log } else { &fresh };
        let setup = Setup { folder, ..setup };
        let time: Time =
            if ours { Ours.run(workload, &setup)? } else { Plain.run(workload, &setup)? };
        Ok(Sample::timed(time, count as u64))
    };
    let mut sides = [
        Side { name: "ours".into(), required: true, turn: Box::new(|| turn(true)) },
        Side { name: "plain stream".into(), required: true, turn: Box::new(|| turn(false)) },
    ];
    let series = rounds(&mut sides, session.options.limits())?;
    drop(sides);
    session.found(part, &Case::bytes(bytes), &series);
    Ok(())
}

//! W1 to W5: append, commit, commit together, batches, replay.

use std::fmt::Write as _;

use super::contender::{Contender, Ending};
use super::finding::{Case, Part};
use super::goals::{self, SCALE_SLOW};
use super::rounds::{Side, rounds};
use super::session::{BASE, Session, Shape, baseline, library};
use crate::{Failure, Kind, Plan, Records, Scratch};

/// Records in a batch.
const BATCH: usize = 100;
/// Bytes of a record that threads commit.
const SHARED_RECORD_BYTES: usize = 256;
/// The size of segments in a log that is replayed and reopened.
pub(super) const SEGMENT_BYTES: u64 = 64 << 20;

/// W1: within one segment, and across rotations.
pub(super) fn append(session: &mut Session<'_>) -> Result<(), Failure> {
    let bytes = session.sizes.append_bytes;
    // With room for the frames, long ones too.
    let one_segment = (2 * bytes + (1 << 20)) as u64;
    let ways = [
        ("W1", one_segment, "W1: append, no sync, one flush at the end; one segment"),
        ("W1-rotating", (bytes / 4) as u64, "W1: the same across rotations, four segments or more"),
    ];
    for (name, segment_bytes, title) in ways {
        let part = Part::fast(name);
        for bytes_each in session.sizes.records.clone() {
            let records = Records::new(bytes_each);
            let count = records.count_for(bytes);
            let shape = Shape { records: &records, count, segment_bytes, prepared: false };
            let work = |log: &dyn Contender, plan: &Plan<'_>| log.append(plan);
            session.compare(part, &Case::bytes(bytes_each), Kind::Append, &shape, &work)?;
        }
        session.table(part, title, "record", "B1", "");
    }
    Ok(())
}

/// W2, on both disks.
pub(super) fn commit(session: &mut Session<'_>) -> Result<(), Failure> {
    for part in [Part::fast("W2"), Part::slow("W2")] {
        let commits = commits(session, part);
        for bytes in session.sizes.records.clone() {
            let records = Records::new(bytes);
            let shape = Shape::commits(&records, commits + 1);
            let work = |log: &dyn Contender, plan: &Plan<'_>| log.commit(plan, 1);
            session.compare(part, &Case::bytes(bytes), Kind::Commit, &shape, &work)?;
        }
        let title = titled("W2: durable append, one thread", part);
        session.table(part, &title, "record", "B3", "");
    }
    Ok(())
}

/// W3, on both disks.
pub(super) fn share(session: &mut Session<'_>) -> Result<(), Failure> {
    let records = Records::new(SHARED_RECORD_BYTES);
    for part in [Part::fast("W3"), Part::slow("W3")] {
        for threads in session.sizes.threads.clone() {
            let all = if part.slow {
                threads * session.sizes.slow_commits
            } else {
                session.sizes.commits.next_multiple_of(threads)
            };
            let shape = Shape::commits(&records, all + 1);
            let work = |log: &dyn Contender, plan: &Plan<'_>| log.share(plan, threads);
            session.compare(part, &Case::threads(threads), Kind::Shared, &shape, &work)?;
        }
        let title = titled("W3: durable append, many threads, 256 B", part);
        let note = scaling(session, part);
        session.table(part, &title, "threads", "B7", &note);
    }
    Ok(())
}

/// How many times as many commits there are with all threads as with one.
fn scaling(session: &Session<'_>, part: Part) -> String {
    let mut note = String::from("Commits with the most threads as a multiple of those with one:");
    for side in ["ours", "B7"] {
        let mut of_side =
            session.findings.iter().filter(|finding| finding.part == part && finding.side == side);
        let (Some(one), Some(most)) = (of_side.next(), of_side.next_back()) else { continue };
        let multiple = one.nanos.median / most.nanos.median;
        let _ = write!(note, " {side} {multiple:.1}");
        if side == "ours" && part.slow {
            let goal = goals::verdict(&format!("≥ {SCALE_SLOW}"), multiple >= SCALE_SLOW);
            let _ = write!(note, " ({goal})");
        }
        note.push(',');
    }
    note.pop();
    note.push('.');
    note
}

/// W4, on both disks.
pub(super) fn batches(session: &mut Session<'_>) -> Result<(), Failure> {
    for part in [Part::fast("W4"), Part::slow("W4")] {
        let batches = session.sizes.batches;
        for bytes in session.sizes.records.clone() {
            let records = Records::new(bytes);
            let shape = Shape::commits(&records, batches * BATCH + 1);
            let work = |log: &dyn Contender, plan: &Plan<'_>| log.commit(plan, BATCH);
            session.compare(part, &Case::bytes(bytes), Kind::Batch, &shape, &work)?;
        }
        let title = titled("W4: batches of 100, one sync each", part);
        session.table(part, &title, "record", "B3", "");
    }
    Ok(())
}

/// W5: every side reads a log of its own.
pub(super) fn replay(session: &mut Session<'_>) -> Result<(), Failure> {
    let part = Part::fast("W5");
    let total = session.sizes.replay_bytes;
    for bytes in session.sizes.records.clone() {
        let records = Records::new(bytes);
        let count = records.count_for(total);
        let shape =
            Shape { records: &records, count, segment_bytes: SEGMENT_BYTES, prepared: false };
        let (ours, base) = (library(), baseline(Kind::Replay));
        let mut all: Vec<&dyn Contender> = vec![ours.as_ref(), base.as_ref()];
        let peers = session.peers.iter().filter(|peer| peer.misfit(Kind::Replay).is_none());
        all.extend(peers.map(AsRef::as_ref));
        let mut sides = Vec::new();
        for (index, contender) in all.into_iter().enumerate() {
            let scratch = Scratch::within(session.options.folder.as_deref())?;
            let folder = scratch.join("log");
            let mut filled = Some(contender.fill(&shape.plan(&folder, part), Ending::Clean));
            sides.push(Side {
                name: contender.name().to_owned(),
                required: index <= BASE,
                turn: Box::new(move || {
                    filled.take().transpose()?;
                    contender.replay(&shape.plan(&scratch.join("log"), part))
                }),
            });
        }
        let series = rounds(&mut sides, session.options.limits())?;
        drop(sides);
        session.found(part, &Case::bytes(bytes), &series);
    }
    let title = format!("W5: replay of {} MiB", total >> 20);
    session.table(part, &title, "record", "B1", "");
    Ok(())
}

fn commits(session: &Session<'_>, part: Part) -> usize {
    if part.slow { session.sizes.slow_commits } else { session.sizes.commits }
}

fn titled(title: &str, part: Part) -> String {
    if part.slow { format!("{title}; a sync takes 1 ms longer") } else { title.to_owned() }
}

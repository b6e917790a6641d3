//! A run as it goes: what is compared with what, and what came out so far.
//!
//! Must give every side the same plan, a new folder and a new count in each turn.

use std::path::Path;
use std::time::Duration;

use super::contender::{Contender, Driver};
use super::document::Block;
use super::finding::{Case, Finding, Part};
use super::options::{Options, Sizes};
use super::rounds::{Series, Side, rounds};
use super::sample::Sample;
use super::tables;
use crate::{Failure, Kind, Library, Meter, Plan, Pwrite, Records, Scratch, Stream, Tally};

/// Where a side of a comparison stands: the library first, then the baseline, then peers.
pub(super) const BASE: usize = 1;

/// How much longer a sync takes on the emulated disk.
const SLOW_SYNC: Duration = Duration::from_millis(1);

/// A run.
pub(super) struct Session<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// How much is done in a turn.
    pub sizes: Sizes,
    /// What is measured beside the library and its baselines.
    pub peers: &'a [Box<dyn Contender>],
    /// All findings so far.
    pub findings: Vec<Finding>,
    /// All tables so far.
    pub blocks: Vec<Block>,
    /// What a peer could not do.
    pub failures: Vec<String>,
}

/// What one case of a workload needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'r> {
    /// The records.
    pub records: &'r Records,
    /// How many.
    pub count: usize,
    /// The size of segments.
    pub segment_bytes: u64,
    /// Whether room is written with zeros before.
    pub prepared: bool,
}

impl<'r> Shape<'r> {
    /// Commits, in one segment with room for twice their bytes, for logs with long frames.
    pub(super) fn commits(records: &'r Records, count: usize) -> Self {
        let bytes = (count * (records.bytes() + 64) * 2 + (1 << 20)) as u64;
        Self { records, count, segment_bytes: bytes, prepared: true }
    }

    /// The plan for a log in a folder.
    pub(super) fn plan<'p>(&self, folder: &'p Path, part: Part) -> Plan<'p>
    where
        'r: 'p,
    {
        let sync_delay = if part.slow { SLOW_SYNC } else { Duration::ZERO };
        Plan {
            folder,
            records: self.records,
            count: self.count,
            segment_bytes: self.segment_bytes,
            prepared: self.prepared,
            meter: Meter { tally: Tally::default(), sync_delay },
        }
    }
}

/// The baseline of a workload.
pub(super) fn baseline(kind: Kind) -> Box<dyn Contender> {
    match kind {
        Kind::Append | Kind::Replay | Kind::Reopen => Driver::<Stream>::boxed(),
        Kind::Commit | Kind::Batch | Kind::Shared => Driver::<Pwrite>::boxed(),
    }
}

/// The library, around the system's cache.
fn library_direct() -> Box<dyn Contender> {
    Driver::<Library<true>>::boxed()
}

/// The library.
pub(super) fn library() -> Box<dyn Contender> {
    Driver::<Library>::boxed()
}

impl Session<'_> {
    /// Compares all that can do it, each turn in a folder of its own.
    pub(super) fn compare(
        &mut self,
        part: Part,
        case: &Case,
        kind: Kind,
        shape: &Shape<'_>,
        work: &dyn Fn(&dyn Contender, &Plan<'_>) -> Result<Sample, Failure>,
    ) -> Result<(), Failure> {
        let (ours, base) = (library(), baseline(kind));
        let folder = self.options.folder.as_deref();
        let mut all: Vec<&dyn Contender> = vec![ours.as_ref(), base.as_ref()];
        let direct = matches!(kind, Kind::Commit | Kind::Shared).then(library_direct);
        all.extend(direct.as_deref());
        // A peer's syncs cannot be made slower from here.
        let peers = self.peers.iter().filter(|peer| !part.slow && peer.misfit(kind).is_none());
        all.extend(peers.map(AsRef::as_ref));
        let mut sides = Vec::new();
        for (index, contender) in all.into_iter().enumerate() {
            let grouped = kind == Kind::Shared && index == BASE;
            sides.push(Side {
                name: if grouped { "B7" } else { contender.name() }.to_owned(),
                required: index <= BASE,
                turn: Box::new(move || {
                    let scratch = Scratch::within(folder)?;
                    let folder = scratch.join("log");
                    work(contender, &shape.plan(&folder, part))
                }),
            });
        }
        let series = rounds(&mut sides, self.options.limits())?;
        drop(sides);
        self.found(part, case, &series);
        Ok(())
    }

    /// Takes in what a comparison has found.
    pub(super) fn found(&mut self, part: Part, case: &Case, series: &[Series]) {
        eprintln!("{} {}", part.mark(), case.label);
        for side in series {
            if let Some(failure) = &side.failure {
                self.failures.push(format!(
                    "{}, {}: {}: {failure}",
                    part.mark(),
                    case.label,
                    side.name
                ));
            }
        }
        self.findings.extend(Finding::all(part, case, series, BASE));
    }

    /// The table of a part, and that of the peers beside it.
    pub(super) fn table(&mut self, part: Part, title: &str, case: &str, base: &str, note: &str) {
        let of_part: Vec<Finding> =
            self.findings.iter().filter(|finding| finding.part == part).cloned().collect();
        let is_peer = |finding: &Finding| self.peers.iter().any(|peer| peer.name() == finding.side);
        let sides: Vec<Finding> =
            of_part.iter().filter(|finding| !is_peer(finding)).cloned().collect();
        let text = tables::sides(&sides, case, base);
        let text = if note.is_empty() { text } else { format!("{text}\n{note}\n") };
        self.block(&part.mark(), title, text);
        if of_part.iter().any(is_peer) {
            let title = format!("{title}: the peers, rates over {base}");
            let mut text = tables::peers(&of_part);
            let flushes = tables::device_flushes(&of_part);
            if !flushes.is_empty() {
                text = format!("{text}\nFlushes of the device for each:\n\n{flushes}");
            }
            self.block(&format!("{}-peers", part.mark()), &title, text);
        }
    }

    /// Keeps and prints a table.
    pub(super) fn block(&mut self, mark: &str, title: &str, text: String) {
        println!("### {title}\n\n{text}");
        self.blocks.push(Block { mark: mark.into(), text });
    }
}

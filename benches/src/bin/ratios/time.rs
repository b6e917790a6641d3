//! Times: each side has its turn in each round, and the first turn goes back and forth.

use std::time::Duration;

use durability_benches::{Failure, Ours, Plain, Records, Scratch, Setup, Time, Workload};

use crate::options::Options;

const MIB: usize = 1 << 20;

/// A workload, its name, and its size.
struct Case {
    name: &'static str,
    workload: Workload,
    /// Payload bytes of a round, or `None` for a number of records.
    payload_bytes: Option<usize>,
    records: usize,
    segment_bytes: u64,
}

fn cases(mib: usize) -> Vec<Case> {
    let bytes = mib * MIB;
    let case = |name, workload, payload_bytes, segment_bytes| Case {
        name,
        workload,
        payload_bytes: Some(payload_bytes),
        records: 0,
        segment_bytes,
    };
    let whole = u64::from(u32::MAX);
    vec![
        case("write checkpoint", Workload::WriteCheckpoint, bytes, whole),
        case("read checkpoint", Workload::ReadCheckpoint, bytes, whole),
        case("append to nowhere", Workload::AppendNowhere, bytes, whole),
        case("batch to nowhere", Workload::BatchNowhere, bytes, whole),
        case("append, one segment", Workload::Append, bytes, whole),
        case("append, rotating", Workload::Append, bytes, bytes as u64 / 4),
        case("batch of 100", Workload::Batch, bytes, whole),
        case("replay, one segment", Workload::Replay, bytes, whole),
        case("replay, four segments", Workload::Replay, bytes, bytes as u64 / 4),
        case("replay of batches", Workload::ReplayBatches, bytes, whole),
        case("resume", Workload::Resume, bytes, whole),
        Case {
            name: "append + flush",
            workload: Workload::AppendFlush,
            payload_bytes: None,
            records: 20_000,
            segment_bytes: whole,
        },
        Case {
            name: "append + sync",
            workload: Workload::AppendSync,
            payload_bytes: None,
            records: 50,
            segment_bytes: whole,
        },
    ]
}

/// Runs all cases and prints a table.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    println!(
        "{} rounds, {} MiB of payload each; files in {}",
        options.rounds,
        options.mib,
        std::env::temp_dir().display()
    );
    println!("times in ns a record: median (least, most)");
    println!(
        "ratios are rates, ours / baseline: of the medians (of the least; of single rounds)\n"
    );
    println!(
        "| workload | record | wall: ours | baseline | ratio | CPU: ours | baseline | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for case in cases(options.mib) {
        if !case.name.contains(&options.only) {
            continue;
        }
        for &bytes in &options.record_bytes {
            let records = Records::new(bytes);
            let count = case.payload_bytes.map_or(case.records, |total| records.count_for(total));
            measure(&case, &records, count, options)?;
        }
    }
    Ok(())
}

fn measure(case: &Case, records: &Records, count: usize, options: &Options) -> Result<(), Failure> {
    let reads = case.workload.reads();
    let kept = Scratch::new()?;
    let log = kept.join("log");
    let segment_bytes = case.segment_bytes;
    case.workload.prepare(&Setup { folder: &log, segment_bytes, records, count })?;
    let turn = |ours: bool| -> Result<Time, Failure> {
        let scratch = Scratch::new()?;
        let folder = if reads { log.clone() } else { scratch.join("log") };
        let setup = Setup { folder: &folder, segment_bytes, records, count };
        if ours { Ours.run(case.workload, &setup) } else { Plain.run(case.workload, &setup) }
    };
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for round in 0..=options.rounds {
        let first = round % 2 == 0;
        let a = turn(first)?;
        let b = turn(!first)?;
        // The first round warms up.
        if round > 0 {
            let (our, base) = if first { (a, b) } else { (b, a) };
            ours.push(our);
            plain.push(base);
        }
    }
    let wall = Compared::of(&ours, &plain, count, |time| time.wall);
    let cpu = Compared::of(&ours, &plain, count, |time| time.cpu);
    println!("| {} | {} B | {} | {} |", case.name, records.bytes(), wall.show(), cpu.show());
    Ok(())
}

/// One kind of time, of both sides.
struct Compared {
    ours: Spread,
    plain: Spread,
    ratios: Spread,
}

impl Compared {
    fn of(ours: &[Time], plain: &[Time], count: usize, kind: impl Fn(&Time) -> Duration) -> Self {
        let each = |times: &[Time]| -> Vec<f64> {
            times.iter().map(|time| kind(time).as_nanos() as f64 / count as f64).collect()
        };
        let (ours, plain) = (each(ours), each(plain));
        let ratios = ours.iter().zip(&plain).map(|(our, base)| base / our).collect();
        Self { ours: Spread::of(ours), plain: Spread::of(plain), ratios: Spread::of(ratios) }
    }

    fn show(&self) -> String {
        format!(
            "{} | {} | **{:.2}** ({:.2}; {:.2} to {:.2})",
            self.ours.show(),
            self.plain.show(),
            self.plain.median / self.ours.median,
            self.plain.least / self.ours.least,
            self.ratios.least,
            self.ratios.most,
        )
    }
}

/// The middle of many values, and their ends.
struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self { least: at(0), median: at(last / 2), most: at(last) }
    }

    fn show(&self) -> String {
        format!("{:.1} ({:.1}, {:.1})", self.median, self.least, self.most)
    }
}

//! The log's operations, each beside the same done by hand.
#![allow(clippy::std_instead_of_core, clippy::std_instead_of_alloc)] // benchmarks run on a host
#![allow(missing_docs)] // criterion's macros make public items

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use durability_benches::{
    Failure, Ours, Plain, RECORD_BYTES, Records, Scratch, Setup, Time, Workload,
};

const MIB: usize = 1 << 20;
const ONE_SEGMENT: u64 = u32::MAX as u64;

/// A workload, and how much of it is one iteration: bytes of payload, or a number of records.
struct Case {
    name: &'static str,
    workload: Workload,
    amount: Amount,
    segment_bytes: u64,
}

#[derive(Clone, Copy)]
enum Amount {
    Bytes(usize),
    Records(usize),
}

const fn case(name: &'static str, workload: Workload, amount: Amount) -> Case {
    Case { name, workload, amount, segment_bytes: ONE_SEGMENT }
}

const CASES: [Case; 10] = [
    case("append", Workload::Append, Amount::Bytes(8 * MIB)),
    Case {
        name: "append-rotating",
        workload: Workload::Append,
        amount: Amount::Bytes(8 * MIB),
        segment_bytes: 2 << 20,
    },
    case("append-flush", Workload::AppendFlush, Amount::Records(1000)),
    case("append-sync", Workload::AppendSync, Amount::Records(10)),
    case("batch-of-100", Workload::Batch, Amount::Records(1000)),
    case("replay", Workload::Replay, Amount::Bytes(8 * MIB)),
    case("replay-of-batches", Workload::ReplayBatches, Amount::Bytes(8 * MIB)),
    case("resume", Workload::Resume, Amount::Bytes(8 * MIB)),
    case("checkpoint-write", Workload::WriteCheckpoint, Amount::Bytes(8 * MIB)),
    case("checkpoint-read", Workload::ReadCheckpoint, Amount::Bytes(8 * MIB)),
];

fn all(criterion: &mut Criterion) {
    for case in &CASES {
        let mut group = criterion.benchmark_group(case.name);
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_secs(1));
        for bytes in RECORD_BYTES {
            let records = Records::new(bytes);
            let count = match case.amount {
                Amount::Bytes(bytes) => records.count_for(bytes),
                Amount::Records(count) => count,
            };
            group.throughput(Throughput::Bytes((count * bytes) as u64));
            side(&mut group, case, &records, count, "ours", |workload, setup| {
                Ours.run(workload, setup)
            });
            side(&mut group, case, &records, count, "baseline", |workload, setup| {
                Plain.run(workload, setup)
            });
        }
        group.finish();
    }
}

fn side(
    group: &mut BenchmarkGroup<'_, WallTime>,
    case: &Case,
    records: &Records,
    count: usize,
    name: &str,
    run: impl Fn(Workload, &Setup<'_>) -> Result<Time, Failure>,
) {
    let workload = case.workload;
    let measure = |iterations: u64| -> Result<Duration, Failure> {
        let scratch = Scratch::new()?;
        let folder = scratch.join("log");
        let setup = Setup { folder: &folder, segment_bytes: case.segment_bytes, records, count };
        workload.prepare(&setup)?;
        let mut total = Duration::ZERO;
        for iteration in 0..iterations {
            // What writes needs a folder of its own; what reads finds the same one.
            let fresh = scratch.join(&iteration.to_string());
            let folder = if workload.reads() { &folder } else { &fresh };
            total += run(workload, &Setup { folder, ..setup })?.wall;
            if !workload.reads() {
                std::fs::remove_dir_all(&fresh)?;
            }
        }
        Ok(total)
    };
    group.bench_function(format!("{}-bytes/{name}", records.bytes()), |bencher| {
        bencher.iter_custom(|iterations| match measure(iterations) {
            Ok(total) => total,
            Err(failure) => {
                eprintln!("{}: {failure}", case.name);
                std::process::exit(1)
            }
        });
    });
}

criterion_group!(benches, all);
criterion_main!(benches);

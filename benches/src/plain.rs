//! The workloads done by hand.

use std::hint::black_box;
use std::path::PathBuf;

use crate::workload::LOG_ID;
use crate::{
    Failure, PlainReader, PlainWriter, Setup, Stopwatch, Time, Workload, drop_cached,
    plain_checkpoint,
};

/// The same, written by hand.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Setup<'_> {
    fn plain_checkpoint(&self) -> PathBuf {
        self.folder.join("plain/checkpoint")
    }
}

impl Plain {
    /// Does the workload; the time is that of the work, without opening a writer and dropping it.
    pub fn run(self, workload: Workload, setup: &Setup<'_>) -> Result<Time, Failure> {
        let folder = setup.segments();
        match workload {
            Workload::Replay | Workload::ReplayBatches => {
                let watch = Stopwatch::start();
                let records = PlainReader::new().replay(&folder, |payload| {
                    black_box(payload);
                })?;
                let time = watch.stop();
                setup.check(records)?;
                Ok(time)
            }
            Workload::Resume => {
                let watch = Stopwatch::start();
                let tail = folder.join("00000001.WAL");
                drop_cached(&tail)?;
                let records = PlainReader::new().replay_file(&tail, &mut |payload| {
                    black_box(payload);
                })?;
                let time = watch.stop();
                setup.check(records)?;
                Ok(time)
            }
            Workload::WriteCheckpoint => {
                let watch = Stopwatch::start();
                plain_checkpoint::write(&setup.plain_checkpoint(), setup.all())?;
                Ok(watch.stop())
            }
            Workload::ReadCheckpoint => {
                let watch = Stopwatch::start();
                let mut record = vec![0; setup.records.bytes()];
                let path = setup.plain_checkpoint();
                let records = plain_checkpoint::read(&path, &mut record, |record| {
                    black_box(record);
                })?;
                let time = watch.stop();
                setup.check(records)?;
                Ok(time)
            }
            _ => time_appends(workload, setup),
        }
    }
}

fn time_appends(workload: Workload, setup: &Setup<'_>) -> Result<Time, Failure> {
    let mut log = PlainWriter::new(&setup.segments(), setup.segment_bytes, LOG_ID)?;
    let batches = if workload.in_batches() { setup.batches() } else { Vec::new() };
    if workload.keeps_nothing() {
        log.discard()?;
    }
    let watch = Stopwatch::start();
    match workload {
        Workload::AppendFlush => {
            for record in setup.all() {
                log.append(record)?;
                log.flush()?;
            }
        }
        Workload::AppendSync => {
            for record in setup.all() {
                log.append(record)?;
                log.flush_and_sync()?;
            }
        }
        _ if workload.in_batches() => {
            for batch in &batches {
                log.append_batch(batch)?;
            }
        }
        _ => {
            for record in setup.all() {
                log.append(record)?;
            }
            log.flush()?;
        }
    }
    Ok(watch.stop())
}

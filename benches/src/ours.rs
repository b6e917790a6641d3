//! The workloads done by the library, with its defaults.

use std::hint::black_box;

use durability::ReadMode;
use durability::checkpoint::{
    CheckpointMeta, CheckpointOptions, CheckpointReader, CheckpointWriter,
};
use durability::storage::{Directory, FsDirectory, Name};
use durability::walog::{RawWalReader, RawWalWriter, WalOptions};

use crate::workload::LOG_ID;
use crate::{Discard, Failure, Setup, Stopwatch, Time, Workload};

/// The library under test.
#[derive(Debug, Clone, Copy)]
pub struct Ours;

const CHECKPOINT: &str = "ckp/00000001.CKP";

impl Setup<'_> {
    /// The options of the log under test: the defaults, but for the size of segments.
    fn options(&self) -> WalOptions {
        WalOptions::new().segment_bytes(self.segment_bytes).log_id(LOG_ID)
    }
}

impl Ours {
    /// Does the workload; the time is that of the work, without opening a writer and dropping it.
    pub fn run(self, workload: Workload, setup: &Setup<'_>) -> Result<Time, Failure> {
        let dir = FsDirectory::new(setup.folder)?;
        match workload {
            Workload::Replay | Workload::ReplayBatches => {
                let watch = Stopwatch::start();
                let records = replay(dir, setup)?;
                let time = watch.stop();
                setup.check(records)?;
                Ok(time)
            }
            Workload::Resume => {
                let watch = Stopwatch::start();
                let wal = RawWalWriter::open(dir, setup.options())?;
                let time = watch.stop();
                setup.check(wal.entry_count())?;
                Ok(time)
            }
            Workload::WriteCheckpoint => {
                let watch = Stopwatch::start();
                write_checkpoint(&dir, setup)?;
                Ok(watch.stop())
            }
            Workload::ReadCheckpoint => {
                let watch = Stopwatch::start();
                let records = read_checkpoint(&dir, setup)?;
                let time = watch.stop();
                setup.check(records)?;
                Ok(time)
            }
            _ if workload.keeps_nothing() => time_appends(Discard::default(), workload, setup),
            _ => time_appends(dir, workload, setup),
        }
    }
}

fn time_appends(
    dir: impl Directory<Error: Send + Sync>,
    workload: Workload,
    setup: &Setup<'_>,
) -> Result<Time, Failure> {
    let mut wal = RawWalWriter::new(dir, setup.options())?;
    let batches = if workload.in_batches() { setup.batches() } else { Vec::new() };
    let watch = Stopwatch::start();
    match workload {
        Workload::AppendFlush => {
            for record in setup.all() {
                wal.append(record)?;
                wal.flush()?;
            }
        }
        Workload::AppendSync => {
            for record in setup.all() {
                wal.append(record)?;
                let _ = black_box(wal.flush_and_sync()?);
            }
        }
        _ if workload.in_batches() => {
            for batch in &batches {
                wal.append_batch(batch)?;
            }
        }
        _ => {
            for record in setup.all() {
                wal.append(record)?;
            }
            wal.flush()?;
        }
    }
    Ok(watch.stop())
}

fn replay(dir: FsDirectory, setup: &Setup<'_>) -> Result<u64, Failure> {
    let mut reader = RawWalReader::open(dir, setup.options())?;
    let mut entries = reader.entries(ReadMode::Strict)?;
    while let Some(entry) = entries.next()? {
        black_box(entry.payload);
    }
    Ok(entries.report().entries)
}

fn write_checkpoint(dir: &FsDirectory, setup: &Setup<'_>) -> Result<(), Failure> {
    let (meta, options) = (CheckpointMeta::default(), CheckpointOptions::new());
    let mut writer = CheckpointWriter::create(dir, Name::new(CHECKPOINT)?, meta, options)?;
    for record in setup.all() {
        writer.write_all(record)?;
    }
    let _ = black_box(writer.finish()?);
    Ok(())
}

fn read_checkpoint(dir: &FsDirectory, setup: &Setup<'_>) -> Result<u64, Failure> {
    let options = CheckpointOptions::new();
    let mut reader = CheckpointReader::open(dir, Name::new(CHECKPOINT)?, options)?;
    let mut record = vec![0; setup.records.bytes()];
    let mut records = 0;
    loop {
        let mut filled = 0;
        while filled < record.len() {
            match reader.read(record.get_mut(filled..).unwrap_or_default())? {
                0 => {
                    let _ = black_box(reader.finish()?);
                    return Ok(records);
                }
                count => filled += count,
            }
        }
        black_box(record.as_slice());
        records += 1;
    }
}

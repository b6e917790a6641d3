//! A log of forty lines, correct, and broken in each of the classic ways.
//!
//! Must stay small enough to be understood at a glance: it is there to show that the explorer finds what it must.

use durability_core::embedded_io::{Read, Write};
use durability_core::storage::{AppendFile, Directory, Folder, Name};
use durability_testkit::simulated::{
    Ended, Journal, LogModel, LogOperation, LogSeen, PrefixOracle, SimulatedAppender,
    SimulatedDisk, SimulatedError, Workload, shorter,
};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    NoSyncBeforeRename,
    NoDirSyncAfterCreate,
    RetriesFailedSync,
    AppendsBehindTornTail,
    TrustsUnsyncedBytes,
    AcknowledgesBeforeSync,
    ForgetsFolder,
    IgnoresFailedSync,
    RefusesTornTail,
    PanicsAtTornTail,
    HurriesAfterTwoCrashes,
    TakesReadErrorForTheEnd,
    TakesInterruptedForWritten,
}

pub(crate) type Record = u16;
pub(crate) type Oracle = PrefixOracle<LogModel<Record>>;

fn checksum(length: u8, payload: &[u8]) -> [u8; 2] {
    let start = 0x5A5A_u32 ^ u32::from(length);
    let sum =
        payload.iter().fold(start, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    [(sum >> 24) as u8, (sum >> 8) as u8 | 1]
}

/// One file of frames: length, checksum, payload.
pub(crate) struct TinyLog {
    file: SimulatedAppender,
    bug: Bug,
}

impl TinyLog {
    /// Opens or creates; returns the records, all durable.
    pub(crate) fn open(
        disk: &SimulatedDisk,
        folder: &str,
        bug: Bug,
    ) -> Result<(Self, Vec<Record>), SimulatedError> {
        let (log, temp) = (format!("{folder}log"), format!("{folder}log.tmp"));
        let (name, temp) = (Name::new(&log).unwrap(), Name::new(&temp).unwrap());
        if disk.open(name)?.is_none() {
            let file = disk.create(name, 0)?.expect("is not there");
            Self::sync_dir(disk, name.folder(), bug)?;
            return Ok((Self { file, bug }, Vec::new()));
        }
        if bug != Bug::TrustsUnsyncedBytes {
            disk.sync_file(name)?;
        }
        Self::sync_dir(disk, name.folder(), bug)?;
        let bytes = read_all(disk, name, bug)?;
        let (records, end) = parse(&bytes);
        if end == bytes.len() || bug == Bug::AppendsBehindTornTail {
            let file = disk.reopen(name, bytes.len() as u64)?.expect("was there");
            return Ok((Self { file, bug }, records));
        }
        assert!(bug != Bug::PanicsAtTornTail, "a torn tail");
        if bug == Bug::RefusesTornTail {
            return Err(SimulatedError::BadPosition);
        }
        let marker = format!("{folder}log.busy");
        let marker = Name::new(&marker).unwrap();
        let hurries = bug == Bug::HurriesAfterTwoCrashes && disk.create(marker, 0)?.is_none();
        if bug == Bug::HurriesAfterTwoCrashes {
            disk.sync_dir(name.folder())?;
        }
        disk.remove(temp)?;
        let mut file = disk.create(temp, 0)?.expect("was removed");
        write_all(&mut file, &bytes[..end])?;
        if bug != Bug::NoSyncBeforeRename {
            file.sync_data()?;
        }
        disk.rename(temp, name)?;
        if !hurries {
            Self::sync_dir(disk, name.folder(), bug)?;
        }
        Ok((Self { file, bug }, records))
    }

    fn sync_dir(disk: &SimulatedDisk, folder: Folder<'_>, bug: Bug) -> Result<(), SimulatedError> {
        match bug {
            Bug::NoDirSyncAfterCreate => Ok(()),
            Bug::ForgetsFolder => disk.sync_folder_alone(folder),
            _ => disk.sync_dir(folder),
        }
    }

    pub(crate) fn append(&mut self, record: Record) -> Result<(), SimulatedError> {
        let payload = [record.to_le_bytes(); 4].concat();
        let sum = checksum(8, &payload);
        match write_all(&mut self.file, &[&[8, sum[0], sum[1]], &payload[..]].concat()) {
            Err(SimulatedError::Interrupted) if self.bug == Bug::TakesInterruptedForWritten => {
                Ok(())
            }
            result => result,
        }
    }

    pub(crate) fn sync(&mut self) -> Result<(), SimulatedError> {
        match self.file.sync_data() {
            Err(_) if self.bug == Bug::IgnoresFailedSync => Ok(()),
            Err(SimulatedError::SyncFailed) if self.bug == Bug::RetriesFailedSync => {
                self.file.sync_data()
            }
            result => result,
        }
    }
}

fn write_all(file: &mut SimulatedAppender, mut bytes: &[u8]) -> Result<(), SimulatedError> {
    while !bytes.is_empty() {
        let taken = file.write(bytes)?;
        bytes = &bytes[taken..];
    }
    Ok(())
}

fn read_all(disk: &SimulatedDisk, name: Name<'_>, bug: Bug) -> Result<Vec<u8>, SimulatedError> {
    let (mut bytes, mut block) = (Vec::new(), [0; 64]);
    let mut file = disk.open(name)?.expect("is there");
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&block[..count]),
            Err(SimulatedError::Interrupted) => {}
            Err(_) if bug == Bug::TakesReadErrorForTheEnd => return Ok(bytes),
            Err(error) => return Err(error),
        }
    }
}

/// The records of the valid prefix, and where it ends.
fn parse(bytes: &[u8]) -> (Vec<Record>, usize) {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some(frame) = bytes.get(at..at + 11) {
        let payload = &frame[3..];
        if frame[0] != 8 || frame[1..3] != checksum(8, payload) {
            break;
        }
        records.push(Record::from_le_bytes([payload[0], payload[1]]));
        at += 11;
    }
    (records, at)
}

/// Appends and syncs in every life; `script` holds how many records to append before each sync.
#[derive(Debug, Clone)]
pub(crate) struct TinyWorkload {
    pub(crate) bug: Bug,
    pub(crate) folder: &'static str,
    pub(crate) script: Vec<u16>,
    /// Append a record at the end that nobody syncs.
    pub(crate) tail: bool,
}

impl TinyWorkload {
    pub(crate) fn new(bug: Bug) -> Self {
        Self { bug, folder: "", script: vec![2, 1], tail: true }
    }

    fn work(
        &self,
        log: &mut TinyLog,
        journal: &mut Journal<LogOperation<Record>, LogSeen<Record>>,
    ) -> Ended {
        for (round, count) in (0..).zip(&self.script) {
            for number in 0..*count {
                let record = (journal.epoch() as u16) << 8 | round << 4 | number;
                journal.issue(LogOperation::Append(record));
                log.append(record)?;
            }
            if self.bug == Bug::AcknowledgesBeforeSync {
                journal.acknowledge();
            }
            log.sync()?;
            journal.acknowledge();
        }
        if self.tail {
            let record = (journal.epoch() as u16) << 8 | 0xFF;
            journal.issue(LogOperation::Append(record));
            log.append(record)?;
        }
        Ok(())
    }
}

impl Workload for TinyWorkload {
    type Operation = LogOperation<Record>;
    type Seen = LogSeen<Record>;

    fn run(
        &self,
        disk: &SimulatedDisk,
        journal: &mut Journal<Self::Operation, Self::Seen>,
    ) -> Ended {
        let (mut log, _) = TinyLog::open(disk, self.folder, self.bug)?;
        self.work(&mut log, journal)
    }

    fn recover(
        &self,
        disk: &SimulatedDisk,
        journal: &mut Journal<Self::Operation, Self::Seen>,
    ) -> Ended {
        let (mut log, records) = TinyLog::open(disk, self.folder, self.bug)?;
        journal.recovered(LogSeen { first: 1, records });
        self.work(&mut log, journal)
    }

    fn describe(&self) -> String {
        let rounds = self.script.iter().map(|count| format!("append {count}, sync"));
        let tail = self.tail.then(|| "append 1".to_owned());
        rounds.chain(tail).collect::<Vec<_>>().join(", ")
    }

    fn smaller(&self) -> Vec<Self> {
        let scripts = shorter(&self.script).into_iter();
        let fewer = (0..self.script.len()).filter(|at| self.script[*at] > 1).map(|at| {
            let mut script = self.script.clone();
            script[at] -= 1;
            script
        });
        let all = scripts.chain(fewer).map(|script| Self { script, ..self.clone() });
        all.chain(self.tail.then(|| Self { tail: false, ..self.clone() })).collect()
    }
}

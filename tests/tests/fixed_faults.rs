//! The log without a heap does to a disk what the other writer does, operation by operation, faults included: so every crash state that is proved of
//! the one is proved of the other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use durability_core::walog::{FixedWalReader, FixedWalWriter, RawWalWriter, WalOptions};
use durability_core::{EntryId, Error, ReadMode};
use durability_testkit::simulated::{
    DiskOptions, Fault, FaultKind, OperationKind, SimulatedDisk, SimulatedError, SurvivorLimits,
};

type Failed = Error<SimulatedError>;

fn options() -> WalOptions {
    let options = WalOptions::new().segment_bytes(300).log_id(7).scan_at_open(true);
    options.buffer_bytes(256).read_bytes(256).record_bytes_max(200)
}

/// What both are asked to do, in one life.
const LIVES: [&str; 6] =
    ["aaSaaSc", "aFabaSaaaSPS", "aSaaaaaaSpaSc", "SaaSaaaaPaS", "bbbSFaPPSc", "aaaaaaaaaaaaSpSac"];

/// How far each comes: the calls that went well, and what the last one said.
fn fixed(disk: &SimulatedDisk, life: &str) -> Result<(), Failed> {
    let mut buffer = [0; 256];
    let mut wal = FixedWalWriter::open(disk.clone(), options(), &mut buffer)?;
    for step in life.chars() {
        match step {
            'a' => drop(wal.append(&[1; 60])?),
            'b' => {
                let _ids = wal.append_batch(&[&[2; 20], &[3; 30]])?;
                wal.flush()?;
            }
            'F' => wal.flush()?,
            'S' => drop(wal.flush_and_sync()?),
            'p' => wal.truncate_prefix(wal.next_entry_id())?,
            'P' => wal.truncate_prefix(EntryId::new(3).unwrap().min(wal.next_entry_id()))?,
            _ => return wal.close(),
        }
    }
    Ok(())
}

fn raw(disk: &SimulatedDisk, life: &str) -> Result<(), Failed> {
    let mut wal = RawWalWriter::open(disk.clone(), options())?;
    for step in life.chars() {
        match step {
            'a' => drop(wal.append(&[1; 60])?),
            'b' => {
                let _ids = wal.append_batch(&[&[2; 20][..], &[3; 30]])?;
            }
            'F' => wal.flush()?,
            'S' => drop(wal.flush_and_sync()?),
            'p' => wal.truncate_prefix(wal.next_entry_id())?,
            'P' => wal.truncate_prefix(EntryId::new(3).unwrap().min(wal.next_entry_id()))?,
            _ => return wal.close(),
        }
    }
    Ok(())
}

/// What changes the disk, and what makes it durable; the reads in between are each one's own.
fn done(disk: &SimulatedDisk) -> Vec<(OperationKind, String)> {
    let operations = disk.operations();
    let told = operations.iter().filter(|operation| operation.kind.changes_the_disk());
    told.map(|operation| (operation.kind, operation.name.to_string())).collect()
}

#[test]
fn it_does_what_the_other_writer_does() {
    for first in LIVES {
        for second in LIVES {
            let disks = [(); 2].map(|()| SimulatedDisk::new(DiskOptions::new()));
            for life in [first, second] {
                fixed(&disks[0], life).unwrap();
                raw(&disks[1], life).unwrap();
                assert_eq!(done(&disks[0]), done(&disks[1]), "{first}, {second}: {life}");
            }
        }
    }
}

/// In every state that a power cut at the end of a life leaves.
#[test]
fn it_recovers_as_the_other_does() {
    let mut count = 0;
    let begun = LIVES.iter().flat_map(|life| (1..life.len()).map(|steps| &life[..steps]));
    for first in begun {
        let disks = [(); 2].map(|()| SimulatedDisk::new(DiskOptions::new()));
        fixed(&disks[0], first).unwrap();
        raw(&disks[1], first).unwrap();
        let limits = SurvivorLimits::new();
        let states = disks.map(|disk| disk.snapshot().crash_states(&limits));
        let [ours, theirs] = states;
        assert_eq!(ours.len(), theirs.len());
        for (index, (ours, theirs)) in ours.iter().zip(theirs.iter()).enumerate() {
            for second in ["aSc", "paSbSc"] {
                let (ours, theirs) = (ours.disk(), theirs.disk());
                let ended = (fixed(&ours, second), raw(&theirs, second));
                let told = format!("{first}, state {index}, {second}");
                assert_eq!(ended.0.is_ok(), ended.1.is_ok(), "{told}: {ended:?}");
                assert_eq!(done(&ours), done(&theirs), "{told}");
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count} states");
}

/// What was done, but for what is cut off: the other writer takes back what a full disk took of a close frame.
fn kept(disk: &SimulatedDisk) -> Vec<(OperationKind, String)> {
    let mut done = done(disk);
    done.retain(|(kind, _)| !matches!(kind, OperationKind::Trim { .. }));
    done
}

/// The same fault at the same of its operations: both stop there, or go on.
#[test]
fn it_fails_as_the_other_does() {
    for life in LIVES {
        let whole = SimulatedDisk::new(DiskOptions::new());
        fixed(&whole, life).unwrap();
        let theirs = SimulatedDisk::new(DiskOptions::new());
        raw(&theirs, life).unwrap();
        let at = [&whole, &theirs].map(|disk| {
            let operations = disk.operations();
            let places = operations.iter().enumerate();
            let places = places.filter(|(_, operation)| operation.kind.changes_the_disk());
            places.map(|(index, operation)| (index as u64, operation.kind)).collect::<Vec<_>>()
        });
        for (ours, theirs) in at[0].iter().zip(&at[1]) {
            for kind in FaultKind::ALL.into_iter().filter(|kind| kind.applies_to(ours.1)) {
                let disks = [ours.0, theirs.0].map(|at| {
                    let disk = SimulatedDisk::new(DiskOptions::new());
                    disk.inject(Fault { at, kind });
                    disk
                });
                let ended = (fixed(&disks[0], life), raw(&disks[1], life));
                let told = format!("{life}, {kind:?} at {ours:?}");
                assert_eq!(ended.0.is_ok(), ended.1.is_ok(), "{told}: {ended:?}");
                assert_eq!(kept(&disks[0]), kept(&disks[1]), "{told}");
                if kind != FaultKind::PowerOff {
                    let ended = (fixed(&disks[0], "aSc"), raw(&disks[1], "aSc"));
                    assert_eq!(ended.0.is_ok(), ended.1.is_ok(), "{told}, again: {ended:?}");
                    assert_eq!(kept(&disks[0]), kept(&disks[1]), "{told}, again");
                }
            }
        }
    }
}

fn read(disk: &SimulatedDisk) -> Result<u32, Failed> {
    let (mut buffer, mut count) = ([0; 256], 0);
    let mut reader =
        FixedWalReader::open(disk.clone(), options(), ReadMode::BestEffort, &mut buffer)?;
    while reader.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Also where it is looking whether what does not hold was pruned.
#[test]
fn a_reader_tells_of_whatever_fails() {
    for life in LIVES {
        let disk = SimulatedDisk::new(DiskOptions::new());
        fixed(&disk, life).unwrap();
        let begun = disk.operations().len();
        let count = read(&disk).unwrap();
        let places = begun..disk.operations().len();
        assert!(places.len() > 3, "{life}: {places:?}");
        for at in places {
            let disk = SimulatedDisk::new(DiskOptions::new());
            fixed(&disk, life).unwrap();
            disk.inject(Fault { at: at as u64, kind: FaultKind::Io });
            assert!(read(&disk).is_err(), "{life}: {at}");
            assert_eq!(read(&disk).unwrap(), count, "{life}: {at}, again");
        }
    }
}

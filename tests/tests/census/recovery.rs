//! The census of a whole recovery: checkpoints and log together lead to the right state, an error, or a state in the log's window.

use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_read_only};
use durability_core::storage::{MemoryDirectory, MemoryError};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error, ReadMode};

use crate::common::{Image, disk, image, look};
use crate::{Census, Outcome, case, damages};

type State = Vec<u64>;

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(160).buffer_bytes(256).read_bytes(256)
}

/// Two checkpoints, and entries behind each.
fn published(prune: bool) -> (Image, State) {
    let dir = MemoryDirectory::new();
    let mut wal = WalWriter::<u64, _>::open(dir.clone(), options()).unwrap();
    let publish = PublishOptions::new().prune(prune);
    let mut publisher = CheckpointPublisher::new(dir.clone(), publish).unwrap();
    let mut state = State::new();
    for count in [6, 5, 4] {
        for _ in 0..count {
            let entry = wal.next_entry_id().get() * 100;
            wal.append(&entry).unwrap();
            state.push(entry);
        }
        let _durable = wal.flush_and_sync().unwrap();
        if count > 4 {
            publisher.publish(&mut wal, &state).unwrap();
        }
    }
    drop(wal);
    (image(&dir), state)
}

fn recover(dir: MemoryDirectory) -> Result<Recovered<State>, Error<MemoryError>> {
    recover_read_only(
        dir,
        options(),
        &RecoverOptions::new(),
        State::new(),
        |state: &mut State, id, entry| {
            assert_eq!(id.get(), state.len() as u64 + 1, "entries follow the state");
            state.push(entry);
            Ok::<(), Error<MemoryError>>(())
        },
    )
}

#[test]
fn every_damage_to_a_published_state_is_detected_harmless_or_in_the_window_of_its_log() {
    for prune in [true, false] {
        let (files, right) = published(prune);
        assert_eq!(recover(disk(&files)).unwrap().state, right);
        let mut census = Census::default();
        for (file, bytes) in &files {
            damages::each(bytes, |kind, damaged| {
                let mut files = files.clone();
                match damaged {
                    Some(damaged) => drop(files.insert(file.clone(), damaged.to_vec())),
                    None => drop(files.remove(file)),
                }
                let case = case(format_args!("{kind} in {file}"));
                let dir = disk(&files);
                match recover(dir.clone()) {
                    Ok(found) if found.state == right => census.add(kind, Outcome::Harmless),
                    Ok(found) => {
                        // A state, but an older one: only where the log itself is a shorter one.
                        assert!(file.starts_with("wal"), "{case}: {found:?}");
                        assert!(right.starts_with(&found.state), "{case}: {found:?}");
                        let (entries, _) = look(dir, options(), ReadMode::BestEffort).unwrap();
                        let last = entries.last().map_or(0, |entry| entry.0);
                        let checkpoint = found.report.checkpoint_last_id.map_or(0, EntryId::get);
                        assert_eq!(found.state.len() as u64, last.max(checkpoint), "{case}");
                        census.add(kind, Outcome::Window);
                    }
                    Err(
                        Error::Corrupt(_)
                        | Error::Unfinished { .. }
                        | Error::Gap { .. }
                        | Error::CheckpointAhead { .. },
                    ) => census.add(kind, Outcome::Detected),
                    Err(other) => panic!("{case}: {other}"),
                }
            });
        }
        println!("published, pruned: {prune}: {} files{census}", files.len());
        // With the log reaching back, a damaged checkpoint costs nothing.
        assert!(census.of_kind("flipped bits", Outcome::Harmless) > if prune { 0 } else { 2000 });
    }
}

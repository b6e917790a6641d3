//! A whole recovery: a log and the checkpoints that were published from it, damaged.

use durability_core::checkpoint::CheckpointOptions;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, Recovered, recover_read_only, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError};
use durability_core::walog::{WalOptions, WalWriter};
use durability_core::{EntryId, Error};

use crate::damage;
use crate::directory::{contents, copy};
use crate::input::Input;
use crate::limit::bounded;

/// A state is small here; serde reserves no more than a mebibyte on the word of a length.
const MEMORY_MAX: usize = 3 << 20;

type Failure = Error<MemoryError>;
type Wal = WalWriter<u32, MemoryDirectory>;
/// All entries so far: what is missing, doubled or out of order shows.
type State = Vec<u32>;

/// Checks one input.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let how = input.byte() % 4;
    let (dir, model) = run(&mut input);
    let stop = EntryId::new(input.below(model.len() + 2) as u64).filter(|_| input.byte() & 3 == 0);
    match how {
        0 => {}
        1 | 2 => damage::plainly(&dir, &mut input),
        _ => {
            damage::anything(&dir, &mut input);
        }
    }
    let options = RecoverOptions::new().checkpoint(checkpoint_options()).stop_at(stop);
    let before = contents(&dir);
    let read = bounded(MEMORY_MAX, || {
        recover_read_only(dir.clone(), wal_options(), &options, State::new(), apply)
    });
    assert_eq!(contents(&dir), before, "reading changes nothing");
    let repaired = copy(&dir);
    let written = recover(&repaired, &options);
    let again = recover(&repaired, &options);
    agree(&written, &again, "recovering twice gives the same");
    if how == 3 {
        // With its checksums put right, damage may say anything; the rest of the laws is not about it.
        return;
    }
    for recovered in [&read, &written].into_iter().flatten() {
        let last = recovered.last_id.map_or(0, EntryId::get) as usize;
        assert!(last <= model.len(), "nothing is recovered that was not written");
        assert_eq!(recovered.state, model[..last], "a recovered state is one that there was");
        if let Some(stop) = stop {
            assert_eq!(recovered.last_id, Some(stop));
        }
    }
    if how == 0 {
        match stop {
            None => assert_eq!(written.expect("a log without damage recovers").state, model),
            Some(stop) => match written {
                Ok(_) => {}
                Err(Failure::Gap { .. }) => {
                    assert!(stop.get() > model.len() as u64, "a gap at {stop}")
                }
                Err(Failure::StopBeforeCheckpoint { oldest, .. }) => assert!(oldest > stop),
                Err(error) => panic!("{error}"),
            },
        }
    }
}

fn wal_options() -> WalOptions {
    WalOptions::new().segment_bytes(256).buffer_bytes(256).read_bytes(256).segments_max(64)
}

fn checkpoint_options() -> CheckpointOptions {
    CheckpointOptions::new().chunk_bytes(256).read_bytes(256).chunk_bytes_max(1024)
}

/// Appends, publishes, syncs and reopens as the input says. Returns what was written.
fn run(input: &mut Input<'_>) -> (MemoryDirectory, State) {
    let dir = MemoryDirectory::new();
    let mut model = State::new();
    let bits = input.byte();
    let (mark, mut compact) = (bits & 1 == 1, bits & 2 == 2);
    let open = |compact| {
        let options = wal_options().mark_after_sync(mark).compact_frames(compact);
        Wal::open(dir.clone(), options).expect("a log opens")
    };
    let mut wal = open(compact);
    for _ in 0..input.below(60) {
        match input.byte() % 8 {
            0..=2 => {
                let entry = input.long();
                wal.append(&entry).expect("an append works");
                model.push(entry);
            }
            3 => {
                let batch: Vec<u32> = (0..input.below(40)).map(|_| input.byte().into()).collect();
                wal.append_batch(&batch).expect("a batch works");
                model.extend(batch);
            }
            4 => {
                let _ = wal.flush_and_sync().expect("a sync works");
            }
            5 | 6 => {
                let how = input.byte();
                let options = PublishOptions::new()
                    .checkpoint(checkpoint_options())
                    .keep(u32::from(how & 1) + 1)
                    .prune(how & 2 == 0);
                let mut publisher = CheckpointPublisher::new(dir.clone(), options).unwrap();
                let _ = publisher.publish(&mut wal, &model).expect("a state is published");
            }
            _ => {
                drop(wal);
                // Each opening may take the other form of frames.
                compact ^= bits & 4 == 4;
                wal = open(compact);
            }
        }
    }
    (dir.clone(), model)
}

fn apply(state: &mut State, _id: EntryId, entry: u32) -> Result<(), Failure> {
    state.push(entry);
    Ok(())
}

fn recover(dir: &MemoryDirectory, options: &RecoverOptions) -> Result<Recovered<State>, Failure> {
    bounded(MEMORY_MAX, || {
        let mut wal = Wal::open(dir.clone(), wal_options())?;
        recover_with_wal(&mut wal, options, State::new(), apply)
    })
}

fn agree(
    one: &Result<Recovered<State>, Failure>,
    other: &Result<Recovered<State>, Failure>,
    law: &str,
) {
    match (one, other) {
        (Ok(one), Ok(other)) => {
            assert_eq!((&one.state, one.last_id), (&other.state, other.last_id), "{law}")
        }
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string(), "{law}"),
        other => panic!("{law}: {other:?}"),
    }
}

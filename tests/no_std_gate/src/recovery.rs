//! A published state without `std`: the newest checkpoint is torn, and an older one and the log stand for it.
//!
//! Must never look at more than the public API shows.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use core::error::Error;

use durability_core::Error as LogError;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::storage::{MemoryDirectory, MemoryError, Name};
use durability_core::walog::{WalOptions, WalWriter};

use crate::check;

type State = BTreeMap<u64, String>;
type Wal = WalWriter<(u64, String), MemoryDirectory>;

const ENTRIES: u64 = 300;
/// Keys come again, so that the state is smaller than the log.
const KEYS: u64 = 70;

fn options() -> WalOptions {
    WalOptions::new().segment_bytes(2 << 10).buffer_bytes(1 << 10).read_bytes(1 << 10)
}

pub(crate) fn a_published_state_recovers() -> Result<(), Box<dyn Error>> {
    let dir = MemoryDirectory::new();
    let expected = write(&dir)?;
    let checkpoint = Name::new("ckp/00000002.CKP")?;
    let mut bytes = dir.contents(checkpoint).ok_or("the second checkpoint is not there")?;

    let whole = recover(&dir)?;
    check("checkpoint", whole.1, 2)?;
    check("state", whole.0 == expected, true)?;

    bytes.truncate(bytes.len() / 2);
    dir.put(checkpoint, bytes);
    let torn = recover(&dir)?;
    check("checkpoint, the newest being torn", torn.1, 1)?;
    check("state, the newest checkpoint being torn", torn.0 == expected, true)
}

/// Appends entries and publishes the state twice; the second time the log keeps what the first checkpoint needs.
fn write(dir: &MemoryDirectory) -> Result<State, LogError<MemoryError>> {
    let mut wal = Wal::open(dir.clone(), options())?;
    let mut state = State::new();
    for (prune, rounds) in [(true, 0..ENTRIES), (false, ENTRIES..2 * ENTRIES)] {
        let publishing = PublishOptions::new().prune(prune);
        let mut publisher = CheckpointPublisher::new(dir.clone(), publishing)?;
        for number in rounds {
            let value = alloc::format!("value {number}");
            wal.append(&(number % KEYS, value.clone()))?;
            state.insert(number % KEYS, value);
        }
        publisher.publish(&mut wal, &state)?;
    }
    wal.append(&(KEYS, "after".into()))?;
    state.insert(KEYS, "after".into());
    wal.close()?;
    Ok(state)
}

/// The state, and the checkpoint that it began from.
fn recover(dir: &MemoryDirectory) -> Result<(State, u32), LogError<MemoryError>> {
    let mut wal = Wal::open(dir.clone(), options())?;
    let apply = |state: &mut State, _id, (key, value)| {
        state.insert(key, value);
        Ok::<(), LogError<MemoryError>>(())
    };
    let found = recover_with_wal(&mut wal, &RecoverOptions::new(), State::new(), apply)?;
    Ok((found.state, found.report.checkpoint.unwrap_or(0)))
}

//! A log whose beginning gives way to checkpoints.

use durability::EntryId;
use durability::checkpoint::CheckpointOptions;
use durability::publish::{CheckpointPublisher, PublishOptions};
use durability::recover::{RecoverOptions, recover_read_only, recover_with_wal};
use durability::walog::{WalOptions, WalWriter};
use durability_testkit::simulated::Model;

use super::super::Failed;
use super::super::port::Port;
use super::super::random::Random;
use super::{DiaryOf, Ended, Kind, Tag, payload, tag};

/// The tags of all entries ever appended.
type State = Vec<Tag>;

/// What checkpoint and log add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Total(State);

impl Model for Total {
    type Operation = State;
    type Seen = State;

    fn apply(&mut self, appended: &State) {
        self.0.extend(appended);
    }

    fn explains(&self, seen: &State) -> bool {
        self.0 == *seen
    }
}

pub(super) struct Publishing {
    options: WalOptions,
    publish: PublishOptions,
    checkpoint: CheckpointOptions,
    writer: Option<WalWriter<Vec<u8>, Port>>,
    state: State,
}

impl Publishing {
    pub(super) fn new(random: &mut Random) -> Self {
        let options = WalOptions::new()
            .segment_bytes(random.pick(&[300, 1_000, 9_000, 20_000]))
            .buffer_bytes(random.pick(&[256, 4_096]))
            .preallocate(random.one_in(2))
            .read_bytes(1_024);
        let checkpoint = CheckpointOptions::new().chunk_bytes(256).read_bytes(256);
        let publish = PublishOptions::new()
            .prune(!random.one_in(4))
            .keep(random.pick(&[1, 2]))
            .checkpoint(checkpoint);
        Self { options, publish, checkpoint, writer: None, state: State::new() }
    }

    fn publish(&mut self, dir: &Port) -> Ended {
        let wal = self.writer.as_mut().ok_or("closed")?;
        let mut publisher = CheckpointPublisher::new(dir.clone(), self.publish.clone())?;
        let through = publisher.publish(wal, &self.state)?.last_id();
        if through == wal.last_entry_id() {
            Ok(())
        } else {
            Err(format!("published through {through:?}").into())
        }
    }
}

fn push(state: &mut State, id: EntryId, record: &[u8]) -> Ended {
    if id.get() != state.len() as u64 + 1 {
        return Err(format!("entry {id} follows {} entries", state.len()).into());
    }
    state.push(tag(record)?);
    Ok(())
}

impl Kind for Publishing {
    type Model = Total;
    const NAME: &'static str = "published";

    fn closed(&self) -> Self {
        let (options, publish) = (self.options.clone(), self.publish.clone());
        Self { options, publish, checkpoint: self.checkpoint, writer: None, state: State::new() }
    }

    fn open(&mut self, dir: &Port) -> Result<State, Failed> {
        let options = RecoverOptions::new().checkpoint(self.checkpoint);
        let apply = |state: &mut State, id, record: Vec<u8>| push(state, id, &record);
        let looked =
            recover_read_only(dir, self.options.clone(), &options, State::new(), apply)?.state;
        let mut wal = WalWriter::open(dir.clone(), self.options.clone())?;
        let recovered = recover_with_wal(&mut wal, &options, State::new(), apply)?;
        if looked != recovered.state {
            return Err(format!("read {looked:?}, then recovered {:?}", recovered.state).into());
        }
        self.writer = Some(wal);
        self.state.clone_from(&recovered.state);
        Ok(recovered.state)
    }

    fn step(&mut self, dir: &Port, random: &mut Random, diary: &mut DiaryOf<Self>) -> Ended {
        let wal = self.writer.as_mut().ok_or("closed")?;
        match random.below(13) {
            0..=4 => {
                let tag = diary.tag();
                diary.issue(vec![tag]);
                wal.append(&payload(tag))?;
                self.state.push(tag);
            }
            5 => {
                let tag = diary.tag();
                let tags = vec![tag, tag | 0x4000, tag | 0x8000];
                diary.issue(tags.clone());
                wal.append_batch(&tags.iter().copied().map(payload).collect::<Vec<_>>())?;
                self.state.extend(tags);
            }
            6..=8 => {
                let _durable = wal.flush_and_sync()?;
                diary.acknowledge();
            }
            9..=10 => {
                self.publish(dir)?;
                diary.acknowledge();
            }
            11 => {
                // As if the process had been killed.
                self.writer = None;
                diary.recovered(self.open(dir)?);
            }
            _ => {
                self.writer.take().ok_or("closed")?.close()?;
                diary.acknowledge();
                diary.recovered(self.open(dir)?);
            }
        }
        Ok(())
    }

    fn promise(&mut self, dir: &Port, diary: &mut DiaryOf<Self>) -> Ended {
        let tag = diary.tag();
        diary.issue(vec![tag]);
        self.writer.as_mut().ok_or("closed")?.append(&payload(tag))?;
        self.state.push(tag);
        // Publishing: what the crash left must not be in its way.
        self.publish(dir)?;
        diary.acknowledge();
        Ok(())
    }
}

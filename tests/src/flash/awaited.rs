//! A log of raw records on flash that has to be awaited, run by a script.
//!
//! Must never ask the directory what it ought to find, nor let one reader alone say what is there.

use core::error::Error as StdError;

use durability_core::walog::{FixedWalReader, WalOptions};
use durability_core::{Durable, EntryId, ReadMode};
use durability_flash::{
    AsyncFlashDirectory, AsyncWalReader, AsyncWalWriter, FlashDirectory, FlashOptions,
};

use crate::backends::{AsyncNorChip, NorChip};
use crate::executor::block_on;
use crate::simulated::Violation;

use super::log::{Entry, entry};
use super::outside::{Issued, Outside, Seen, Total};
use super::{FlashProgram, Script, Step, Tape};

/// A log of raw records in `SLOTS` slots, through the front that is awaited.
///
/// A life reads the log through a driver that need not be awaited, and through one that does, opens it, judges all that, and runs the script of its number; the last
/// script is that of all later lives. [`Step::Publish`] prunes all it can, [`Step::Truncate`] does nothing.
#[derive(Debug, Clone)]
pub struct AsyncLogProgram<const SLOTS: usize> {
    /// The shape of the region.
    pub flash: FlashOptions,
    /// The options of the log.
    pub wal: WalOptions,
    /// Bytes of its buffer.
    pub buffer_bytes: usize,
    /// Bytes that are read ahead.
    pub ahead_bytes: usize,
    /// What is done in each life.
    pub scripts: Vec<Script>,
}

fn failed<E: StdError>(during: &'static str) -> impl Fn(E) -> Violation {
    move |error| {
        let mut detail = format!("{during}: {error}");
        let mut cause: &dyn StdError = &error;
        while let Some(source) = cause.source() {
            detail = format!("{detail}: {source}");
            cause = source;
        }
        Violation { law: "nothing fails on a chip that works", detail }
    }
}

fn record(entry: &Entry) -> Vec<u8> {
    [&entry.0.to_le_bytes()[..], &entry.1].concat()
}

/// The tag of a record that is as it was issued.
fn tag(payload: &[u8]) -> Result<u32, Violation> {
    let tag = payload.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)).unwrap_or_default();
    if payload == record(&entry(tag)) {
        return Ok(tag);
    }
    let detail = format!("a record is {payload:x?}");
    Err(Violation { law: "records are returned as they were written", detail })
}

fn first(last: Option<EntryId>) -> u64 {
    last.map_or(0, EntryId::get) + 1
}

type Dir<'m, const R: usize, const W: usize, const E: usize, const S: usize> =
    AsyncFlashDirectory<'m, AsyncNorChip<R, W, E>, S>;

/// One life.
struct Life<'p, const R: usize, const W: usize, const E: usize, const S: usize> {
    program: &'p AsyncLogProgram<S>,
    driver: AsyncNorChip<R, W, E>,
    tape: &'p mut Tape<Outside>,
    outside: Outside,
    number: u32,
}

impl<const R: usize, const W: usize, const E: usize, const S: usize> Life<'_, R, W, E, S> {
    /// What is there, by a reader that is not awaited.
    fn read(&self) -> Result<Seen, Violation> {
        let mut buffer = vec![0; self.program.buffer_bytes];
        let options = self.program.wal.clone();
        self.driver.with(|chip| {
            let dir = FlashDirectory::<_, S>::mount(chip, self.program.flash);
            let dir = dir.map_err(failed("mounting"))?;
            let reader = FixedWalReader::open(&dir, options, ReadMode::BestEffort, &mut buffer);
            let mut reader = reader.map_err(failed("opening to read"))?;
            let mut seen = Seen { first: first(reader.last_entry_id()), tags: Vec::new() };
            while let Some(entry) = reader.next().map_err(failed("reading"))? {
                seen.tags.push(tag(entry.payload)?);
            }
            Ok(seen)
        })
    }

    /// What is there, by a reader that is.
    async fn read_awaited(&self, dir: &mut Dir<'_, R, W, E, S>) -> Result<Seen, Violation> {
        let mut buffer = vec![0; self.program.buffer_bytes];
        let options = self.program.wal.clone();
        let reader = AsyncWalReader::open(dir, options, ReadMode::BestEffort, &mut buffer).await;
        let mut reader = reader.map_err(failed("opening to read"))?;
        let mut seen = Seen { first: first(reader.last_entry_id()), tags: Vec::new() };
        while let Some(entry) = reader.next().await.map_err(failed("reading"))? {
            seen.tags.push(tag(entry.payload)?);
        }
        Ok(seen)
    }

    /// Mounts, reads, opens, judges, and runs some steps.
    async fn session(&mut self, steps: &[Step]) -> Result<(), Violation> {
        let options = &self.program.flash;
        let queue = Dir::<'_, R, W, E, S>::queue_bytes(options, self.program.buffer_bytes);
        // Each record of a batch takes a granule at least.
        let (mut queue, mut ahead) = (vec![0; queue + 4 * W], vec![0; self.program.ahead_bytes]);
        let (queue, ahead) = (queue.as_mut_slice(), ahead.as_mut_slice());
        let mounted =
            Dir::<'_, R, W, E, S>::mount(self.driver.clone(), *options, queue, ahead).await;
        let mut dir = mounted.map_err(failed("mounting"))?;
        let read = self.read()?;
        self.tape.now().judge(&read)?;
        let awaited = self.read_awaited(&mut dir).await?;
        if awaited != read {
            let detail = format!("read {read:?}, awaited {awaited:?}");
            return Err(Violation { law: "all readers see the same", detail });
        }
        let mut buffer = vec![0; self.program.buffer_bytes];
        let wal = AsyncWalWriter::open(&mut dir, self.program.wal.clone(), &mut buffer).await;
        let mut wal = wal.map_err(failed("opening"))?;
        let seen = self.read()?;
        self.outside = self.tape.now().clone();
        self.outside.judge(&seen)?;
        let next = wal.next_entry_id().get();
        if seen.last() != read.last() || seen.last() as u64 + 1 != next {
            let detail = format!("read {read:?}, opened {seen:?}, goes on with {next}");
            return Err(Violation { law: "readers and writers see the same end", detail });
        }
        let mut total = Total::default();
        self.outside.issued.iter().take(seen.last()).for_each(|issued| total.add(issued.tag));
        self.outside.settle(&seen, total)?;
        self.tell();
        for step in steps {
            self.run(&mut wal, *step).await?;
        }
        let durable = wal.flush_and_sync().await.map_err(failed("the last sync"))?;
        self.promise(durable);
        self.tell();
        wal.close().await.map_err(failed("closing"))?;
        let enough = Dir::<'_, R, W, E, S>::ahead_bytes(options, self.program.buffer_bytes);
        if self.program.ahead_bytes >= enough && dir.in_place().reads > 0 {
            let detail = format!("{:?}", dir.in_place());
            return Err(Violation { law: "with memory enough every read is awaited", detail });
        }
        Ok(())
    }

    /// Tells the tape what is known as of now.
    fn tell(&mut self) {
        let operations = self.driver.with(|chip| chip.operations());
        self.tape.tell(operations, self.outside.clone());
    }

    /// The next entry, which no other entry of this chip has been.
    fn issue(&mut self, bytes: u8, joined: bool) -> Vec<u8> {
        self.outside.tags += 1;
        let tag = self.number << 20 | (self.outside.tags & 0xFFF) << 8 | u32::from(bytes);
        self.outside.issued.push(Issued { tag, joined });
        record(&entry(tag))
    }

    async fn run(
        &mut self,
        wal: &mut AsyncWalWriter<'_, '_, '_, AsyncNorChip<R, W, E>, S>,
        step: Step,
    ) -> Result<(), Violation> {
        match step {
            Step::Append(bytes) => {
                let record = self.issue(bytes, false);
                self.tell();
                wal.append(&record).await.map_err(failed("appending"))?;
            }
            Step::Batch(count) => {
                let batch: Vec<_> = (1..=count).map(|at| self.issue(9, at < count)).collect();
                let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
                self.tell();
                wal.append_batch(&batch).await.map_err(failed("appending a batch"))?;
            }
            Step::Flush => wal.flush().await.map_err(failed("flushing"))?,
            Step::Sync => {
                let durable = wal.flush_and_sync().await.map_err(failed("syncing"))?;
                self.promise(durable);
            }
            Step::Publish => {
                let next = wal.next_entry_id();
                wal.truncate_prefix(next).await.map_err(failed("pruning"))?;
                self.outside.promised = self.outside.issued.len();
                self.outside.begins = wal.first_entry_id().get();
            }
            Step::Prepare => {
                let ready = wal.usage().ready;
                while wal.usage().ready == ready
                    && wal.prepare_step().await.map_err(failed("preparing"))?
                {}
            }
            Step::PrepareStep => {
                wal.prepare_step().await.map_err(failed("preparing a block"))?;
            }
            Step::Truncate(_) | Step::Reopen => {}
        }
        self.tell();
        Ok(())
    }

    fn promise(&mut self, durable: Durable) {
        let through = durable.through().map_or(0, EntryId::get);
        let through = usize::try_from(through).unwrap_or(usize::MAX);
        self.outside.promised = self.outside.promised.max(through);
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const SLOTS: usize>
    FlashProgram<READ, WRITE, ERASE> for AsyncLogProgram<SLOTS>
{
    type Outside = Outside;

    fn live(
        &self,
        chip: &mut NorChip<READ, WRITE, ERASE>,
        tape: &mut Tape<Outside>,
        life: u32,
    ) -> Result<(), Violation> {
        let script = self.scripts.get(life as usize).or(self.scripts.last());
        let steps = script.map_or(&[][..], |script| &script.0);
        let driver = AsyncNorChip::new(core::mem::replace(chip, NorChip::new(0)));
        let outside = tape.now().clone();
        let mut alive = Life { program: self, driver: driver.clone(), tape, outside, number: life };
        let mut parts = steps.split_inclusive(|step| *step == Step::Reopen).chain([&[][..]]);
        let lived = parts.try_for_each(|part| block_on(alive.session(part)));
        *chip = driver.with(|chip| core::mem::replace(chip, NorChip::new(0)));
        lived
    }
}

//! A log and its checkpoints on a [`FlashDirectory`], run by a script.
//!
//! Must never ask the directory what it ought to find.

use core::error::Error as StdError;

use durability_core::checkpoint::CheckpointOptions;
use durability_core::embedded_io::Write as _;
use durability_core::publish::{CheckpointPublisher, PublishOptions};
use durability_core::recover::{RecoverOptions, recover_with_wal};
use durability_core::storage::{Directory as _, Name};
use durability_core::walog::{WalOptions, WalReader, WalWriter};
use durability_core::{Durable, EntryId, Error};
use durability_flash::{FlashDirectory, FlashError, FlashOptions};

use crate::backends::{NorChip, NorError};
use crate::simulated::Violation;

use super::outside::{Issued, Outside, Seen, Total};
use super::{FlashProgram, Script, Step, Tape};

pub(super) type Entry = (u32, Vec<u8>);
type Failed = Error<FlashError<NorError>>;
type Chip<const READ: usize, const WRITE: usize, const ERASE: usize> = NorChip<READ, WRITE, ERASE>;

/// A log of typed entries with checkpoints, in `SLOTS` slots.
///
/// A life mounts, reads the log without changing it, opens and recovers it, judges all that, and runs the script of its number; the last script is that of all
/// later lives. At the end it is opened once more, which must show what is there, and every slot must be usable.
#[derive(Debug, Clone)]
pub struct LogProgram<const SLOTS: usize> {
    /// The shape of the region.
    pub flash: FlashOptions,
    /// The options of the log.
    pub wal: WalOptions,
    /// The options of publishing.
    pub publish: PublishOptions,
    /// What is done in each life.
    pub scripts: Vec<Script>,
}

impl<const SLOTS: usize> LogProgram<SLOTS> {
    /// Small buffers, one checkpoint kept.
    pub fn new(flash: FlashOptions, scripts: &[Script]) -> Self {
        let checkpoint = CheckpointOptions::new().chunk_bytes(256);
        Self {
            flash,
            wal: WalOptions::new().buffer_bytes(256).read_bytes(256),
            publish: PublishOptions::new().keep(1).checkpoint(checkpoint),
            scripts: scripts.to_vec(),
        }
    }
}

fn failed(during: &'static str) -> impl Fn(Failed) -> Violation {
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

fn flash_failed(during: &'static str) -> impl Fn(FlashError<NorError>) -> Violation {
    move |error| {
        let detail = format!("{during}: {error}");
        Violation { law: "nothing fails on a chip that works", detail }
    }
}

/// Bytes that follow from the tag: some of them blank, some zero, as written flash may be.
pub(super) fn entry(tag: u32) -> Entry {
    let length = tag & 0xFF;
    let bytes = (0..length).map(|at| match tag >> 8 & 3 {
        0 => 0xFF,
        1 => 0,
        _ => (tag.wrapping_mul(0x9E37_79B1).wrapping_add(at * at) >> 7).to_le_bytes()[0],
    });
    (tag, bytes.collect())
}

fn tags(entries: Vec<(EntryId, Entry)>) -> Result<Vec<u32>, Violation> {
    let altered = entries.iter().find(|(_, found)| *found != entry(found.0));
    if let Some((id, found)) = altered {
        let detail = format!("entry {id} is {found:x?}");
        return Err(Violation { law: "records are returned as they were written", detail });
    }
    Ok(entries.into_iter().map(|(_, (tag, _))| tag).collect())
}

/// Every slot that holds no file must take one, to the last byte.
fn fill<const R: usize, const W: usize, const E: usize, const S: usize>(
    dir: &Dir<'_, R, W, E, S>,
) -> Result<(), Violation> {
    let free = S - dir.usage().files;
    let bytes = vec![0x5A; usize::try_from(dir.capabilities().file_bytes_max()).unwrap_or(0)];
    for number in 0..free {
        let name = format!("fill/{number}");
        let Ok(name) = Name::new(&name) else { continue };
        let created = dir.create(name, 0).map_err(flash_failed("filling every slot"))?;
        let mut file = created.ok_or_else(|| Violation {
            law: "no file comes from nowhere",
            detail: format!("{name} is there"),
        })?;
        file.write(&bytes).map_err(flash_failed("filling every slot"))?;
    }
    Ok(())
}

type Dir<'c, const R: usize, const W: usize, const E: usize, const S: usize> =
    FlashDirectory<&'c mut NorChip<R, W, E>, S>;

/// One time that the log is open.
struct Session<'d, 'c, const R: usize, const W: usize, const E: usize, const S: usize> {
    dir: &'d Dir<'c, R, W, E, S>,
    wal: WalWriter<Entry, &'d Dir<'c, R, W, E, S>>,
    program: &'d LogProgram<S>,
    tape: &'d mut Tape<Outside>,
    outside: Outside,
    life: u32,
}

impl<'d, 'c, const R: usize, const W: usize, const E: usize, const S: usize>
    Session<'d, 'c, R, W, E, S>
{
    /// Reads, opens, recovers, and judges.
    fn open(
        dir: &'d Dir<'c, R, W, E, S>,
        program: &'d LogProgram<S>,
        tape: &'d mut Tape<Outside>,
        life: u32,
    ) -> Result<Self, Violation> {
        let reading = || -> Result<_, Failed> {
            let mut reader = WalReader::<Entry, _>::open(dir, program.wal.clone())?.best_effort();
            Ok((reader.first_entry_id().get(), reader.replay()?))
        };
        let (first, entries) = reading().map_err(failed("reading the log"))?;
        let read = Seen { first, tags: tags(entries)? };
        tape.now().judge(&read)?;

        let mut wal = WalWriter::open(dir, program.wal.clone()).map_err(failed("opening"))?;
        let first = wal.first_entry_id().get();
        let entries = wal.reader().and_then(|mut reader| reader.replay());
        let seen = Seen { first, tags: tags(entries.map_err(failed("reading what is open"))?)? };
        let mut outside = tape.now().clone();
        outside.judge(&seen)?;
        if seen.last() != read.last() {
            let detail = format!("read {read:?}, recovered {seen:?}");
            return Err(Violation { law: "readers and writers see the same end", detail });
        }
        let recover = RecoverOptions::new().checkpoint(CheckpointOptions::new().chunk_bytes(256));
        let initial = Total::default();
        let recovered = recover_with_wal(&mut wal, &recover, initial, |total, _, entry: Entry| {
            total.add(entry.0);
            Ok::<(), Failed>(())
        });
        let recovered = recovered.map_err(failed("recovering"))?;
        outside.settle(&seen, recovered.state)?;
        let mut session = Self { dir, wal, program, tape, outside, life };
        session.tell();
        Ok(session)
    }

    /// Tells the tape what is known as of now.
    fn tell(&mut self) {
        let operations = self.dir.with_flash(|chip| chip.operations());
        self.tape.tell(operations, self.outside.clone());
    }

    /// The tag of the next entry, which no other entry of this chip has had.
    fn issue(&mut self, bytes: u8, joined: bool) -> u32 {
        self.outside.tags += 1;
        let tag = self.life << 20 | (self.outside.tags & 0xFFF) << 8 | u32::from(bytes);
        self.outside.issued.push(Issued { tag, joined });
        tag
    }

    fn run(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Append(bytes) => {
                let tag = self.issue(bytes, false);
                self.tell();
                self.wal.append(&entry(tag)).map_err(failed("appending"))?;
            }
            Step::Batch(count) => {
                let batch: Vec<Entry> =
                    (1..=count).map(|at| entry(self.issue(9, at < count))).collect();
                self.tell();
                self.wal.append_batch(batch.iter()).map_err(failed("appending a batch"))?;
            }
            Step::Flush => self.wal.flush().map_err(failed("flushing"))?,
            Step::Sync => {
                let durable = self.wal.flush_and_sync().map_err(failed("syncing"))?;
                self.promise(durable);
            }
            Step::Publish => self.publish()?,
            Step::Truncate(count) => self.truncate(count.into())?,
            Step::Prepare => {
                self.dir.prepare().map_err(flash_failed("preparing"))?;
            }
            Step::PrepareStep => {
                self.dir.prepare_step().map_err(flash_failed("preparing a block"))?;
            }
            Step::Reopen => {}
        }
        self.tell();
        Ok(())
    }

    fn promise(&mut self, durable: Durable) {
        let through = durable.through().map_or(0, EntryId::get);
        let through = usize::try_from(through).unwrap_or(usize::MAX);
        self.outside.promised = self.outside.promised.max(through);
    }

    fn publish(&mut self) -> Result<(), Violation> {
        let publisher = CheckpointPublisher::new(self.dir, self.program.publish.clone());
        let mut publisher = publisher.map_err(failed("opening the checkpoints"))?;
        self.outside.covered = self.outside.issued.len();
        self.tell();
        let total = self.outside.total();
        publisher.publish(&mut self.wal, &total).map_err(failed("publishing"))?;
        self.outside.promised = self.outside.issued.len();
        self.outside.begins = self.wal.first_entry_id().get();
        Ok(())
    }

    /// Takes entries back, but none that a checkpoint may have.
    fn truncate(&mut self, count: usize) -> Result<(), Violation> {
        let keep = self.outside.issued.len().saturating_sub(count);
        let Some(from) = EntryId::new(keep as u64 + 1).filter(|_| keep >= self.outside.covered)
        else {
            return Ok(());
        };
        // A truncation may end within a batch: what is left of it is a whole from then on.
        if let Some(last) = keep.checked_sub(1).and_then(|at| self.outside.issued.get_mut(at)) {
            last.joined = false;
        }
        self.outside.truncating = Some(keep);
        self.tell();
        self.wal.truncate_suffix(from).map_err(failed("truncating"))?;
        self.outside.truncating = None;
        self.outside.issued.truncate(keep);
        self.outside.promised = keep;
        Ok(())
    }

    fn close(mut self) -> Result<(), Violation> {
        let durable = self.wal.flush_and_sync().map_err(failed("the last sync"))?;
        self.promise(durable);
        self.tell();
        self.wal.close().map_err(failed("closing"))
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const SLOTS: usize>
    FlashProgram<READ, WRITE, ERASE> for LogProgram<SLOTS>
{
    type Outside = Outside;

    fn live(
        &self,
        chip: &mut Chip<READ, WRITE, ERASE>,
        tape: &mut Tape<Outside>,
        life: u32,
    ) -> Result<(), Violation> {
        let script = self.scripts.get(life as usize).or(self.scripts.last());
        let steps = script.map_or(&[][..], |script| &script.0);
        for part in steps.split_inclusive(|step| *step == Step::Reopen) {
            let dir = self.mount::<READ, WRITE, ERASE>(chip)?;
            let mut session = Session::open(&dir, self, tape, life)?;
            for step in part {
                session.run(*step)?;
            }
            session.close()?;
        }
        let last = !chip.is_recording();
        let dir = self.mount::<READ, WRITE, ERASE>(chip)?;
        Session::open(&dir, self, tape, life)?;
        if last { fill(&dir) } else { Ok(()) }
    }
}

impl<const SLOTS: usize> LogProgram<SLOTS> {
    fn mount<'c, const READ: usize, const WRITE: usize, const ERASE: usize>(
        &self,
        chip: &'c mut Chip<READ, WRITE, ERASE>,
    ) -> Result<Dir<'c, READ, WRITE, ERASE, SLOTS>, Violation> {
        FlashDirectory::mount(chip, self.flash).map_err(flash_failed("mounting"))
    }
}

//! A writer in two halves: records are staged in memory while a commit of earlier ones runs elsewhere.
//!
//! Must never let a byte of a segment go out before its predecessor is durable, nor tell of durability before a commit that was run has been handed back.

use alloc::vec::Vec;
use core::fmt;

use crate::EntryId;
use crate::bytes::control::Control;
use crate::bytes::frame::Flags;
use crate::durable::Durable;
use crate::error::Error;
use crate::storage::{Directory, NameBuf};

use super::commit::{Commit, Mark, Next, State};
use super::hooks::{Event, Hooks};
use super::ids::EntryIds;
use super::prepare::{Preparation, Prepared};
use super::raw_writer::RawWalWriter;
use super::segments::NewFile;
use super::upcoming::Lock;

/// What became of a record that was to be staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staged<T> {
    /// It is in the buffer.
    Done(T),
    /// The buffer is full: a commit makes room.
    Full,
    /// The segment is full, or old enough: a rotation makes room.
    Rotate,
}

/// A [`RawWalWriter`] whose commits can run elsewhere: what group commit is made of, among threads or tasks.
///
/// Records are [`stage`](Self::stage)d, which does no I/O. [`begin`](Self::begin) takes out what is staged as a [`Commit`]; that is
/// [`run`](Commit::run) without the writer, which goes on staging, and handed back to [`end`](Self::end). One commit runs at a time.
///
/// **Durability.** As of the writer. What [`end`](Self::end) returns is durable, and nothing more.
///
/// ```
/// use durability_core::storage::{MemoryDirectory, MemoryError};
/// use durability_core::walog::{RawWalWriter, Staged, StagedWriter, WalOptions};
/// let dir = MemoryDirectory::new();
/// let mut wal = StagedWriter::new(RawWalWriter::open(dir.clone(), WalOptions::new())?)?;
/// let Staged::Done(first) = wal.stage(b"first")? else { panic!("an empty buffer has room") };
/// let Some(mut commit) = wal.begin(true)? else { panic!("there is something to commit") };
/// wal.stage(b"second")?; // another thread, meanwhile
/// commit.run(&dir)?;
/// assert_eq!(wal.end(commit)?.through(), Some(first));
/// # Ok::<(), durability_core::Error<MemoryError>>(())
/// ```
pub struct StagedWriter<D: Directory, H: Hooks = ()> {
    writer: RawWalWriter<D, H>,
    /// The buffer that takes the place of the one that a commit takes along.
    empty: Vec<u8>,
    /// The name that the last commit brought back: the next one's, most often.
    name: Option<NameBuf>,
    running: bool,
    /// How large the buffer may become while a commit runs.
    staged_bytes_max: usize,
    /// The commit that runs is the end of its segment: nothing more is staged for that, and the next one is not there yet.
    sealing: bool,
    /// Entries up to this one were handed to the system.
    flushed: Option<EntryId>,
}

impl<D: Directory, H: Hooks> StagedWriter<D, H> {
    /// Splits a writer. Its tail is opened for appending, so that staging need not.
    ///
    /// # Errors
    /// What the directory reports, and [`Error::Poisoned`]; [`Error::Limit`] where that needs one segment too many.
    pub fn new(writer: RawWalWriter<D, H>) -> Result<Self, Error<D::Error>> {
        let staged_bytes_max = writer.settings.buffer_bytes;
        let (empty, flushed) = (Vec::new(), None);
        let (running, sealing) = (false, false);
        let name = None;
        let mut staged = Self { writer, empty, name, running, staged_bytes_max, sealing, flushed };
        if !staged.writer.tail.is_open() && !staged.writer.goes_on_in_place() {
            staged.writer.check_segments()?;
        }
        staged.refresh()?;
        Ok(staged)
    }

    /// Sets how much may be staged while a commit runs; the buffer grows up to there, and stays as large. What the
    /// [buffer](super::WalOptions::buffer_bytes) takes anyway is the least.
    #[must_use]
    pub fn staged_bytes_max(mut self, bytes: usize) -> Self {
        self.staged_bytes_max = bytes.max(self.writer.settings.buffer_bytes);
        self
    }

    /// The writer, for all that needs no I/O. What it calls appended is staged, or on its way.
    pub const fn writer(&self) -> &RawWalWriter<D, H> {
        &self.writer
    }

    /// Whether a commit is on its way.
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// How many bytes are staged.
    pub fn staged_bytes(&self) -> usize {
        self.writer.tail.buffered()
    }

    /// Bytes of the tail that were handed to the system and wait for a sync.
    pub fn unsynced_bytes(&self) -> u64 {
        self.writer.tail.unsynced_bytes()
    }

    /// Whether the [`FlushPolicy`](super::FlushPolicy) wants what is staged to be flushed.
    pub fn flush_is_due(&self) -> bool {
        self.writer.flush_is_due()
    }

    /// Lends the whole writer, for pruning, truncating, publishing. What is staged is the writer's buffer as ever.
    ///
    /// # Errors
    /// [`Error::Busy`] while a commit runs; what the directory reports when the tail is opened again afterwards.
    pub fn whole<R>(
        &mut self,
        with: impl FnOnce(&mut RawWalWriter<D, H>) -> R,
    ) -> Result<R, Error<D::Error>> {
        self.check_idle()?;
        if !self.writer.poisoned {
            self.vouch()?;
        }
        let result = with(&mut self.writer);
        if !self.writer.poisoned {
            self.refresh()?;
        }
        Ok(result)
    }

    /// The last entry that was handed to the system: it survives the end of the process.
    pub const fn flushed_through(&self) -> Option<EntryId> {
        self.flushed
    }

    /// The writer, whole again.
    ///
    /// # Errors
    /// [`Error::Busy`] while a commit runs.
    pub fn into_writer(mut self) -> Result<RawWalWriter<D, H>, Error<D::Error>> {
        self.check_idle()?;
        if !self.writer.poisoned {
            self.vouch()?;
        }
        Ok(self.writer)
    }

    /// Appends a record to the buffer. Does no I/O, and allocates only for a record that is larger than the buffer.
    ///
    /// **Durability.** None yet.
    ///
    /// # Errors
    /// Without effect: [`Error::Limit`] for a record that is too large, [`Error::Poisoned`].
    #[inline]
    pub fn stage(&mut self, payload: &[u8]) -> Result<Staged<EntryId>, Error<D::Error>> {
        self.writer.check()?;
        let payload_bytes = self.writer.check_record(payload.len() as u64)?;
        Ok(match self.room(self.writer.frame_bytes(payload_bytes))? {
            Staged::Done(()) => Staged::Done(self.writer.append_entry(payload, false)?),
            Staged::Full => Staged::Full,
            Staged::Rotate => Staged::Rotate,
        })
    }

    /// Appends records to the buffer that are all visible after a crash or none.
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    pub fn stage_batch<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Staged<EntryIds>, Error<D::Error>> {
        self.writer.check()?;
        let (mut count, mut bytes) = (0_u64, 0_u64);
        for payload in payloads.clone() {
            let payload_bytes = self.writer.check_record(payload.len() as u64)?;
            bytes = bytes.saturating_add(self.writer.frame_bytes(payload_bytes));
            count = count.saturating_add(1);
        }
        let entries = self.writer.check_batch(count, bytes)?;
        if entries == 0 {
            return Ok(Staged::Done(EntryIds::new(self.writer.next_id, 0)));
        }
        match self.room(bytes)? {
            Staged::Done(()) => {}
            Staged::Full => return Ok(Staged::Full),
            Staged::Rotate => return Ok(Staged::Rotate),
        }
        let ids = EntryIds::new(self.writer.next_id, entries);
        let mut payloads = payloads.peekable();
        self.writer.poisoned = true;
        while let Some(payload) = payloads.next() {
            self.writer.append_entry(payload, payloads.peek().is_some())?;
        }
        self.writer.poisoned = false;
        Ok(Staged::Done(ids))
    }

    /// Whether the buffer takes that many bytes of frames.
    #[inline]
    fn room(&mut self, bytes: u64) -> Result<Staged<()>, Error<D::Error>> {
        if self.sealing && !planted!(StagedIntoSealed) {
            return Ok(Staged::Full);
        }
        if !self.writer.has_room(bytes) && self.writer.is_full(bytes) {
            // A rotation waits for the commit that runs.
            return Ok(if self.running { Staged::Full } else { Staged::Rotate });
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let sink = self.writer.tail.sink()?;
        if sink.spare().len() >= bytes {
            return Ok(Staged::Done(()));
        }
        let (buffered, buffer_bytes) = (sink.buffered(), self.writer.settings.buffer_bytes);
        let needed = buffered.saturating_add(bytes);
        let most = if self.running { self.staged_bytes_max } else { buffer_bytes };
        // What never fits the buffer need not find it empty: others may keep it filled. Once in a buffer, for memory is bounded.
        if buffered > 0 && needed > most && (bytes <= buffer_bytes || buffered > buffer_bytes) {
            return Ok(Staged::Full);
        }
        sink.grow(needed.max(buffered.saturating_mul(2).min(most)))?;
        Ok(Staged::Done(()))
    }

    /// Takes out what is staged, to be written, and synced if `sync`. `None` if nothing is staged, and nothing waits for that sync.
    ///
    /// # Errors
    /// [`Error::Busy`] while another commit runs; [`Error::Poisoned`]; [`Error::Limit`] where there is no memory, without effect.
    pub fn begin(&mut self, sync: bool) -> Result<Option<Commit<D>>, Error<D::Error>> {
        self.check_idle()?;
        self.writer.check()?;
        let sync = sync && self.writer.tail.needs_sync();
        if !sync && self.staged_bytes() == 0 {
            return Ok(None);
        }
        if sync {
            self.pad()?;
        }
        let mut commit = self.take(sync)?;
        if sync && self.writer.settings.mark_after_sync {
            commit.mark = self.take_mark(commit.end)?;
        }
        Ok(Some(commit))
    }

    /// Takes out what is staged as the end of its segment. Once that is durable, the next segment begins.
    ///
    /// # Errors
    /// As [`begin`](Self::begin), and [`Error::Limit`] for one segment too many, without effect.
    pub fn begin_rotation(&mut self) -> Result<Commit<D>, Error<D::Error>> {
        self.check_idle()?;
        self.writer.check()?;
        self.writer.check_segments()?;
        let number = self.writer.next_number()?;
        let name = self.writer.settings.segment_name(number)?;
        self.writer.tail.demand_sync_of_marks();
        let sync = self.writer.tail.needs_sync();
        let mut commit = self.take(sync)?;
        commit.trim = self.writer.settings.trims_at(commit.end);
        if self.writer.prepared_segment().is_some() {
            self.writer.poisoned = true;
            let file = self.writer.next_file()?;
            self.begin_segment(file)?;
            self.writer.poisoned = false;
            commit.next = Next::Begun;
        } else {
            self.writer.highest = number;
            commit.next = Next::Create { number, name, room: self.writer.room() };
            self.sealing = true;
        }
        Ok(commit)
    }

    /// [`RawWalWriter::prepare`]; it may be while a commit runs.
    ///
    /// # Errors
    /// As there.
    pub fn prepare(&mut self) -> Result<Option<Preparation<D>>, Error<D::Error>>
    where
        D: Clone,
    {
        self.writer.prepare()
    }

    /// [`RawWalWriter::install`]; it may be while a commit runs.
    pub fn install(&mut self, prepared: Prepared<D>) {
        self.writer.install(prepared);
    }

    /// Takes a commit back, and tells what is durable by now.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if it failed, or was not run: so is the writer, from here on. After a rotation, what the directory reports.
    /// [`Error::OtherWriter`] for a commit that another writer has begun, without effect on this one.
    pub fn end(&mut self, commit: Commit<D>) -> Result<Durable, Error<D::Error>> {
        if !Lock::ptr_eq(&commit.lock, self.writer.upcoming.lock()) {
            return Err(Error::OtherWriter { file: commit.name });
        }
        let Commit { file, name, bytes, sync, next, through, end, state, .. } = commit;
        (self.running, self.sealing) = (false, false);
        self.keep(bytes);
        if state != State::Done {
            self.writer.poisoned = true;
            return Err(Error::Poisoned { file: name });
        }
        self.name = Some(name);
        self.flushed = through;
        self.writer.poisoned = true;
        if !matches!(next, Next::Begun) {
            self.writer.tail.sink()?.give_back(file);
            if sync {
                self.writer.tail.set_durable(end);
                self.writer.tail.set_name_synced();
            }
        }
        if sync {
            self.writer.durable_through = through;
            self.writer.hooks.on(Event::Synced { through });
        } else {
            self.writer.hooks.on(Event::Flushed { through });
        }
        match next {
            Next::Same | Next::Begun => {}
            Next::Created(created) => self.begin_segment(created)?,
            Next::Create { .. } => {
                // The name was taken, by what is no file: the writer looks for another.
                let (first_id, oldest) = (self.writer.next_id, self.writer.oldest);
                self.writer.begin_segment(first_id, oldest)?;
            }
        }
        self.writer.poisoned = false;
        Ok(Durable::new(self.writer.durable_through))
    }

    fn begin_segment(&mut self, created: NewFile<D::Appender>) -> Result<(), Error<D::Error>> {
        let (first_id, oldest) = (self.writer.next_id, self.writer.oldest);
        self.writer.begin_segment_in(created, first_id, oldest)
    }

    /// Fills what is staged up to the end of a sector, if that is wanted.
    fn pad(&mut self) -> Result<(), Error<D::Error>> {
        let unit = self.writer.settings.commit_alignment;
        if unit > 1 {
            // A unit, and a frame where none fits the rest: the pad must not write.
            let most = unit as usize + usize::try_from(self.writer.frame_bytes(1)).unwrap_or(0);
            let sink = self.writer.tail.sink()?;
            sink.grow(sink.buffered().saturating_add(most))?;
            self.writer.poisoned = true;
            self.writer.pad_commit()?;
            self.writer.poisoned = false;
        }
        Ok(())
    }

    /// What is staged, and the file that it goes to.
    fn take(&mut self, sync: bool) -> Result<Commit<D>, Error<D::Error>> {
        self.vouch()?;
        let writer = &mut self.writer;
        let buffer_bytes = writer.settings.buffer_bytes;
        let filled = writer.tail.buffered();
        let sync_name = !writer.tail.name_synced();
        let end = writer.tail.offset();
        let sink = writer.tail.sink()?;
        let name = self.name.take().filter(|name| name == sink.name());
        let name = name.unwrap_or_else(|| sink.name().clone());
        let empty = core::mem::take(&mut self.empty);
        let Some((file, bytes)) = sink.lend(empty, buffer_bytes)? else {
            return Err(Error::Busy { file: name });
        };
        if sync {
            writer.tail.handed_over();
            writer.hooks.on(Event::Syncing);
        }
        writer.unflushed_entries = 0;
        self.running = true;
        let (mark, next, state) = (None, Next::Same, State::Waiting);
        let through = writer.last_entry_id();
        Ok(Commit {
            file,
            name,
            bytes,
            filled,
            sync,
            sync_name,
            trim: false,
            mark,
            next,
            through,
            end,
            state,
            lock: Lock::clone(writer.upcoming.lock()),
        })
    }

    /// Frames that were staged while an earlier commit ran could not say that it is durable. Once it is, they do.
    fn vouch(&mut self) -> Result<(), Error<D::Error>> {
        let writer = &mut self.writer;
        if writer.tail.durable_before_buffer() || planted!(StagedFlagEarly) {
            let codec = writer.codec();
            let sink = writer.tail.sink()?;
            let (base, filled) = (sink.base(), sink.buffered() as u64);
            if let Some(first) = codec.set_synced(base, sink.pending())
                && first.frame_bytes == filled
            {
                writer.tail.set_checksum(first.payload_checksum);
            }
        }
        Ok(())
    }

    /// The frame that says, once it is written, that everything before `end` is durable.
    fn take_mark(&mut self, end: u64) -> Result<Option<Mark>, Error<D::Error>> {
        let writer = &mut self.writer;
        let (payload, length) = Control::Mark.encode();
        let frame_bytes = writer.frame_bytes(length as u64);
        if !writer.fits_file(frame_bytes) {
            return Ok(None);
        }
        let payload = payload.get(..length).unwrap_or_default();
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let flags = Flags { synced: true, control: true, more: false };
        let position = writer.tail.position();
        let (head, header) =
            writer
                .codec()
                .encode_head(end, flags, position, length, |crc, seed| crc.update(seed, payload));
        let mut frame = [0_u8; 256];
        for (to, from) in frame.iter_mut().zip(head.as_slice().iter().chain(payload)) {
            *to = *from;
        }
        writer.tail.appended(&header);
        writer.tail.sink()?.skip(frame_bytes);
        Ok(Some(Mark { frame, bytes: usize::try_from(frame_bytes).unwrap_or(0) }))
    }

    /// Keeps a buffer for the next commit, at no more than its greatest ordinary size.
    fn keep(&mut self, mut bytes: Vec<u8>) {
        if bytes.len() > self.staged_bytes_max {
            bytes.truncate(self.staged_bytes_max);
            bytes.shrink_to(self.staged_bytes_max);
        }
        self.empty = bytes;
    }

    /// Sees what was done to the writer while it was whole, and opens the tail.
    fn refresh(&mut self) -> Result<(), Error<D::Error>> {
        // How much of what is buffered is entries is not known: what is durable has been handed over in any case.
        self.flushed = match self.staged_bytes() {
            0 => self.writer.last_entry_id(),
            _ => self.writer.durable_through,
        };
        self.writer.check()?;
        self.writer.poisoned = true;
        self.writer.open_tail()?;
        self.writer.poisoned = false;
        Ok(())
    }

    fn check_idle(&self) -> Result<(), Error<D::Error>> {
        if self.running {
            return Err(Error::Busy { file: self.writer.tail_name()? });
        }
        Ok(())
    }
}

impl<D: Directory, H: Hooks> fmt::Debug for StagedWriter<D, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StagedWriter")
            .field("writer", &self.writer)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

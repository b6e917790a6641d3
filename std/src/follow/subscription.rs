//! A follower of raw records that waits for the next entry.
//!
//! Must never read where there is no news, nor end before everything was shown.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::thread;
use std::time::Instant;

use durability_core::storage::Directory;
use durability_core::walog::{RawEntry, RawFollower};
use durability_core::{EntryId, Error};

use super::alarm::Alarm;
use super::{Mark, Pin, Watermark, WriterEnd};

/// The first look after one that has found nothing, at the latest.
const SHORTEST: Duration = Duration::from_micros(100);
/// Where the log does not hold what the watermark says.
const LONGEST_BESIDE: Duration = Duration::from_millis(10);

/// Follows a log of raw byte records and waits for what comes. [`Subscription`](super::Subscription) is its typed form.
///
/// **Waiting** is up to the caller: [`next`](Self::next) blocks the thread, [`next_timeout`](Self::next_timeout) for a while, [`try_next`](Self::try_next) not at
/// all, and [`next_async`](Self::next_async) suspends the task, on any executor. Whichever is asked reads the log's files itself, on
/// the caller's thread: mostly bytes that the system has in its cache, one block ([`read_bytes`](crate::walog::WalOptions::read_bytes)) at a time. An executor
/// that must not wait for a disk gives a follower that has far to catch up to a thread of its own.
///
/// **Ends** with `None`, once the writer in the same process has ended and everything was shown; [`writer_end`](Self::writer_end) says how. One that looks at the
/// files of another process's log never ends.
pub struct RawSubscription<D: Directory> {
    follower: RawFollower<D>,
    source: Source,
    /// How often entries had been taken back when it was last looked whether they were shown.
    lowered: u64,
    /// The next look's distance.
    pause: Duration,
    alarm: Alarm,
    pin: Option<Pin>,
    segment: u32,
}

enum Source {
    Watermark { watermark: Watermark, place: Option<u64> },
    Files { interval: Duration },
}

/// What a look has found.
enum Look {
    /// An entry.
    Entry,
    /// Nothing, and there will be nothing.
    Over,
    /// Nothing before the watermark changes.
    News(Mark),
    /// Nothing; look again after a while, or once the watermark changes.
    Pause(Option<Mark>, Duration),
}

impl<D: Directory> RawSubscription<D> {
    /// Waits for a writer in this process, by its watermark.
    pub fn signalled(follower: RawFollower<D>, watermark: Watermark) -> Self {
        Self::new(follower, Source::Watermark { watermark, place: None })
    }

    /// Waits for a writer in any process, by looking again after at most `interval`, and soon after an entry.
    ///
    /// Where [`Reach::Durable`](crate::walog::Reach::Durable) asks for proof, an entry is seen when the log's files prove it durable.
    pub fn polling(follower: RawFollower<D>, interval: Duration) -> Self {
        Self::new(follower, Source::Files { interval })
    }

    fn new(follower: RawFollower<D>, source: Source) -> Self {
        let lowered = match &source {
            Source::Watermark { watermark, .. } => watermark.mark(follower.reach()).lowered,
            Source::Files { .. } => 0,
        };
        let (alarm, pause) = (Alarm::default(), SHORTEST);
        Self { follower, source, lowered, pause, alarm, pin: None, segment: 0 }
    }

    /// Keeps `pin`, and moves it along with what is shown, segment by segment.
    #[must_use]
    pub fn holding(mut self, pin: Pin) -> Self {
        self.pin = Some(pin);
        self
    }

    /// The next entry if it is there.
    ///
    /// # Errors
    /// As [`RawFollower::next`].
    pub fn try_next(&mut self) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        self.look()?;
        Ok(self.follower.entry())
    }

    /// The next entry, waited for; `None` once the writer has ended and everything was shown.
    ///
    /// # Errors
    /// As [`RawFollower::next`].
    #[expect(clippy::should_implement_trait, reason = "the entry is lent, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        self.wait(None)?;
        Ok(self.follower.entry())
    }

    /// The next entry, waited for no longer than `timeout`; `None` if there was none by then, or there will be none.
    ///
    /// # Errors
    /// As [`RawFollower::next`].
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        self.wait(Instant::now().checked_add(timeout))?;
        Ok(self.follower.entry())
    }

    /// The next entry, awaited; `None` once the writer has ended and everything was shown.
    ///
    /// No runtime is needed. One that [polls](Self::polling) has a thread, begun at the first time that it must wait, which wakes its task.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`RawFollower::next`].
    pub async fn next_async(&mut self) -> Result<Option<RawEntry<'_>>, Error<D::Error>> {
        poll_fn(|context| self.poll(context)).await?;
        Ok(self.follower.entry())
    }

    /// [`next_async`](Self::next_async) by hand: whether there is an entry, for [`entry`](Self::entry) to lend, or there will be none.
    ///
    /// # Errors
    /// As [`RawFollower::next`].
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Error<D::Error>>> {
        loop {
            match self.look()? {
                Look::Entry => return Poll::Ready(Ok(true)),
                Look::Over => return Poll::Ready(Ok(false)),
                Look::News(seen) => {
                    let _news = ready!(self.poll_news(seen, context));
                }
                Look::Pause(seen, pause) => {
                    let news = seen.map(|seen| self.poll_news(seen, context));
                    if !matches!(news, Some(Poll::Ready(_))) {
                        self.alarm.set(pause, context.waker());
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The entry that was found last; `None` if the last call has found none.
    pub fn entry(&self) -> Option<RawEntry<'_>> {
        self.follower.entry()
    }

    /// The id that the next entry will have.
    pub const fn next_entry_id(&self) -> EntryId {
        self.follower.next_entry_id()
    }

    /// How the writer has ended, if it has, and is in this process.
    pub fn writer_end(&self) -> Option<WriterEnd> {
        match &self.source {
            Source::Watermark { watermark, .. } => watermark.mark(self.follower.reach()).end,
            Source::Files { .. } => None,
        }
    }

    /// The follower below.
    pub const fn follower(&self) -> &RawFollower<D> {
        &self.follower
    }

    fn wait(&mut self, deadline: Option<Instant>) -> Result<bool, Error<D::Error>> {
        loop {
            let (seen, pause) = match self.look()? {
                Look::Entry => return Ok(true),
                Look::Over => return Ok(false),
                Look::News(seen) => (Some(seen), None),
                Look::Pause(seen, pause) => (seen, Some(pause)),
            };
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
            let pause =
                pause.map_or(left, |pause| Some(left.map_or(pause, |left| left.min(pause))));
            match (&self.source, seen) {
                (Source::Watermark { watermark, .. }, Some(seen)) => {
                    watermark.wait_beyond(self.follower.reach(), seen, pause);
                }
                _ => thread::sleep(pause.unwrap_or(SHORTEST)),
            }
        }
    }

    fn poll_news(&mut self, seen: Mark, context: &Context<'_>) -> Poll<Mark> {
        match &mut self.source {
            Source::Watermark { watermark, place } => {
                watermark.poll_beyond(self.follower.reach(), seen, context, place)
            }
            Source::Files { .. } => Poll::Ready(seen),
        }
    }

    fn look(&mut self) -> Result<Look, Error<D::Error>> {
        let look = match &self.source {
            Source::Files { interval } => {
                let interval = *interval;
                if self.follower.advance()? {
                    Look::Entry
                } else {
                    Look::Pause(None, self.next_pause(interval))
                }
            }
            Source::Watermark { watermark, .. } => {
                let mark = watermark.mark(self.follower.reach());
                self.look_up_to(mark)?
            }
        };
        if let Look::Entry = look {
            self.pause = SHORTEST;
            self.hold();
        }
        Ok(look)
    }

    fn look_up_to(&mut self, mark: Mark) -> Result<Look, Error<D::Error>> {
        let next = self.follower.next_entry_id();
        let due = mark.through.is_some_and(|through| through >= next);
        if let Some(through) = mark.through
            && self.follower.advance_through(through)?
        {
            return Ok(Look::Entry);
        }
        if self.lowered != mark.lowered {
            // Entries were taken back: were they shown?
            self.follower.check()?;
            self.lowered = mark.lowered;
        }
        Ok(if due {
            Look::Pause(Some(mark), self.next_pause(LONGEST_BESIDE))
        } else if mark.end.is_some() {
            Look::Over
        } else {
            Look::News(mark)
        })
    }

    /// Longer each time.
    fn next_pause(&mut self, longest: Duration) -> Duration {
        let pause = self.pause.min(longest);
        self.pause = self.pause.saturating_mul(2).min(longest.max(SHORTEST));
        pause
    }

    /// Moves the pin along.
    fn hold(&mut self) {
        if let (Some(pin), Some(entry)) = (&mut self.pin, self.follower.entry())
            && self.segment != entry.segment
        {
            self.segment = entry.segment;
            pin.move_to(entry.id);
        }
    }
}

impl<D: Directory> Drop for RawSubscription<D> {
    fn drop(&mut self) {
        if let Source::Watermark { watermark, place: Some(place) } = &self.source {
            watermark.forget(*place);
        }
    }
}

impl<D: Directory> fmt::Debug for RawSubscription<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawSubscription")
            .field("follower", &self.follower)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

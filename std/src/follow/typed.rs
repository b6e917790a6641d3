//! A follower of typed entries that waits for the next one.

use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use durability_core::storage::Directory;
use durability_core::walog::Follower;
use durability_core::{EntryId, Error};
use serde::de::DeserializeOwned;

use super::{Pin, RawSubscription, Watermark, WriterEnd};

/// Follows a log of entries of type `E` and waits for what comes. See [`RawSubscription`] for how it waits and ends.
///
/// [`poll_next`](Self::poll_next) has the form of a stream's: with the `futures` crates,
/// `futures::stream::poll_fn(|context| subscription.poll_next(context))` is one.
pub struct Subscription<E, D: Directory> {
    raw: RawSubscription<D>,
    /// The stream is over.
    over: bool,
    entry: PhantomData<fn() -> E>,
}

impl<E: DeserializeOwned, D: Directory> Subscription<E, D> {
    /// Waits for a writer in this process, by its watermark.
    pub fn signalled(follower: Follower<E, D>, watermark: Watermark) -> Self {
        Self::from_raw(RawSubscription::signalled(follower.into_raw(), watermark))
    }

    /// Waits for a writer in any process; see [`RawSubscription::polling`].
    pub fn polling(follower: Follower<E, D>, interval: Duration) -> Self {
        Self::from_raw(RawSubscription::polling(follower.into_raw(), interval))
    }

    /// The typed form of a raw subscription.
    pub const fn from_raw(raw: RawSubscription<D>) -> Self {
        Self { raw, over: false, entry: PhantomData }
    }

    /// Keeps `pin`, and moves it along with what is shown, segment by segment.
    #[must_use]
    pub fn holding(mut self, pin: Pin) -> Self {
        self.raw = self.raw.holding(pin);
        self
    }

    /// The next entry if it is there.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub fn try_next(&mut self) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        self.raw.try_next()?;
        self.decoded()
    }

    /// The next entry, waited for; `None` once the writer has ended and everything was shown.
    ///
    /// # Errors
    /// As [`Follower::next`].
    #[expect(clippy::should_implement_trait, reason = "an iterator would hide that it waits")]
    pub fn next(&mut self) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        self.raw.next()?;
        self.decoded()
    }

    /// The next entry, waited for no longer than `timeout`; `None` if there was none by then, or there will be none.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        self.raw.next_timeout(timeout)?;
        self.decoded()
    }

    /// The next entry, awaited; `None` once the writer has ended and everything was shown.
    ///
    /// # Errors
    /// As [`Follower::next`].
    pub async fn next_async(&mut self) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        poll_fn(|context| self.raw.poll(context)).await?;
        self.decoded()
    }

    /// The next item of the stream of entries. After an error the stream is over, unless it was an entry of another type.
    #[expect(clippy::type_complexity, reason = "the form of a stream")]
    pub fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<(EntryId, E), Error<D::Error>>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let item = match ready!(self.raw.poll(context)) {
            Ok(_) => self.decoded().transpose(),
            Err(error) => {
                self.over = true;
                Some(Err(error))
            }
        };
        Poll::Ready(item)
    }

    /// The id that the next entry will have.
    pub const fn next_entry_id(&self) -> EntryId {
        self.raw.next_entry_id()
    }

    /// How the writer has ended, if it has, and is in this process.
    pub fn writer_end(&self) -> Option<WriterEnd> {
        self.raw.writer_end()
    }

    /// The raw subscription below.
    pub const fn raw(&self) -> &RawSubscription<D> {
        &self.raw
    }

    fn decoded(&self) -> Result<Option<(EntryId, E)>, Error<D::Error>> {
        let follower = self.raw.follower();
        self.raw.entry().map(|entry| follower.decode(&entry)).transpose()
    }
}

impl<E, D: Directory> fmt::Debug for Subscription<E, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.raw).finish()
    }
}

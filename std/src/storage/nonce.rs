//! Numbers that have not been drawn before, in any process or boot.

use core::hash::{BuildHasher as _, Hasher as _};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::hash::RandomState;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

/// Draws a number.
///
/// The randomness is the operating system's: `RandomState` takes 128 bits of it as the key of a keyed hash, once per
/// thread. What it does not change by itself goes into the hash: the count of draws, the process (a fork shares the
/// key), and the time (so does a virtual machine that was copied while running). This needs no further dependency.
pub(super) fn draw() -> u64 {
    static DRAWN: AtomicUsize = AtomicUsize::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_usize(DRAWN.fetch_add(1, Ordering::Relaxed));
    hasher.write_u32(process::id());
    // A clock before 1970 adds nothing, and takes nothing away.
    hasher.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::draw;

    #[test]
    fn nonces_do_not_repeat_within_or_across_threads() {
        let draws = || (0..10_000).map(|_| draw()).collect::<Vec<_>>();
        let threads = [thread::spawn(draws), thread::spawn(draws)];
        let all = threads.into_iter().flat_map(|thread| thread.join().unwrap()).chain(draws());
        assert_eq!(all.collect::<HashSet<_>>().len(), 30_000);
    }
}

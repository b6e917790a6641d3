//! Whether a leader waits for company: a commit that others join saves each of them a sync.
//!
//! Pure: from what was seen to a duration. Must never make a lone writer wait, nor go on waiting where nobody comes.

use core::time::Duration;

/// Below this a sync costs less than waiting does.
const SLOW_SYNC: Duration = Duration::from_micros(60);
/// The same for two threads, who save half a sync each at best and, without waiting, still share every third.
const SLOW_SYNC_OF_TWO: Duration = Duration::from_micros(150);
/// A thread that was woken needs about that long to come back, and more where many were.
const WAKING: Duration = Duration::from_micros(30);
/// Commits without waiting after waiting in vain, at most.
const PENALTY_MAX: u32 = 64;

/// Syncs whose shortest tells how long a sync takes.
const SYNCS_LATELY: u32 = 16;

/// What is known of syncs and of those who wait for them.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// How long a sync takes at least: the shortest of those lately, and of those before. A thread that has to wait for a processor when its sync has
    /// returned makes that look longer, and company would wait for a processor as well.
    sync: [Duration; 2],
    /// How many there were.
    syncs: u32,
    /// Who was released by the last commit, and who had come for the next one by then.
    expected: usize,
    /// Commits that do not wait, since waiting was in vain before.
    skip: u32,
    penalty: u32,
}

/// How long a leader waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// For so many, the leader among them.
    pub(super) expected: usize,
    /// As long as the last one came no longer ago than that.
    pub(super) quiet: Duration,
    /// And never longer than that.
    pub(super) limit: Duration,
}

impl Company {
    /// Whether to wait, with so many there already, the leader among them.
    pub(super) fn patience(&mut self, present: usize) -> Option<Patience> {
        let [now, before] = self.sync;
        let sync = now.min(before);
        let slow = if self.expected > 2 { SLOW_SYNC } else { SLOW_SYNC_OF_TWO };
        if sync < slow || present >= self.expected {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        // Without company, the next sync makes up for it: waiting as long as that is the most that can be worth it.
        let (quiet, limit) = ((sync / 8).max(WAKING), sync);
        Some(Patience { expected: self.expected, quiet, limit })
    }

    /// A wait is over; `came` while it lasted.
    pub(super) fn waited(&mut self, came: usize) {
        if came > 0 {
            self.penalty = 0;
        } else {
            self.penalty = (self.penalty * 2).clamp(1, PENALTY_MAX);
            self.skip = self.penalty;
        }
    }

    /// A sync took that long, and released so many, while so many others came for the next.
    pub(super) fn synced(&mut self, took: Duration, released: usize, others: usize) {
        let [now, before] = &mut self.sync;
        if self.syncs.is_multiple_of(SYNCS_LATELY) {
            *before = if self.syncs == 0 { took } else { *now };
            *now = took;
        }
        self.syncs = self.syncs.wrapping_add(1);
        *now = took.min(*now);
        self.expected = released + others;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow() -> Company {
        let mut company = Company::default();
        company.synced(Duration::from_millis(1), 6, 2);
        company
    }

    #[test]
    fn a_lone_writer_never_waits() {
        let mut company = Company::default();
        for _ in 0..10 {
            company.synced(Duration::from_secs(1), 1, 0);
            assert_eq!(company.patience(1), None);
        }
    }

    #[test]
    fn nobody_waits_while_syncs_are_fast() {
        let mut company = Company::default();
        company.synced(Duration::from_micros(50), 8, 8);
        assert_eq!(company.patience(1), None);
    }

    #[test]
    fn two_wait_for_each_other_only_where_a_sync_is_slower_than_waking_up() {
        for (micros, waits) in [(100, false), (200, true)] {
            let mut company = Company::default();
            company.synced(Duration::from_micros(micros), 1, 1);
            assert_eq!(company.patience(1).is_some(), waits);
            company.synced(Duration::from_micros(micros), 2, 1);
            assert!(company.patience(1).is_some());
        }
    }

    #[test]
    fn a_thread_that_waited_for_a_processor_does_not_make_syncs_slow() {
        let mut company = slow();
        for sync in 0..100 {
            let took = if sync % 16 == 0 { 50 } else { 3000 };
            company.synced(Duration::from_micros(took), 6, 2);
        }
        assert_eq!(company.patience(1), None);
        for _ in 0..2 * SYNCS_LATELY {
            company.synced(Duration::from_millis(1), 6, 2);
        }
        assert!(company.patience(1).is_some());
    }

    #[test]
    fn a_leader_waits_for_all_that_came_last_time_and_no_others() {
        let patience = slow().patience(1).expect("the sync is slow");
        assert_eq!(patience.expected, 8);
        assert!(patience.limit <= Duration::from_millis(1));
        assert_eq!(slow().patience(8), None);
    }

    #[test]
    fn waiting_in_vain_is_tried_less_and_less_often_and_company_mends_it() {
        let mut company = slow();
        let mut waits = 0;
        for _ in 0..1000 {
            if company.patience(1).is_some() {
                waits += 1;
                company.waited(0);
            }
        }
        assert!(waits < 25, "{waits}");
        while company.patience(1).is_none() {}
        company.waited(3);
        assert!(company.patience(1).is_some());
    }
}

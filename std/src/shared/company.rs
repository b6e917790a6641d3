//! Whether a leader waits for company: a commit that others join saves each of them a sync.
//!
//! Pure: from what was seen to a duration. Must never make a lone writer wait, nor go on waiting where nobody comes.

use core::time::Duration;

/// Below this a sync costs less than waiting does.
const SLOW_SYNC: Duration = Duration::from_micros(150);
/// Commits without waiting after waiting in vain, at most.
const PENALTY_MAX: u32 = 64;

/// What is known of syncs and of those who wait for them.
#[derive(Debug, Default)]
pub(super) struct Company {
    /// How long a sync takes, smoothed.
    sync: Duration,
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
        if self.sync < SLOW_SYNC || present >= self.expected {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        let (quiet, limit) = (self.sync / 8, self.sync / 2);
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
        self.sync = if self.sync.is_zero() { took } else { (self.sync * 7 + took) / 8 };
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
    fn a_leader_waits_for_all_that_came_last_time_and_no_others() {
        let patience = slow().patience(1).expect("the sync is slow");
        assert_eq!(patience.expected, 8);
        assert!(patience.limit <= Duration::from_millis(1) / 2);
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

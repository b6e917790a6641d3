//! Scripts: which sequences of steps there are, and which of them are worth a run.
//!
//! Must never leave out a script without a reason: each [`Step::follows`] writes its own down, and what was sampled is told.
//!
//! Scripts of one length are enough: every shorter one is the beginning of longer ones, with all of its crash points. What only
//! the end of a script does, dropping the log, hands over what is buffered, as the step that flushes does.

use crate::simulated::Random;

/// A step of a script.
pub trait Step: Copy + PartialEq + Send + Sync + 'static {
    /// Every step that there is.
    const ALL: &'static [Self];

    /// Whether the step can do anything there that another script without it does not do.
    fn follows(self, before: &[Self]) -> bool {
        let _ = before;
        true
    }

    /// The step in words.
    fn word(self) -> &'static str;
}

/// Every script of so many steps, but for those with a step that [`follows`](Step::follows) finds to do nothing new there.
pub fn scripts<S: Step>(length: u32) -> Vec<Vec<S>> {
    let mut all = vec![Vec::new()];
    for _ in 0..length {
        let longer = all.iter().flat_map(|script: &Vec<S>| {
            let steps = S::ALL.iter().filter(|step| step.follows(script));
            steps.map(|step| [&script[..], &[*step]].concat())
        });
        all = longer.collect();
    }
    all
}

/// `count` of these scripts, drawn by a seed; all of them if they are no more.
pub fn sample<S: Step>(mut scripts: Vec<Vec<S>>, count: usize, seed: u64) -> Vec<Vec<S>> {
    let mut random = Random(seed);
    for at in 0..count.min(scripts.len()) {
        let other = at + random.below(scripts.len() - at);
        scripts.swap(at, other);
    }
    scripts.truncate(count);
    scripts
}

/// Which scripts to take: all of a length, some of longer ones, and some that were chosen by hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Amount {
    all: Option<u32>,
    drawn: &'static [(u32, usize)],
    chosen: bool,
}

impl Amount {
    /// None at all.
    pub const NONE: Self = Self { all: None, drawn: &[], chosen: false };

    /// Every script of up to so many steps.
    pub const fn all(length: u32) -> Self {
        Self { all: Some(length), ..Self::NONE }
    }

    /// Of scripts so long, so many.
    #[must_use]
    pub const fn and_drawn(mut self, drawn: &'static [(u32, usize)]) -> Self {
        self.drawn = drawn;
        self
    }

    /// Those that were chosen by hand.
    #[must_use]
    pub const fn and_chosen(mut self) -> Self {
        self.chosen = true;
        self
    }
}

/// Scripts, and how they were taken.
#[derive(Debug, Clone)]
pub struct Scripts<S> {
    pub(super) list: Vec<Vec<S>>,
    pub(super) about: String,
    /// What was drawn was drawn by it, and what survives is, too.
    pub(super) seed: u64,
}

impl<S: Step> Scripts<S> {
    /// Takes them; `chosen` are those that were chosen by hand.
    pub fn of(amount: Amount, chosen: &[&[S]], seed: u64) -> Self {
        let (mut list, mut about) = (Vec::new(), Vec::new());
        if let Some(length) = amount.all {
            list = scripts(length);
            about.push(format!("all {} scripts of {length} steps", list.len()));
        }
        for (length, count) in amount.drawn {
            let longer = scripts(*length);
            let total = longer.len();
            let some = sample(longer, *count, seed);
            about.push(format!("{} of {total} drawn of {length} steps", some.len()));
            list.extend(some);
        }
        if amount.chosen {
            list.extend(chosen.iter().map(|script| script.to_vec()));
            about.push(format!("{} chosen", chosen.len()));
        }
        Self { list, about: about.join(", "), seed }
    }
}

/// A script in words.
pub(super) fn words<S: Step>(script: &[S]) -> String {
    let mut text = String::new();
    for step in script {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(step.word());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Do {
        Left,
        Right,
    }

    impl Step for Do {
        const ALL: &'static [Self] = &[Self::Left, Self::Right];

        fn follows(self, before: &[Self]) -> bool {
            self == Self::Left || before.last() != Some(&Self::Right)
        }

        fn word(self) -> &'static str {
            if self == Self::Left { "left" } else { "right" }
        }
    }

    #[test]
    fn a_script_is_left_out_only_where_a_step_says_so() {
        assert_eq!(scripts::<Do>(0), [[]]);
        let two = [[Do::Left, Do::Left], [Do::Left, Do::Right], [Do::Right, Do::Left]];
        assert_eq!(scripts::<Do>(2), two);
    }

    #[test]
    fn a_sample_has_each_script_at_most_once_and_depends_on_the_seed_alone() {
        let mut drawn = sample(scripts::<Do>(8), 20, 5);
        assert_eq!(drawn, sample(scripts::<Do>(8), 20, 5));
        assert_ne!(drawn, sample(scripts::<Do>(8), 20, 6));
        drawn.sort_unstable_by_key(|script| words(script));
        drawn.dedup();
        assert_eq!(drawn.len(), 20);
        assert_eq!(sample(scripts::<Do>(2), 20, 5).len(), 3);
    }
}

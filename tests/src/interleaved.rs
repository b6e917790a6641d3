//! Programs that share a directory, run in every interleaving of their operations with few switches.
//!
//! Must never let two programs run at once: what happens is decided by the schedule alone, and repeats.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::faults::Counters;
use crate::shared::lock;

/// One program; it gets the counters to wrap its directory with, which is how it is switched.
pub type Program<'p> = Box<dyn FnOnce(Counters) + Send + 'p>;

/// How many interleavings were run, and of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interleavings {
    /// Runs of all programs.
    pub runs: u64,
    /// The most operations in one run.
    pub operations_max: u64,
}

/// Runs two programs or more in every interleaving of the operations on their directories with at most `switches` switches away from a program
/// that could go on, and calls `each` with the programs' fresh set and the schedule before each run.
///
/// A program is switched only in front of an operation on a [`FaultyDirectory`](crate::faults::FaultyDirectory) that was made with the counters it is given: between operations no
/// other program can tell the difference. Most races need one or two switches. The runs grow with the number of operations to the power of `switches`.
///
/// # Panics
/// When a program panics, with the schedule that led to it.
///
/// # Examples
/// A name that is looked for and then created, by two programs at once:
/// ```
/// use durability_core::storage::{Directory, MemoryDirectory, Name};
/// use durability_testkit::faults::FaultyDirectory;
/// use durability_testkit::interleaved::{Program, interleave};
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// let mut lost_races = 0;
/// let runs = interleave(2, |run| {
///     let (dir, made) = (MemoryDirectory::new(), AtomicU32::new(0));
///     let program = || -> Program<'_> {
///         Box::new(|counters| {
///             let dir = FaultyDirectory::with_counters(&dir, counters);
///             let name = Name::new("a").unwrap();
///             if dir.open(name).unwrap().is_none() && dir.create(name, 0).unwrap().is_some() {
///                 made.fetch_add(1, Ordering::Relaxed);
///             }
///         })
///     };
///     run.go(vec![program(), program()]);
///     assert_eq!(made.load(Ordering::Relaxed), 1, "`create` is the judge");
///     lost_races += 1;
/// });
/// assert!(runs.runs > 5);
/// ```
pub fn interleave(switches: usize, mut each: impl FnMut(&mut Run)) -> Interleavings {
    let mut all = Interleavings::default();
    let mut schedules = vec![Vec::new()];
    while let Some(schedule) = schedules.pop() {
        let mut run = Run { schedule, operations: 0 };
        each(&mut run);
        all.runs += 1;
        all.operations_max = all.operations_max.max(run.operations);
        if run.schedule.len() < switches {
            let last = run.schedule.last().copied().unwrap_or(0);
            // Every later switch, whose run is the same up to there.
            schedules.extend((last + 1..=run.operations).map(|at| {
                let mut longer = run.schedule.clone();
                longer.push(at);
                longer
            }));
        }
    }
    all
}

/// One run of the programs.
#[derive(Debug)]
pub struct Run {
    /// In front of which operations, counted over all programs from 1, the next program takes over.
    schedule: Vec<u64>,
    operations: u64,
}

impl Run {
    /// In front of which operations, counted from 1, the next program takes over.
    pub fn schedule(&self) -> &[u64] {
        &self.schedule
    }

    /// Runs the programs to their ends; to be called once.
    ///
    /// # Panics
    /// If a program panics.
    pub fn go(&mut self, programs: Vec<Program<'_>>) {
        let turns = Turns::new(programs.len(), self.schedule.clone());
        let panicked = thread::scope(|scope| {
            let threads: Vec<_> = programs
                .into_iter()
                .enumerate()
                .map(|(number, program)| {
                    let turns = Arc::clone(&turns);
                    scope.spawn(move || turns.run(number, program))
                })
                .collect();
            threads.into_iter().find_map(|each| each.join().err())
        });
        self.operations = lock(&turns.state).operations;
        if let Some(panic) = panicked {
            eprintln!("the schedule was: switch in front of operations {:?}", self.schedule);
            std::panic::resume_unwind(panic);
        }
    }
}

/// Whose turn it is.
struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    current: usize,
    done: Vec<bool>,
    operations: u64,
    schedule: Vec<u64>,
}

impl State {
    /// Passes the turn to the next program that is not done; to the same one if there is no other.
    fn pass(&mut self) {
        let count = self.done.len();
        let next = (1..=count).map(|step| (self.current + step) % count);
        if let Some(next) = next.into_iter().find(|next| !self.done[*next]) {
            self.current = next;
        }
    }
}

/// Ends a program's turn for good, also if it panics.
struct Ending<'t> {
    turns: &'t Turns,
    number: usize,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.turns.state);
        state.done[self.number] = true;
        state.pass();
        self.turns.changed.notify_all();
    }
}

impl Turns {
    fn new(programs: usize, schedule: Vec<u64>) -> Arc<Self> {
        let state = State { current: 0, done: vec![false; programs], operations: 0, schedule };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    fn run(self: &Arc<Self>, number: usize, program: Program<'_>) {
        self.wait(number);
        let _ending = Ending { turns: self, number };
        let counters = Counters::default();
        let turns = Arc::clone(self);
        counters.before_each(move |_| turns.before_operation(number));
        program(counters);
    }

    fn wait(&self, number: usize) {
        let mut state = lock(&self.state);
        while state.current != number {
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn before_operation(&self, number: usize) {
        let mut state = lock(&self.state);
        state.operations += 1;
        if state.schedule.contains(&state.operations) {
            state.pass();
            self.changed.notify_all();
            drop(state);
            self.wait(number);
        }
    }
}

//! Drives a log through the workloads, and forgets which log it is.
//!
//! Must do the same for every log, and time only what the workload says.

use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{fmt, mem, thread};

use super::device::Flushes;
use super::sample::Sample;
use crate::{Committer, Failure, Kind, Log, Plan, Stopwatch, Time};

/// Records that logs are filled with at a time.
pub(super) const BATCH: usize = 100;

/// How the process that wrote a log has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    Clean,
    /// Killed, when everything was durable.
    Killed,
}

/// A log under test, whichever it is.
pub trait Contender {
    /// What it is called in tables.
    fn name(&self) -> &'static str;
    /// How it is used.
    fn how(&self) -> &'static str;
    /// Why a workload does not fit it, if so.
    fn misfit(&self, kind: Kind) -> Option<&'static str>;
    /// Appends all, flushes at the end.
    fn append(&self, plan: &Plan<'_>) -> Result<Sample, Failure>;
    /// Commits by so many records, one thread.
    fn commit(&self, plan: &Plan<'_>, batch: usize) -> Result<Sample, Failure>;
    /// Commits one by one, many threads.
    fn share(&self, plan: &Plan<'_>, threads: usize) -> Result<Sample, Failure>;
    /// Writes all records, and ends like that.
    fn fill(&self, plan: &Plan<'_>, ending: Ending) -> Result<(), Failure>;
    /// Reads all records.
    fn replay(&self, plan: &Plan<'_>) -> Result<Sample, Failure>;
    /// Opens, appends one record, which is what is timed; calls `opened`, appends the plan's others, and ends like that.
    fn reopen(
        &self,
        plan: &Plan<'_>,
        ending: Ending,
        opened: &mut dyn FnMut(),
    ) -> Result<Sample, Failure>;
}

/// Drives one kind of log.
pub struct Driver<L>(PhantomData<fn() -> L>);

impl<L> fmt::Debug for Driver<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

impl<L: Log + 'static> Driver<L> {
    /// A contender out of a log.
    pub fn boxed() -> Box<dyn Contender> {
        Box::new(Self(PhantomData))
    }
}

impl<L: Log> Contender for Driver<L> {
    fn name(&self) -> &'static str {
        L::NAME
    }

    fn how(&self) -> &'static str {
        L::HOW
    }

    fn misfit(&self, kind: Kind) -> Option<&'static str> {
        L::MISFITS.iter().find(|misfit| misfit.0 == kind).map(|misfit| misfit.1)
    }

    fn append(&self, plan: &Plan<'_>) -> Result<Sample, Failure> {
        let mut log = L::create(plan)?;
        let before = plan.meter.tally.counts();
        let watch = Stopwatch::start();
        for record in plan.all() {
            log.append(record)?;
        }
        log.flush()?;
        let time = watch.stop();
        let counts = plan.meter.tally.counts().since(before);
        Ok(Sample { counts, ..Sample::timed(time, plan.count as u64) })
    }

    fn commit(&self, plan: &Plan<'_>, batch: usize) -> Result<Sample, Failure> {
        let mut log = L::create(plan)?;
        // A new log's first sync covers names too.
        log.append(plan.records.get(0))?;
        log.sync()?;
        let records: Vec<&[u8]> = plan.all().skip(1).collect();
        let times = records.len() / batch;
        let mut latencies = Vec::with_capacity(times);
        let before = plan.meter.tally.counts();
        let flushes = Flushes::of(plan.folder);
        let watch = Stopwatch::start();
        for batch in records.chunks_exact(batch) {
            let started = Instant::now();
            match batch {
                [record] => log.append(record)?,
                records => log.append_batch(records)?,
            }
            log.sync()?;
            latencies.push(nanos(started));
        }
        let time = watch.stop();
        let counts = plan.meter.tally.counts().since(before);
        let device_flushes = flushes.since(plan.folder);
        Ok(Sample { counts, latencies, device_flushes, ..Sample::timed(time, times as u64) })
    }

    fn share(&self, plan: &Plan<'_>, threads: usize) -> Result<Sample, Failure> {
        let mut log = L::create(plan)?;
        log.append(plan.records.get(0))?;
        log.sync()?;
        let committer = log.share();
        let each = (plan.count - 1) / threads;
        let before = plan.meter.tally.counts();
        let flushes = Flushes::of(plan.folder);
        let (wall, latencies) = in_threads(&committer, plan, threads, each)?;
        let device_flushes = flushes.since(plan.folder);
        let counts = plan.meter.tally.counts().since(before);
        let times = latencies.len() as u64;
        let time = Time { wall, cpu: Duration::ZERO };
        Ok(Sample { counts, latencies, device_flushes, ..Sample::timed(time, times) })
    }

    fn fill(&self, plan: &Plan<'_>, ending: Ending) -> Result<(), Failure> {
        let mut log = L::create(plan)?;
        append_all(&mut log, plan)?;
        end(log, ending)
    }

    fn replay(&self, plan: &Plan<'_>) -> Result<Sample, Failure> {
        let watch = Stopwatch::start();
        let found = L::replay(plan, |record| {
            black_box(record);
        })?;
        let time = watch.stop();
        if found != plan.count as u64 {
            return Err(format!("expected {} records, found {found}", plan.count).into());
        }
        let counts = plan.meter.tally.counts();
        Ok(Sample { counts, ..Sample::timed(time, found) })
    }

    fn reopen(
        &self,
        plan: &Plan<'_>,
        ending: Ending,
        opened: &mut dyn FnMut(),
    ) -> Result<Sample, Failure> {
        let before = plan.meter.tally.counts();
        let watch = Stopwatch::start();
        let mut log = L::reopen(plan)?;
        log.append(plan.records.get(0))?;
        let time = watch.stop();
        let counts = plan.meter.tally.counts().since(before);
        opened();
        append_all(&mut log, plan)?;
        end(log, ending)?;
        Ok(Sample { counts, ..Sample::timed(time, 1) })
    }
}

/// In batches, which every log has some way to do well.
fn append_all<L: Log>(log: &mut L, plan: &Plan<'_>) -> Result<(), Failure> {
    let records: Vec<&[u8]> = plan.all().collect();
    for batch in records.chunks(BATCH) {
        log.append_batch(batch)?;
    }
    Ok(())
}

fn end<L: Log>(mut log: L, ending: Ending) -> Result<(), Failure> {
    match ending {
        Ending::Clean => log.close(),
        Ending::Killed => {
            log.sync()?;
            // Whatever it does when it is dropped, a killed process does not do.
            mem::forget(log);
            Ok(())
        }
    }
}

fn nanos(started: Instant) -> u32 {
    u32::try_from(started.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

/// Commits in all threads at once; the time from the moment when all are ready until the last is done.
fn in_threads<C: Committer>(
    committer: &C,
    plan: &Plan<'_>,
    threads: usize,
    each: usize,
) -> Result<(Duration, Vec<u32>), Failure> {
    let ready = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let (committer, ready) = (committer.clone(), &ready);
                scope.spawn(move || -> Result<Vec<u32>, Failure> {
                    let mut latencies = Vec::with_capacity(each);
                    ready.wait();
                    for index in 0..each {
                        let started = Instant::now();
                        committer.commit(plan.records.get(thread * each + index))?;
                        latencies.push(nanos(started));
                    }
                    Ok(latencies)
                })
            })
            .collect();
        ready.wait();
        let started = Instant::now();
        let done: Vec<_> = handles.into_iter().map(thread::ScopedJoinHandle::join).collect();
        let wall = started.elapsed();
        let mut all = Vec::with_capacity(threads * each);
        for latencies in done {
            all.extend(latencies.map_err(|_| "a thread panicked")??);
        }
        Ok((wall, all))
    })
}

//! Workload after workload on one file system, until as many crash images were judged as were asked for.
//!
//! Must never count an image twice, nor one that was not judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Failed;
use super::aftermath::{Imager, describe, is_torn, known};
use super::device::Entry;
use super::image::Image;
use super::port::Cheat;
use super::random::Random;
use super::survivors::{Crash, Flushes, crashes};
use super::trial::{Bench, Finding, Recorded};

/// Of so many images, one is crashed again while it recovers, and one mounted again afterwards.
const CRASHED_AGAIN_EVERY: usize = 4;
const MOUNTED_AGAIN_EVERY: usize = 8;
/// Crashes of one recovery among which one is drawn.
const CHOICES_PER_RECOVERY: usize = 64;
/// Findings that are told in full.
const TOLD_MAX: usize = 3;
/// Workloads without one judged image, until a campaign gives up.
const IDLE_MAX: usize = 5;

/// What is asked of a campaign.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// At most.
    pub(crate) images: usize,
    pub(crate) images_per_workload: usize,
    /// Enough is enough.
    pub(crate) violations_max: usize,
    pub(crate) seed: u64,
    pub(crate) flushes: Flushes,
    pub(crate) cheat: Cheat,
    /// No new workload is begun after this.
    pub(crate) until: Option<Instant>,
    /// Where images are saved that break a law; nothing is told of them where they are expected.
    pub(crate) evidence: Option<PathBuf>,
}

/// What a campaign came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    /// Crash images that were mounted and judged.
    pub(crate) images: usize,
    /// Of crashes while an image recovered; on top.
    pub(crate) crashed_again: usize,
    pub(crate) workloads: usize,
    pub(crate) writes: usize,
    pub(crate) flushes: usize,
    pub(crate) acknowledged: usize,
    pub(crate) violations: usize,
    /// Which stories they were about.
    pub(crate) broken: BTreeMap<&'static str, usize>,
    /// Crash images that do not mount, though the superblock is whole.
    pub(crate) mount_failures: usize,
    /// Crash images that do not mount because the superblock, of several sectors, is torn.
    pub(crate) torn_superblocks: usize,
    pub(crate) time: Duration,
}

impl Tally {
    /// Adds what was done at the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        self.images += other.images;
        self.crashed_again += other.crashed_again;
        self.workloads += other.workloads;
        self.writes += other.writes;
        self.flushes += other.flushes;
        self.acknowledged += other.acknowledged;
        self.violations += other.violations;
        for (story, count) in &other.broken {
            *self.broken.entry(story).or_default() += count;
        }
        self.mount_failures += other.mount_failures;
        self.torn_superblocks += other.torn_superblocks;
        self.time = self.time.max(other.time);
    }
}

/// Runs a plan on a bench.
pub(crate) fn run(bench: &Bench, empty: &Image, plan: &Plan) -> Result<Tally, Failed> {
    let begun = Instant::now();
    let mut campaign = Campaign { bench, plan, tally: Tally::default() };
    let mut random = Random::new(plan.seed);
    let mut idle = 0;
    while campaign.tally.images < plan.images && idle < IDLE_MAX {
        let over = plan.until.is_some_and(|until| Instant::now() > until);
        if over || campaign.tally.violations >= plan.violations_max {
            break;
        }
        let before = campaign.tally.images;
        let worked = bench.work(empty, plan.cheat, &mut random)?;
        campaign.count(&worked);
        campaign.crash(empty, &worked, &mut random)?;
        idle = if campaign.tally.images == before { idle + 1 } else { 0 };
    }
    campaign.tally.time = begun.elapsed();
    Ok(campaign.tally)
}

struct Campaign<'a> {
    bench: &'a Bench,
    plan: &'a Plan,
    tally: Tally,
}

impl Campaign<'_> {
    fn count(&mut self, worked: &Recorded) {
        let count = |of: fn(&Entry) -> bool| worked.log.iter().filter(|entry| of(entry)).count();
        self.tally.workloads += 1;
        self.tally.writes += count(|entry| matches!(entry, Entry::Write { .. }));
        self.tally.flushes += count(|entry| matches!(entry, Entry::Flush));
        self.tally.acknowledged +=
            worked.stories.iter().map(|story| story.acknowledged()).sum::<usize>();
    }

    /// All crashes of one workload.
    fn crash(
        &mut self,
        empty: &Image,
        worked: &Recorded,
        random: &mut Random,
    ) -> Result<(), Failed> {
        let count = self.plan.images_per_workload.min(self.plan.images - self.tally.images);
        let crashes = crashes(&worked.log, worked.from, self.plan.flushes, count, random);
        let mut imager = Imager::new(&worked.log, empty.clone());
        for crash in crashes {
            if self.tally.violations >= self.plan.violations_max {
                break;
            }
            let image = imager.image(&crash);
            let known = known(&worked.log, crash.at, &worked.known);
            let number = self.tally.images;
            let again = number.is_multiple_of(MOUNTED_AGAIN_EVERY);
            match self.bench.recover(&image, worked, &known, again) {
                Ok(recovered) => {
                    self.tally.images += 1;
                    if number.is_multiple_of(CRASHED_AGAIN_EVERY) {
                        self.crash_again(image, &recovered, random)?;
                    }
                }
                Err(finding) => {
                    self.tally.images += usize::from(!matches!(finding, Finding::Mount(_)));
                    self.found(&finding, &image, &worked.log, &crash)?;
                }
            }
        }
        Ok(())
    }

    /// One crash while the image recovered.
    fn crash_again(
        &mut self,
        image: Image,
        recovered: &Recorded,
        random: &mut Random,
    ) -> Result<(), Failed> {
        let all = crashes(&recovered.log, 0, self.plan.flushes, CHOICES_PER_RECOVERY, random);
        if all.is_empty() {
            return Ok(());
        }
        let crash = &all[random.below(all.len())];
        let image = Imager::new(&recovered.log, image).image(crash);
        let known = known(&recovered.log, crash.at, &recovered.known);
        match self.bench.recover(&image, recovered, &known, false) {
            Ok(_) => self.tally.crashed_again += 1,
            Err(finding) => self.found(&finding, &image, &recovered.log, crash)?,
        }
        Ok(())
    }

    fn found(
        &mut self,
        finding: &Finding,
        image: &Image,
        log: &[Entry],
        crash: &Crash,
    ) -> Result<(), Failed> {
        let flavour = self.bench.flavour;
        match finding {
            Finding::Rig(error) => return Err(format!("unmounting: {error}").into()),
            Finding::Mount(_) if is_torn(log, crash, flavour.superblock()) => {
                self.tally.torn_superblocks += 1;
                return Ok(());
            }
            Finding::Mount(_) => self.tally.mount_failures += 1,
            Finding::Law { story, .. } => {
                self.tally.violations += 1;
                *self.tally.broken.entry(story).or_default() += 1;
            }
        }
        let number = self.tally.violations + self.tally.mount_failures;
        let Some(evidence) = self.plan.evidence.as_ref().filter(|_| number <= TOLD_MAX) else {
            return Ok(());
        };
        let file = format!("{}-{}-{number}.img", flavour.name(), self.plan.seed);
        let path: &Path = &evidence.join(file);
        image.save(path, self.bench.device.bytes())?;
        let story = describe(log, crash);
        println!("\n{}: {finding}\n{story}the image: {}", flavour.name(), path.display());
        Ok(())
    }
}

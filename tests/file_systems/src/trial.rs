//! One workload on a fresh file system, and what its crashes leave.
//!
//! Must never go on after a step of the workload itself has failed: that is no crash.

use std::any::Any;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::syncfs;

use super::Failed;
use super::device::{Device, Entry};
use super::flavour::Flavour;
use super::host::Mount;
use super::image::Image;
use super::port::Cheat;
use super::random::Random;
use super::stories::{self, Story};

/// Steps of a workload.
const STEPS: usize = 100;

/// A disk, and what it takes to mount it.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) flavour: Flavour,
    pub(crate) device: Arc<Device>,
    /// The loop device on it.
    pub(crate) path: PathBuf,
    /// Where it is mounted.
    pub(crate) at: PathBuf,
}

/// A law that was broken, or a file system that was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Finding {
    /// The kernel did not mount it: the file system's own fault, or the disk's.
    #[error("the crash image does not mount: {0}")]
    Mount(nix::Error),
    /// Nobody's: the rig itself failed.
    #[error("unmounting: {0}")]
    Rig(nix::Error),
    /// Ours.
    #[error("{story}: {what}\n{told}")]
    Law {
        /// Of which log.
        story: &'static str,
        /// What was expected and found.
        what: String,
        /// The last that was known of it.
        told: String,
    },
}

/// What happened while a workload ran, or a recovery.
pub(crate) struct Recorded {
    pub(crate) log: Vec<Entry>,
    /// The position in the log from which on a crash is of interest.
    pub(crate) from: usize,
    pub(crate) stories: Vec<Box<dyn Story>>,
    /// How many events each had known before.
    pub(crate) known: Vec<usize>,
}

impl Bench {
    fn mount(&self) -> Result<Mount, nix::Error> {
        Mount::new(self.flavour, &self.path, &self.at)
    }

    /// Runs a workload on a disk that holds an empty file system.
    pub(crate) fn work(
        &self,
        empty: &Image,
        cheat: Cheat,
        random: &mut Random,
    ) -> Result<Recorded, Failed> {
        self.device.load(empty.clone());
        let mount = self.mount()?;
        let mut stories = stories::all(&self.device, random.next());
        let worked = work(&mut stories, mount.path(), cheat, random);
        let log = self.device.take_log();
        for story in &mut stories {
            story.leave();
        }
        mount.end()?;
        worked?;
        let told = log.iter().position(|entry| matches!(entry, Entry::Told { .. }));
        let known = vec![0; stories.len()];
        Ok(Recorded { from: told.unwrap_or_default(), log, stories, known })
    }

    /// Mounts what a crash has left, recovers every story and judges it; then all once more, and, on demand, mounted anew.
    pub(crate) fn recover(
        &self,
        image: &Image,
        before: &Recorded,
        known: &[usize],
        again: bool,
    ) -> Result<Recorded, Finding> {
        self.device.load(image.clone());
        let mount = self.mount().map_err(Finding::Mount)?;
        let lives = before.stories.iter().zip(known);
        let mut stories: Vec<_> = lives.map(|(story, known)| story.next_life(*known)).collect();
        let mut judged = recover(&mut stories, mount.path(), true);
        let log = self.device.take_log();
        if judged.is_ok() {
            judged = recover(&mut stories, mount.path(), false);
        }
        if again && judged.is_ok() {
            mount.end().map_err(Finding::Rig)?;
            let mount = self.mount().map_err(Finding::Mount)?;
            judged = recover(&mut stories, mount.path(), false);
            mount.end().map_err(Finding::Rig)?;
        } else {
            mount.end().map_err(Finding::Rig)?;
        }
        judged.map(|()| Recorded { log, from: 0, stories, known: known.to_vec() })
    }
}

fn work(
    stories: &mut [Box<dyn Story>],
    root: &Path,
    cheat: Cheat,
    random: &mut Random,
) -> Result<(), Failed> {
    let folder = File::open(root)?;
    for story in &mut *stories {
        story.begin(root, cheat)?;
    }
    for _step in 0..STEPS {
        if random.one_in(16) {
            // The system writes back what it likes, when it likes.
            syncfs(&folder)?;
        }
        let story = random.below(stories.len());
        stories[story].step(random)?;
    }
    Ok(())
}

fn recover(stories: &mut [Box<dyn Story>], root: &Path, promise: bool) -> Result<(), Finding> {
    for story in stories {
        let ended = catch_unwind(AssertUnwindSafe(|| story.recover(root, promise)));
        let ended = match ended {
            Ok(ended) => ended.map_err(|error| format!("a crash locks out: {error}")),
            Err(panic) => Err(format!("recovery panicked: {}", message(&panic))),
        };
        let judged = ended.and_then(|()| story.check().map_err(|violation| violation.to_string()));
        if let Err(what) = judged {
            let told = story.told();
            story.leave();
            return Err(Finding::Law { story: story.name(), what, told });
        }
    }
    Ok(())
}

fn message(panic: &Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use super::flavour::Flavour;

/// Images of each file system that CI looks at.
const IMAGES: usize = 400;
/// And a full run.
const IMAGES_FULL: usize = 20_000;

pub(crate) const USAGE: &str = "\
usage: run [--full] [--images COUNT] [--seed SEED] [--only ext4|xfs|btrfs] [--seconds MAX] [--jobs COUNT] [--hunt]
  --full      20,000 images of each file system in place of 400
  --seconds   begin nothing new after so many seconds, and fail for what is missing then
  --jobs      threads for each file system, 2 if not told
  --hunt      no controls, and the first broken law is enough: for bugs planted on purpose";

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    pub(crate) images: usize,
    pub(crate) seed: u64,
    pub(crate) flavours: Vec<Flavour>,
    pub(crate) time_max: Option<Duration>,
    /// Threads for each file system.
    pub(crate) jobs: usize,
    pub(crate) hunt: bool,
    /// A folder of our own, which the caller removes.
    pub(crate) scratch: PathBuf,
    /// Where images go that broke a law.
    pub(crate) evidence: PathBuf,
}

impl Arguments {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self {
            images: IMAGES,
            seed: 1,
            flavours: Flavour::ALL.to_vec(),
            time_max: None,
            jobs: 2,
            hunt: false,
            scratch: PathBuf::new(),
            evidence: PathBuf::new(),
        };
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} takes a value"));
            match argument.as_str() {
                "--full" => parsed.images = IMAGES_FULL,
                "--images" => parsed.images = number(&value()?)?,
                "--jobs" => parsed.jobs = number(&value()?)?,
                "--seed" => parsed.seed = number(&value()?)?,
                "--seconds" => parsed.time_max = Some(Duration::from_secs(number(&value()?)?)),
                "--hunt" => parsed.hunt = true,
                "--only" => {
                    let name = value()?;
                    parsed.flavours.retain(|flavour| flavour.name() == name);
                    if parsed.flavours.is_empty() {
                        return Err(format!("unknown file system: {name}"));
                    }
                }
                "--scratch" => parsed.scratch = value()?.into(),
                "--evidence" => parsed.evidence = value()?.into(),
                _ => return Err(format!("unknown argument: {argument}")),
            }
        }
        if parsed.images == 0
            || parsed.jobs == 0
            || !parsed.scratch.is_dir()
            || !parsed.evidence.is_dir()
        {
            return Err(
                "at least one image, one job, and folders for --scratch and --evidence".to_owned()
            );
        }
        Ok(parsed)
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

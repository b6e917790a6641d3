//! A file that is replaced as a whole.

use durability::storage::{Directory as _, DurableDirectory as _, Folder, Name, ReadFile as _};
use durability_testkit::simulated::Model;

use super::super::Failed;
use super::super::port::Port;
use super::super::random::Random;
use super::{DiaryOf, Ended, Kind, Tag, payload, tag};

const FILE: &str = "conf/STATE";

/// The tag of the content; 0 is no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content(Tag);

impl Model for Content {
    type Operation = Tag;
    type Seen = Tag;

    fn apply(&mut self, tag: &Tag) {
        self.0 = *tag;
    }

    fn explains(&self, seen: &Tag) -> bool {
        self.0 == *seen
    }
}

pub(super) struct Replacing;

impl Replacing {
    pub(super) const fn new(_random: &mut Random) -> Self {
        Self
    }
}

fn replace(dir: &Port, diary: &mut DiaryOf<Replacing>) -> Ended {
    // Not 0, which says that there is none.
    let tag = diary.tag() | 0x8000;
    diary.issue(tag);
    dir.atomic_write_durable(FILE, &payload(tag))?;
    diary.acknowledge();
    Ok(())
}

impl Kind for Replacing {
    type Model = Content;
    const NAME: &'static str = "replaced";

    fn closed(&self) -> Self {
        Self
    }

    fn open(&mut self, dir: &Port) -> Result<Tag, Failed> {
        let name = Name::new(FILE)?;
        let Some(mut file) = dir.open(name)? else { return Ok(0) };
        // Who relies on a plain file makes it durable first.
        dir.sync_file(name)?;
        dir.sync_dir(Folder::new("conf")?)?;
        let length = file.len()?;
        let mut bytes = vec![0; usize::try_from(length)?];
        let mut at = 0;
        while at < bytes.len() {
            match file.read_at(at as u64, &mut bytes[at..])? {
                0 => return Err(format!("{at} bytes in place of {length}").into()),
                count => at += count,
            }
        }
        tag(&bytes)
    }

    fn step(&mut self, dir: &Port, random: &mut Random, diary: &mut DiaryOf<Self>) -> Ended {
        if random.one_in(3) {
            return replace(dir, diary);
        }
        Ok(())
    }

    fn promise(&mut self, dir: &Port, diary: &mut DiaryOf<Self>) -> Ended {
        replace(dir, diary)
    }
}

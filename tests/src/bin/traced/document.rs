//! One file that is replaced as a whole, as a store: it lists all tags.

use durability_core::embedded_io::Write as _;
use durability_core::storage::{Directory, DurableDirectory, Folder, Name, ReadFile};
use durability_testkit::simulated::LogOperation;

use super::outside::{Failed, Outside, Seen, Tag};
use super::store::{Do, Kind, LARGE, Store};

pub(crate) struct Document<'d, D> {
    dir: &'d D,
    tags: Vec<Tag>,
    /// The tag of a rename of which the old name is still there.
    unfinished: Option<Tag>,
}

const FILE: &str = "conf/STATE.DOC";
const NEXT: &str = "incoming/next/NEXT.DOC";

/// In the tag of the operation that takes the old name of a renamed file away.
const GONE: Tag = 1 << 18;

/// The tags, again and again, up to several sectors of the smaller sizes.
fn content(tags: &[Tag]) -> Vec<u8> {
    let words = tags.iter().flat_map(|tag| tag.to_le_bytes());
    let count = u8::try_from(tags.len()).unwrap_or(u8::MAX);
    core::iter::once(count).chain(words.clone()).chain(words).chain([0x5A; 30]).collect()
}

pub(super) fn whole<D: Directory>(dir: &D, name: Name<'_>) -> Result<Option<Vec<u8>>, Failed> {
    let Some(mut file) = dir.open(name)? else { return Ok(None) };
    let mut bytes = vec![0; usize::try_from(file.len()?)?];
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(done as u64, &mut bytes[done..])? {
            0 => break,
            count => done += count,
        }
    }
    Ok(Some(bytes))
}

/// The tags of a document that is whole.
fn tags_of(bytes: &[u8]) -> Result<Vec<Tag>, Failed> {
    let count = usize::from(*bytes.first().ok_or("an empty document")?);
    let words = bytes[1..].as_chunks::<4>().0.iter().take(count);
    let tags: Vec<Tag> = words.map(|word| Tag::from_le_bytes(*word)).collect();
    if bytes == content(&tags) {
        return Ok(tags);
    }
    Err(format!("a mixed document: {bytes:02x?}").into())
}

/// What the tags in a document tell: that of a renamed one stands for two operations, the new name and the old one's end,
/// unless the old name is still there.
fn told(tags: &[Tag], unfinished: Option<Tag>) -> Vec<Tag> {
    let mut all = Vec::new();
    for tag in tags {
        all.push(*tag);
        if tag & LARGE != 0 && unfinished != Some(*tag) {
            all.push(tag | GONE);
        }
    }
    all
}

/// Makes a file of these bytes; nothing of it is durable.
pub(super) fn make<D: Directory>(
    dir: &D,
    name: Name<'_>,
    bytes: &[u8],
) -> Result<D::Appender, Failed> {
    let mut file = dir.create(name, 0)?.ok_or("the name is taken")?;
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[file.write(rest)?..];
    }
    Ok(file)
}

impl<'d, D: Directory> Store<'d, D> for Document<'d, D> {
    fn open(dir: &'d D, _: Kind) -> Result<(Self, Seen), Failed> {
        let name = Name::new(FILE)?;
        // What a plain file shows may not be durable; whoever relies on it makes it so.
        if dir.open(name)?.is_some() {
            dir.sync_file(name)?;
        }
        dir.sync_dir(Folder::new("conf")?)?;
        dir.sync_dir(Name::new(NEXT)?.folder())?;
        let tags = whole(dir, name)?.map_or(Ok(Vec::new()), |bytes| tags_of(&bytes))?;
        let next = whole(dir, Name::new(NEXT)?)?;
        let unfinished = next.and_then(|bytes| tags_of(&bytes).ok()?.last().copied());
        let unfinished = unfinished.filter(|tag| tags.contains(tag));
        let seen = Seen { first: 1, records: told(&tags, unfinished) };
        Ok((Self { dir, tags, unfinished }, seen))
    }

    fn step(&mut self, step: Do, outside: &mut dyn Outside) -> Result<(), Failed> {
        let next = Name::new(NEXT)?;
        if let Some(tag) = self.unfinished.take() {
            outside.issue(LogOperation::Append(tag | GONE))?;
            self.dir.remove(next)?;
            self.dir.sync_dir(next.folder())?;
            outside.acknowledge()?;
        }
        let tag = outside.tag();
        match step {
            Do::Append => {
                outside.issue(LogOperation::Append(tag))?;
                self.tags.push(tag);
                self.dir.atomic_write_durable(FILE, &content(&self.tags))?;
            }
            Do::Large => {
                // Anything may be in the other file, durable or not, when it is renamed.
                let tag = tag | LARGE;
                outside.issue(LogOperation::Append(tag))?;
                outside.issue(LogOperation::Append(tag | GONE))?;
                self.tags.push(tag);
                self.dir.remove(next)?;
                drop(make(self.dir, next, &content(&self.tags))?);
                self.dir.atomic_rename_durable(NEXT, FILE)?;
            }
            Do::Sync => return Ok(()),
            other => return Err(format!("a document cannot {other:?}").into()),
        }
        outside.acknowledge()
    }
}

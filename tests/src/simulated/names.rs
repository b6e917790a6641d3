//! The names on a simulated disk: what a running system sees, what the medium has, and what lies between.
//!
//! Must never make a name durable on its own account: only a sync of its folder does.

use alloc::sync::Arc;

use super::hash;

/// Index of an interned path.
pub(super) type NameId = u32;
/// Index of a file's content.
pub(super) type Ino = u32;
/// Stands in for a content where the name is a folder's.
pub(super) const FOLDER: Ino = Ino::MAX;
/// The directory itself.
pub(super) const ROOT: NameId = 0;

/// Every path that was ever mentioned, so that states copy numbers instead of text.
#[derive(Debug, Clone)]
pub(super) struct Table {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    text: Arc<str>,
    hash: u64,
    parent: NameId,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { entries: vec![Entry { text: Arc::from(""), hash: 0, parent: ROOT }] }
    }

    pub(super) fn find(&self, text: &str) -> Option<NameId> {
        self.find_hashed(text, hash_of(text))
    }

    fn find_hashed(&self, text: &str, hash: u64) -> Option<NameId> {
        let same = |entry: &Entry| entry.hash == hash && *entry.text == *text;
        NameId::try_from(self.entries.iter().position(same)?).ok()
    }

    /// The number of a path; the folders above it get one too.
    pub(super) fn intern(this: &mut Arc<Self>, text: &str) -> NameId {
        let hash = hash_of(text);
        if let Some(known) = this.find_hashed(text, hash) {
            return known;
        }
        let parent = text.rsplit_once('/').map_or(ROOT, |(folder, _)| Self::intern(this, folder));
        let table = Arc::make_mut(this);
        table.entries.push(Entry { text: Arc::from(text), hash, parent });
        NameId::try_from(table.entries.len() - 1).unwrap_or(ROOT)
    }

    pub(super) fn text(&self, name: NameId) -> &Arc<str> {
        &self.entries[name as usize].text
    }

    pub(super) fn hash(&self, name: NameId) -> u64 {
        self.entries[name as usize].hash
    }

    pub(super) fn parent(&self, name: NameId) -> NameId {
        self.entries[name as usize].parent
    }

    /// The last component.
    pub(super) fn file(&self, name: NameId) -> &str {
        let text = self.text(name);
        text.rsplit_once('/').map_or(text, |(_, file)| file)
    }
}

/// The root's is 0.
fn hash_of(text: &str) -> u64 {
    if text.is_empty() { 0 } else { hash::of_bytes(text.as_bytes()) }
}

/// Names and what they stand for. Few, hence a list.
pub(super) type Names = Vec<(NameId, Ino)>;

pub(super) fn lookup(names: &Names, name: NameId) -> Option<Ino> {
    names.iter().find(|(known, _)| *known == name).map(|(_, ino)| *ino)
}

fn assign(names: &mut Names, (name, ino): Assign) {
    match (names.iter().position(|(known, _)| *known == name), ino) {
        (Some(at), Some(ino)) => names[at].1 = ino,
        (Some(at), None) => {
            names.swap_remove(at);
        }
        (None, Some(ino)) => names.push((name, ino)),
        (None, None) => {}
    }
}

/// One name gets a new meaning, or none.
pub(super) type Assign = (NameId, Option<Ino>);

/// A creation, a removal or a rename that is not durable yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameChange {
    /// When it happened, among all changes to the disk.
    pub(super) sequence: u64,
    /// Removal of the old name; renames only.
    pub(super) old: Option<NameId>,
    /// The name created, removed or renamed to; absent once its folder was synced alone.
    pub(super) new: Option<Assign>,
}

/// The names of a disk.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    pub(super) table: Arc<Table>,
    pub(super) cached: Arc<Names>,
    pub(super) durable: Arc<Names>,
    pub(super) pending: Vec<NameChange>,
}

impl Namespace {
    pub(super) fn new() -> Self {
        Self {
            table: Arc::new(Table::new()),
            cached: Arc::default(),
            durable: Arc::default(),
            pending: Vec::new(),
        }
    }

    /// A name comes or goes; untracked only where no crash will follow.
    pub(super) fn change(&mut self, change: NameChange, is_tracked: bool) {
        let cached = Arc::make_mut(&mut self.cached);
        apply(cached, &change, false);
        if is_tracked {
            self.pending.push(change);
        }
    }

    /// Makes the names in a folder durable; with `upwards` also the folder's own name, and so on to the root.
    pub(super) fn sync(&mut self, folder: &str, upwards: bool) {
        let Some(id) = self.table.find(folder) else { return };
        let table = Arc::clone(&self.table);
        let covered = |name: NameId| {
            table.parent(name) == id && name != ROOT || upwards && is_at_or_above(&table, name, id)
        };
        let durable = Arc::make_mut(&mut self.durable);
        self.pending.retain_mut(|change| {
            if let Some(old) = change.old.filter(|old| covered(*old)) {
                assign(durable, (old, None));
                change.old = None;
            }
            if let Some(new) = change.new.filter(|(name, _)| covered(*name)) {
                assign(durable, new);
                change.new = None;
            }
            change.old.is_some() || change.new.is_some()
        });
    }
}

fn is_at_or_above(table: &Table, name: NameId, mut folder: NameId) -> bool {
    while folder != ROOT {
        if folder == name {
            return true;
        }
        folder = table.parent(folder);
    }
    false
}

/// Applies one change; with `keep_old` a rename leaves the old name in place.
pub(super) fn apply(names: &mut Names, change: &NameChange, keep_old: bool) {
    if let Some(old) = change.old.filter(|_| !keep_old) {
        assign(names, (old, None));
    }
    if let Some(new) = change.new {
        assign(names, new);
    }
}

/// Drops every name whose folder is not there: what lies in a lost folder is gone.
pub(super) fn drop_orphans(names: &mut Names, table: &Table) {
    loop {
        let before = names.len();
        let all = names.clone();
        names.retain(|(name, _)| {
            let parent = table.parent(*name);
            parent == ROOT || lookup(&all, parent) == Some(FOLDER)
        });
        if names.len() == before {
            return;
        }
    }
}

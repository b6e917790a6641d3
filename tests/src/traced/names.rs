//! The files and folders of a traced folder, by the names that they have at a moment of the trace.
//!
//! Must never answer for a path that no call of the trace made, and that was not there before.

use std::collections::BTreeMap;

use super::step::FileNumber;
use crate::simulated::SimulatedDisk;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File(FileNumber),
}

#[derive(Debug, Default)]
pub(super) struct Names {
    nodes: BTreeMap<String, Node>,
    /// Files that lost a name, by that name: whoever has them open is shown it.
    gone: BTreeMap<String, FileNumber>,
    /// The length of every file, for writes at the end.
    lengths: Vec<u64>,
}

impl Names {
    /// What is on a disk, and the paths of its files in the order of their numbers.
    pub(super) fn of(disk: &SimulatedDisk) -> (Self, Vec<String>) {
        let (mut names, mut existing) = (Self::default(), Vec::new());
        let mut known = Vec::new();
        let raw = disk.raw();
        for (path, file) in raw.entries() {
            let node = if let Some(file) = file {
                // One file under two names has one number.
                if let Some(at) = known.iter().position(|other| *other == file) {
                    Node::File(FileNumber::try_from(at).unwrap_or(FileNumber::MAX))
                } else {
                    known.push(file);
                    existing.push(path.clone());
                    names.add_file(raw.contents(file).len() as u64)
                }
            } else {
                Node::Folder
            };
            names.nodes.insert(path, node);
        }
        (names, existing)
    }

    fn add_file(&mut self, length: u64) -> Node {
        self.lengths.push(length);
        Node::File(FileNumber::try_from(self.lengths.len() - 1).unwrap_or(FileNumber::MAX))
    }

    pub(super) fn find(&self, path: &str) -> Option<Node> {
        if path.is_empty() { Some(Node::Folder) } else { self.nodes.get(path).copied() }
    }

    /// The file behind a descriptor that is shown with this path.
    pub(super) fn open_file(&self, path: &str, deleted: bool) -> Option<FileNumber> {
        if deleted {
            return self.gone.get(path).copied();
        }
        match self.find(path)? {
            Node::File(file) => Some(file),
            Node::Folder => None,
        }
    }

    pub(super) fn create(&mut self, path: &str) -> FileNumber {
        let node = self.add_file(0);
        self.nodes.insert(path.to_owned(), node);
        match node {
            Node::File(file) => file,
            Node::Folder => 0,
        }
    }

    pub(super) fn put(&mut self, path: &str, node: Node) {
        if let Some(Node::File(old)) = self.nodes.insert(path.to_owned(), node) {
            self.gone.insert(path.to_owned(), old);
        }
    }

    pub(super) fn take(&mut self, path: &str) {
        if let Some(Node::File(old)) = self.nodes.remove(path) {
            self.gone.insert(path.to_owned(), old);
        }
    }

    pub(super) fn length(&self, file: FileNumber) -> u64 {
        self.lengths.get(file as usize).copied().unwrap_or_default()
    }

    pub(super) fn set_length(&mut self, file: FileNumber, length: u64) {
        if let Some(known) = self.lengths.get_mut(file as usize) {
            *known = length;
        }
    }
}

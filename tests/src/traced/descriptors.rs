//! Where the next `write` without an offset goes: the positions of open files, shared as processes and threads share them.
//!
//! Must never be asked of a descriptor whose opening it has not seen: such a position is unknown, and said to be.

use std::collections::HashMap;

/// An open file: a position that all its descriptors share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) at: u64,
    /// Every write goes to the end.
    pub(super) append: bool,
}

type Table = HashMap<i64, usize>;

#[derive(Debug, Default)]
pub(super) struct Descriptors {
    positions: Vec<Position>,
    tables: Vec<Table>,
    /// The table that a thread uses.
    threads: HashMap<u32, usize>,
    /// Threads that are about to have a child, and whether it will share their table.
    forking: Vec<(u32, bool)>,
}

impl Descriptors {
    fn table(&mut self, thread: u32) -> &mut Table {
        let known = self.threads.get(&thread).copied();
        let table = known.unwrap_or_else(|| {
            // The child's first call may come before its parent's return.
            match self.forking.last().copied() {
                Some((parent, shares)) => self.child(parent, thread, shares),
                None => self.new_table(thread, Table::new()),
            }
        });
        &mut self.tables[table]
    }

    fn new_table(&mut self, thread: u32, table: Table) -> usize {
        self.tables.push(table);
        self.threads.insert(thread, self.tables.len() - 1);
        self.tables.len() - 1
    }

    fn child(&mut self, parent: u32, child: u32, shares: bool) -> usize {
        let table = self.threads.get(&parent).copied();
        let table = table.unwrap_or_else(|| self.new_table(parent, Table::new()));
        if shares {
            self.threads.insert(child, table);
            return table;
        }
        let copy = self.tables[table].clone();
        self.new_table(child, copy)
    }

    pub(super) fn begins_child(&mut self, parent: u32, shares: bool) {
        self.forking.push((parent, shares));
    }

    pub(super) fn has_child(&mut self, parent: u32, child: Option<u32>, shares: bool) {
        self.forking.retain(|(forking, _)| *forking != parent);
        if let Some(child) = child.filter(|child| !self.threads.contains_key(child)) {
            self.child(parent, child, shares);
        }
    }

    pub(super) fn opened(&mut self, thread: u32, number: i64, append: bool) {
        self.positions.push(Position { at: 0, append });
        let position = self.positions.len() - 1;
        self.table(thread).insert(number, position);
    }

    pub(super) fn closed(&mut self, thread: u32, number: i64) {
        self.table(thread).remove(&number);
    }

    pub(super) fn copied(&mut self, thread: u32, from: i64, to: i64) {
        let table = self.table(thread);
        match table.get(&from).copied() {
            Some(position) => table.insert(to, position),
            None => table.remove(&to),
        };
    }

    /// The position of an open file; none if its opening was not seen.
    pub(super) fn position(&mut self, thread: u32, number: i64) -> Option<&mut Position> {
        let position = self.table(thread).get(&number).copied()?;
        self.positions.get_mut(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_descriptors_and_processes_share_positions() {
        let mut all = Descriptors::default();
        all.opened(1, 3, false);
        all.has_child(1, Some(2), true);
        all.has_child(1, Some(9), false);
        all.opened(2, 4, true);
        assert!(all.position(1, 4).is_some(), "a thread's is every thread's");
        assert!(all.position(9, 4).is_none(), "a process has its own");
        if let Some(position) = all.position(9, 3) {
            position.at = 7;
        }
        assert_eq!(all.position(1, 3).map(|position| position.at), Some(7));
        all.closed(9, 3);
        all.copied(1, 3, 5);
        assert_eq!(all.position(2, 5).map(|position| position.at), Some(7));
        assert!(all.position(9, 3).is_none());
    }

    #[test]
    fn a_child_may_speak_before_its_parent_does() {
        let mut all = Descriptors::default();
        all.opened(1, 3, false);
        all.begins_child(1, true);
        assert!(all.position(2, 3).is_some());
        all.has_child(1, Some(2), true);
        assert!(all.position(2, 3).is_some());
    }
}

//! What the outside world knew, and when.
//!
//! Must never be told of a promise before it was given.

/// What the outside world of a program on flash knew at each of the chip's operations.
///
/// A program tells what it is about to do *before* it does it, and what it was promised *after* that.
#[derive(Debug, Clone)]
pub struct Tape<O> {
    /// Each with the number of operations that the chip had done by then.
    known: Vec<(u64, O)>,
    start: O,
}

impl<O> Tape<O> {
    /// Before the first operation.
    pub const fn new(start: O) -> Self {
        Self { known: Vec::new(), start }
    }

    /// Writes down what is known after so many operations of the chip.
    pub fn tell(&mut self, operations: u64, known: O) {
        self.known.push((operations, known));
    }

    /// What is known now.
    pub fn now(&self) -> &O {
        self.known.last().map_or(&self.start, |(_, known)| known)
    }

    /// What was known when the operation of this number, counted from 1, was in progress.
    pub fn at(&self, operation: u64) -> &O {
        let before = self.known.partition_point(|(operations, _)| *operations < operation);
        let last = before.checked_sub(1).and_then(|last| self.known.get(last));
        last.map_or(&self.start, |(_, known)| known)
    }
}

#[cfg(test)]
mod tests {
    use super::Tape;

    #[test]
    fn what_is_told_after_an_operation_is_not_known_during_it() {
        let mut tape = Tape::new('a');
        tape.tell(0, 'b');
        tape.tell(3, 'c');
        tape.tell(3, 'd');
        let known: String = (0..6).map(|operation| *tape.at(operation)).collect();
        assert_eq!(known, "abbbdd");
        assert_eq!(*tape.now(), 'd');
    }
}

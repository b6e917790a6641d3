//! One line of `strace -f -y -xx -o`: the call, its arguments as text, and how it ended. And the two halves of one that was
//! interrupted by another thread's, put together.
//!
//! Must never guess: text that does not parse is an error.

use std::collections::HashMap;

use super::TraceError;

/// A system call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// Number of the line on which it ended, from 1.
    pub(super) line: usize,
    pub(super) thread: u32,
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) result: Outcome,
    /// Both halves.
    pub(super) text: String,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The number returned, and what is written behind it: the path of a new descriptor.
    Done(i64, String),
    /// An error's name.
    Failed(String),
    /// The process ended before the call did.
    Never,
}

/// What a line is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Call(Call),
    /// A call began, and another thread was faster.
    Begins {
        thread: u32,
        name: String,
        arguments: Vec<String>,
    },
    /// A signal, or the end of a process.
    Other,
}

/// Splits a trace into lines, and joins calls that were interrupted.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: HashMap<u32, String>,
}

impl Lines {
    /// Reads the line of this number.
    pub(super) fn read(&mut self, line: usize, text: &str) -> Result<Line, TraceError> {
        let malformed = |what| TraceError::Malformed { line, what, text: text.to_owned() };
        let (thread, rest) = text.split_once(' ').ok_or_else(|| malformed("no process id"))?;
        let thread = thread.parse().map_err(|_| malformed("no process id"))?;
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            return Ok(Line::Other);
        }
        // A thread that was gone before it was known which call it was about to make: none was made.
        if rest.starts_with("???(") && rest.ends_with("<detached ...>") {
            return Ok(Line::Other);
        }
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            let begun = begun.trim_end();
            let (name, inside) = begun.split_once('(').ok_or_else(|| malformed("no call"))?;
            let arguments = split(inside.trim_end().trim_end_matches(','));
            self.begun.insert(thread, begun.to_owned());
            return Ok(Line::Begins { thread, name: name.to_owned(), arguments });
        }
        let whole = if let Some(resumed) = rest.strip_prefix("<... ") {
            let begun = self.begun.remove(&thread).ok_or_else(|| malformed("never began"))?;
            let (_, rest) =
                resumed.split_once(" resumed>").ok_or_else(|| malformed("no resumed call"))?;
            begun + rest
        } else {
            rest.to_owned()
        };
        let call = call(line, thread, whole).map_err(malformed)?;
        Ok(Line::Call(call))
    }
}

fn call(line: usize, thread: u32, text: String) -> Result<Call, &'static str> {
    let (head, result) = text.rsplit_once(" = ").ok_or("no result")?;
    let head = head.trim_end().strip_suffix(')').ok_or("no closing bracket")?;
    let (name, inside) = head.split_once('(').ok_or("no call")?;
    let (name, arguments) = (name.to_owned(), split(inside));
    let result = outcome(result)?;
    Ok(Call { line, thread, name, arguments, result, text })
}

fn outcome(text: &str) -> Result<Outcome, &'static str> {
    let (number, rest) = match text.find(['<', ' ']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    if number == "?" {
        // Such as `? ERESTARTSYS`, before a signal: done again, or never.
        return Ok(Outcome::Never);
    }
    if number == "-1" {
        let name = rest.split_whitespace().next().ok_or("no error")?;
        return Ok(Outcome::Failed(name.to_owned()));
    }
    let value = match number.strip_prefix("0x") {
        // An address; its value is of no interest.
        Some(_) => 0,
        None => number.parse().map_err(|_| "no number returned")?,
    };
    Ok(Outcome::Done(value, rest.to_owned()))
}

/// Splits at the commas outside of brackets. Strings and paths are hexadecimal, and hold neither.
fn split(inside: &str) -> Vec<String> {
    let (mut depth, mut start, mut found) = (0_i32, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(inside[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = inside[start..].trim();
    if !last.is_empty() || !found.is_empty() {
        found.push(last.to_owned());
    }
    found
}

/// The bytes of a string argument, `"\x61\x62"`. One that was cut short has dots behind it, and is none.
pub(super) fn bytes(argument: &str) -> Option<Vec<u8>> {
    let inside = argument.strip_prefix('"')?.strip_suffix('"')?;
    hex(inside)
}

/// The text of a string argument.
pub(super) fn string(argument: &str) -> Option<String> {
    String::from_utf8(bytes(argument)?).ok()
}

/// A descriptor's number and path: `3<\x2f\x61>`, or `3<\x2f\x61>(deleted)`. A folder's, too, that stands for itself: `AT_FDCWD<...>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// -1 for the working directory.
    pub(super) number: i64,
    pub(super) path: String,
    pub(super) deleted: bool,
}

pub(super) fn descriptor(argument: &str) -> Option<Descriptor> {
    let (number, rest) = argument.split_once('<')?;
    let (inside, behind) = rest.split_once('>')?;
    let path = String::from_utf8(hex(inside)?).ok()?;
    let number = if number == "AT_FDCWD" { -1 } else { number.parse().ok()? };
    Some(Descriptor { number, path, deleted: behind.starts_with("(deleted)") })
}

/// A text as `-xx` writes it.
pub(super) fn to_hex(text: &str) -> String {
    use core::fmt::Write as _;
    let mut all = String::new();
    for byte in text.bytes() {
        let _written = write!(all, "\\x{byte:02x}");
    }
    all
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let (digits, rest) = text.as_bytes().as_chunks::<4>();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let byte = |chunk: &[u8; 4]| match chunk {
        [b'\\', b'x', high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    if rest.is_empty() { digits.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Call {
        match Lines::default().read(1, text) {
            Ok(Line::Call(call)) => call,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_call_has_a_name_arguments_and_a_result() {
        let call = one(r#"12  pwrite64(4<\x2f\x61>, "\x61\x62", 2, 5) = 2"#);
        assert_eq!((call.thread, &*call.name), (12, "pwrite64"));
        assert_eq!(call.arguments, [r"4<\x2f\x61>", r#""\x61\x62""#, "2", "5"]);
        assert_eq!(call.result, Outcome::Done(2, String::new()));
        assert_eq!(bytes(&call.arguments[1]), Some(b"ab".to_vec()));
        let descriptor = descriptor(&call.arguments[0]).unwrap();
        assert_eq!((descriptor.number, &*descriptor.path, descriptor.deleted), (4, "/a", false));
    }

    #[test]
    fn lists_are_one_argument_and_failures_have_a_name() {
        let call = one(
            r#"1  writev(4<\x2f>, [{iov_base="\x61", iov_len=1}, {iov_base="", iov_len=0}], 2) = -1 EIO (Input/output error)"#,
        );
        assert_eq!(call.arguments.len(), 3);
        assert_eq!(call.result, Outcome::Failed("EIO".to_owned()));
        assert_eq!(one("1  exit_group(0) = ?").result, Outcome::Never);
        assert_eq!(one("1  getcwd() = 5").arguments, [""; 0]);
    }

    #[test]
    fn an_interrupted_call_is_put_together() {
        let mut lines = Lines::default();
        let begins = lines.read(1, r"7  fsync(4<\x2f\x61> <unfinished ...>").unwrap();
        let arguments = vec![r"4<\x2f\x61>".to_owned()];
        assert_eq!(begins, Line::Begins { thread: 7, name: "fsync".to_owned(), arguments });
        assert!(matches!(lines.read(2, "8  close(3) = 0"), Ok(Line::Call(_))));
        let Ok(Line::Call(call)) = lines.read(3, "7  <... fsync resumed>)        = 0") else {
            panic!("no call");
        };
        assert_eq!((&*call.name, call.arguments.len(), call.line), ("fsync", 1, 3));
    }

    #[test]
    fn what_does_not_parse_is_an_error() {
        for text in
            ["", "strace: something", "12  nonsense", "12  <... fsync resumed>) = 0", "1  f(1) = x"]
        {
            assert!(Lines::default().read(1, text).is_err(), "{text}");
        }
        assert_eq!(bytes(r#""\x61"..."#), None, "cut short");
        assert_eq!(bytes(r#""a""#), None, "not hexadecimal");
        assert!(matches!(Lines::default().read(1, "1  ???( <detached ...>"), Ok(Line::Other)));
        assert!(matches!(Lines::default().read(1, "1  +++ exited with 0 +++"), Ok(Line::Other)));
    }
}

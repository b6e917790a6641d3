//! The names of a log's files. 8.3, so that FAT without long names can hold them.

use crate::storage::{Folder, NameBuf, NameError};

/// The lock's name below the log's folder.
pub(crate) const LOCK: &str = "LOCK";

/// The extension of a segment's file.
pub(crate) const EXTENSION: &str = "WAL";

/// The name of a numbered file, such as `wal/0000001F.WAL`.
pub(crate) fn numbered(
    folder: Folder<'_>,
    number: u32,
    extension: &str,
) -> Result<NameBuf, NameError> {
    let mut file = heapless::String::<16>::new();
    // Twelve bytes for any number and a three-letter extension.
    let _fits = core::fmt::write(&mut file, format_args!("{number:08X}.{extension}"));
    NameBuf::join(folder, &file)
}

/// The number in a file's name; `None` for any other file.
pub(crate) fn parse(file: &str, extension: &str) -> Option<u32> {
    let (digits, found) = file.split_once('.')?;
    let upper = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    if digits.len() != 8 || !upper || found != extension {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().filter(|&number| number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_foreign_files_do_not() {
        let folder = Folder::new("wal").unwrap();
        for number in [1, 0x1F, u32::MAX] {
            let name = numbered(folder, number, "WAL").unwrap();
            assert_eq!(parse(name.as_name().file(), "WAL"), Some(number));
        }
        for foreign in
            ["LOCK", "0000001.WAL", "00000001.wal", "0000001f.WAL", "00000000.WAL", "+0000001.WAL"]
        {
            assert_eq!(parse(foreign, "WAL"), None, "{foreign}");
        }
    }
}

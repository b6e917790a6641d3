//! The names of a log's files. 8.3, so that FAT without long names can hold them.

use crate::storage::{self, Folder, NameBuf, NameError};

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
    NameBuf::join(folder, &storage::numbered(number, extension))
}

/// The number in a file's name; `None` for any other file.
pub(crate) fn parse(file: &str, extension: &str) -> Option<u32> {
    let digits = file.strip_suffix(extension)?.strip_suffix('.')?;
    let upper = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    if digits.len() != 8 || !upper {
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

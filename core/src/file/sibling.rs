//! The names of the files beside a file: its lock, its temporary copy.

use crate::storage::{Name, NameBuf, NameError};

/// The name with its extension replaced by `extension`, or by `other` if it is `extension` already: three letters
/// each, so that an 8.3 name stays one.
pub(crate) fn sibling(name: Name<'_>, extension: &str, other: &str) -> Result<NameBuf, NameError> {
    let file = name.file();
    let (stem, old) = file.rsplit_once('.').unwrap_or((file, ""));
    let extension = if old.eq_ignore_ascii_case(extension) { other } else { extension };
    let mut text = heapless::String::<{ crate::storage::NAME_BYTES_MAX }>::new();
    let found = stem.len().saturating_add(extension.len()).saturating_add(1);
    let too_long = |_| NameError::TooLong { found, limit: crate::storage::COMPONENT_BYTES_MAX };
    text.push_str(stem).map_err(too_long)?;
    text.push_str(".").map_err(too_long)?;
    text.push_str(extension).map_err(too_long)?;
    NameBuf::join(name.folder(), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sibling_never_has_the_name_itself() {
        for (name, expected) in [
            ("EVENTS.LOG", "EVENTS.LCK"),
            ("a/b.c/plain", "a/b.c/plain.LCK"),
            ("x.LCK", "x.LC2"),
            ("x.lck", "x.LC2"),
            ("a.b.c", "a.b.LCK"),
        ] {
            let found = sibling(Name::new(name).unwrap(), "LCK", "LC2").unwrap();
            assert_eq!(found.as_name().as_str(), expected);
        }
        let long = "a".repeat(64);
        assert!(sibling(Name::new(&long).unwrap(), "LCK", "LC2").is_err());
    }
}

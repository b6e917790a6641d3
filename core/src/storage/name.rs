//! Names of files and folders, checked once, so that no backend ever sees an odd one.
//!
//! Must never let through a name that could leave the directory (`..`, an absolute path), address the
//! directory itself (the empty name), or mean different files on different systems.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
use core::fmt;

/// Longest name in bytes, separators included: 120, or 32 without the feature `alloc`, as errors carry names.
pub const NAME_BYTES_MAX: usize = if cfg!(feature = "alloc") { 120 } else { 32 };
/// Longest single component in bytes.
pub const COMPONENT_BYTES_MAX: usize = 64;
/// Most components in a name (folders and the file itself).
pub const DEPTH_MAX: usize = 8;

/// The name of a file: relative, `/`-separated, portable.
///
/// A component consists of ASCII letters, digits, `_`, `-` and `.`, does not begin or end with `.`, is at
/// most [`COMPONENT_BYTES_MAX`] bytes long and is no reserved device name of Windows (`CON`, `NUL`, ...).
/// At most [`DEPTH_MAX`] components and [`NAME_BYTES_MAX`] bytes in all. Case is kept; whether it
/// distinguishes files is up to the backend.
///
/// ```
/// use durability_core::storage::{Folder, Name};
/// let name = Name::new("wal/00000001.WAL")?;
/// assert_eq!(name.folder(), Folder::new("wal")?);
/// assert!(Name::new("../secret").is_err());
/// assert!(Name::new("").is_err());
/// # Ok::<(), durability_core::storage::NameError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a> {
    text: &'a str,
}

/// A folder: the root, or a name under the same rules as [`Name`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folder<'a> {
    text: &'a str,
}

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NameError {
    /// The empty name is the directory itself, never a file.
    #[error("a file name must not be empty")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`] or a component longer than [`COMPONENT_BYTES_MAX`].
    #[error("a name may have {limit} bytes, found {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More than [`DEPTH_MAX`] components.
    #[error("a name may have {DEPTH_MAX} components, found more")]
    TooDeep,
    /// An absolute path, `.`, `..`, an empty component, or one that begins or ends with a dot.
    #[error("component {index} of the name is empty, absolute, or begins or ends with a dot")]
    BadComponent {
        /// Index of the component, from 0.
        index: usize,
    },
    /// A byte that is not an ASCII letter, digit, `_`, `-`, `.` or `/`.
    #[error("byte {byte:#04x} at {at} is not a letter, digit, '_', '-', '.' or '/'")]
    BadByte {
        /// The byte.
        byte: u8,
        /// Its index in the name.
        at: usize,
    },
    /// A device name that Windows reserves, such as `NUL`.
    #[error("component {index} of the name is a reserved device name")]
    Reserved {
        /// Index of the component, from 0.
        index: usize,
    },
}

impl<'a> Name<'a> {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NameError`] says which rule the name breaks.
    pub fn new(text: &'a str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        check(text)?;
        Ok(Self { text })
    }

    /// The name as text.
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// The folder that holds the file.
    pub fn folder(self) -> Folder<'a> {
        Folder { text: self.parts().map_or("", |(folder, _)| folder) }
    }

    /// The last component.
    pub fn file(self) -> &'a str {
        self.parts().map_or(self.text, |(_, file)| file)
    }

    /// What lies in front of the last slash and behind it. By bytes, which are characters here: a search for characters is larger by half a kilobyte.
    fn parts(self) -> Option<(&'a str, &'a str)> {
        let slash = self.text.bytes().rposition(|byte| byte == b'/')?;
        Some((self.text.get(..slash)?, self.text.get(slash.saturating_add(1)..)?))
    }
}

impl<'a> Folder<'a> {
    /// The directory itself.
    pub const ROOT: Self = Self { text: "" };
    /// Where a log is unless its options say otherwise.
    pub(crate) const WAL: Self = Self { text: "wal" };

    /// Checks a folder's name; the empty one is [`Folder::ROOT`].
    ///
    /// # Errors
    /// [`NameError`] says which rule the name breaks.
    pub fn new(text: &'a str) -> Result<Self, NameError> {
        if !text.is_empty() {
            check(text)?;
        }
        Ok(Self { text })
    }

    /// The folder as text; empty for the root.
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// Whether this is the directory itself.
    pub const fn is_root(self) -> bool {
        self.text.is_empty()
    }

    /// The folder that holds this one; `None` for the root.
    pub fn parent(self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Name { text: self.text }.folder())
    }

    /// The file's name below this folder, if `name` lies directly in it.
    ///
    /// ```
    /// use durability_core::storage::{Folder, Name};
    /// let wal = Folder::new("wal")?;
    /// assert_eq!(wal.holds(Name::new("wal/LOCK")?), Some("LOCK"));
    /// assert_eq!(wal.holds(Name::new("ckp/LOCK")?), None);
    /// # Ok::<(), durability_core::storage::NameError>(())
    /// ```
    pub fn holds(self, name: Name<'a>) -> Option<&'a str> {
        (name.folder() == self).then(|| name.file())
    }
}

fn check(text: &str) -> Result<(), NameError> {
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { found: text.len(), limit: NAME_BYTES_MAX });
    }
    for (at, byte) in text.bytes().enumerate() {
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/')) {
            return Err(NameError::BadByte { byte, at });
        }
    }
    for (index, component) in text.as_bytes().split(|byte| *byte == b'/').enumerate() {
        if index >= DEPTH_MAX {
            return Err(NameError::TooDeep);
        }
        if component.is_empty() || component.starts_with(b".") || component.ends_with(b".") {
            return Err(NameError::BadComponent { index });
        }
        if component.len() > COMPONENT_BYTES_MAX {
            return Err(NameError::TooLong { found: component.len(), limit: COMPONENT_BYTES_MAX });
        }
        if is_reserved(component) {
            return Err(NameError::Reserved { index });
        }
    }
    Ok(())
}

/// Windows opens a device for these names, whatever their extension.
fn is_reserved(component: &[u8]) -> bool {
    let stem = component.split(|byte| *byte == b'.').next().unwrap_or(component);
    let Some((head, rest)) = stem.split_first_chunk::<3>() else { return false };
    match &head.map(|byte| byte.to_ascii_uppercase()) {
        b"CON" | b"PRN" | b"AUX" | b"NUL" => rest.is_empty(),
        b"COM" | b"LPT" => matches!(rest, [b'0'..=b'9']),
        _ => false,
    }
}

/// The name of a numbered file, such as `0000001F.WAL`: eight digits, a dot and the extension. Written by hand: formatting takes two kilobytes, and
/// nothing else needs it on a small machine.
pub(crate) fn numbered(number: u32, extension: &str) -> heapless::String<12> {
    let mut file = heapless::String::new();
    for digit in (0..8).rev().map(|place| number >> (4 * place) & 0xF) {
        let digit = char::from_digit(digit, 16).unwrap_or('0').to_ascii_uppercase();
        // Twelve bytes for any number and an extension of three letters.
        let _fits = file.push(digit);
    }
    let _fits = file.push('.').and_then(|()| file.push_str(extension));
    file
}

#[cfg(feature = "defmt")]
mod logged {
    //! Names as `defmt` shows them: as text, without quotes.

    use super::{Folder, FolderBuf, Name, NameBuf};

    impl defmt::Format for Name<'_> {
        fn format(&self, f: defmt::Formatter<'_>) {
            defmt::write!(f, "{=str}", self.as_str());
        }
    }

    impl defmt::Format for Folder<'_> {
        fn format(&self, f: defmt::Formatter<'_>) {
            defmt::write!(f, "{=str}", self.as_str());
        }
    }

    impl defmt::Format for NameBuf {
        fn format(&self, f: defmt::Formatter<'_>) {
            self.as_name().format(f);
        }
    }

    impl defmt::Format for FolderBuf {
        fn format(&self, f: defmt::Formatter<'_>) {
            self.as_folder().format(f);
        }
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for Folder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Display for Folder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { self.text })
    }
}

/// An owned [`Name`], as errors and writers carry it.
#[derive(PartialEq, Eq, Hash)]
pub struct NameBuf {
    text: Text,
}

/// Boxed, so that an error stays small enough to be returned by value.
#[cfg(feature = "alloc")]
type Text = Box<str>;
#[cfg(not(feature = "alloc"))]
type Text = heapless::String<NAME_BYTES_MAX>;

#[cfg(feature = "alloc")]
fn text_of(name: &str) -> Text {
    name.into()
}

#[cfg(not(feature = "alloc"))]
fn text_of(name: &str) -> Text {
    // A name is no longer than that.
    name.try_into().unwrap_or_default()
}

impl NameBuf {
    /// A file below a folder.
    ///
    /// # Errors
    /// [`NameError`] if the joined name breaks a rule.
    ///
    /// ```
    /// use durability_core::storage::{Folder, NameBuf};
    /// let name = NameBuf::join(Folder::new("wal")?, "LOCK")?;
    /// assert_eq!(name.as_name().as_str(), "wal/LOCK");
    /// # Ok::<(), durability_core::storage::NameError>(())
    /// ```
    pub fn join(folder: Folder<'_>, file: &str) -> Result<Self, NameError> {
        let found = folder.text.len().saturating_add(file.len()).saturating_add(1);
        let too_long = |_| NameError::TooLong { found, limit: NAME_BYTES_MAX };
        let mut text = heapless::String::<NAME_BYTES_MAX>::new();
        if !folder.is_root() {
            text.push_str(folder.text).map_err(too_long)?;
            text.push_str("/").map_err(too_long)?;
        }
        text.push_str(file).map_err(too_long)?;
        Ok(Name::new(&text)?.into())
    }

    /// The name, borrowed.
    pub fn as_name(&self) -> Name<'_> {
        Name { text: &self.text }
    }

    /// For errors about no file in particular.
    pub(crate) fn unnamed() -> Self {
        Self { text: text_of("") }
    }
}

/// An owned [`Folder`], held inline.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct FolderBuf {
    text: heapless::String<NAME_BYTES_MAX>,
}

impl FolderBuf {
    /// Checks a folder's name and keeps it; the empty one is the root.
    ///
    /// # Errors
    /// [`NameError`] says which rule the name breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        Folder::new(text)?;
        let mut folder = Self::default();
        let too_long = |_| NameError::TooLong { found: text.len(), limit: NAME_BYTES_MAX };
        folder.text.push_str(text).map_err(too_long)?;
        Ok(folder)
    }

    /// The folder, borrowed.
    pub fn as_folder(&self) -> Folder<'_> {
        Folder { text: &self.text }
    }
}

impl Clone for NameBuf {
    #[inline(never)]
    fn clone(&self) -> Self {
        Self { text: self.text.clone() }
    }
}

impl fmt::Debug for FolderBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text.as_str())
    }
}

impl From<Name<'_>> for NameBuf {
    fn from(name: Name<'_>) -> Self {
        Self { text: text_of(name.text) }
    }
}

impl fmt::Debug for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl fmt::Display for NameBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_escape_or_confuse_are_refused() {
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/..",
            "../a",
            "a//b",
            "a/",
            ".",
            "./a",
            ".hidden",
            "a.",
            "a\\b",
            "c:a",
            "a\0b",
            "a b",
            "é",
            "NUL",
            "nul.txt",
            "wal/CON.WAL",
            "com1",
            "LPT9.x",
        ] {
            assert!(Name::new(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn plain_names_are_accepted_and_split() {
        for good in ["a", "wal/0000001F.WAL", "a/b/c-d_e.f", "console", "com10", "CONS.TXT"] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Name::new("a/b/c").unwrap().folder().as_str(), "a/b");
        assert_eq!(Name::new("a").unwrap().folder(), Folder::ROOT);
        assert_eq!(Folder::new("a/b").unwrap().parent(), Some(Folder::new("a").unwrap()));
        assert_eq!(Folder::ROOT.parent(), None);
    }
}

//! What each system call does to the folder: one method for each family.
//!
//! Must never add a step for a call that did nothing there, nor leave one out for a call that did.

use alloc::sync::Arc;

use super::TraceError;
use super::line::{Call, bytes, descriptor, string};
use super::names::Node;
use super::read::{TraceReader, malformed, unsupported};
use super::step::{Action, FileNumber};

impl TraceReader {
    pub(super) fn open(&mut self, call: &Call, number: i64, rest: &str) -> Result<(), TraceError> {
        let flags = match &*call.name {
            "creat" => "O_CREAT|O_TRUNC|O_WRONLY",
            "open" => argument(call, 1)?,
            _ => argument(call, 2)?,
        };
        let has =
            |flag: &str| flags.split(|c: char| !c.is_alphanumeric() && c != '_').any(|f| f == flag);
        self.descriptors.opened(call.thread, number, has("O_APPEND"));
        let opened = descriptor(&format!("{number}{rest}"));
        let opened = opened.ok_or_else(|| malformed(call, "no path of the descriptor"))?;
        let Some(path) = self.inside(&opened.path) else { return Ok(()) };
        if ["O_SYNC", "O_DSYNC", "O_TMPFILE", "O_PATH"].iter().any(|flag| has(flag)) {
            return Err(unsupported(call, "a way of opening that is not understood"));
        }
        match self.names.find(&path) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(file)) => {
                if has("O_TRUNC") {
                    self.set_length(call, file, &path, 0)
                } else {
                    Ok(())
                }
            }
            None if has("O_CREAT") => {
                let file = self.names.create(&path);
                self.push(call, &path, Action::Create { file, path: path.clone() })
            }
            None => Err(unsupported(call, "a file that no call has made")),
        }
    }

    /// Calls that change nothing but descriptors and positions.
    pub(super) fn moved(&mut self, call: &Call, value: i64) {
        let Some(fd) = call.arguments.first().and_then(|fd| number(fd)) else { return };
        let all = &mut self.descriptors;
        match &*call.name {
            "close" => all.closed(call.thread, fd),
            "dup" | "dup2" | "dup3" => all.copied(call.thread, fd, value),
            "fcntl" if call.arguments.get(1).is_some_and(|what| what.starts_with("F_DUPFD")) => {
                all.copied(call.thread, fd, value);
            }
            // The new status flags replace the old.
            "fcntl" if call.arguments.get(1).is_some_and(|what| what == "F_SETFL") => {
                let append = call.arguments.get(2).is_some_and(|all| all.contains("O_APPEND"));
                if let Some(position) = all.position(call.thread, fd) {
                    position.append = append;
                }
            }
            "lseek" | "read" | "readv" => {
                if let Some(position) = all.position(call.thread, fd) {
                    let value = u64::try_from(value).unwrap_or_default();
                    position.at = if call.name == "lseek" { value } else { position.at + value };
                }
            }
            _ => {}
        }
    }

    pub(super) fn write(&mut self, call: &Call, value: i64) -> Result<(), TraceError> {
        let target = descriptor(argument(call, 0)?);
        let target = target.ok_or_else(|| malformed(call, "no path of the descriptor"))?;
        let written = u64::try_from(value).unwrap_or_default();
        let position = self.descriptors.position(call.thread, target.number).copied();
        let offset = match &*call.name {
            "pwrite64" | "pwritev" => Some(integer(call, 3)?),
            "pwritev2" => {
                let flags = call.arguments.last().map(String::as_str);
                if flags != Some("0") && self.inside(&target.path).is_some() {
                    return Err(unsupported(call, "flags of a write"));
                }
                let offset = argument(call, 3)?;
                if offset == "-1" { None } else { Some(integer(call, 3)?) }
            }
            _ => None,
        };
        if offset.is_none()
            && let Some(position) = self.descriptors.position(call.thread, target.number)
        {
            position.at += written;
        }
        if self.is_marks(&target.path) {
            let text = payload(call, written)?;
            return self.mark(call, &text);
        }
        let Some(path) = self.inside(&target.path) else { return Ok(()) };
        let file = self.opened_file(call, &path, target.deleted)?;
        let end = self.names.length(file);
        let at = match (position, offset) {
            (Some(position), _) if position.append => end,
            (_, Some(offset)) => offset,
            (Some(position), None) => position.at,
            (None, None) => return Err(unsupported(call, "a write at an unknown position")),
        };
        if offset.is_none()
            && let Some(position) = self.descriptors.position(call.thread, target.number)
        {
            position.at = at + written;
        }
        let data: Arc<[u8]> = payload(call, written)?.into();
        self.names.set_length(file, end.max(at + written));
        if written == 0 {
            return Ok(());
        }
        self.push(call, &path, Action::Write { file, at, data })
    }

    fn mark(&mut self, call: &Call, text: &[u8]) -> Result<(), TraceError> {
        let text = str::from_utf8(text).map_err(|_| malformed(call, "a mark that is no text"))?;
        let lines = text
            .strip_suffix('\n')
            .ok_or_else(|| malformed(call, "a mark that is no whole line"))?;
        for line in lines.split('\n') {
            self.push(call, "", Action::Mark(line.to_owned()))?;
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, call: &Call) -> Result<(), TraceError> {
        let length = integer(call, 1)?;
        if call.name == "ftruncate" {
            let Some((path, file)) = self.file_of(call)? else { return Ok(()) };
            return self.set_length(call, file, &path, length);
        }
        let Some(path) = self.named(call, None, 0)? else { return Ok(()) };
        let file = self.opened_file(call, &path, false)?;
        self.set_length(call, file, &path, length)
    }

    pub(super) fn allocate(&mut self, call: &Call) -> Result<(), TraceError> {
        let Some((path, file)) = self.file_of(call)? else { return Ok(()) };
        match argument(call, 1)? {
            "0" => {
                let end = integer(call, 2)?.saturating_add(integer(call, 3)?);
                let length = end.max(self.names.length(file));
                self.set_length(call, file, &path, length)
            }
            // Blocks, and nothing to be seen.
            "FALLOC_FL_KEEP_SIZE" => Ok(()),
            _ => Err(unsupported(call, "a way to allocate that changes contents")),
        }
    }

    fn set_length(
        &mut self,
        call: &Call,
        file: FileNumber,
        path: &str,
        length: u64,
    ) -> Result<(), TraceError> {
        if self.names.length(file) == length {
            return Ok(());
        }
        self.names.set_length(file, length);
        self.push(call, path, Action::SetLength { file, length })
    }

    pub(super) fn sync(&mut self, call: &Call) -> Result<(), TraceError> {
        let target = descriptor(argument(call, 0)?);
        let target = target.ok_or_else(|| malformed(call, "no path of the descriptor"))?;
        let Some(path) = self.inside(&target.path) else { return Ok(()) };
        if !target.deleted && self.names.find(&path) == Some(Node::Folder) {
            if call.name == "fdatasync" {
                return Err(unsupported(call, "fdatasync of a folder, which promises nothing"));
            }
            return self.push(call, &path, Action::SyncFolder { path: path.clone() });
        }
        let file = self.opened_file(call, &path, target.deleted)?;
        self.push(call, &path, Action::SyncFile { file })
    }

    pub(super) fn make_folder(&mut self, call: &Call) -> Result<(), TraceError> {
        let base = usize::from(call.name == "mkdirat");
        let Some(path) = self.named(call, (base == 1).then_some(0), base)? else { return Ok(()) };
        self.names.put(&path, Node::Folder);
        self.push(call, &path, Action::MakeFolder { path: path.clone() })
    }

    pub(super) fn remove(&mut self, call: &Call) -> Result<(), TraceError> {
        let base = usize::from(call.name == "unlinkat");
        let Some(path) = self.named(call, (base == 1).then_some(0), base)? else { return Ok(()) };
        let folder = self.names.find(&path) == Some(Node::Folder);
        self.names.take(&path);
        let action = if folder {
            Action::RemoveFolder { path: path.clone() }
        } else {
            Action::Remove { path: path.clone() }
        };
        self.push(call, &path, action)
    }

    pub(super) fn rename(&mut self, call: &Call) -> Result<(), TraceError> {
        let Some((from, to)) = self.two_names(call)? else { return Ok(()) };
        if call.name == "renameat2" && !matches!(argument(call, 4)?, "0" | "RENAME_NOREPLACE") {
            return Err(unsupported(call, "an exchange of two names"));
        }
        let node = self.names.find(&from);
        let Some(node @ Node::File(_)) = node else {
            return Err(unsupported(call, "a renamed folder, or a file that no call has made"));
        };
        // Two names of one file: nothing happens.
        if self.names.find(&to) == Some(node) {
            return Ok(());
        }
        self.names.take(&from);
        self.names.put(&to, node);
        self.push(call, &to.clone(), Action::Rename { from, to })
    }

    pub(super) fn link(&mut self, call: &Call) -> Result<(), TraceError> {
        let Some((from, to)) = self.two_names(call)? else { return Ok(()) };
        let file = self.opened_file(call, &from, false)?;
        self.names.put(&to, Node::File(file));
        self.push(call, &to.clone(), Action::Link { file, path: to })
    }

    pub(super) fn map(&mut self, call: &Call) -> Result<(), TraceError> {
        let shared = argument(call, 3)?.contains("MAP_SHARED");
        let inside = descriptor(argument(call, 4)?).and_then(|fd| self.inside(&fd.path)).is_some();
        if shared && inside && argument(call, 2)?.contains("PROT_WRITE") {
            return Err(unsupported(call, "writes through a mapping, which are not traced"));
        }
        Ok(())
    }

    /// The two paths of a rename or a link; none if both are outside.
    fn two_names(&self, call: &Call) -> Result<Option<(String, String)>, TraceError> {
        let (from, to) = if call.name.contains("at") {
            (self.named(call, Some(0), 1)?, self.named(call, Some(2), 3)?)
        } else {
            (self.named(call, None, 0)?, self.named(call, None, 1)?)
        };
        match (from, to) {
            (None, None) => Ok(None),
            (Some(from), Some(to)) => Ok(Some((from, to))),
            _ => Err(unsupported(call, "a name that crosses the folder's border")),
        }
    }

    /// The path that an argument names, if it is inside; the folder it is relative to is another argument.
    fn named(
        &self,
        call: &Call,
        base: Option<usize>,
        at: usize,
    ) -> Result<Option<String>, TraceError> {
        let base = base.map(|base| argument(call, base)).transpose()?;
        let path = string(argument(call, at)?).ok_or_else(|| malformed(call, "no path"))?;
        if path.is_empty() {
            return Err(unsupported(call, "an empty path"));
        }
        Ok(self.inside(&self.path(call, base, &path)?))
    }

    /// The file that the first argument stands for, if it is inside.
    fn file_of(&self, call: &Call) -> Result<Option<(String, FileNumber)>, TraceError> {
        let target = descriptor(argument(call, 0)?);
        let target = target.ok_or_else(|| malformed(call, "no path of the descriptor"))?;
        let Some(path) = self.inside(&target.path) else { return Ok(None) };
        let file = self.opened_file(call, &path, target.deleted)?;
        Ok(Some((path, file)))
    }

    fn opened_file(
        &self,
        call: &Call,
        path: &str,
        deleted: bool,
    ) -> Result<FileNumber, TraceError> {
        let file = self.names.open_file(path, deleted);
        file.ok_or_else(|| unsupported(call, "a file that no call has made"))
    }
}

fn argument(call: &Call, at: usize) -> Result<&str, TraceError> {
    let found = call.arguments.get(at).map(String::as_str);
    found.ok_or_else(|| malformed(call, "an argument is missing"))
}

fn integer(call: &Call, at: usize) -> Result<u64, TraceError> {
    argument(call, at)?.parse().map_err(|_| malformed(call, "no number"))
}

/// The number of a descriptor.
fn number(argument: &str) -> Option<i64> {
    argument.split('<').next()?.parse().ok()
}

/// The bytes that a write took, which may be fewer than it was offered.
fn payload(call: &Call, written: u64) -> Result<Vec<u8>, TraceError> {
    let cut = || malformed(call, "the payload is cut short: strace needs a larger -s");
    let given = argument(call, 1)?;
    let mut all = if given.starts_with('[') {
        let mut all = Vec::new();
        for piece in given.split("iov_base=").skip(1) {
            let text = piece.split_once(", iov_len=").ok_or_else(cut)?.0;
            all.extend(bytes(text).ok_or_else(cut)?);
        }
        all
    } else {
        bytes(given).ok_or_else(cut)?
    };
    let written = usize::try_from(written).unwrap_or(usize::MAX);
    if all.len() < written {
        return Err(cut());
    }
    all.truncate(written);
    Ok(all)
}

#[cfg(test)]
mod tests;

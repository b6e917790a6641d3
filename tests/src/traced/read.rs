//! From the text of a trace to its steps: which calls there are, and which of them concern the folder.
//!
//! Must never pass over a call on the folder that is not known to change nothing there.

use std::collections::HashMap;
use std::path::Path;

use super::TraceError;
use super::descriptors::Descriptors;
use super::line::{Call, Line, Lines, Outcome, descriptor, to_hex};
use super::names::Names;
use super::step::{Action, Step, Trace};
use crate::simulated::SimulatedDisk;

/// Calls that change nothing that a crash could leave, whatever they are called on.
///
/// Owners, modes and times are nothing that recovery should depend on; `sync_file_range` and `posix_fadvise` promise nothing.
const HARMLESS: &[&str] = &[
    "access",
    "chdir",
    "chmod",
    "chown",
    "close_range",
    "epoll_ctl",
    "execve",
    "execveat",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fgetxattr",
    "flistxattr",
    "flock",
    "fstat",
    "fstatfs",
    "futimesat",
    "getcwd",
    "getdents",
    "getdents64",
    "getxattr",
    "inotify_add_watch",
    "lgetxattr",
    "listxattr",
    "lstat",
    "newfstatat",
    "poll",
    "ppoll",
    "pread64",
    "preadv",
    "preadv2",
    "readahead",
    "readlink",
    "readlinkat",
    "stat",
    "statfs",
    "statx",
    "sync_file_range",
    "utime",
    "utimensat",
    "utimes",
];

/// Why a trace is refused in which one thread changed what another was syncing: it does not tell on which side of the sync the change
/// falls. Another run may go another way.
pub const CHANGED_MEANWHILE: &str = "changed while another thread synced it";

/// Reads what `strace -f -y -xx` wrote about a program.
///
/// Effects of a call are taken to happen when it returns. A sync covers what had returned before it was called; a change that
/// another thread makes meanwhile to the same file's bytes, or to the same folder's names, is refused, since the trace does not tell on which side it
/// falls.
///
/// # Limits
/// Not understood, and refused where they touch the folder: writable shared mappings, `io_uring`, symbolic links, renamed
/// folders, copies within the system (`copy_file_range`), exchanges, whole-system syncs, failed syncs. The folder's path must be
/// free of symbolic links, as [`std::fs::canonicalize`] gives it.
#[derive(Debug)]
pub struct TraceReader {
    pub(super) root: String,
    root_hex: String,
    marks: String,
    pub(super) names: Names,
    pub(super) descriptors: Descriptors,
    trace: Trace,
    ordinals: HashMap<(u32, String), u32>,
    /// Working directories, as far as the calls have shown them.
    working: HashMap<u32, String>,
    /// What is being synced by a thread.
    syncing: HashMap<u32, String>,
}

impl TraceReader {
    /// For a folder that was empty at first, and the file into which the program wrote its marks, one on each line; that
    /// file must be outside of the folder.
    pub fn new(folder: &Path, marks: &Path) -> Self {
        let root = folder.to_string_lossy().into_owned();
        Self {
            root_hex: to_hex(&root),
            root,
            marks: marks.to_string_lossy().into_owned(),
            names: Names::default(),
            descriptors: Descriptors::default(),
            trace: Trace::default(),
            ordinals: HashMap::new(),
            working: HashMap::new(),
            syncing: HashMap::new(),
        }
    }

    /// For a folder that held at first what this disk holds.
    #[must_use]
    pub fn starting_from(mut self, disk: &SimulatedDisk) -> Self {
        (self.names, self.trace.existing) = Names::of(disk);
        self
    }

    /// Reads the trace.
    ///
    /// # Errors
    /// A line that is not understood, or a call on the folder whose effect is not known.
    pub fn read(mut self, text: &str) -> Result<Trace, TraceError> {
        let mut lines = Lines::default();
        for (at, line) in text.lines().enumerate() {
            match lines.read(at + 1, line)? {
                Line::Call(call) => self.call(&call)?,
                Line::Begins { thread, name, arguments } => self.begins(thread, &name, &arguments),
                Line::Other => {}
            }
        }
        Ok(self.trace)
    }

    fn begins(&mut self, thread: u32, name: &str, arguments: &[String]) {
        match name {
            "clone" | "clone3" | "fork" | "vfork" => {
                self.descriptors.begins_child(thread, shares_descriptors(name, arguments));
            }
            "fsync" | "fdatasync" => {
                if let Some(target) = arguments.first().and_then(|fd| descriptor(fd)) {
                    self.syncing.insert(thread, target.path);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &Call) -> Result<(), TraceError> {
        self.trace.calls += 1;
        *self.ordinals.entry((call.thread, call.name.clone())).or_default() += 1;
        self.syncing.remove(&call.thread);
        for argument in &call.arguments {
            if let Some(working) = descriptor(argument).filter(|found| found.number == -1) {
                self.working.insert(call.thread, working.path);
            }
        }
        match &call.result {
            Outcome::Never => Ok(()),
            Outcome::Failed(error) => {
                let sync = matches!(&*call.name, "fsync" | "fdatasync" | "syncfs" | "msync");
                if sync && error != "EINTR" && self.touches(call) {
                    return Err(unsupported(call, "a failed sync: what it wrote is unknown"));
                }
                Ok(())
            }
            Outcome::Done(value, rest) => self.done(call, *value, rest),
        }
    }

    fn done(&mut self, call: &Call, value: i64, rest: &str) -> Result<(), TraceError> {
        match &*call.name {
            "clone" | "clone3" | "fork" | "vfork" => {
                let shares = shares_descriptors(&call.name, &call.arguments);
                self.descriptors.has_child(call.thread, u32::try_from(value).ok(), shares);
                Ok(())
            }
            "chdir" | "fchdir" => {
                self.working.remove(&call.thread);
                Ok(())
            }
            "open" | "openat" | "openat2" | "creat" => self.open(call, value, rest),
            "close" | "dup" | "dup2" | "dup3" | "fcntl" | "lseek" | "read" | "readv" => {
                self.moved(call, value);
                Ok(())
            }
            "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => self.write(call, value),
            "ftruncate" | "truncate" => self.truncate(call),
            "fallocate" => self.allocate(call),
            "fsync" | "fdatasync" => self.sync(call),
            "mkdir" | "mkdirat" => self.make_folder(call),
            "rename" | "renameat" | "renameat2" => self.rename(call),
            "unlink" | "unlinkat" | "rmdir" => self.remove(call),
            "link" | "linkat" => self.link(call),
            "mmap" => self.map(call),
            "sync" | "syncfs" => Err(unsupported(call, "a sync of everything")),
            "io_uring_setup" => Err(unsupported(call, "calls that cannot be traced")),
            // Copies of other files' blocks, and much else.
            "ioctl" if call.arguments.get(1).is_some_and(|request| request == "TCGETS") => Ok(()),
            name if HARMLESS.contains(&name) => Ok(()),
            _ if self.touches(call) => Err(unsupported(call, "an unknown call on the folder")),
            _ => Ok(()),
        }
    }

    /// Whether anything in the call's text is a path in the folder.
    fn touches(&self, call: &Call) -> bool {
        let ends = [r"\x2f", "\"", ">"];
        ends.iter().any(|end| call.text.contains(&format!("{}{end}", self.root_hex)))
            || self.working.get(&call.thread).is_some_and(|path| self.inside(path).is_some())
    }

    /// The path relative to the folder, if it is in there.
    pub(super) fn inside(&self, path: &str) -> Option<String> {
        let path = normal(path);
        let rest = path.strip_prefix(&self.root)?;
        if rest.is_empty() {
            Some(String::new())
        } else {
            rest.strip_prefix('/').map(str::to_owned)
        }
    }

    pub(super) fn is_marks(&self, path: &str) -> bool {
        path == self.marks
    }

    /// The absolute path that a call names, below a descriptor if it has one.
    pub(super) fn path(
        &self,
        call: &Call,
        base: Option<&str>,
        path: &str,
    ) -> Result<String, TraceError> {
        if path.starts_with('/') {
            return Ok(normal(path));
        }
        let base = base.and_then(descriptor).map(|base| base.path);
        let base = base.or_else(|| self.working.get(&call.thread).cloned());
        let base = base.ok_or_else(|| unsupported(call, "a path below an unknown folder"))?;
        Ok(normal(&format!("{base}/{path}")))
    }

    /// Adds a step.
    pub(super) fn push(
        &mut self,
        call: &Call,
        path: &str,
        action: Action,
    ) -> Result<(), TraceError> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let busy = |target: &String| {
            self.inside(target).is_some_and(|target| match &action {
                Action::Mark(_) => false,
                // A folder's sync covers names, and nothing of the files.
                Action::Write { .. } | Action::SetLength { .. } => target == path,
                Action::Rename { from, .. } => {
                    target == folder
                        || target == from.rsplit_once('/').map_or("", |(above, _)| above)
                }
                _ => target == folder,
            })
        };
        if !action.is_sync() && self.syncing.values().any(busy) {
            return Err(unsupported(call, CHANGED_MEANWHILE));
        }
        let ordinal = self.ordinals.get(&(call.thread, call.name.clone())).copied();
        self.trace.steps.push(Step {
            action,
            path: path.to_owned(),
            call: call.name.clone(),
            ordinal: ordinal.unwrap_or_default(),
            line: call.line,
        });
        Ok(())
    }
}

fn shares_descriptors(name: &str, arguments: &[String]) -> bool {
    name.starts_with("clone") && arguments.iter().any(|text| text.contains("CLONE_FILES"))
}

pub(super) fn unsupported(call: &Call, why: &'static str) -> TraceError {
    TraceError::Unsupported { line: call.line, why, text: call.text.clone() }
}

pub(super) fn malformed(call: &Call, what: &'static str) -> TraceError {
    TraceError::Malformed { line: call.line, what, text: call.text.clone() }
}

/// Without `.`, `..` and doubled separators.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

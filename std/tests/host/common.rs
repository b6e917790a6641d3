//! What the tests share: scratch folders, helper processes, loud skips.

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use durability::embedded_io::Write as _;
use durability::storage::{Directory, FsAppender, FsDirectory, Name, ReadFile};

const FOLDER_VARIABLE: &str = "DURABILITY_TEST_FOLDER";

pub(crate) fn name(text: &str) -> Name<'_> {
    Name::new(text).unwrap()
}

/// A directory of its own, below a folder that is removed at the end.
pub(crate) fn scratch() -> (tempfile::TempDir, FsDirectory) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = FsDirectory::new(scratch.path().join("root")).unwrap();
    (scratch, dir)
}

pub(crate) fn create(dir: &FsDirectory, file: &str, content: &[u8]) -> FsAppender {
    let mut appender = dir.create(name(file), 0).unwrap().unwrap();
    append(&mut appender, content);
    appender
}

pub(crate) fn append(appender: &mut FsAppender, mut content: &[u8]) {
    while !content.is_empty() {
        let written = appender.write(content).unwrap();
        content = &content[written..];
    }
}

/// The whole content of a file; `None` if there is none.
pub(crate) fn content(dir: &FsDirectory, file: &str) -> Option<Vec<u8>> {
    let mut reader = dir.open(name(file)).unwrap()?;
    let mut content = vec![0; usize::try_from(reader.len().unwrap()).unwrap()];
    let mut done = 0;
    while done < content.len() {
        match reader.read_at(done as u64, &mut content[done..]).unwrap() {
            0 => break,
            count => done += count,
        }
    }
    content.truncate(done);
    Some(content)
}

/// What `helper` runs is a test of this binary that does nothing in a normal run: it gets its folder here.
pub(crate) fn helper_folder() -> Option<PathBuf> {
    env::var_os(FOLDER_VARIABLE).map(PathBuf::from)
}

/// Puts the run of one helper test, in a process of its own, at the end of a command line.
pub(crate) fn helper(mut command: Command, helper: &str, folder: &Path) -> Command {
    command.env(FOLDER_VARIABLE, folder);
    command.arg(env::current_exe().unwrap());
    command.args(["--exact", helper, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// The same without a program to run it under.
pub(crate) fn plain_helper(helper: &str, folder: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(FOLDER_VARIABLE, folder);
    command.args(["--exact", helper, "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// Says so past the test harness, which would swallow it.
pub(crate) fn skip(reason: &str) {
    let text = format!("skipped: {reason}\n");
    io::stderr().write_all(text.as_bytes()).unwrap();
}

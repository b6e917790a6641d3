//! What the host lends: a private table of mounts, a loop device, mounts.
//!
//! Must never detach or unmount what it did not attach or mount. All mounts are private to this process, so that they go
//! with it, however it ends; a loop device would stay, and is therefore written down in a file for whoever cleans up.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use super::Failed;
use super::flavour::Flavour;

/// The file in the scratch folder that names the loop devices in use.
const ATTACHED: &str = "loops";

/// Makes this thread's mounts, and those of all threads that it starts from here on, its own.
pub(crate) fn keep_mounts_private() -> Result<(), Failed> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    Ok(())
}

/// Gives this thread a table of open files of its own.
///
/// A thread that waits for the disk cannot be killed before the disk answers, and the disk is given up when the last
/// table goes that holds its FUSE connection: it must not be the waiting thread's.
pub(crate) fn keep_files_private() -> Result<(), Failed> {
    Ok(unshare(CloneFlags::CLONE_FILES)?)
}

/// A loop device over the served file.
#[derive(Debug)]
pub(crate) struct Loop {
    path: PathBuf,
    scratch: PathBuf,
}

impl Loop {
    /// Attaches a free loop device.
    pub(crate) fn attach(file: &Path, scratch: &Path) -> Result<Self, Failed> {
        let mut losetup = Command::new("losetup");
        losetup.args(["--find", "--show", "--direct-io=on"]).arg(file);
        let output = losetup.output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("losetup: {}: {said}", output.status).into());
        }
        let path = PathBuf::from(String::from_utf8(output.stdout)?.trim());
        let attached = Self { path, scratch: scratch.to_path_buf() };
        attached.write_down()?;
        Ok(attached)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The device, and what tells it from a later use of the same device by others.
    fn write_down(&self) -> Result<(), Failed> {
        let of = |column: &str| -> Result<String, Failed> {
            let mut losetup = Command::new("losetup");
            let output = losetup.args(["-n", "-O", column]).arg(&self.path).output()?;
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let line = format!("{} {} {}\n", self.path.display(), of("BACK-MAJ:MIN")?, of("BACK-INO")?);
        let mut file =
            OpenOptions::new().create(true).append(true).open(self.scratch.join(ATTACHED))?;
        Ok(file.write_all(line.as_bytes())?)
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // Whoever cleans up after this process tries again.
        let _status = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

/// A mounted file system.
#[derive(Debug)]
pub(crate) struct Mount {
    at: PathBuf,
}

impl Mount {
    pub(crate) fn new(flavour: Flavour, device: &Path, at: &Path) -> Result<Self, nix::Error> {
        let flags = MsFlags::MS_NOATIME;
        mount(Some(device), at, Some(flavour.name()), flags, Some(flavour.mount_options()))?;
        Ok(Self { at: at.to_path_buf() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.at
    }

    /// Unmounts, and tells whether that succeeded.
    pub(crate) fn end(self) -> Result<(), nix::Error> {
        let result = umount2(&self.at, MntFlags::empty());
        std::mem::forget(self);
        result
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _result = umount2(&self.at, MntFlags::MNT_DETACH);
    }
}

/// The kernel's release.
pub(crate) fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

//! The file systems: how each is made and mounted, and whether it can be here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A file system of the Linux kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    Ext4,
    Xfs,
    Btrfs,
}

impl Flavour {
    pub(crate) const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// As the kernel calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// The smallest disk that its tools are content with, roughly.
    pub(crate) const fn disk_bytes(self) -> u64 {
        match self {
            Self::Ext4 => 64 << 20,
            Self::Xfs => 320 << 20,
            Self::Btrfs => 256 << 20,
        }
    }

    /// Where its superblock begins: what does not mount once it is torn.
    pub(crate) const fn superblock(self) -> u64 {
        match self {
            Self::Ext4 => 1024,
            Self::Xfs => 0,
            Self::Btrfs => 64 << 10,
        }
    }

    const fn maker(self) -> &'static str {
        match self {
            Self::Ext4 => "mkfs.ext4",
            Self::Xfs => "mkfs.xfs",
            Self::Btrfs => "mkfs.btrfs",
        }
    }

    /// How it is made; nothing is left to be done later, in the background.
    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &[
                "-q",
                "-F",
                "-b",
                "4096",
                "-E",
                "nodiscard,lazy_itable_init=0,lazy_journal_init=0",
            ],
            Self::Xfs | Self::Btrfs => &["-q", "-f", "-K"],
        }
    }

    /// How it is mounted, beyond its defaults: only what lets copies of one disk come and go.
    pub(crate) const fn mount_options(self) -> &'static str {
        match self {
            Self::Ext4 => "",
            Self::Xfs => "nouuid",
            Self::Btrfs => "nodiscard",
        }
    }

    /// Makes the file system on a device.
    pub(crate) fn make(self, device: &Path) -> Result<(), String> {
        let output = Command::new(self.maker()).args(self.arguments()).arg(device).output();
        let output = output.map_err(|error| format!("{}: {error}", self.maker()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
        Err(format!("{}: {}: {said}", self.maker(), output.status))
    }

    /// Why it cannot be here; `None` if it can.
    pub(crate) fn missing(self) -> Option<String> {
        if program(self.maker()).is_none() {
            return Some(format!("there is no {}", self.maker()));
        }
        if !known(self.name()) {
            // Loading it is the kernel's way to find out.
            let _tried = Command::new("modprobe").arg("-q").arg(self.name()).status();
        }
        (!known(self.name())).then(|| format!("the kernel has no {}", self.name()))
    }
}

fn known(name: &str) -> bool {
    let all = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    all.lines().any(|line| line.split_whitespace().last() == Some(name))
}

/// Where a program is.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Why no file system at all can be mounted here; `None` if one can.
pub(crate) fn no_mounts() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("mounting takes root".to_owned());
    }
    for device in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(device).exists() {
            return Some(format!("there is no {device}"));
        }
    }
    program("losetup").is_none().then(|| "there is no losetup".to_owned())
}

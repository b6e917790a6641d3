//! A FUSE file system of one file, which is the disk.
//!
//! Must never let the kernel keep the file's bytes in a cache of its own: writes and flushes would be seen in another order
//! than the file system on top of the loop device has made them.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use std::{fmt, io};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

use super::device::Device;

/// The name of the file.
pub(crate) const FILE: &str = "disk";

const DISK: INodeNo = INodeNo(2);
const FOR_EVER: Duration = Duration::from_secs(1 << 30);
/// The most that the kernel sends at once.
const WRITE_BYTES_MAX: u32 = 1 << 20;

struct OneFile {
    device: Arc<Device>,
}

impl fmt::Debug for OneFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneFile").finish_non_exhaustive()
    }
}

impl OneFile {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let (kind, size, perm) = match inode {
            DISK => (FileType::RegularFile, self.device.bytes(), 0o600),
            _ => (FileType::Directory, 0, 0o700),
        };
        FileAttr {
            ino: inode,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for OneFile {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Where the kernel takes less, it says so in its requests.
        let _before = config.set_max_write(WRITE_BYTES_MAX);
        Ok(())
    }

    fn lookup(&self, _request: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == FILE {
            reply.entry(&FOR_EVER, &self.attributes(DISK), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        reply.attr(&FOR_EVER, &self.attributes(inode));
    }

    fn open(&self, _request: &Request, _inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let length = u64::from(size).min(self.device.bytes().saturating_sub(offset));
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.device.read(offset, &mut bytes);
        reply.data(&bytes);
    }

    fn write(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        bytes: &[u8],
        _how: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if offset.saturating_add(bytes.len() as u64) > self.device.bytes() {
            return reply.error(Errno::ENOSPC);
        }
        self.device.write(offset, bytes);
        reply.written(u32::try_from(bytes.len()).unwrap_or_default());
    }

    fn fsync(
        &self,
        _request: &Request,
        _inode: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        self.device.flush();
        reply.ok();
    }
}

/// Serves the disk as [`FILE`] in a folder, until what it returns is dropped.
pub(crate) fn serve(device: Arc<Device>, folder: &Path) -> io::Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("durability-disk".to_owned())];
    fuser::spawn_mount(OneFile { device }, folder, &config)
}

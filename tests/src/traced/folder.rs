//! Real folders from simulated disks, and back.
//!
//! Must never touch anything outside of the folder that it is given.

use std::fs;
use std::io;
use std::path::Path;

use crate::simulated::{DiskOptions, SimulatedDisk, SimulatedError};

/// Writes everything that a disk holds into a real folder, which must be empty: there, any program can recover from a crash
/// that never happened.
///
/// # Errors
/// What the system meets.
pub fn write_folder(disk: &SimulatedDisk, folder: &Path) -> io::Result<()> {
    let raw = disk.raw();
    let mut written = Vec::new();
    for (path, file) in raw.entries() {
        let target = folder.join(&path);
        let Some(file) = file else {
            fs::create_dir_all(target)?;
            continue;
        };
        if let Some(above) = target.parent() {
            fs::create_dir_all(above)?;
        }
        if let Some((_, first)) = written.iter().find(|(known, _)| *known == file) {
            fs::hard_link(first, target)?;
        } else {
            fs::write(&target, raw.contents(file))?;
            written.push((file, target));
        }
    }
    Ok(())
}

/// A disk that holds what a real folder holds, all of it durable. Links are not followed, and not taken over.
///
/// # Errors
/// What the system meets; names that are no text.
pub fn read_folder(folder: &Path, options: DiskOptions) -> io::Result<SimulatedDisk> {
    let disk = SimulatedDisk::new(options);
    read_into(&disk, folder, "")?;
    Ok(disk)
}

fn read_into(disk: &SimulatedDisk, folder: &Path, path: &str) -> io::Result<()> {
    let full = |error: SimulatedError| io::Error::other(error);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| io::Error::from(io::ErrorKind::InvalidFilename))?;
        let inner = if path.is_empty() { name } else { format!("{path}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            disk.raw().make_folder(&inner).map_err(full)?;
            read_into(disk, &entry.path(), &inner)?;
        } else if kind.is_file() {
            let file = disk.raw().create(&inner).map_err(full)?;
            disk.raw().write_durably(file, 0, &fs::read(entry.path())?).map_err(full)?;
        }
    }
    disk.raw().sync_folder(path).map_err(full)
}

//! What is printed at the end.

use super::campaign::Tally;

/// What a row is about, and so what it must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// No law may be broken.
    Trial,
    /// A disk that lies about flushes: laws must be broken.
    LyingDisk,
    /// Logs that do not sync their files: laws must be broken.
    NoFileSync,
    /// Logs that do not sync their folders: laws must be broken.
    NoFolderSync,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::LyingDisk => "control: flushes ignored",
            Self::NoFileSync => "control: no sync of files",
            Self::NoFolderSync => "control: no sync of folders",
        }
    }
}

/// One campaign.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) file_system: &'static str,
    pub(crate) role: Role,
    pub(crate) asked: usize,
    pub(crate) seed: u64,
    pub(crate) tally: Tally,
}

impl Row {
    /// Whether both are about the same.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        (self.file_system, self.role) == (other.file_system, other.role)
    }

    /// Adds what another thread has done.
    pub(crate) fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.tally.add(&other.tally);
    }

    /// What is wrong with it; `None` if nothing.
    pub(crate) fn fault(&self) -> Option<String> {
        let (name, role, tally) = (self.file_system, self.role.name(), &self.tally);
        if self.role == Role::Trial && tally.violations > 0 {
            return Some(format!("{name}: laws were broken: {}", tally.violations));
        }
        if self.role != Role::Trial && tally.violations == 0 {
            return Some(format!("{name}: the {role} went unnoticed: this run can find nothing"));
        }
        // A bug of the file system, or of this rig.
        if self.role == Role::Trial && tally.mount_failures > 0 {
            return Some(format!("{name}: images that do not mount: {}", tally.mount_failures));
        }
        if self.role == Role::Trial && tally.images < self.asked {
            return Some(format!("{name}, {role}: {} images of {}", tally.images, self.asked));
        }
        None
    }
}

/// Prints all rows.
pub(crate) fn print(kernel: &str, rows: &[Row]) {
    println!(
        "\nLinux {kernel}\n\n| file system | run | images | crashed again | workloads | writes | flushes | acknowledged | violations | mount failures | torn superblocks | seconds | seed |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let tally = &row.tally;
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} | {} |",
            row.file_system,
            row.role.name(),
            tally.images,
            tally.crashed_again,
            tally.workloads,
            tally.writes,
            tally.flushes,
            tally.acknowledged,
            violations(tally),
            tally.mount_failures,
            tally.torn_superblocks,
            tally.time.as_secs_f64(),
            row.seed,
        );
    }
}

/// How many, and of which stories.
fn violations(tally: &Tally) -> String {
    let each = tally.broken.iter().map(|(story, count)| format!("{story} {count}"));
    let each = each.collect::<Vec<_>>().join(", ");
    if each.is_empty() { "0".to_owned() } else { format!("{} ({each})", tally.violations) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: Role, images: usize, violations: usize, mount_failures: usize) -> Row {
        let tally = Tally { images, violations, mount_failures, ..Tally::default() };
        Row { file_system: "ext4", role, asked: 100, seed: 1, tally }
    }

    #[test]
    fn a_broken_law_missing_images_and_mount_failures_fail_the_run() {
        assert_eq!(row(Role::Trial, 100, 0, 0).fault(), None);
        assert!(row(Role::Trial, 100, 1, 0).fault().is_some());
        assert!(row(Role::Trial, 99, 0, 0).fault().is_some());
        assert!(row(Role::Trial, 100, 0, 1).fault().is_some());
    }

    #[test]
    fn a_control_that_passes_fails_the_run() {
        for role in [Role::LyingDisk, Role::NoFileSync, Role::NoFolderSync] {
            assert!(row(role, 100, 0, 0).fault().is_some());
            assert_eq!(row(role, 20, 1, 50).fault(), None);
        }
    }
}

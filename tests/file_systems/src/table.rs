//! What is printed at the end.

use super::campaign::Tally;

/// What a row is about, and so what it must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// No law may be broken.
    Trial,
    /// A disk that lies about flushes: laws must be broken.
    LyingDisk,
    /// A log that does not sync: laws must be broken.
    NoSync,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::LyingDisk => "control: flushes ignored",
            Self::NoSync => "control: no sync",
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
    /// What is wrong with it; `None` if nothing.
    pub(crate) fn fault(&self) -> Option<String> {
        let (name, role, tally) = (self.file_system, self.role.name(), &self.tally);
        if self.role == Role::Trial && tally.violations > 0 {
            return Some(format!("{name}: laws were broken: {}", tally.violations));
        }
        if self.role != Role::Trial && tally.violations == 0 {
            return Some(format!("{name}: the {role} went unnoticed: this run can find nothing"));
        }
        if tally.images < self.asked {
            return Some(format!("{name}, {role}: {} images of {}", tally.images, self.asked));
        }
        None
    }
}

/// Prints all rows.
pub(crate) fn print(kernel: &str, rows: &[Row]) {
    println!(
        "\nLinux {kernel}\n\n| file system | run | images | crashed again | workloads | writes | flushes | acknowledged | violations | mount failures | seconds | seed |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let tally = &row.tally;
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} | {} |",
            row.file_system,
            row.role.name(),
            tally.images,
            tally.crashed_again,
            tally.workloads,
            tally.writes,
            tally.flushes,
            tally.acknowledged,
            tally.violations,
            tally.mount_failures,
            tally.time.as_secs_f64(),
            row.seed,
        );
    }
}

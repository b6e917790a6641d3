//! Time as the clock on the wall has it, and as this thread had the processor.

use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use nix::time::ClockId;

/// A running watch.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

/// What it showed.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// By the clock on the wall: with waiting for disks, and for a processor that others use.
    pub wall: Duration,
    /// Of the processor, in this thread and in the system on its behalf; zero where the system does not tell.
    pub cpu: Duration,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    /// Stops.
    pub fn stop(self) -> Time {
        let cpu = cpu().saturating_sub(self.cpu);
        Time { wall: self.wall.elapsed(), cpu }
    }
}

#[cfg(target_os = "linux")]
fn cpu() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().map(Duration::from).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn cpu() -> Duration {
    Duration::ZERO
}

//! Real programs on real file systems, traced by `strace`, and every crash that could have struck them.
//!
//! A [`Tracer`] runs a program and reads its system calls as a [`Trace`]: what was created, written, renamed, removed and
//! synced, with the marks in between by which the program told what it was asked for and what it promised. [`Replayed`] makes
//! of a trace a workload for [`explore`](crate::simulated::explore()): the steps are done on a simulated disk, and every state that a
//! crash between any two of them can leave is recovered and judged. A missing `fsync`, of a file, of a folder, of the folder that
//! holds a new folder, goes red, though no file system at hand would ever show it.
//!
//! To trace *your* program:
//!
//! 1. Let it write marks: one line in one `write`, to a file outside of its folder, before each operation and after each promise.
//! 2. `Tracer::new(folder, marks)?.record(&command, &SimulatedDisk::new(options))?`.
//! 3. Implement [`Recovery`]: what the marks mean, and how your program recovers. A program that knows only real files recovers on
//!    the copy that [`write_folder`] makes of a crash state.
//! 4. [`explore`](crate::simulated::explore()) it. Then leave out each barrier in turn ([`Trace::syncs`], [`Trace::without`]): where no law breaks, either the
//!    barrier is not needed there, or your marks promise less than you think.
//!
//! A trace that was taken elsewhere is read by [`TraceReader`], from the text of `strace -f -y -xx -s 16777216 -o FILE -e trace=%file,%desc,clone,clone3,fork,vfork,sync,io_uring_setup`:
//!
//! ```
//! use std::path::Path;
//! use durability_testkit::simulated::{
//!     Bounds, DiskOptions, Ended, Event, Journal, Model, PrefixOracle, SimulatedDisk, explore,
//! };
//! use durability_testkit::traced::{Recovery, Replayed, TraceReader};
//!
//! // A program that keeps one byte in a file, and forgets its folder. Its folder is "/f", its marks go to "/m".
//! let text = r#"
//! 7 write(3<\x2f\x6d>, "\x73\x65\x74\x20\x78\x0a", 6) = 6
//! 7 openat(AT_FDCWD<\x2f>, "\x66\x2f\x61", O_WRONLY|O_CREAT|O_EXCL, 0666) = 4<\x2f\x66\x2f\x61>
//! 7 write(4<\x2f\x66\x2f\x61>, "\x78", 1) = 1
//! 7 fsync(4<\x2f\x66\x2f\x61>) = 0
//! 7 write(3<\x2f\x6d>, "\x64\x6f\x6e\x65\x0a", 5) = 5
//! "#;
//! let trace = TraceReader::new(Path::new("/f"), Path::new("/m")).read(text.trim())?;
//! assert_eq!(trace.syncs().count(), 1);
//!
//! #[derive(Debug, Clone, Default, PartialEq)]
//! struct Value(Option<u8>);
//! impl Model for Value {
//!     type Operation = u8;
//!     type Seen = Option<u8>;
//!     fn apply(&mut self, value: &u8) {
//!         self.0 = Some(*value);
//!     }
//!     fn explains(&self, seen: &Option<u8>) -> bool {
//!         self.0 == *seen
//!     }
//! }
//!
//! struct Program;
//! impl Recovery for Program {
//!     type Operation = u8;
//!     type Seen = Option<u8>;
//!     fn event(&self, mark: &str) -> Result<Event<u8, Option<u8>>, Box<dyn std::error::Error>> {
//!         Ok(match mark.as_bytes() {
//!             b"done" => Event::Acknowledged { through: 1 },
//!             [b's', b'e', b't', b' ', value] => Event::Issued(*value),
//!             _ => return Err("no mark of ours".into()),
//!         })
//!     }
//!     fn recover(&self, disk: &SimulatedDisk, journal: &mut Journal<u8, Option<u8>>) -> Ended {
//!         let bytes = disk.raw().find("a").map(|file| disk.raw().contents(file));
//!         journal.recovered(bytes.and_then(|bytes| bytes.first().copied()).filter(|byte| *byte > 0));
//!         Ok(())
//!     }
//! }
//!
//! let bounds = Bounds::new(DiskOptions::new().without_junk());
//! let failure = explore(&Replayed::new(&trace, &Program), &PrefixOracle::<Value>::new(), &bounds).unwrap_err();
//! assert_eq!(failure.violation.law, "durable means durable");
//! assert!(failure.story.contains("lost: name a"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Must never know of any particular log or store.

mod calls;
mod descriptors;
mod error;
mod folder;
mod line;
mod names;
mod read;
mod replay;
mod step;
mod strace;
mod subfolder;

pub use error::TraceError;
pub use folder::{read_folder, write_folder};
pub use read::{CHANGED_MEANWHILE, TraceReader};
pub use replay::{Continued, Recovery, Replayed};
pub use step::{Action, FileNumber, Step, Trace};
pub use strace::Tracer;
pub use subfolder::Subfolder;

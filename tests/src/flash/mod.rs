//! Power cuts on NOR flash: a program on a simulated chip, cut in every single operation, and again in all that follows.
//!
//! Must never look at the chip to learn what ought to be on it: only what the program was promised counts.
//!
//! [`explore()`] takes any program on a [`NorChip`](crate::backends::NorChip); [`LogProgram`] is the one with this library's log and checkpoints on a
//! [`FlashDirectory`](durability_flash::FlashDirectory), [`AsyncLogProgram`] the one with a log of raw records whose flash is awaited.
//!
//! ```
//! use durability_testkit::backends::{NorChip, NorError, Tearing};
//! use durability_testkit::flash::{Campaign, FlashProgram, Tape, explore};
//! use durability_testkit::simulated::Violation;
//! use embedded_storage::nor_flash::{NorFlash as _, ReadNorFlash as _};
//!
//! /// Puts a byte into the first granule of a block, once.
//! struct Once;
//!
//! impl FlashProgram<1, 4, 256> for Once {
//!     type Outside = bool; // whether we were told that it is there
//!
//!     fn live(&self, chip: &mut NorChip<1, 4, 256>, tape: &mut Tape<bool>, _life: u32) -> Result<(), Violation> {
//!         let broken = |error: NorError| Violation { law: "flash takes it", detail: error.to_string() };
//!         let mut found = [0; 4];
//!         chip.read(0, &mut found).map_err(broken)?;
//!         if *tape.now() && found != [7; 4] {
//!             return Err(Violation { law: "durable means durable", detail: format!("{found:?}") });
//!         }
//!         if found != [7; 4] {
//!             chip.erase(0, 256).map_err(broken)?; // whatever a cut left there
//!             chip.write(0, &[7; 4]).map_err(broken)?;
//!         }
//!         tape.tell(chip.operations(), true);
//!         Ok(())
//!     }
//! }
//!
//! let figures = explore(&Once, NorChip::new(1), false, &Campaign::new(2))?;
//! assert_eq!(figures.cuts()[0], 10); // two operations, five ways to tear each
//! # Ok::<(), durability_testkit::flash::FlashFailure>(())
//! ```

mod awaited;
mod explore;
mod log;
mod outside;
mod script;
mod tape;

pub use awaited::AsyncLogProgram;
pub use explore::{Campaign, CutAt, FlashFailure, FlashFigures, FlashProgram, explore, replay};
pub use log::LogProgram;
pub use outside::Outside;
pub use script::{Script, ScriptError, Step};
pub use tape::Tape;

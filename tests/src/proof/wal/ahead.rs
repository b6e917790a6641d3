//! Segments that are made ready while a script runs.
//!
//! Must never let a failed preparation end a life: it costs the log nothing.

use durability_core::Error;
use durability_core::walog::Step;

use crate::simulated::Ended;

use super::super::laws::hold;
use super::setup::Ahead;
use super::{Life, WalWorkload};

impl WalWorkload {
    /// What is done before each step of a script.
    pub(super) fn ahead(&self, life: &mut Life<'_>) -> Ended {
        match self.setup.ahead {
            Ahead::Never => Ok(()),
            Ahead::Steps(count) => (0..count).try_for_each(|_| step(life)),
            Ahead::AtOnce => loop {
                step(life)?;
                if life.preparation.is_none() {
                    return Ok(());
                }
            },
        }
    }
}

/// One step: a preparation is begun, or goes on.
pub(super) fn step(life: &mut Life<'_>) -> Ended {
    let log = life.log.as_mut().ok_or("closed")?.raw_mut();
    let Some(preparation) = &mut life.preparation else {
        life.preparation = log.prepare()?;
        return Ok(());
    };
    match preparation.step() {
        Ok(Step::Ready(prepared)) => {
            life.preparation = None;
            log.install(prepared);
        }
        Ok(_) => {}
        Err(_) => {
            life.preparation = None;
            let poisoned = matches!(log.prepare(), Err(Error::Poisoned { .. }));
            hold(!poisoned, "a failed preparation costs nothing", || {
                "the writer is poisoned".to_owned()
            })?;
        }
    }
    Ok(())
}

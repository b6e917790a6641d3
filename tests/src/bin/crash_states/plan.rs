//! Which scripts are run: told before, or beside the figures.
//!
//! Must never say more than the stages say of themselves.

use std::fmt;

use crate::arguments::Arguments;

/// The stages of all families, each with its settings or counted.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    arguments: &'a Arguments,
    whole: bool,
}

impl<'a> Plan<'a> {
    /// Every setting on a line of its own.
    pub(crate) const fn whole(arguments: &'a Arguments) -> Self {
        Self { arguments, whole: true }
    }

    /// Settings with the same scripts counted.
    pub(crate) const fn short(arguments: &'a Arguments) -> Self {
        Self { arguments, whole: false }
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for family in &self.arguments.families {
            writeln!(f, "{}: {}", family.name, family.about)?;
            let mut extents: Vec<(String, Vec<String>)> = Vec::new();
            for stage in family.stages(&self.arguments.size) {
                let (extent, setting) = (stage.extent().to_owned(), stage.setting().to_owned());
                match extents.iter_mut().find(|(known, _)| *known == extent) {
                    Some((_, settings)) => settings.push(setting),
                    None => extents.push((extent, vec![setting])),
                }
            }
            for (extent, settings) in extents.iter().filter(|(extent, _)| !extent.ends_with(": ")) {
                let count = settings.len();
                let times =
                    if count == 1 { String::new() } else { format!("; in {count} settings") };
                writeln!(f, "  {extent}{times}")?;
                for setting in settings.iter().filter(|_| self.whole) {
                    writeln!(f, "    {setting}")?;
                }
            }
        }
        Ok(())
    }
}

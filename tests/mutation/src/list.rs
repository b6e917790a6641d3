//! The mutants of the core, as `cargo mutants` lists them; and which of them are on the list of those that may survive.
//!
//! Must never invent one: what is a mutant is decided there.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// One change of one file.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    /// From 1, in the order of the list.
    pub(crate) id: u32,
    pub(crate) file: String,
    /// File, place and change: as `cargo mutants` prints it.
    pub(crate) name: String,
    pub(crate) genre: String,
    pub(crate) replacement: String,
    /// Line and column, from 1.
    pub(crate) start: (usize, usize),
    pub(crate) end: (usize, usize),
    /// `.cargo/mutants.toml` says that, and why, it may survive.
    pub(crate) listed: bool,
}

/// All mutants of the core, whatever `.cargo/mutants.toml` excludes.
pub(crate) fn mutants(root: &Path) -> Result<Vec<Mutant>, Box<dyn Error>> {
    let kept: BTreeSet<String> =
        ask(root, &[])?.iter().filter_map(|mutant| text(mutant, "name")).collect();
    let all = ask(root, &["--no-config"])?;
    let read = |(at, value): (usize, &Value)| {
        let name = text(value, "name")?;
        Some(Mutant {
            id: u32::try_from(at).ok()? + 1,
            file: text(value, "file")?,
            listed: !kept.contains(&name),
            name,
            genre: text(value, "genre")?,
            replacement: text(value, "replacement")?,
            start: place(&value["span"]["start"])?,
            end: place(&value["span"]["end"])?,
        })
    };
    let mutants: Option<Vec<Mutant>> = all.iter().enumerate().map(read).collect();
    mutants.ok_or_else(|| "cargo mutants lists in another form than 27.1 does".into())
}

fn ask(root: &Path, more: &[&str]) -> Result<Vec<Value>, Box<dyn Error>> {
    let asked = Command::new("cargo")
        .args(["mutants", "--list", "--json", "--package", "durability-core"])
        .args(more)
        .current_dir(root)
        .output()?;
    if !asked.status.success() {
        return Err(String::from_utf8_lossy(&asked.stderr).into());
    }
    match serde_json::from_slice(&asked.stdout)? {
        Value::Array(list) => Ok(list),
        other => Err(format!("not a list: {other}").into()),
    }
}

fn text(value: &Value, field: &str) -> Option<String> {
    value[field].as_str().map(str::to_owned)
}

fn place(value: &Value) -> Option<(usize, usize)> {
    let number =
        |field: &str| value[field].as_u64().and_then(|number| usize::try_from(number).ok());
    Some((number("line")?, number("column")?))
}

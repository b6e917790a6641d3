//! One run: the library beside its baselines, and beside peers where there are any, as tables and charts.
//!
//! On a machine that does other things, a ratio of two times taken side by side says more than either time. So every side has
//! its turn in every round, and a ratio is that of one round.

mod charts;
mod checkpoints;
mod child;
mod contender;
mod device;
mod document;
mod finding;
mod goals;
mod machine;
mod options;
mod reopen;
mod rotation;
mod rounds;
mod sample;
mod session;
mod svg;
mod tables;
#[cfg(target_os = "linux")]
mod variants;
mod workloads;

use std::fmt::Write as _;

pub use contender::{Contender, Driver, Ending};
pub use sample::Sample;

use crate::{Failure, Kind, Library, Log, Pwrite, Stream};
use options::Options;
use session::Session;

/// The commands `run` and `child`, with peers or without.
///
/// # Errors
/// Whatever stops a side that is not a peer.
pub fn main(args: &[String], peers: &[Box<dyn Contender>]) -> Result<(), Failure> {
    match args {
        [command, rest @ ..] if command == "child" => child::child(rest, peers),
        [command, rest @ ..] if command == "run" => run(&Options::from_args(rest)?, peers),
        _ => Err("run [OPTIONS]".into()),
    }
}

/// One part of a run.
type Run = fn(&mut Session<'_>) -> Result<(), Failure>;

/// The parts, but for the rotation, which wants to know what the disk can take.
const PARTS: &[(&str, Run)] = &[
    ("W1", workloads::append),
    ("W2", workloads::commit),
    ("W3", workloads::share),
    ("W4", workloads::batches),
    ("W5", workloads::replay),
    ("W6", reopen::reopen),
    ("open", reopen::grow),
    ("checkpoints", checkpoints::checkpoints),
    #[cfg(target_os = "linux")]
    ("variants", variants::variants),
];

fn run(options: &Options, peers: &[Box<dyn Contender>]) -> Result<(), Failure> {
    if cfg!(debug_assertions) {
        eprintln!("not optimised: no figure means anything");
    }
    let mut session = Session {
        options,
        sizes: options.sizes(),
        peers,
        findings: Vec::new(),
        blocks: Vec::new(),
        failures: Vec::new(),
    };
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let pieces = if options.smoke { 8 } else { 512 };
    let write_mb_s = machine::write_mb_s(options.folder.as_deref(), pieces)?;
    session.block("machine", "The machine", machine::describe(&folder, write_mb_s) + "\n");
    let is_part = |only: &String| only == "rotation" || PARTS.iter().any(|(name, _)| name == only);
    if let Some(unknown) = options.only.iter().find(|only| !is_part(only)) {
        return Err(format!("there is no part {unknown}").into());
    }
    for (name, part) in PARTS {
        if options.wants(name) {
            part(&mut session)?;
        }
    }
    if options.wants("rotation") {
        rotation::rotate(&mut session, write_mb_s)?;
    }
    if !peers.is_empty() {
        about_peers(&mut session);
    }
    finish(&session)
}

/// What was done with each peer, what was not, and where one was faster.
fn about_peers(session: &mut Session<'_>) {
    let mut text = String::new();
    for (name, how) in [
        (<Library>::NAME, <Library>::HOW),
        (Library::<true>::NAME, Library::<true>::HOW),
        (Stream::NAME, Stream::HOW),
        (Pwrite::NAME, Pwrite::HOW),
    ] {
        let _ = writeln!(text, "- **{name}**: {how}.");
    }
    for peer in session.peers {
        let _ = write!(text, "- **{}**: {}.", peer.name(), peer.how());
        for kind in
            [Kind::Append, Kind::Commit, Kind::Shared, Kind::Batch, Kind::Replay, Kind::Reopen]
        {
            if let Some(why) = peer.misfit(kind) {
                let _ = write!(text, " Not {}: {why}.", kind.name());
            }
        }
        text.push('\n');
    }
    for failure in &session.failures {
        let _ = writeln!(text, "- failed: {failure}");
    }
    session.block("peers", "What each side does", text);
    let wins = tables::wins(&session.findings);
    session.block("wins", "Where a peer was faster than the library", wins);
}

fn finish(session: &Session<'_>) -> Result<(), Failure> {
    if let Some(folder) = &session.options.plot {
        for name in charts::draw(folder, &session.findings)? {
            eprintln!("{}", folder.join(name).display());
        }
    }
    if let Some(path) = &session.options.markdown {
        for mark in document::fill(path, &session.blocks)? {
            eprintln!("{} has no mark for {mark}", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn a_side_that_is_not_there_is_an_error_and_not_a_row() {
        let args = ["run", "--only", "W7"].map(str::to_owned);
        assert!(main(&args, &[]).is_err());
        assert!(main(&["runs".to_owned()], &[]).is_err());
    }

    #[test]
    fn a_run_fills_the_document_it_is_given() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.join("document");
        let text = "<!-- figures: machine -->\n<!-- end -->\n<!-- figures: W2 -->\n<!-- end -->\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_string_lossy().into_owned();
        let args = ["run", "--smoke", "--only", "W2", "--markdown", &path].map(str::to_owned);
        main(&args, &[]).unwrap();
        let filled = std::fs::read_to_string(path).unwrap();
        assert!(filled.contains("| 256 B | ours |"), "{filled}");
        assert!(filled.contains("| 256 B | B3 |"), "{filled}");
    }
}

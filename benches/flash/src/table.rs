//! Figures as Markdown.

use std::fmt::{self, Write};

use crate::measure::{Figures, Plan, RECORDS};
use crate::timing;

/// One table for each plan, in one block.
pub(crate) fn tables(found: &[(Plan, Vec<Figures>)]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for (plan, rows) in found {
        let Plan { record_bytes, sync_every } = *plan;
        let often =
            if sync_every == 1 { "every one".to_owned() } else { format!("every {sync_every}th") };
        writeln!(text, "**{RECORDS} records of {record_bytes} bytes, a sync on {often}**\n")?;
        writeln!(
            text,
            "| log | bytes programmed a payload byte | programs a record | erases in appends | erases ahead | words programmed twice | bytes read an append | \
             worst append, ms (erases at their worst) | mount, bytes read | and replay | records kept | RAM, bytes | allocations in appends |"
        )?;
        writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for row in rows {
            line(&mut text, record_bytes, row)?;
        }
        writeln!(text)?;
    }
    writeln!(text, "{}", timing::STATED)?;
    Ok(text)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn line(text: &mut String, record_bytes: usize, row: &Figures) -> fmt::Result {
    let all = row.appending.plus(row.idle);
    let payload = (RECORDS * record_bytes) as f64;
    writeln!(
        text,
        "| {} | {:.3} | {:.2} | {} | {} | {} | {:.0} | {:.2} ({:.0}) | {} | {} | {} | {} | {} |",
        row.name,
        all.bytes_programmed as f64 / payload,
        all.programs as f64 / RECORDS as f64,
        row.appending.erases,
        row.idle.erases,
        all.words_twice,
        row.appending.bytes_read as f64 / RECORDS as f64,
        row.worst_typical_ns as f64 / 1e6,
        row.worst_slow_ns as f64 / 1e6,
        row.mount.bytes_read,
        row.replay.bytes_read,
        row.kept,
        row.ram,
        row.allocations,
    )
}

/// Puts a block into a document, between its marks.
pub(crate) fn filled(document: &str, mark: &str, block: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {mark} -->"), "<!-- end -->");
    let start = document.find(&begin)? + begin.len();
    let stop = start + document.get(start..)?.find(end)?;
    Some(format!("{}\n\n{}\n{}", document.get(..start)?, block.trim_end(), document.get(stop..)?))
}

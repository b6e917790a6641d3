//! Puts tables into a document, between marks; what else the document says stays as it is.

use std::fs;
use std::path::Path;

use crate::Failure;

/// A block of figures.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The name in its marks.
    pub mark: String,
    /// Markdown.
    pub text: String,
}

/// Replaces the blocks of a document; returns the marks that it does not have.
///
/// A block stands between `<!-- figures: NAME -->` and `<!-- end -->`.
pub(super) fn fill(path: &Path, blocks: &[Block]) -> Result<Vec<String>, Failure> {
    let mut document = fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut missing = Vec::new();
    for block in blocks {
        match filled(&document, block) {
            Some(changed) => document = changed,
            None => missing.push(block.mark.clone()),
        }
    }
    fs::write(path, document)?;
    Ok(missing)
}

fn filled(document: &str, block: &Block) -> Option<String> {
    let (before, rest) = document.split_once(&format!("<!-- figures: {} -->", block.mark))?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    let (mark, text) = (&block.mark, block.text.trim_end());
    Some(format!("{before}<!-- figures: {mark} -->\n\n{text}\n\n<!-- end -->{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(mark: &str) -> Block {
        Block { mark: mark.into(), text: "| new |\n".into() }
    }

    #[test]
    fn a_block_is_replaced_and_nothing_around_it() {
        let document = "a\n<!-- figures: W1 -->\nold\n<!-- end -->\nb\n<!-- figures: W2 -->\nkept\n<!-- end -->\n";
        let changed = filled(document, &block("W1"));
        let expected = document.replace("\nold\n", "\n\n| new |\n\n");
        assert_eq!(changed, Some(expected.clone()));
        assert_eq!(filled(&expected, &block("W1")), Some(expected));
    }

    #[test]
    fn a_document_without_the_mark_is_not_changed() {
        assert_eq!(filled("a\n<!-- figures: W1-slow -->\n<!-- end -->\n", &block("W1")), None);
        assert_eq!(filled("<!-- figures: W1 --> without an end", &block("W1")), None);
    }
}

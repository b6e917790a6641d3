//! Puts the mutants of one file into its text, each behind the question whether it is on.
//!
//! Must never change what the file does while none is on.

use std::collections::BTreeSet;
use std::ops::Range;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Arm, Expr, ExprBinary, ExprStruct, ExprUnary, Signature};

use crate::list::Mutant;

/// A file with its mutants in it.
#[derive(Debug)]
pub(crate) struct Spliced {
    pub(crate) text: String,
    /// Which bytes of the text are which mutant's.
    pub(crate) places: Vec<(Range<usize>, u32)>,
    /// The functions' bodies with the mutants that return at once: a return of a wrong type can make an error anywhere in the body.
    pub(crate) bodies: Vec<(Range<usize>, u32)>,
}

/// Where an insertion stands among others at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Close,
    Statement,
    Open,
}

/// Text that goes in at a byte of the source; each piece may be a mutant's.
#[derive(Debug)]
struct Insertion {
    at: usize,
    order: Order,
    pieces: Vec<(String, Option<u32>)>,
}

struct Splicer<'a> {
    source: &'a str,
    /// Mutants with the bytes of the source that they change.
    mutants: Vec<(Range<usize>, &'a Mutant)>,
    constant: &'a BTreeSet<String>,
    insertions: Vec<Insertion>,
    /// Words `const` that go, so that a function may ask.
    deletions: Vec<Range<usize>>,
}

/// `constant` names the functions that are called where only constant ones can be. Mutants without a place in the result cannot be switched.
pub(crate) fn splice(
    source: &str,
    mutants: &[&Mutant],
    constant: &BTreeSet<String>,
) -> syn::Result<Spliced> {
    let file = syn::parse_file(source)?;
    let lines: Vec<usize> =
        std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let byte = |(line, column): (usize, usize)| {
        let start = lines[line - 1];
        source[start..].char_indices().nth(column - 1).map_or(source.len(), |(at, _)| start + at)
    };
    let mutants: Vec<_> =
        mutants.iter().map(|mutant| (byte(mutant.start)..byte(mutant.end), *mutant)).collect();
    let mut splicer =
        Splicer { source, mutants, constant, insertions: Vec::new(), deletions: Vec::new() };
    splicer.returns();
    splicer.visit_file(&file);
    Ok(splicer.render())
}

fn on(id: u32) -> String {
    format!("crate::mutant_switch::on({id})")
}

impl<'a> Splicer<'a> {
    fn of(
        &self,
        genre: &str,
        matches: impl Fn(&Range<usize>) -> bool,
    ) -> Vec<(Range<usize>, &'a Mutant)> {
        let wanted =
            self.mutants.iter().filter(|(range, mutant)| mutant.genre == genre && matches(range));
        wanted.cloned().collect()
    }

    /// Bodies of functions: return something else at once.
    fn returns(&mut self) {
        for (range, mutant) in self.of("FnValue", |_| true) {
            let text = format!("if {} {{ return {}; }} ", on(mutant.id), mutant.replacement);
            let pieces = vec![(text, Some(mutant.id))];
            self.insertions.push(Insertion { at: range.start, order: Order::Statement, pieces });
        }
    }

    /// In place of a whole expression: one of these when its mutant is on, and else the expression, into which `inside` goes on.
    fn choose(
        &mut self,
        whole: &Range<usize>,
        others: Vec<(u32, String)>,
        inside: impl FnOnce(&mut Self),
    ) {
        let mut close = String::from("})");
        let mut pieces = vec![("(".to_owned(), None)];
        for (id, text) in others {
            pieces.push((format!("if {} {{ {text} }} else ", on(id)), Some(id)));
        }
        pieces.push(("{ ".to_owned(), None));
        if pieces.len() == 2 {
            pieces.clear();
            close.clear();
        }
        self.insertions.push(Insertion { at: whole.start, order: Order::Open, pieces });
        inside(self);
        self.insertions.push(Insertion {
            at: whole.end,
            order: Order::Close,
            pieces: vec![(close, None)],
        });
    }

    /// The source between two bytes, with another text in one place.
    fn replaced(&self, whole: &Range<usize>, place: &Range<usize>, text: &str) -> String {
        [&self.source[whole.start..place.start], text, &self.source[place.end..whole.end]].concat()
    }

    fn render(mut self) -> Spliced {
        self.insertions.sort_by_key(|insertion| (insertion.at, insertion.order));
        let mut source = self.source.as_bytes().to_vec();
        for range in &self.deletions {
            source[range.clone()].fill(b' ');
        }
        let source = String::from_utf8(source).unwrap_or_default();
        let (mut text, mut from, mut places) = (String::new(), 0, Vec::new());
        for insertion in &self.insertions {
            text.push_str(&source[from..insertion.at]);
            from = insertion.at;
            for (piece, id) in &insertion.pieces {
                let start = text.len();
                text.push_str(piece);
                places.extend(id.map(|id| (start..text.len(), id)));
            }
        }
        text.push_str(&source[from..]);
        let shift = |at: usize| {
            let before = self.insertions.iter().filter(|insertion| insertion.at < at);
            at + before
                .flat_map(|insertion| &insertion.pieces)
                .map(|(piece, _)| piece.len())
                .sum::<usize>()
        };
        let bodies = self.of("FnValue", |_| true);
        let bodies =
            bodies.iter().map(|(range, mutant)| (shift(range.start)..shift(range.end), mutant.id));
        let bodies = bodies.collect();
        Spliced { text, places, bodies }
    }
}

impl<'ast> Visit<'ast> for Splicer<'_> {
    fn visit_signature(&mut self, signature: &'ast Signature) {
        if let Some(word) = &signature.constness
            && !self.constant.contains(&signature.ident.to_string())
        {
            self.deletions.push(word.span().byte_range());
        }
        visit::visit_signature(self, signature);
    }

    /// All operators of `a && b + c * d` at once: the mutants change words, and it is the parser who says what they then mean.
    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let whole = binary.span().byte_range();
        let mut operators = Vec::new();
        if has_let(binary) {
            return visit::visit_expr_binary(self, binary);
        }
        chain(binary, &mut operators);
        let mut others = Vec::new();
        for (range, mutant) in
            self.of("BinaryOperator", |range| operators.iter().any(|op| op.start == range.start))
        {
            let text = self.replaced(&whole, &range, &mutant.replacement);
            if syn::parse_str::<Expr>(&text).is_ok() {
                others.push((mutant.id, text));
            }
        }
        self.choose(&whole, others, |splicer| {
            operands(binary, &mut |operand| splicer.visit_expr(operand));
        });
    }

    fn visit_expr_unary(&mut self, unary: &'ast ExprUnary) {
        let (whole, operator) = (unary.span().byte_range(), unary.op.span().byte_range());
        let found = self.of("UnaryOperator", |range| range.start == operator.start);
        let others = found
            .into_iter()
            .map(|(range, mutant)| (mutant.id, self.replaced(&whole, &range, "")))
            .collect();
        self.choose(&whole, others, |splicer| visit::visit_expr_unary(splicer, unary));
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let start = arm.span().byte_range().start;
        let deleted = self.of("MatchArm", |range| range.start == start);
        let kept = deleted.first().map(|(_, mutant)| mutant.id);
        let Some((_, guard)) = &arm.guard else {
            if let Some(id) = kept {
                let pieces = vec![(format!(" if !{}", on(id)), Some(id))];
                let at = arm.pat.span().byte_range().end;
                self.insertions.push(Insertion { at, order: Order::Close, pieces });
            }
            return visit::visit_arm(self, arm);
        };
        let whole = guard.span().byte_range();
        let lets = matches!(**guard, Expr::Let(_))
            || matches!(&**guard, Expr::Binary(inner) if has_let(inner));
        let guards = self.of("MatchArmGuard", |range| *range == whole);
        let mut others: Vec<_> =
            guards.into_iter().map(|(_, mutant)| (mutant.id, mutant.replacement.clone())).collect();
        others.extend(kept.map(|id| (id, "false".to_owned())));
        if lets {
            let never = |(id, text): (u32, String)| {
                (text == "false").then(|| (format!("!{} && ", on(id)), Some(id)))
            };
            let pieces = others.drain(..).filter_map(never).collect();
            self.insertions.push(Insertion { at: whole.start, order: Order::Open, pieces });
        }
        self.choose(&whole, others, |splicer| splicer.visit_expr(guard));
        self.visit_expr(&arm.body);
    }

    fn visit_expr_struct(&mut self, value: &'ast ExprStruct) {
        for field in &value.fields {
            let start = field.span().byte_range().start;
            let found = self.of("StructField", |range| range.start == start);
            let (Some(rest), syn::Member::Named(name)) = (&value.rest, &field.member) else {
                self.visit_expr(&field.expr);
                continue;
            };
            let rest = &self.source[rest.span().byte_range()];
            let others =
                found.iter().map(|(_, mutant)| (mutant.id, format!("({rest}).{name}"))).collect();
            if field.colon_token.is_none() && !found.is_empty() {
                let pieces = vec![(format!("{name}: "), None)];
                self.insertions.push(Insertion { at: start, order: Order::Open, pieces });
            }
            self.choose(&field.expr.span().byte_range(), others, |splicer| {
                splicer.visit_expr(&field.expr);
            });
        }
        if let Some(rest) = &value.rest {
            self.visit_expr(rest);
        }
    }
}

/// The operators of an expression down to its operands.
fn chain(binary: &ExprBinary, operators: &mut Vec<Range<usize>>) {
    operators.push(binary.op.span().byte_range());
    for side in [&binary.left, &binary.right] {
        if let Expr::Binary(inner) = &**side {
            chain(inner, operators);
        }
    }
}

fn operands<'ast>(binary: &'ast ExprBinary, each: &mut impl FnMut(&'ast Expr)) {
    for side in [&binary.left, &binary.right] {
        match &**side {
            Expr::Binary(inner) => operands(inner, each),
            operand => each(operand),
        }
    }
}

/// `if a && let b = c`: such an expression stands nowhere but in a condition, as it is.
fn has_let(binary: &ExprBinary) -> bool {
    let mut found = false;
    operands(binary, &mut |operand| found |= matches!(operand, Expr::Let(_)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(id: u32, genre: &str, column: (usize, usize), replacement: &str) -> Mutant {
        Mutant {
            id,
            file: String::new(),
            name: String::new(),
            genre: genre.to_owned(),
            replacement: replacement.to_owned(),
            start: (1, column.0),
            end: (1, column.1),
            listed: false,
        }
    }

    /// The text with its questions made short.
    fn spliced(source: &str, mutants: &[Mutant]) -> String {
        let spliced = splice(source, &mutants.iter().collect::<Vec<_>>(), &BTreeSet::new());
        spliced.unwrap().text.replace("crate::mutant_switch::", "")
    }

    #[test]
    fn a_mutant_changes_a_word_and_the_parser_says_what_it_means() {
        let mutants = [
            mutant(1, "FnValue", (23, 31), "true"),
            mutant(2, "BinaryOperator", (25, 27), "||"),
            mutant(3, "UnaryOperator", (28, 29), ""),
        ];
        assert_eq!(
            spliced("const fn f() -> bool {a && !b}", &mutants),
            "      fn f() -> bool {if on(1) { return true; } \
             (if on(2) { a || !b } else { a && (if on(3) { b } else { !b})})}"
        );
    }

    #[test]
    fn what_would_not_parse_has_no_place() {
        let mutants = [mutant(1, "BinaryOperator", (24, 25), "<")];
        assert_eq!(spliced("fn f() -> bool{a as u8 > b}", &mutants), "fn f() -> bool{a as u8 > b}");
        let mutants = [mutant(1, "BinaryOperator", (12, 14), "||")];
        let chain = "fn f(){if a && let b = c {}}";
        assert_eq!(spliced(chain, &mutants), chain);
    }
}

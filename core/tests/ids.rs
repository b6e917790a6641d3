//! Ids: what they show, and what they are equal to.
#![allow(clippy::unwrap_used, reason = "a failed expectation is what fails a test")]

use durability_core::EntryId;

#[test]
fn an_id_shows_its_number_and_equals_no_other() {
    let id = EntryId::new(7).unwrap();
    assert_eq!((format!("{id}"), format!("{id:?}")), ("7".to_owned(), "7".to_owned()));
    assert!(id == 7 && id != 8);
}

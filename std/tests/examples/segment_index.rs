//! The segment index: a crash in the middle of a merge, and a way back to every entry.

use crate::program::run;

#[test]
fn an_unfinished_merge_is_given_up_and_every_earlier_state_can_be_read() {
    let scratch = tempfile::tempdir().unwrap();
    let done = run("segment_index", &[scratch.path()]);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{done:?}");
    let expected = [
        "crash: the merged segment is written, and the end of the merge is not in the log",
        "  checkpoint generation 1, and 2 entries after it",
        "  merge 5 of segments [3, 4] is open; they are as they were",
        "  \"fog\" is in [(3, 0), (4, 0)]",
        "entry 9: merge 5 is given up, and its file is gone",
        "  after entry  3: segments [1, 2], \"fog\" in [(1, 0)]",
        "  after entry  6: segments [3], \"fog\" in [(3, 0)]",
        "  after entry  8: segments [3, 4], \"fog\" in [(3, 0), (4, 0)]",
        "  after entry 11: segments [5], \"fog\" in [(5, 0), (5, 3)]",
    ];
    let mut lines = done.out.lines();
    for line in expected {
        assert!(
            lines.any(|found| found == line),
            "{line:?} is not where it belongs in {}",
            done.out
        );
    }
    let again = run("segment_index", &[scratch.path()]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.err.contains("holds an index already"), "{}", again.err);
}

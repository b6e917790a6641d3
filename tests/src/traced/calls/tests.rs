//! Laws of the reader: every call on the folder is understood or refused, and none is passed over.

use std::path::Path;

use crate::simulated::{DiskOptions, SimulatedDisk};
use crate::traced::line::to_hex;
use crate::traced::{Trace, TraceError, TraceReader};

/// A trace as `strace` writes it, from one that can be read: what stands in quotes and in angle brackets becomes hexadecimal, and
/// `;` stands for the end of a line. A number at the beginning is the thread; else it is 7.
fn text(readable: &str) -> String {
    let mut all = String::new();
    for line in readable.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let numbered = line.starts_with(|c: char| c.is_ascii_digit());
        all.push_str(if numbered { "" } else { "7 " });
        let (mut in_text, mut in_path) = (false, false);
        for c in line.chars() {
            match c {
                '"' => in_text = !in_text,
                '<' => in_path = true,
                '>' => in_path = false,
                ';' if in_text => {
                    all.push_str(&to_hex("\n"));
                    continue;
                }
                _ if in_text || in_path => {
                    all.push_str(&to_hex(&c.to_string()));
                    continue;
                }
                _ => {}
            }
            all.push(c);
        }
        all.push('\n');
    }
    all
}

fn read(readable: &str) -> Result<Trace, TraceError> {
    TraceReader::new(Path::new("/f"), Path::new("/m")).read(&text(readable))
}

fn steps(readable: &str) -> Vec<String> {
    let trace = read(readable).unwrap_or_else(|error| panic!("{error}"));
    trace.steps().iter().map(ToString::to_string).collect()
}

/// The steps after a file was made.
fn after_opening(readable: &str) -> Vec<String> {
    let opening = r#"openat(AT_FDCWD</>, "f/a", O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 3</f/a>"#;
    steps(&format!("{opening}\n{readable}")).split_off(1)
}

#[test]
fn each_call_that_changes_something_is_a_step() {
    let found = steps(
        r#"
        mkdir("/f/d", 0777) = 0
        mkdirat(5</f/d>, "e", 0777) = 0
        openat(5</f/d>, "a", O_WRONLY|O_CREAT|O_EXCL, 0666) = 3</f/d/a>
        pwrite64(3</f/d/a>, "abc", 3, 5) = 3
        writev(3</f/d/a>, [{iov_base="ab", iov_len=2}, {iov_base="c", iov_len=1}], 2) = 2
        ftruncate(3</f/d/a>, 7) = 0
        ftruncate(3</f/d/a>, 7) = 0
        fallocate(3</f/d/a>, 0, 0, 9) = 0
        fallocate(3</f/d/a>, FALLOC_FL_KEEP_SIZE, 0, 99) = 0
        fsync(3</f/d/a>) = 0
        fdatasync(3</f/d/a>) = 0
        linkat(5</f/d>, "a", AT_FDCWD</f>, "b", 0) = 0
        rename("/f/b", "/f/./d/../c") = 0
        fsync(6</f>) = 0
        write(9</m>, "done 1;", 7) = 7
        unlinkat(5</f/d>, "a", 0) = 0
        rmdir("/f/d/e") = 0
        creat("/f/c", 0666) = 3</f/c>
        "#,
    );
    let expected = [
        "mkdir d",
        "mkdirat d/e",
        "openat d/a",
        "pwrite64 d/a, 3 bytes at 5",
        "writev d/a, 2 bytes at 0",
        "ftruncate d/a to 7",
        "fallocate d/a to 9",
        "fsync d/a",
        "fdatasync d/a",
        "linkat b",
        "rename b to c",
        "fsync .",
        "* done 1",
        "unlinkat d/a",
        "rmdir d/e",
        "creat c to 0",
    ];
    assert_eq!(found, expected);
}

#[test]
fn writes_without_an_offset_go_where_the_file_is() {
    let found = after_opening(
        r#"
        write(3</f/a>, "abcd", 4) = 4
        lseek(3</f/a>, 1, SEEK_SET) = 1
        dup(3</f/a>) = 5</f/a>
        clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD} => {parent_tid=[8]}, 88) = 8
        8 write(5</f/a>, "x", 1) = 1
        fork() = 9
        9 close(5</f/a>) = 0
        9 read(3</f/a>, "c", 1) = 1
        write(3</f/a>, "y", 1) = 1
        openat(AT_FDCWD</f>, "a", O_WRONLY|O_APPEND) = 6</f/a>
        pwrite64(6</f/a>, "z", 1, 0) = 1
        fcntl(6</f/a>, F_DUPFD_CLOEXEC, 0) = 10</f/a>
        write(10</f/a>, "z", 1) = 1
        "#,
    );
    let expected = [
        "write a, 4 bytes at 0",
        "write a, 1 bytes at 1",
        "write a, 1 bytes at 3",
        "pwrite64 a, 1 bytes at 4",
        "write a, 1 bytes at 5",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_changes_nothing_in_the_folder_is_no_step() {
    let found = after_opening(
        r#"
        openat(AT_FDCWD</>, "f/a", O_RDONLY) = 4</f/a>
        openat(AT_FDCWD</>, "f2/a", O_WRONLY|O_CREAT, 0666) = 5</f2/a>
        write(5</f2/a>, "x", 1) = 1
        fsync(5</f2/a>) = 0
        mkdir("/f", 0777) = -1 EEXIST (File exists)
        pwrite64(3</f/a>, "x", 1, 0) = -1 ENOSPC (No space left on device)
        fsync(3</f/a>) = -1 EINTR (Interrupted system call)
        flock(3</f/a>, LOCK_EX) = 0
        fadvise64(3</f/a>, 0, 0, POSIX_FADV_DONTNEED) = 0
        sync_file_range(3</f/a>, 0, 0, SYNC_FILE_RANGE_WRITE) = 0
        mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3</f/a>, 0) = 0x7f0000000000
        unlink("/elsewhere") = 0
        something_new(5</f2/a>) = 0
        rename("/f/a", "/f/a") = 0
        pwrite64(3</f/a>, "x", 1, 0) = ?
        "#,
    );
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_call_that_is_not_understood_is_refused() {
    for call in [
        "something_new(3</f/a>) = 0",
        r#"something_new("/f/x") = 0"#,
        r#"symlinkat("x", 5</f>, "y") = 0"#,
        "copy_file_range(4</g>, NULL, 3</f/a>, NULL, 5, 0) = 5",
        "ioctl(3</f/a>, FICLONE, 4</g>) = 0",
        "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 3</f/a>, 0) = 0x7f0000000000",
        "fsync(3</f/a>) = -1 EIO (Input/output error)",
        "fdatasync(5</f>) = 0",
        "sync() = 0",
        "io_uring_setup(8, {flags=0}) = 5",
        r#"rename("/f/a", "/g") = 0"#,
        r#"rename("/g", "/f/a") = 0"#,
        r#"rename("/f/none", "/f/b") = 0"#,
        r#"renameat2(5</f>, "a", 5</f>, "b", RENAME_EXCHANGE) = 0"#,
        "fallocate(3</f/a>, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 9) = 0",
        r#"openat(5</f>, "a", O_WRONLY|O_DSYNC) = 4</f/a>"#,
        r#"openat(5</f>, "none", O_WRONLY) = 4</f/none>"#,
        r#"write(8</f/a>, "x", 1) = 1"#,
        r#"pwritev2(3</f/a>, [{iov_base="x", iov_len=1}], 1, 0, RWF_DSYNC) = 1"#,
        r#"pwrite64(3</f/a>, "x", 2, 0) = 2"#,
        r#"write(9</m>, "half a mark", 11) = 11"#,
        r#"unlink("relative") = 0"#,
    ] {
        // Of the thread no working directory is known.
        let opening = r#"openat(5</f>, "a", O_RDWR|O_CREAT, 0666) = 3</f/a>"#;
        assert!(read(&format!("{opening}\n{call}")).is_err(), "{call}");
    }
}

#[test]
fn an_open_file_is_itself_under_a_new_name_and_under_none() {
    let trace = read(
        r#"
        openat(5</f>, "a", O_RDWR|O_CREAT, 0666) = 3</f/a>
        renameat(5</f>, "a", 5</f>, "b") = 0
        pwrite64(3</f/b>, "one", 3, 0) = 3
        openat(5</f>, "a", O_RDWR|O_CREAT, 0666) = 4</f/a>
        unlink("/f/b") = 0
        pwrite64(3</f/b>(deleted), "two", 3, 0) = 3
        pwrite64(4</f/a>, "three", 5, 0) = 5
        "#,
    );
    let disk = SimulatedDisk::new(DiskOptions::new());
    trace.and_then(|trace| trace.replay(&disk, |_| ())).unwrap_or_else(|error| panic!("{error}"));
    let contents = |name: &str| disk.raw().find(name).map(|file| disk.raw().contents(file));
    assert_eq!((contents("a"), contents("b")), (Some(b"three".to_vec()), None));
}

#[test]
fn a_sync_covers_what_returned_before_it_was_called() {
    let hex = to_hex("/f/a");
    let all = [
        text(r#"openat(5</f>, "a", O_RDWR|O_CREAT, 0666) = 3</f/a>"#),
        format!("7 fsync(3<{hex}> <unfinished ...>\n"),
        text(r#"8 pwrite64(3</f/a>, "x", 1, 0) = 1"#),
        "7 <... fsync resumed>) = 0\n".to_owned(),
    ];
    let read = TraceReader::new(Path::new("/f"), Path::new("/m")).read(&all.concat());
    assert!(matches!(read, Err(TraceError::Unsupported { line: 3, .. })), "{read:?}");
}

#[test]
fn what_was_there_before_is_known() {
    let disk = SimulatedDisk::new(DiskOptions::new());
    let raw = disk.raw();
    let made = raw.make_folder("d").and_then(|()| raw.create("d/a"));
    let file = made.unwrap_or_else(|error| panic!("{error}"));
    assert!(raw.write_durably(file, 0, b"old").is_ok());
    let reader = TraceReader::new(Path::new("/f"), Path::new("/m")).starting_from(&disk);
    let trace = reader.read(&text(
        r#"
        openat(AT_FDCWD</>, "f/d/a", O_WRONLY|O_APPEND) = 3</f/d/a>
        write(3</f/d/a>, "new", 3) = 3
        "#,
    ));
    trace.and_then(|trace| trace.replay(&disk, |_| ())).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(raw.contents(file), b"oldnew");
}

#[test]
fn a_file_of_a_folder_may_be_written_while_the_folder_is_synced() {
    let hex = to_hex("/f");
    let around = |inside: &str| {
        let all = [
            text(r#"openat(5</f>, "a", O_RDWR|O_CREAT, 0666) = 3</f/a>"#),
            format!("7 fsync(5<{hex}> <unfinished ...>\n"),
            text(inside),
            "7 <... fsync resumed>) = 0\n".to_owned(),
        ];
        TraceReader::new(Path::new("/f"), Path::new("/m")).read(&all.concat())
    };
    for inside in [r#"8 pwrite64(3</f/a>, "x", 1, 0) = 1"#, r#"8 write(9</m>, "done;", 5) = 5"#] {
        assert_eq!(around(inside).map(|trace| trace.steps().len()).ok(), Some(3), "{inside}");
    }
    for inside in [r#"8 unlink("/f/a") = 0"#, r#"8 rename("/f/a", "/f/b") = 0"#] {
        assert!(matches!(around(inside), Err(TraceError::Unsupported { line: 3, .. })), "{inside}");
    }
}

//! ARCHITECTURE.md is true: no import climbs, no file is missing from the map or too long.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap()
}

/// All source files below a folder, by their paths from the root of the repository.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            if entry.path().is_dir() {
                folders.push(path);
            } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
                found.insert(path, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    found
}

/// The floor of each module, from the table below the heading "Floors".
fn floors(document: &str) -> BTreeMap<String, u32> {
    let mut floors = BTreeMap::new();
    let section = document.lines().skip_while(|line| *line != "## Floors").skip(1);
    for row in section.take_while(|line| !line.starts_with("## ")) {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let (Some(floor), Some(modules)) = (cells.next(), cells.next()) else { continue };
        let Ok(floor) = floor.parse::<u32>() else { continue };
        for module in modules.split('`').skip(1).step_by(2) {
            assert_eq!(floors.insert(module.to_owned(), floor), None, "{module} is on two floors");
        }
    }
    floors
}

/// The code without comments and without its test modules.
fn code(source: &str) -> String {
    let mut kept = String::new();
    for line in without_tests(source) {
        kept.push_str(line.split("//").next().unwrap_or_default());
        kept.push('\n');
    }
    kept
}

/// The lines outside of inline test modules, which begin and end in the first column.
fn without_tests(source: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        while lines.next_if(|next| next.starts_with("#[")).is_some() {}
        if lines.peek().is_some_and(|next| next.ends_with('{')) {
            for _inside in lines.by_ref().take_while(|line| *line != "}") {}
        }
    }
    kept
}

/// The names behind a path's beginning: one, or those of a group in braces.
fn heads(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return if end == 0 { Vec::new() } else { vec![rest[..end].to_owned()] };
    };
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                found.extend(heads(group[start..at].trim()));
                if c == '}' {
                    break;
                }
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

/// The names of the crate's root that a file uses. `depth` is how many modules the file is below the root.
fn uses(code: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        found.extend(heads(&code[at + "crate::".len()..]));
    }
    for (at, _) in code.match_indices("super::") {
        let climbed = code[..at].rsplit("super::").take_while(|between| between.is_empty()).count();
        if climbed + 1 >= depth {
            let rest = heads(&code[at + "super::".len()..]);
            found.extend(rest.into_iter().filter(|name| name != "super"));
        }
    }
    found
}

/// How many modules a file is below the crate's root, and the one of them that is directly below it.
fn place(path: &str) -> (String, usize) {
    let inside = path.split_once("/src/").unwrap().1;
    let modules: Vec<&str> = inside
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib"))
        .collect();
    (modules.first().copied().unwrap_or_default().to_owned(), modules.len())
}

/// The modules behind the names that the crate's root gives out again, empty for other crates.
fn given_out(lib: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let code = code(lib);
    for (at, _) in code.match_indices("pub use ") {
        let statement = code[at + "pub use ".len()..].split(';').next().unwrap();
        let (module, rest) = statement.split_once("::").unwrap_or(("", statement));
        let names = rest.rsplit_once("::").map_or(rest, |(_, names)| names);
        for name in heads(names) {
            found.insert(name, module.to_owned());
        }
    }
    found
}

/// What is wrong with one file's imports.
fn climbs(
    path: &str,
    source: &str,
    floors: &BTreeMap<String, u32>,
    given_out: &BTreeMap<String, String>,
) -> Vec<String> {
    let (module, depth) = place(path);
    let Some(floor) = floors.get(&module) else {
        return vec![format!("{path}: the module {module} is on no floor")];
    };
    let mut wrong = Vec::new();
    for name in uses(&code(source), depth) {
        let target = given_out.get(&name).unwrap_or(&name);
        match floors.get(target) {
            Some(above) if above > floor => {
                wrong.push(format!("{path}, on floor {floor}, imports {name} from floor {above}"));
            }
            None if !target.is_empty() => {
                wrong.push(format!("{path} imports {name}, which is on no floor"));
            }
            _ => {}
        }
    }
    wrong
}

#[test]
fn no_import_of_the_core_climbs() {
    let floors = floors(&document());
    assert!(floors.len() > 5, "ARCHITECTURE.md has a table of floors");
    let mut sources = sources("core/src");
    let given_out = given_out(&sources.remove("core/src/lib.rs").unwrap());
    let wrong: Vec<String> = sources
        .iter()
        .flat_map(|(path, source)| climbs(path, source, &floors, &given_out))
        .collect();
    assert_eq!(wrong, [""; 0]);
    for module in floors.keys() {
        assert!(sources.keys().any(|path| place(path).0 == *module), "no module {module}");
    }
}

/// The files that the map names, of one crate.
fn mapped(document: &str, folder: &str) -> Vec<String> {
    let cells = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells
        .filter(|cell| {
            cell.starts_with(folder)
                && Path::new(cell).extension().is_some_and(|extension| extension == "rs")
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_source_file_has_its_line_in_the_map() {
    let folders = [
        "core/src",
        "std/src",
        "flash/src",
        "tests/file_systems/src",
        "tests/mutation/src",
        "benches/src",
        "benches/flash/src",
        "benches/peers/src",
        "flash/firmware/src",
    ];
    for folder in folders {
        let paths: Vec<String> = sources(folder).into_keys().collect();
        let mut mapped = mapped(&document(), folder);
        mapped.sort();
        assert_eq!(mapped, paths, "ARCHITECTURE.md, {folder}");
    }
}

fn is_too_long(source: &str) -> bool {
    without_tests(source).len() > LINES_MAX
}

#[test]
fn no_file_is_too_long() {
    let folders = [
        "core/src",
        "std/src",
        "flash/src",
        "tests/src",
        "tests/file_systems/src",
        "tests/mutation/src",
        "benches/src",
        "benches/flash/src",
        "benches/peers/src",
        "flash/firmware/src",
    ];
    for folder in folders {
        for (path, source) in sources(folder) {
            let lines = without_tests(&source).len();
            assert!(!is_too_long(&source), "{path} has {lines} lines without its tests");
        }
    }
}

/// The laws above can fail: planted violations, each of which is seen.
mod planted {
    use super::*;

    const DOCUMENT: &str = "# A\n\n## Floors\n\n| floor | modules | |\n|---|---|---|\n| 0 | `bytes` | x |\n\
        | 1 | `error`, `storage` | |\n| 3 | `walog` | |\n\n## B\n\n| 9 | `other` |\n| `core/src/a.rs` | |\n| `std/src/b.rs` | |\n";

    fn wrong(path: &str, source: &str) -> usize {
        let lib =
            "pub use bytes::id::EntryId;\npub use error::{Error, Limit};\npub use embedded_io;\n";
        climbs(path, source, &floors(DOCUMENT), &given_out(lib)).len()
    }

    #[test]
    fn floors_are_read_from_their_section_only() {
        let found = floors(DOCUMENT);
        assert_eq!((found.len(), found["bytes"], found["storage"], found["walog"]), (4, 0, 1, 3));
    }

    #[test]
    fn an_import_that_climbs_is_seen_in_every_spelling() {
        let path = "core/src/bytes/frame.rs";
        for source in [
            "use crate::walog::WalWriter;",
            "use crate::{bytes::crc, storage::{Name, Folder}};",
            "use crate::Error;",
            "use crate::{\n    EntryId, Limit,\n};",
            "fn f() { crate::storage::f() }",
            "use super::super::storage::Name;",
            "pub(crate) use crate::error::Error as E;",
        ] {
            assert_eq!(wrong(path, source), 1, "{source}");
        }
        assert_eq!(wrong("core/src/error.rs", "use super::walog::X;"), 1);
        assert_eq!(wrong("core/src/storage/mod.rs", "use super::walog::X;"), 1);
        assert_eq!(wrong(path, "use crate::elsewhere::X;"), 1, "a module without a floor");
        assert_eq!(wrong("core/src/new.rs", ""), 1, "a file without a floor");
    }

    #[test]
    fn what_may_be_imported_is_not_complained_of() {
        for (path, source) in [
            ("core/src/walog/chain.rs", "use crate::{Error, bytes::crc::Crc, storage::Name};"),
            ("core/src/walog/chain.rs", "use super::walog_like::X; use super::super::error::E;"),
            (
                "core/src/bytes/frame.rs",
                "use crate::EntryId; use super::crc::Crc; use crate::embedded_io;",
            ),
            ("core/src/bytes/frame.rs", "/// See [`crate::walog`].\n// use crate::walog::X;\n"),
            ("core/src/bytes/frame.rs", "#[cfg(test)]\nmod tests {\n    use crate::walog::X;\n}\n"),
            (
                "core/src/bytes/a.rs",
                "#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use crate::walog::X;\n}\n",
            ),
        ] {
            assert_eq!(wrong(path, source), 0, "{source}");
        }
        assert_eq!(
            wrong("core/src/bytes/a.rs", "#[cfg(test)]\nmod tests {\n}\nuse crate::walog::X;\n"),
            1
        );
    }

    #[test]
    fn a_file_that_is_too_long_is_seen_and_its_tests_do_not_count() {
        let long = "let x = 1;\n".repeat(LINES_MAX);
        assert!(!is_too_long(&long));
        assert!(is_too_long(&format!("{long}one more\n")));
        assert!(!is_too_long(&format!("{long}#[cfg(test)]\nmod tests {{\n{long}}}\n")));
        assert!(is_too_long(&format!("{long}#[cfg(test)]\nmod tests {{\n{long}}}\nmore\n")));
    }

    #[test]
    fn the_map_is_read_by_folder() {
        assert_eq!(mapped(DOCUMENT, "core/src"), ["core/src/a.rs"]);
        assert_eq!(mapped(DOCUMENT, "std/src"), ["std/src/b.rs"]);
    }
}

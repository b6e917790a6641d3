//! Where the examples are, and how to run them.
//!
//! `cargo test` builds them with the tests. `cargo test --test examples` does not: what is missing or older than its sources is built then.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;
use std::time::SystemTime;

static BUILD: Once = Once::new();

/// A command that runs an example.
pub(crate) fn program(name: &str) -> Command {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("tests are in target/PROFILE/deps");
    let path = profile.join("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    BUILD.call_once(|| {
        let names = ["crash_demo", "kv_store", "quick_start", "segment_index"];
        if names.iter().any(|name| !is_fresh(&path.with_file_name(name))) {
            build(profile);
        }
    });
    assert!(path.exists(), "there is no {}: cargo build --examples", path.display());
    Command::new(path)
}

/// Whether an example is newer than every source that its `.d` file names.
fn is_fresh(path: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let built = modified(&path.with_extension(env::consts::EXE_EXTENSION));
    let Ok(sources) = fs::read_to_string(path.with_extension("d")) else { return false };
    let is_older = |source: &str| modified(Path::new(source)) <= built;
    built > Some(SystemTime::UNIX_EPOCH) && sources.split_whitespace().skip(1).all(is_older)
}

fn build(profile: &Path) {
    let name = profile.file_name().and_then(OsStr::to_str).unwrap();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--examples", "--package", "durability"]);
    cargo.args(["--profile", if name == "debug" { "dev" } else { name }]);
    cargo.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(profile.parent().unwrap());
    assert!(cargo.status().unwrap().success(), "{cargo:?}");
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// Runs an example to its end.
pub(crate) fn run<A: AsRef<OsStr>>(name: &str, arguments: &[A]) -> Done {
    Done::of(&program(name).args(arguments).output().unwrap())
}

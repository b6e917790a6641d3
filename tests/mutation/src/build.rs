//! One build of the core with all its mutants, and of the tests that may find them.
//!
//! Must never touch the repository: it works on a copy.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::list::Mutant;
use crate::splice::{Spliced, splice};

/// A test program.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: String,
    /// One of the core's own, not of the test kit.
    pub(crate) of_core: bool,
    pub(crate) folder: PathBuf,
    pub(crate) program: PathBuf,
}

/// What became of the mutants.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) suites: Vec<Suite>,
    /// The compiler refuses them, with this code.
    pub(crate) unviable: BTreeMap<u32, String>,
    /// They cannot be switched at run time: the compiler computes what they change.
    pub(crate) constant: BTreeSet<u32>,
}

/// A copy of the repository in which the core asks for its mutants.
#[derive(Debug)]
struct Copy<'a> {
    root: PathBuf,
    /// The files of the core that have mutants, as they are.
    sources: BTreeMap<String, (String, Vec<&'a Mutant>)>,
    /// Functions that must stay constant.
    constant: BTreeSet<String>,
    spliced: BTreeMap<String, Spliced>,
    built: Built,
}

/// Copies, splices, and builds; what the compiler refuses is left out until it refuses nothing.
pub(crate) fn build(
    from: &Path,
    to: &Path,
    mutants: &[Mutant],
    tests: &[String],
) -> Result<Built, Box<dyn Error>> {
    let mut sources = BTreeMap::new();
    for mutant in mutants {
        if !sources.contains_key(&mutant.file) {
            let text = fs::read_to_string(from.join(&mutant.file))?;
            sources.insert(mutant.file.clone(), (text, Vec::new()));
        }
        if let Some((_, of_file)) = sources.get_mut(&mutant.file) {
            of_file.push(mutant);
        }
    }
    copy(from, to, |file| sources.contains_key(file))?;
    let mut copy = Copy {
        root: to.to_owned(),
        sources,
        constant: BTreeSet::new(),
        spliced: BTreeMap::new(),
        built: Built::default(),
    };
    copy.recall();
    loop {
        copy.splice()?;
        let packages = ["-p", "durability-core", "-p", "durability-testkit"];
        let arguments = [&["check"], &packages[..], &["--lib", "--tests", "--keep-going"]].concat();
        let errors = errors(&copy.cargo(&arguments)?);
        if errors.is_empty() {
            break;
        }
        copy.blame(&errors)?;
        eprintln!("{} mutants do not compile so far", copy.built.unviable.len());
    }
    copy.remember()?;
    copy.unplaced();
    let mut arguments =
        vec!["test", "--no-run", "-p", "durability-core", "-p", "durability-testkit", "--lib"];
    let own: Vec<_> = fs::read_dir(from.join("core/tests"))?.collect::<Result<_, _>>()?;
    let test =
        |path: PathBuf| path.is_file().then(|| path.file_stem()?.to_str().map(str::to_owned))?;
    let own = own.iter().filter_map(|entry| test(entry.path()));
    let own: Vec<String> = own.chain(tests.iter().cloned()).collect();
    for test in &own {
        arguments.extend(["--test", test]);
    }
    let messages = copy.cargo(&arguments)?;
    if let Some(error) = errors(&messages).first() {
        return Err(error["message"]["rendered"].to_string().into());
    }
    copy.built.suites.extend(messages.iter().filter_map(suite));
    let mut seen = BTreeSet::new();
    copy.built.suites.retain(|suite| seen.insert(suite.program.clone()));
    Ok(copy.built)
}

impl Copy<'_> {
    fn splice(&mut self) -> Result<(), Box<dyn Error>> {
        for (file, (source, mutants)) in &self.sources {
            let out = |mutant: &&&Mutant| {
                !self.built.unviable.contains_key(&mutant.id)
                    && !self.built.constant.contains(&mutant.id)
            };
            let left: Vec<&Mutant> = mutants.iter().filter(out).copied().collect();
            let spliced = splice(source, &left, &self.constant)?;
            renew(&self.root.join(file), spliced.text.as_bytes())?;
            self.spliced.insert(file.clone(), spliced);
        }
        Ok(())
    }

    fn memory(&self) -> PathBuf {
        self.root.with_file_name("refused.txt")
    }

    /// What the compiler refused is the same while the core is: then only tests that changed are built anew.
    fn recall(&mut self) {
        let text = fs::read_to_string(self.memory()).unwrap_or_default();
        let mut lines = text.lines();
        if lines.next() != Some(&self.fingerprint()) {
            return;
        }
        for line in lines {
            match line.split_once(' ').map(|(id, why)| (id.parse(), why)) {
                Some((Ok(id), "constant")) => _ = self.built.constant.insert(id),
                Some((Ok(id), code)) => _ = self.built.unviable.insert(id, code.to_owned()),
                _ => _ = self.constant.insert(line.to_owned()),
            }
        }
    }

    fn remember(&self) -> Result<(), Box<dyn Error>> {
        let mut lines = vec![self.fingerprint()];
        lines.extend(self.built.constant.iter().map(|id| format!("{id} constant")));
        lines.extend(self.built.unviable.iter().map(|(id, code)| format!("{id} {code}")));
        lines.extend(self.constant.iter().cloned());
        Ok(fs::write(self.memory(), lines.join("\n"))?)
    }

    fn fingerprint(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for (file, (source, mutants)) in &self.sources {
            let names: Vec<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
            (file, source, names).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    /// Whose fault each error is.
    fn blame(&mut self, errors: &[Value]) -> Result<(), Box<dyn Error>> {
        let before = (self.built.unviable.len(), self.built.constant.len(), self.constant.len());
        for error in errors {
            let error = &error["message"];
            let code = error["code"]["code"].as_str().unwrap_or("E----").to_owned();
            let culprits = self.culprits(error);
            if code == "E0015" {
                self.built.constant.extend(&culprits);
                if culprits.is_empty() {
                    let message = error["message"].as_str().unwrap_or_default();
                    let called = message.split('`').nth(1).unwrap_or_default();
                    let name =
                        called.rsplit("::").find(|part| !part.starts_with('<')).unwrap_or_default();
                    self.constant.insert(name.to_owned());
                }
            } else {
                self.built.unviable.extend(culprits.into_iter().map(|id| (id, code.clone())));
            }
        }
        if before == (self.built.unviable.len(), self.built.constant.len(), self.constant.len()) {
            let texts: Vec<_> =
                errors.iter().filter_map(|error| error["message"]["rendered"].as_str()).collect();
            return Err(format!("no mutant is at fault for\n{}", texts.join("\n")).into());
        }
        Ok(())
    }

    /// The mutants in whose text an error has a place; if there is none, those that return from the body around it.
    fn culprits(&self, error: &Value) -> BTreeSet<u32> {
        let hit = |bodies: bool, primary: bool| {
            let mut found = BTreeSet::new();
            for span in error["spans"].as_array().into_iter().flatten() {
                let (Some(file), Some(start)) =
                    (span["file_name"].as_str(), span["byte_start"].as_u64())
                else {
                    continue;
                };
                let Some(spliced) = self.spliced.get(file) else { continue };
                let places: &[(Range<usize>, u32)] =
                    if bodies { &spliced.bodies } else { &spliced.places };
                if !primary || span["is_primary"].as_bool() == Some(true) {
                    let inside = |range: &Range<usize>| {
                        usize::try_from(start).is_ok_and(|start| range.contains(&start))
                    };
                    found.extend(
                        places.iter().filter(|(range, _)| inside(range)).map(|(_, id)| *id),
                    );
                }
            }
            found
        };
        let tries = [(false, true), (false, false), (true, true)];
        let tries = tries.into_iter().take(if error["code"]["code"] == "E0015" { 1 } else { 3 });
        tries
            .map(|(bodies, primary)| hit(bodies, primary))
            .find(|found| !found.is_empty())
            .unwrap_or_default()
    }

    /// Mutants for which there was no place in the text.
    fn unplaced(&mut self) {
        let placed: BTreeSet<u32> =
            self.spliced.values().flat_map(|spliced| &spliced.places).map(|(_, id)| *id).collect();
        for mutant in self.sources.values().flat_map(|(_, mutants)| mutants) {
            if !placed.contains(&mutant.id) && !self.built.constant.contains(&mutant.id) {
                self.built.unviable.entry(mutant.id).or_insert_with(|| "no place".to_owned());
            }
        }
    }

    /// What Cargo says, message by message.
    fn cargo(&self, arguments: &[&str]) -> Result<Vec<Value>, Box<dyn Error>> {
        let mut command = Command::new("cargo");
        command.args(arguments).args(["--message-format", "json"]).current_dir(&self.root);
        command
            .env("RUSTFLAGS", "--cap-lints warn -A warnings")
            .env("CARGO_TARGET_DIR", self.root.join("target"));
        command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "2").env("CARGO_PROFILE_TEST_OPT_LEVEL", "2");
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_TEST_DEBUG", "0");
        let said = command.stderr(Stdio::inherit()).output()?;
        let lines = said.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages = lines.map(serde_json::from_slice).collect::<Result<Vec<Value>, _>>()?;
        if said.status.success() || !errors(&messages).is_empty() {
            return Ok(messages);
        }
        Err(format!("cargo {} failed", arguments.join(" ")).into())
    }
}

fn errors(messages: &[Value]) -> Vec<Value> {
    let error = |message: &&Value| {
        message["message"]["level"] == "error"
            && message["message"]["spans"] != Value::Array(Vec::new())
    };
    messages.iter().filter(error).cloned().collect()
}

fn suite(message: &Value) -> Option<Suite> {
    let program = message["executable"].as_str().filter(|_| message["profile"]["test"] == true)?;
    let folder = Path::new(message["manifest_path"].as_str()?).parent()?;
    let owner = folder.file_name()?.to_str()?;
    let name = format!("{owner}/{}", message["target"]["name"].as_str()?);
    let of_core = owner == "core";
    Some(Suite { name, of_core, folder: folder.to_owned(), program: program.into() })
}

/// All that Git knows of and what it does not ignore, but for what is `spliced`; the core of the copy gets the switch.
fn copy(from: &Path, to: &Path, spliced: impl Fn(&str) -> bool) -> Result<(), Box<dyn Error>> {
    let mut git = Command::new("git");
    let listed = git.args(["ls-files", "-co", "--exclude-standard"]).current_dir(from).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    for file in listed.lines().filter(|file| !spliced(file) && from.join(file).is_file()) {
        let mut bytes = fs::read(from.join(file))?;
        if file == "core/src/lib.rs" {
            bytes.extend(b"mod mutant_switch;\n");
        }
        renew(&to.join(file), &bytes)?;
    }
    renew(&to.join("core/src/mutant_switch.rs"), include_bytes!("switch.rs"))
}

/// What is the same stays as old as it is, so that Cargo builds it but once.
fn renew(file: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs::read(file).ok().as_deref() != Some(bytes) {
        fs::create_dir_all(file.parent().unwrap_or(file))?;
        fs::write(file, bytes)?;
    }
    Ok(())
}

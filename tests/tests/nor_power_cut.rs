//! A power cut inside any program or erase leaves a flash directory that mounts, with every other file intact.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host and fails by panicking"
)]

use std::collections::BTreeMap;

use durability_core::embedded_io::{Read as _, Write as _};
use durability_core::storage::{Directory as _, Folder, Name, NameBuf};
use durability_testkit::backends::{NorDirectory, NorError, NorGeometry, Tearing};

/// A small chip: few slots, so that the script below uses each of them again.
#[derive(Debug, Clone, Copy)]
struct Chip {
    geometry: NorGeometry,
    slot_blocks: usize,
}

const fn chip(granule: usize, block_bytes: usize, slot_blocks: usize) -> Chip {
    Chip { geometry: NorGeometry { blocks: 5 * slot_blocks, block_bytes, granule }, slot_blocks }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Create(&'static str),
    /// Appends so many granules to a file created before.
    Append(&'static str, usize),
    Remove(&'static str),
}
use Step::{Append, Create, Remove};

/// More files than slots, so that creation erases slots of removed ones.
const SCRIPT: [Step; 16] = [
    Create("wal/1"),
    Append("wal/1", 2),
    Create("wal/2"),
    Append("wal/1", 1),
    Append("wal/2", 3),
    Create("ckp/1"),
    Remove("wal/1"),
    Append("ckp/1", 1),
    Create("wal/3"),
    Create("wal/4"),
    Remove("ckp/1"),
    Append("wal/3", 2),
    Create("wal/5"),
    Append("wal/5", 1),
    Create("wal/1"),
    Append("wal/1", 2),
];

/// What must be on the chip, and the one operation that the cut may have left open.
#[derive(Debug, Clone, Default)]
struct Model {
    files: BTreeMap<&'static str, Vec<u8>>,
    open: Option<Step>,
}

fn bytes(index: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((index * 37 + at * 11) % 200 + 20).unwrap()).collect()
}

/// Runs the script until it ends or the power does.
fn run(dir: &NorDirectory, granule: usize, model: &mut Model) -> Result<(), NorError> {
    for (index, step) in SCRIPT.into_iter().enumerate() {
        model.open = Some(step);
        match step {
            Create(name) => {
                if dir.create(Name::new(name).unwrap(), 0)?.is_some() {
                    model.files.insert(name, Vec::new());
                }
            }
            Append(name, granules) => {
                let Some(content) = model.files.get_mut(name) else { continue };
                let at = content.len() as u64;
                let Some(mut file) = dir.reopen(Name::new(name).unwrap(), at)? else {
                    panic!("{name} is gone")
                };
                let data = bytes(index, granules * granule);
                let mut rest = data.as_slice();
                while !rest.is_empty() {
                    let count = file.write(rest)?;
                    content.extend_from_slice(&rest[..count]);
                    rest = &rest[count..];
                }
            }
            Remove(name) => {
                dir.remove(Name::new(name).unwrap())?;
                model.files.remove(name);
            }
        }
    }
    model.open = None;
    Ok(())
}

fn names(dir: &NorDirectory) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["wal", "ckp"] {
        let folder = Folder::new(folder).unwrap();
        dir.list(folder, &mut |file| {
            names.push(NameBuf::join(folder, file).unwrap().as_name().as_str().to_owned());
        })
        .unwrap();
    }
    names.sort();
    names
}

fn content(dir: &NorDirectory, name: &str) -> Vec<u8> {
    let mut file = dir.open(Name::new(name).unwrap()).unwrap().expect("listed files open");
    let mut bytes = vec![0; usize::try_from(dir.file_bytes()).unwrap()];
    let mut filled = 0;
    while filled < bytes.len() {
        let count = file.read(&mut bytes[filled..]).unwrap();
        assert!(count > 0, "the file is shorter than its slot");
        filled += count;
    }
    bytes
}

/// The files of the model are there; of the open operation either side may be.
fn judge(dir: &NorDirectory, model: &Model, torn: usize) {
    let found = names(dir);
    let (mut must, mut may): (Vec<&str>, Vec<&str>) =
        (model.files.keys().copied().collect(), vec![]);
    let (mut torn_name, mut torn_bytes) = ("", 0);
    match model.open {
        Some(Create(name)) => may.push(name),
        Some(Remove(name)) => {
            must.retain(|each| *each != name);
            may.push(name);
        }
        Some(Append(name, _)) => (torn_name, torn_bytes) = (name, torn),
        None => {}
    }
    for name in &must {
        assert!(found.iter().any(|each| each == name), "{name} is lost: {found:?}");
    }
    for name in &found {
        let known = must.iter().chain(&may).any(|each| each == name);
        assert!(known, "{name} came from nowhere: {found:?}, {model:?}");
        let expected = model.files.get(name.as_str()).cloned().unwrap_or_default();
        let bytes = content(dir, name);
        assert_eq!(&bytes[..expected.len()], &expected, "{name} is damaged");
        let free = expected.len() + if name == torn_name { torn_bytes } else { 0 };
        let clean = bytes[free.min(bytes.len())..].iter().all(|byte| *byte == 0xFF);
        assert!(clean, "{name} has bytes behind its end");
    }
}

/// A mounted directory must go on: whatever is there can be removed, and every slot used again.
fn goes_on(dir: &NorDirectory) {
    for name in names(dir) {
        dir.remove(Name::new(&name).unwrap()).unwrap();
    }
    for index in 0..5 {
        let name = format!("new/{index}");
        assert!(dir.create(Name::new(&name).unwrap(), 0).unwrap().is_some());
        assert!(content(dir, &name).iter().all(|byte| *byte == 0xFF));
    }
    let full = dir.create(Name::new("new/5").unwrap(), 0);
    assert_eq!(full.err(), Some(NorError::NoSpace));
}

fn cut_everywhere(chip: Chip, tearings: &[Tearing], depth: u32) -> u64 {
    let mut states = 0;
    let fresh = NorDirectory::new(chip.geometry, chip.slot_blocks).unwrap();
    run(&fresh, chip.geometry.granule, &mut Model::default()).unwrap();
    for tearing in tearings {
        for nth in 1..=fresh.operations() {
            let dir = NorDirectory::new(chip.geometry, chip.slot_blocks).unwrap();
            dir.cut_power_at(nth, *tearing);
            let mut model = Model::default();
            let cut = run(&dir, chip.geometry.granule, &mut model);
            assert_eq!(cut, Err(NorError::PowerLost), "operation {nth}, {tearing:?}");
            let after = NorDirectory::mount(dir.chip().powered(), chip.slot_blocks).unwrap();
            // An append is cut after any number of its granules.
            judge(&after, &model, chip.geometry.granule * 3);
            states += 1;
            if depth > 1 {
                states += cut_while_going_on(chip, &after, tearings);
            }
            goes_on(&after);
        }
    }
    states
}

/// A second cut, inside of what the next run does: remove everything, fill the chip.
fn cut_while_going_on(chip: Chip, first: &NorDirectory, tearings: &[Tearing]) -> u64 {
    let mut states = 0;
    for tearing in tearings {
        for nth in 1.. {
            let dir = NorDirectory::mount(first.chip(), chip.slot_blocks).unwrap();
            dir.cut_power_at(nth, *tearing);
            let mut gone = Vec::new();
            let mut made = Vec::new();
            let result = remove_and_refill(&dir, &mut gone, &mut made);
            let after = NorDirectory::mount(dir.chip().powered(), chip.slot_blocks).unwrap();
            let mut found = Vec::new();
            let new = Folder::new("new").unwrap();
            after.list(new, &mut |file| found.push(file.to_owned())).unwrap();
            for name in &made {
                assert!(found.contains(name), "{name} is lost after a second cut");
            }
            let old = names(&after);
            for name in &gone {
                assert!(!old.contains(name), "{name} was removed and is back: {nth}, {tearing:?}");
            }
            for name in &old {
                content(&after, name);
            }
            states += 1;
            if result.is_ok() {
                break;
            }
        }
    }
    states
}

fn remove_and_refill(
    dir: &NorDirectory,
    gone: &mut Vec<String>,
    made: &mut Vec<String>,
) -> Result<(), NorError> {
    for name in names(dir) {
        dir.remove(Name::new(&name).unwrap())?;
        gone.push(name);
    }
    for index in 0..5 {
        let name = format!("new/{index}");
        dir.create(Name::new(&name).unwrap(), 0)?;
        made.push(index.to_string());
    }
    Ok(())
}

#[test]
fn a_cut_at_any_operation_leaves_the_other_files_intact() {
    for chip in [chip(4, 512, 2), chip(16, 512, 2), chip(256, 1024, 2), chip(1, 256, 3)] {
        let states = cut_everywhere(chip, &Tearing::ALL, 1);
        assert!(states > 100, "{chip:?}: {states} states");
    }
}

#[test]
fn slots_of_one_block_survive_every_cut_that_runs_from_one_end() {
    let straight = [Tearing::Nothing, Tearing::Front, Tearing::Back];
    for chip in [chip(4, 512, 1), chip(16, 512, 1), chip(256, 2048, 1)] {
        cut_everywhere(chip, &straight, 1);
    }
}

#[test]
fn a_second_cut_in_the_next_run_brings_nothing_back() {
    cut_everywhere(chip(64, 256, 2), &Tearing::ALL, 2);
}

#[test]
fn a_clean_mount_finds_what_was_written() {
    let chip = chip(8, 512, 2);
    let dir = NorDirectory::new(chip.geometry, chip.slot_blocks).unwrap();
    let mut model = Model::default();
    run(&dir, chip.geometry.granule, &mut model).unwrap();
    let nonce = dir.nonce();
    let after = NorDirectory::mount(dir.chip(), chip.slot_blocks).unwrap();
    judge(&after, &model, 0);
    assert_ne!(nonce, after.nonce(), "a nonce is not given again after a mount");
    assert_eq!(dir.chip().erasures().len(), chip.geometry.blocks);
}

#[test]
fn the_chip_refuses_to_program_a_granule_twice() {
    let dir = NorDirectory::new(chip(16, 512, 2).geometry, 2).unwrap();
    let mut chip = dir.chip();
    chip.program(32, &[0x5A; 16]).unwrap();
    assert_eq!(chip.program(32, &[0x00; 16]), Err(NorError::ProgrammedTwice { offset: 32 }));
    assert_eq!(chip.program(32, &[0xFF; 16]), Err(NorError::ProgrammedTwice { offset: 32 }));
    chip.erase(0).unwrap();
    assert_eq!(chip.program(32, &[0x00; 16]), Ok(()));
    assert!(matches!(chip.program(40, &[0; 16]), Err(NorError::OffGranule { .. })));
    assert!(matches!(chip.program(48, &[0; 15]), Err(NorError::OffGranule { .. })));
    assert!(matches!(chip.program(1 << 20, &[0; 16]), Err(NorError::OutOfRange { .. })));
}

#[test]
fn a_file_with_torn_bytes_is_not_reopened_before_them() {
    let granule = 16;
    let dir = NorDirectory::new(chip(granule, 512, 2).geometry, 2).unwrap();
    let name = Name::new("wal/1").unwrap();
    let mut file = dir.create(name, 0).unwrap().unwrap();
    assert_eq!(file.write(&[7; 32]), Ok(32));
    dir.cut_power_at(2, Tearing::Front);
    assert_eq!(file.write(&[7; 48]), Err(NorError::PowerLost));
    let after = NorDirectory::mount(dir.chip().powered(), 2).unwrap();
    let refused = after.reopen(name, 48).err();
    assert_eq!(refused, Some(NorError::NotErased { at: 48 }));
    assert!(after.reopen(name, 64).unwrap().is_some());
}

#[test]
fn the_largest_file_fills_its_slot_and_not_one_granule_more() {
    let dir = NorDirectory::new(chip(16, 512, 2).geometry, 2).unwrap();
    let mut file = dir.create(Name::new("wal/1").unwrap(), 0).unwrap().unwrap();
    let mut left = usize::try_from(dir.file_bytes()).unwrap();
    while left > 0 {
        left -= file.write(&vec![9; left]).unwrap();
    }
    assert_eq!(file.write(&[9; 16]), Err(NorError::NoSpace));
    dir.create(Name::new("wal/2").unwrap(), 0).unwrap().unwrap();
    assert!(content(&dir, "wal/2").iter().all(|byte| *byte == 0xFF));
    assert!(content(&dir, "wal/1").iter().all(|byte| *byte == 9));
}

#[test]
fn a_slot_that_held_0xff_bytes_is_erased_before_it_is_used_again() {
    // The middle block of three then holds nothing but programmed 0xFF.
    let dir = NorDirectory::new(chip(16, 512, 3).geometry, 3).unwrap();
    for index in 0..12 {
        let name = format!("wal/{index}");
        let name = Name::new(&name).unwrap();
        let mut file = dir.create(name, 0).unwrap().unwrap();
        let mut left = usize::try_from(dir.file_bytes()).unwrap();
        while left > 0 {
            left -= file.write(&vec![0xFF; left]).unwrap();
        }
        dir.remove(name).unwrap();
    }
}

#[test]
fn a_damaged_header_is_no_file_rather_than_another_one() {
    let dir = NorDirectory::new(chip(4, 512, 2).geometry, 2).unwrap();
    dir.create(Name::new("wal/1").unwrap(), 0).unwrap().unwrap();
    assert_eq!(names(&dir), ["wal/1"]);
    // The tombstone, the head, and the name.
    for offset in 0..4 + 16 + 5 {
        for bit in 0..8 {
            let mut chip = dir.chip();
            chip.flip(offset, bit);
            let found = names(&NorDirectory::mount(chip, 2).unwrap());
            assert_eq!(found, Vec::<String>::new(), "bit {bit} of byte {offset}");
        }
    }
}

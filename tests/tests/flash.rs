//! What the directory on flash promises beside the contract of all directories: sizes, erases, wear, refusals, and what others on flash are known to get wrong.
#![allow(
    clippy::unwrap_used,
    clippy::drop_non_drop,
    clippy::expect_used,
    clippy::panic,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "a test runs on a host, fails by panicking, and ends a mount by dropping it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;

use durability_core::embedded_io::Write as _;
use durability_core::storage::{AppendFile as _, Directory as _, Folder, Name, ReadFile as _};
use durability_core::walog::{
    FixedWalReader, FixedWalWriter, RawWalReader, RawWalWriter, WalOptions,
};
use durability_core::{EntryId, ReadMode};
use durability_flash::embedded_storage::nor_flash::{NorFlash, ReadNorFlash as _};
use durability_flash::{FlashAppender, FlashDirectory, FlashError, FlashOptions};
use durability_testkit::backends::{NorChip, NorError, Tearing};
use durability_testkit::flash::{
    Campaign, FlashProgram, LogProgram, Outside, Script, Tape, explore,
};
use durability_testkit::simulated::Violation;

fn options() -> FlashOptions {
    FlashOptions::new().name_bytes_max(24)
}

fn wal() -> WalOptions {
    WalOptions::new().buffer_bytes(256).read_bytes(256)
}

fn script(text: &str) -> Script {
    text.parse().unwrap()
}

fn name(text: &str) -> Name<'_> {
    Name::new(text).unwrap()
}

/// Every cut, and every second cut, of a log put through these scripts.
fn cut_twice<const WRITE: usize, const ERASE: usize>(first: &str, later: &str) -> u64 {
    let program = LogProgram::<8>::new(options(), &[script(first), script(later)]);
    let chip = NorChip::<1, WRITE, ERASE>::new(16);
    match explore(&program, chip, Outside::default(), &Campaign::new(2)) {
        Ok(figures) => figures.all_cuts(),
        Err(failure) => panic!("{failure}"),
    }
}

/// What others on flash got wrong.
mod peers {
    use super::*;

    /// sequential-storage, issue 136: two torn stores one after the other, and an older one is gone.
    #[test]
    fn an_acknowledged_record_outlives_two_torn_ones() {
        assert!(cut_twice::<32, 512>("a30 s a30 s", "a30 s") > 1_000);
    }

    /// ekv: a cut between a header and what it describes mounted as an empty store.
    #[test]
    fn no_cut_between_a_header_and_its_contents_empties_the_log() {
        assert!(cut_twice::<64, 512>("a90 s p a90 s p", "p") > 1_000);
    }

    /// ekv: a torn header of 8 bytes made every later mount fail.
    #[test]
    fn no_torn_header_of_eight_bytes_keeps_a_region_from_mounting() {
        for operation in 1..100 {
            for tearing in Tearing::ALL {
                let mut chip = NorChip::<1, 8, 512>::new(4);
                chip.cut_power_at(operation, tearing);
                let dir = FlashDirectory::<_, 2>::mount(&mut chip, options()).unwrap();
                let whole = RawWalWriter::open(&dir, wal()).is_ok();
                drop(dir);
                let dir = FlashDirectory::<_, 2>::mount(chip.powered(), options()).unwrap();
                RawWalWriter::open(&dir, wal()).unwrap().append(b"on").unwrap();
                if whole && operation > 30 {
                    return;
                }
            }
        }
        panic!("opening a log never ends");
    }

    /// Several: an append that finds the block full erases the next one first.
    #[test]
    fn a_prepared_region_never_erases_while_a_log_appends_and_rotates() {
        let dir = FlashDirectory::<_, 8>::mount(NorChip::<1, 4, 4096>::new(16), options()).unwrap();
        while dir.prepare().unwrap() {}
        assert_eq!(dir.usage().ready, 8);
        let mut log = RawWalWriter::open(&dir, wal()).unwrap();
        let before = dir.with_flash(|chip| chip.figures());
        for _ in 0..1000 {
            log.append(&[7; 32]).unwrap();
            let _durable = log.flush_and_sync().unwrap();
        }
        let after = dir.with_flash(|chip| chip.figures());
        assert!(dir.usage().files > 4, "it has rotated");
        assert_eq!(after.erases, before.erases);
    }

    /// sensor-db, and others: a word is programmed a second time. Here with payloads that look blank, in units of one byte.
    #[test]
    fn no_granule_is_programmed_twice_whatever_the_bytes_are() {
        let content: Vec<u8> = [vec![0xFF; 5], vec![1, 0xFF, 0xFF, 2], vec![0xFF; 4]].concat();
        for tearing in Tearing::ALL {
            for operation in 1..=content.len() as u64 {
                let mut chip = NorChip::<1, 1, 512>::new(4);
                let dir = FlashDirectory::<_, 2>::mount(&mut chip, options()).unwrap();
                let mut file = dir_create(&dir, "a");
                dir.with_flash(|chip| chip.cut_power_at(operation, tearing));
                let done = file.write(&content).is_ok();
                drop(dir);
                let dir = FlashDirectory::<_, 2>::mount(chip.powered(), options()).unwrap();
                let mut at = 0;
                let mut file = loop {
                    // As far as it is not blank, nothing can be put there.
                    match (&dir).reopen(name("a"), at) {
                        Ok(file) => break file.unwrap(),
                        Err(FlashError::NotBlank { found, .. }) => at = found + 1,
                        Err(other) => panic!("{other}"),
                    }
                };
                file.write(&content).unwrap();
                if done {
                    break;
                }
            }
        }
    }
}

fn dir_create<'a, F, const SLOTS: usize>(
    dir: &'a FlashDirectory<F, SLOTS>,
    file: &str,
) -> FlashAppender<'a, F, SLOTS>
where
    F: NorFlash,
    F::Error: 'static,
{
    dir.create(name(file), 0).unwrap().expect("the name is free")
}

#[test]
fn memory_is_what_the_documents_say() {
    type Chip = NorChip<1, 4, 4096>;
    let of = |bytes: usize| bytes - size_of::<Chip>();
    let (one, many) =
        (of(size_of::<FlashDirectory<Chip, 1>>()), of(size_of::<FlashDirectory<Chip, 65>>()));
    assert_eq!(many - one, 64 * 16);
    assert!(one - 16 < 120, "{one}");
}

#[test]
fn files_of_about_one_age_wear_all_slots_alike() {
    for ahead in [false, true] {
        let chip = NorChip::<1, 16, 512>::new(18);
        let dir = FlashDirectory::<_, 9>::mount(chip, options()).unwrap();
        for round in 0..900 {
            drop(dir_create(&dir, &format!("f/{round}")));
            if round >= 4 {
                (&dir).remove(name(&format!("f/{}", round - 4))).unwrap();
            }
            if ahead {
                dir.prepare().unwrap();
            }
            let usage = dir.usage();
            assert!(usage.erases_max - usage.erases_min <= 2, "round {round}: {usage:?}");
        }
        // What it counts is what was erased.
        let usage = dir.usage();
        let chip = dir.into_flash();
        let (min, max) = (chip.erasures().iter().min(), chip.erasures().iter().max());
        assert_eq!((min, max), (Some(&usage.erases_min), Some(&usage.erases_max)));
        let again = FlashDirectory::<_, 9>::mount(chip, options()).unwrap();
        assert_eq!(again.usage(), usage);
    }
}

#[test]
fn a_file_that_stays_is_left_behind_by_no_more_than_its_share() {
    let dir = FlashDirectory::<_, 5>::mount(NorChip::<1, 16, 512>::new(10), options()).unwrap();
    drop(dir_create(&dir, "stays"));
    for round in 0..400 {
        drop(dir_create(&dir, "goes"));
        (&dir).remove(name("goes")).unwrap();
        let usage = dir.usage();
        assert!(usage.erases_max - usage.erases_min <= (round + 1_u32).div_ceil(4) + 1);
    }
    (&dir).remove(name("stays")).unwrap();
    for _ in 0..100 {
        drop(dir_create(&dir, "goes"));
        (&dir).remove(name("goes")).unwrap();
    }
    let usage = dir.usage();
    assert!(usage.erases_max - usage.erases_min <= 2, "and catches up: {usage:?}");
}

#[test]
fn erase_counts_survive_every_cut() {
    let new = FlashDirectory::<_, 4>::format(NorChip::<1, 4, 512>::new(8), options()).unwrap();
    let mut chip = new.into_flash();
    let mut cuts = 0;
    for round in 0..500_u32 {
        let mut dir = FlashDirectory::<_, 4>::mount(chip, options()).unwrap();
        let file = format!("f/{}", round % 3);
        dir.with_flash(|chip| {
            let tearing = Tearing::ALL[round as usize % Tearing::ALL.len()];
            chip.cut_power_at(1 + u64::from(round * 7 % 41), tearing);
        });
        let result = (|| {
            (&dir).remove(name(&file))?;
            while dir.prepare()? {}
            (&dir).create(name(&file), 0).map(|_| ())
        })();
        cuts += u32::from(result.is_err());
        let told = dir.usage();
        chip = dir.into_flash().powered();
        dir = FlashDirectory::mount(chip, options()).unwrap();
        let usage = dir.usage();
        if result.is_ok() {
            assert_eq!((usage.erases_min, usage.erases_max), (told.erases_min, told.erases_max));
        }
        chip = dir.into_flash();
        // The first block of a slot is erased in every attempt.
        let truth: Vec<u32> = chip.erasures().iter().step_by(2).copied().collect();
        let (least, most) = (truth.iter().min().unwrap(), truth.iter().max().unwrap());
        assert!(usage.erases_max <= *most && usage.erases_max + cuts >= *most, "{usage:?}");
        assert!(usage.erases_min + cuts >= *least, "{usage:?}, {truth:?}");
    }
    assert!(cuts > 100);
}

#[test]
fn nonces_are_not_given_again_once_a_file_was_made() {
    let mut seen = BTreeSet::new();
    let mut chip = NorChip::<1, 4, 512>::new(8);
    for round in 0..200 {
        let dir = FlashDirectory::<_, 4>::mount(chip, options().seed(5)).unwrap();
        assert!(seen.insert((&dir).nonce()) && seen.insert((&dir).nonce()), "round {round}");
        drop(dir_create(&dir, "log"));
        (&dir).remove(name("log")).unwrap();
        dir.prepare().unwrap();
        chip = dir.into_flash();
    }
    let other = FlashDirectory::<_, 4>::mount(chip, options().seed(6)).unwrap();
    assert!(seen.insert((&other).nonce()), "another seed, another number");
}

#[test]
fn regions_that_cannot_be_are_refused() {
    type Refused = FlashError<NorError>;
    fn refused<const WRITE: usize, const ERASE: usize, const SLOTS: usize>(
        options: FlashOptions,
    ) -> Refused {
        FlashDirectory::<_, SLOTS>::mount(NorChip::<1, WRITE, ERASE>::new(8), options)
            .expect_err("no region")
    }
    assert_eq!(refused::<4, 512, 8>(options().slot_blocks(1)), Refused::SlotBlocks { found: 1 });
    assert!(matches!(refused::<4, 512, 5>(options()), Refused::RegionBytes { slots: 5, .. }));
    assert!(matches!(refused::<4, 512, 0>(options()), Refused::RegionBytes { .. }));
    assert!(matches!(refused::<4, 512, 4>(options().offset(512)), Refused::RegionBytes { .. }));
    assert!(matches!(refused::<4, 512, 3>(options().offset(8)), Refused::RegionOffset { .. }));
    assert!(matches!(refused::<256, 512, 4>(options()), Refused::SlotBytes { .. }));
}

#[test]
fn a_region_of_another_shape_is_refused_until_it_is_formatted() {
    let dir = FlashDirectory::<_, 4>::mount(NorChip::<1, 4, 512>::new(16), options()).unwrap();
    drop(dir_create(&dir, "kept"));
    let chip = dir.into_flash();
    for other in [options().slot_blocks(3), options().name_bytes_max(23), options().offset(512)] {
        let mounted = FlashDirectory::<_, 3>::mount(chip.clone(), other);
        // A region that begins elsewhere need not meet a record of the old one.
        let seen = mounted.map(|dir| dir.usage().files);
        assert!(matches!(seen, Err(FlashError::OtherShape { .. }) | Ok(0)), "{seen:?}");
    }
    let grown = FlashDirectory::<_, 8>::mount(chip.clone(), options()).unwrap();
    assert!((&grown).open(name("kept")).unwrap().is_some());
    let other = options().slot_blocks(4);
    assert!(FlashDirectory::<_, 4>::mount(chip.clone(), other).is_err());
    let new = FlashDirectory::<_, 4>::format(chip, other).unwrap();
    assert_eq!((new.usage().ready, new.usage().files), (4, 0));
}

#[test]
fn errors_name_the_slot_and_the_place() {
    let dir = FlashDirectory::<_, 2>::mount(NorChip::<1, 16, 512>::new(4), options()).unwrap();
    let mut file = dir_create(&dir, "a");
    assert!(matches!(
        file.write(&[1; 15]),
        Err(FlashError::OffGranule { at: 0, found: 15, granule: 16 })
    ));
    let limit = (&dir).capabilities().file_bytes_max();
    let whole = vec![1; usize::try_from(limit).unwrap()];
    assert_eq!(file.write(&whole), Ok(whole.len()));
    assert!(matches!(file.write(&[1; 16]), Err(FlashError::FileFull { slot: 0, .. })));
    assert!(matches!((&dir).reopen(name("a"), 16), Err(FlashError::NotBlank { found: 16, .. })));
    drop(dir_create(&dir, "b"));
    assert!(matches!((&dir).create(name("c"), 0), Err(FlashError::NoSlot { slots: 2 })));
    let mut reader = (&dir).open(name("a")).unwrap().unwrap();
    (&dir).remove(name("a")).unwrap();
    drop(dir_create(&dir, "a"));
    assert_eq!(reader.len(), Err(FlashError::Gone { slot: 0 }), "not the new file of its name");
    assert_eq!(file.sync_data(), Err(FlashError::Gone { slot: 0 }));
    let long = "a-name-of-more-than-the-bytes-allowed";
    let refused = (&dir).create(name(long), 0).map(|_| ());
    assert_eq!(refused, Err(FlashError::NameBytes { found: long.len(), limit: 24 }));
    dir.with_flash(|chip| chip.cut_power_at(1, Tearing::Nothing));
    let cut = (&dir).remove(name("b"));
    assert!(matches!(cut, Err(FlashError::Flash { slot: 1, driver: NorError::PowerLost, .. })));
}

/// 1 MiB in 32 slots, full of a log of 64-byte records; how many of them.
fn full_region() -> (FlashDirectory<Mib, 32>, u64) {
    let dir = FlashDirectory::<_, 32>::mount(Mib::new(256), options().slot_blocks(8)).unwrap();
    let mut log = RawWalWriter::open(&dir, wal().buffer_bytes(4096).read_bytes(4096)).unwrap();
    let mut records = 0;
    while dir.usage().files < 32 {
        log.append(&[9; 64]).unwrap();
        records += 1;
    }
    log.close().unwrap();
    (dir, records)
}

type Mib = NorChip<1, 4, 4096>;

/// What is read of a full region until it is mounted, until its log is open to be written to, and until all of it was replayed.
fn assert_reads_little<const SLOTS: usize>(
    open: impl Fn(&FlashDirectory<Mib, SLOTS>),
    replay: impl Fn(&FlashDirectory<Mib, SLOTS>) -> u64,
    full: FlashDirectory<Mib, SLOTS>,
    records: u64,
) {
    let live = full.with_flash(|chip| chip.figures().programmed_bytes);
    let before = full.with_flash(|chip| chip.figures().read_bytes);
    let options = options().slot_blocks(8);
    let dir = FlashDirectory::<_, SLOTS>::mount(full.into_flash(), options).unwrap();
    let so_far = || dir.with_flash(|chip| chip.figures().read_bytes) - before;
    let mounted = so_far();
    open(&dir);
    let opened = so_far();
    assert_eq!(replay(&dir), records);
    let read = so_far();
    println!("live {live}, mount {mounted}, with opening {opened}, with replay {read}");
    assert!(mounted <= 32 * 160, "{mounted}: headers only");
    assert!(opened <= 2 * 32 * 1024 + 32 * 1024, "{opened}: the tail and headers only");
    assert!(read * 10 <= live * 11, "{read} bytes read of {live}");
}

#[test]
fn opening_and_replaying_a_full_region_reads_little_more_than_the_log() {
    let (full, records) = full_region();
    let options = || wal().buffer_bytes(4096).read_bytes(4096);
    let open = |dir: &FlashDirectory<Mib, 32>| drop(RawWalWriter::open(dir, options()).unwrap());
    let replay = |dir: &FlashDirectory<Mib, 32>| {
        let mut reader = RawWalReader::open(dir, options()).unwrap();
        let mut entries = reader.entries(ReadMode::Strict).unwrap();
        let mut replayed = 0;
        while entries.next().unwrap().is_some() {
            replayed += 1;
        }
        replayed
    };
    assert_reads_little(open, replay, full, records);
}

#[test]
fn without_a_heap_too_opening_and_replaying_reads_little_more_than_the_log() {
    let (full, records) = full_region();
    let open = |dir: &FlashDirectory<Mib, 32>| {
        drop(FixedWalWriter::open(dir, wal(), &mut [0; 512]).unwrap());
    };
    let replay = |dir: &FlashDirectory<Mib, 32>| {
        let mut memory = [0; 512];
        let mut entries = FixedWalReader::open(dir, wal(), ReadMode::Strict, &mut memory).unwrap();
        let mut replayed = 0;
        while entries.next().unwrap().is_some() {
            replayed += 1;
        }
        replayed
    };
    assert_reads_little(open, replay, full, records);
}

/// The tail has a prune mark that its header does not know of: who looks for the log's beginning reads the tail for it.
#[test]
fn a_log_that_was_pruned_is_opened_and_replayed_without_looking_for_its_beginning_again() {
    let (full, records) = full_region();
    let mut memory = [0; 512];
    let mut log = FixedWalWriter::open(&full, wal(), &mut memory).unwrap();
    log.truncate_to_segments(30).unwrap();
    let left = log.next_entry_id().get() - log.first_entry_id().get();
    assert!(left < records && log.segments() == 30, "{left} of {records}");
    log.close().unwrap();
    let live = left * 80;
    let before = full.with_flash(|chip| chip.figures().read_bytes);
    let options = options().slot_blocks(8);
    let dir = FlashDirectory::<_, 32>::mount(full.into_flash(), options).unwrap();
    let (mut memory, mut reading, mut replayed) = ([0; 512], [0; 512], 0);
    let mut log = FixedWalWriter::open(&dir, wal(), &mut memory).unwrap();
    let mut entries = log.reader(wal(), ReadMode::Strict, &mut reading).unwrap();
    while entries.next().unwrap().is_some() {
        replayed += 1;
    }
    assert_eq!(replayed, left);
    let read = dir.with_flash(|chip| chip.figures().read_bytes) - before;
    println!("live {live}, with opening and replay {read}");
    assert!(read * 10 <= live * 11, "{read} bytes read of {live}");
}

/// One program a record, where it crosses no page, and the figures of a log that is synced on every record.
#[test]
fn a_synced_record_is_one_program() {
    let dir = FlashDirectory::<_, 32>::mount(NorChip::<1, 4, 4096>::new(64), options()).unwrap();
    let mut log = RawWalWriter::open(&dir, wal()).unwrap();
    let before = dir.with_flash(|chip| chip.figures());
    for _ in 0..100 {
        log.append(&[5; 32]).unwrap();
        let _durable = log.flush_and_sync().unwrap();
    }
    let after = dir.with_flash(|chip| chip.figures());
    assert_eq!(after.programs - before.programs, 100);
    println!("{} bytes a record", (after.programmed_bytes - before.programmed_bytes) / 100);
}

/// Files without a log: what is asked of a directory alone.
struct Files;

#[derive(Debug, Clone, Default)]
struct Known {
    files: BTreeMap<String, Vec<u8>>,
    /// The file that is being made, written to, or removed.
    open: Option<String>,
    made: u32,
}

type Chip = NorChip<1, 4, 256>;
type Dir<'a> = FlashDirectory<&'a mut Chip, 5>;

impl Files {
    fn found(dir: &Dir<'_>) -> BTreeMap<String, Vec<u8>> {
        let mut names = Vec::new();
        dir.list(Folder::new("f").unwrap(), &mut |file| names.push(format!("f/{file}"))).unwrap();
        let content = |file: String| {
            let mut reader = dir.open(name(&file)).unwrap().unwrap();
            let mut bytes = vec![0; usize::try_from(reader.len().unwrap()).unwrap()];
            let count = reader.read_at(0, &mut bytes).unwrap();
            assert_eq!(count, bytes.len());
            let end = bytes.iter().rposition(|byte| *byte != 0xFF).map_or(0, |last| last + 1);
            bytes.truncate(end);
            (file, bytes)
        };
        names.into_iter().map(content).collect()
    }

    fn judge(found: &BTreeMap<String, Vec<u8>>, known: &Known) -> Result<(), Violation> {
        let broken = |law, detail| Err(Violation { law, detail });
        for (file, bytes) in &known.files {
            let open = known.open.as_ref() == Some(file);
            match found.get(file) {
                None if !open => return broken("no file is lost", file.clone()),
                Some(found) if !found.starts_with(bytes) => {
                    return broken("no file is damaged", format!("{file}: {found:?}"));
                }
                Some(found) if !open && found != bytes => {
                    return broken("nothing is behind a file's end", format!("{file}: {found:?}"));
                }
                _ => {}
            }
        }
        let stray = found
            .keys()
            .find(|file| !known.files.contains_key(*file) && known.open.as_ref() != Some(*file));
        stray.map_or(Ok(()), |file| broken("what was removed never comes back", file.clone()))
    }
}

impl FlashProgram<1, 4, 256> for Files {
    type Outside = Known;

    fn live(&self, chip: &mut Chip, tape: &mut Tape<Known>, _life: u32) -> Result<(), Violation> {
        let dir = FlashDirectory::mount(&mut *chip, options()).unwrap();
        let found = Self::found(&dir);
        Self::judge(&found, tape.now())?;
        let mut known = Known { files: found, open: None, made: tape.now().made };
        let mut tell = |known: &Known| {
            tape.tell(dir.with_flash(|chip| chip.operations()), known.clone());
        };
        tell(&known);
        for step in 0..5 {
            while known.files.len() > 3 {
                let oldest = known.files.keys().next().unwrap().clone();
                known.open = Some(oldest.clone());
                tell(&known);
                (&dir).remove(name(&oldest)).unwrap();
                known.files.remove(&oldest);
                known.open = None;
                tell(&known);
            }
            let file = format!("f/{}", known.made);
            known.made += 1;
            known.open = Some(file.clone());
            tell(&known);
            let mut appender = dir_create(&dir, &file);
            known.files.insert(file.clone(), Vec::new());
            tell(&known);
            appender.write(&[0x11; 8]).unwrap();
            known.files.insert(file.clone(), vec![0x11; 8]);
            known.open = None;
            tell(&known);
            if step % 2 == 0 {
                dir.prepare().unwrap();
            }
        }
        drop(dir);
        let dir = FlashDirectory::mount(chip, options()).unwrap();
        Self::judge(&Self::found(&dir), tape.now())
    }
}

#[test]
fn no_file_is_lost_damaged_or_brought_back_by_two_cuts() {
    let campaign = Campaign::new(2).one_in(2, 64);
    let figures = explore(&Files, Chip::new(10), Known::default(), &campaign);
    let figures = figures.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(figures.all_cuts() > 10_000, "{figures:?}");
}

/// A supply that fails again and again, soon after each start, of a program that publishes first thing.
#[test]
fn power_cuts_without_end_neither_fill_the_region_nor_lose_a_record() {
    let mut random = 1_u64;
    for seed in 0..6 {
        let mut chip = NorChip::<1, 16, 512>::new(20).seeded(seed);
        let mut outside = Outside::default();
        for life in 0..150 {
            let program = LogProgram::<10>::new(options(), &[script("p a40 s e a40 s")]);
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // Up to where it is about to be cut, a life is like any other.
            chip.record_cuts(&[Tearing::ALL[(random >> 40) as usize % Tearing::ALL.len()]], 1);
            let mut tape = Tape::new(outside);
            let lived = program.live(&mut chip, &mut tape, life % 4000);
            lived.unwrap_or_else(|violation| panic!("life {life} of {seed}: {violation}"));
            let mut cuts = chip.take_cuts();
            let at = (random >> 33) as usize % cuts.len().min(80);
            let cut = cuts.swap_remove(at);
            (chip, outside) = (cut.chip, tape.at(cut.operation).clone());
        }
    }
}

/// What came of one flipped bit.
#[derive(Debug, Default, PartialEq, Eq)]
struct Census {
    harmless: u32,
    detected: u32,
    /// The last record was taken for a torn tail: the window that GUARANTEES.md tells of.
    window: u32,
}

fn read(chip: &mut NorChip<1, 8, 256>) -> Result<Vec<Vec<u8>>, String> {
    let dir = FlashDirectory::<_, 6>::mount(chip, options()).map_err(|error| error.to_string())?;
    let run = || {
        let mut found = Vec::new();
        let mut log = RawWalWriter::open(&dir, wal())?;
        let mut reader = log.reader()?;
        let mut entries = reader.entries(ReadMode::Strict)?;
        while let Some(entry) = entries.next()? {
            found.push(entry.payload.to_vec());
        }
        Ok(found)
    };
    run().map_err(|error: durability_core::Error<FlashError<NorError>>| error.to_string())
}

#[test]
fn every_flipped_bit_is_harmless_detected_or_in_the_documented_window() {
    let mut chip = NorChip::<1, 8, 256>::new(12);
    let dir = FlashDirectory::<_, 6>::mount(&mut chip, options()).unwrap();
    let mut log = RawWalWriter::open(&dir, wal()).unwrap();
    let mut records = Vec::new();
    for number in 0..20_u8 {
        let record = vec![number + 1; 20 + usize::from(number)];
        log.append(&record).unwrap();
        let _durable = log.flush_and_sync().unwrap();
        if number == 9 {
            log.truncate_prefix(EntryId::new(8).unwrap()).unwrap();
        }
        records.push(record);
    }
    drop(log);
    dir.prepare().unwrap();
    drop(dir);
    let whole = read(&mut chip.clone()).unwrap();
    assert_eq!(whole.last(), records.last());
    let mut census = Census::default();
    for offset in 0..chip.capacity() {
        for bit in 0..8 {
            let mut chip = chip.clone();
            chip.flip(offset, bit);
            match read(&mut chip) {
                Ok(found) if found == whole => census.harmless += 1,
                Ok(found) => {
                    let shorter = whole.len() == found.len() + 1 && whole.starts_with(&found);
                    assert!(shorter, "bit {bit} of {offset:#x}: {} records", found.len());
                    census.window += 1;
                }
                Err(_) => census.detected += 1,
            }
        }
    }
    println!("{census:?}");
    // The bits of the last frame, and no other.
    assert!(census.window <= 8 * 56, "{census:?}");
    assert!(census.detected > 1000, "{census:?}");
    assert_eq!(census.harmless + census.detected + census.window, 12 * 256 * 8);
}

#[test]
fn readers_go_on_while_a_file_is_appended_to() {
    let dir = FlashDirectory::<_, 4>::mount(NorChip::<4, 4, 512>::new(8), options()).unwrap();
    let mut log = RawWalWriter::open(&dir, wal()).unwrap();
    log.append(b"one").unwrap();
    let _durable = log.flush_and_sync().unwrap();
    let mut reader = RawWalReader::open(&dir, wal()).unwrap();
    let mut entries = reader.entries(ReadMode::BestEffort).unwrap();
    assert_eq!(entries.next().unwrap().unwrap().payload, b"one");
    assert!(entries.next().unwrap().is_none());
}

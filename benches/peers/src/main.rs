//! The benchmarks with other logs beside the library: `run`, with the options of `durability-benches`.
//!
//! Must use each peer as its own documentation says, and give it what suits it best where it leaves a choice.

mod commitlog;
mod durability_0_10;
mod fjall;
mod mrecordlog;
mod nodedb_wal;
mod okaywal;
mod open_wal;
mod raft_engine;
mod redb;
#[cfg(feature = "rocksdb")]
mod rocksdb;
mod seglog;
mod sqlite;

use std::process::ExitCode;

use durability_benches::run::{self, Contender, Driver};

fn peers() -> Vec<Box<dyn Contender>> {
    vec![
        Driver::<okaywal::Okay>::boxed(),
        Driver::<raft_engine::Raft>::boxed(),
        Driver::<durability_0_10::Durability>::boxed(),
        Driver::<mrecordlog::MRecord>::boxed(),
        Driver::<commitlog::Commit>::boxed(),
        Driver::<open_wal::Open>::boxed(),
        Driver::<seglog::Seg>::boxed(),
        Driver::<nodedb_wal::Node>::boxed(),
        Driver::<fjall::Fjall>::boxed(),
        Driver::<redb::Redb>::boxed(),
        Driver::<sqlite::Sqlite>::boxed(),
        #[cfg(feature = "rocksdb")]
        Driver::<rocksdb::Rocks>::boxed(),
    ]
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run::main(&args, &peers()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

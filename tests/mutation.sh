#!/usr/bin/env bash
# Every mutant of the core (`cargo install cargo-mutants`), all in one build: first under the core's own tests, then under the laws of the test kit.
# Fails if one survives that `.cargo/mutants.toml` does not name, or if one is named that does not. The table of all of them is left in
# target/mutation/mutants.tsv. Arguments: `--only gap.rs` takes the mutants whose names contain it, `--jobs 1` runs one at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch="${CARGO_TARGET_DIR:-$PWD/target}/mutation"
mkdir -p "$scratch"
tests=(
    failures attack_wal attack_publish attack_readers attack_full attack_crashes interleavings census proof
    wal_crashes publish_crashes recordlog_crashes recordlog_on_backends conformance golden counts forwarding
    prepared staged_crashes follow_interleavings prop_wal_resume fixed_faults flash wal_on_backends follow_costs
)
cargo run --quiet --release --manifest-path tests/mutation/Cargo.toml -- . "$scratch" "${tests[@]}" "$@"

#!/usr/bin/env bash
# Every mutant of the core (`cargo install cargo-mutants`), hours of it. First against the core's own tests, which build in seconds; then what these
# missed against the laws of the test kit. What survives both is printed: each is a gap in the tests, or changes nothing. Arguments go to cargo-mutants: `--shard 0/8`, `-f core/src/file/gap.rs`.
set -euo pipefail
cd "$(dirname "$0")/.."
mutants() {
    cargo mutants --package durability-core --timeout 120 "$@" || [ $? = 2 ]
}
mutants --test-package durability-core "$@" -- --lib --tests
mutants --iterate --test-package durability-testkit "$@" -- \
    --test failures --test attack_wal --test attack_publish --test attack_readers --test attack_full --test interleavings --test census --test proof
if [ -s mutants.out/missed.txt ]; then
    echo 'survivors:'
    cat mutants.out/missed.txt
    exit 1
fi

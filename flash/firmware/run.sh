#!/usr/bin/env bash
# Builds the firmware for a Cortex-M3 and an RV32, runs it under QEMU until it has lost its power 1,000 times, and prints what it costs.
#
#   bash flash/firmware/run.sh [--must] [--bytes] [--markdown FILE]
#
# --must       fails where a toolchain or an emulator is missing and cannot be installed; without it, that is said, and nothing is run
# --bytes      lists the functions of the log's path by size, too
# --markdown   puts what was found into a document, between <!-- firmware --> and <!-- end -->
#
# Either the installed toolchain has both targets (`rustup target add`), or Debian's packages rustc-web and rust-web-src build `core` and `alloc`. QEMU is
# Debian's qemu-system-arm and qemu-system-misc. Missing packages are installed where that is allowed.
set -euo pipefail

must=0 bytes=0 document=
while [ $# -gt 0 ]; do
    case $1 in
    --must) must=1 ;;
    --bytes) bytes=1 ;;
    --markdown)
        document=$(realpath "$2")
        shift
        ;;
    *)
        echo "unknown: $1" >&2
        exit 2
        ;;
    esac
    shift
done

arm=thumbv7m-none-eabi
riscv=riscv32imac-unknown-none-elf
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/../../target}/firmware"
mkdir -p "$CARGO_TARGET_DIR"
CARGO_TARGET_DIR=$(realpath "$CARGO_TARGET_DIR")
cd "$here"

skip() {
    printf '\n*** flash/firmware skipped: %s ***\n\n' "$1"
    exit "$must"
}

installed=
install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    if [ -z "$installed" ]; then
        installed=1
        apt-get update -qq || true
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# A toolchain: the installed one, if it has the targets.
sysroot=$(rustc --print sysroot)
std=()
if ! [ -d "$sysroot/lib/rustlib/$arm" ] || ! [ -d "$sysroot/lib/rustlib/$riscv" ]; then
    library=/usr/lib/rustlib/src/rust/library
    if ! [ -d $library ] || ! [ -x /usr/bin/rustc ]; then
        install rustc-web rust-web-src || skip "the targets $arm and $riscv are not installed, and neither are rustc-web and rust-web-src"
    fi
    # Not an older one that was there before.
    /usr/bin/rustc --version | awk '{ split($2, v, "."); exit !(v[1] > 1 || v[2] >= 89) }' || skip "$(/usr/bin/rustc --version) is too old"
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    std=(-Zbuild-std=core,alloc)
fi
linker=$(find "$sysroot/lib/rustlib" -name rust-lld -type f | head -n 1)
[ -n "$linker" ] || linker=$(command -v ld.lld) || skip 'there is no rust-lld, and no ld.lld'
export CARGO_TARGET_THUMBV7M_NONE_EABI_LINKER=$linker CARGO_TARGET_RISCV32IMAC_UNKNOWN_NONE_ELF_LINKER=$linker

command -v qemu-system-arm >/dev/null || install qemu-system-arm || skip 'there is no qemu-system-arm'
command -v qemu-system-riscv32 >/dev/null || install qemu-system-misc || skip 'there is no qemu-system-riscv32'
command -v qemu-system-riscv32 >/dev/null || install qemu-system-riscv || skip 'there is no qemu-system-riscv32'
size=$(command -v llvm-size || command -v size) || skip 'there is no llvm-size, and no size'

for target in $arm $riscv; do
    cargo build --release --locked --features peers --target $target "${std[@]}"
    cargo build --release --locked --no-default-features --bin size_files --bin size_fixed --bin costs_fixed --target $target "${std[@]}"
    cargo build --release --locked --no-default-features --features async --bin size_async --target $target "${std[@]}"
done

image() {
    echo "$CARGO_TARGET_DIR/$1/release/$2"
}

# Time goes by instructions: 128 ns each on one board, 1 ns on the other; src/board counts them.
emulate() {
    local machine
    case $1 in
    "$arm") machine=(qemu-system-arm -M lm3s6965evb -cpu cortex-m3 -icount 'shift=7,align=off,sleep=off') ;;
    *) machine=(qemu-system-riscv32 -M virt -bios none -icount 'shift=0,align=off,sleep=off') ;;
    esac
    timeout 600 "${machine[@]}" -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel "$(image "$1" "$2")" 2>&1 </dev/null |
        grep -v -e 'Timer with period zero' -e 'icount sleep disabled'
    return "${PIPESTATUS[0]}"
}

section() {
    "$size" -A "$(image "$1" "$2")" | awk -v name="$3" '$1 == name { sum += $2 } END { print sum + 0 }'
}

row() {
    printf '| %s |' "$2"
    for target in $arm $riscv; do
        for name in .text .rodata .bss; do
            local less=0
            [ -z "${3:-}" ] || less=$(section $target "$3" $name)
            printf ' %s |' $(($(section $target "$1" $name) - less))
        done
    done
    echo
}

sizes() {
    echo "| bytes at \`opt-level = \"s\"\` | $arm: .text | .rodata | .bss | $riscv: .text | .rodata | .bss |"
    echo '|---|--:|--:|--:|--:|--:|--:|'
    row size_baseline 'no log: the driver, records programmed and read back'
    row size_files 'the flash directory: what mounting it adds, and all that a log asks of files' size_baseline
    row size_fixed 'the log of raw records without a heap: what open, append, sync and replay add to that' size_files
    row size_fixed 'both together' size_baseline
    row size_async 'both through a driver that is awaited: feature `async`' size_baseline
    row size_wal 'the log of raw records with a heap: what open, append, sync, replay and the flash directory add, a heap of 8 KiB included' size_baseline
    row size_queue 'sequential-storage 8: what push and iterating the queue add' size_baseline
    row size_ekv 'ekv 1: what transactions and a cursor add' size_baseline
    row logger 'the whole logger: typed entries, checkpoints, recovery, its judge, and printing'
}

# Of what the log without a heap consists: functions by whose they are. What is inlined counts with the function that it is in.
parts() {
    local nm
    nm=$(command -v llvm-nm || command -v nm) || return 0
    echo "| functions of the log without a heap, bytes on $arm | .text |"
    echo '|---|--:|'
    "$nm" -C --print-size --radix=d "$(image $arm size_fixed)" | awk '
        tolower($3) != "t" { next }
        { name = substr($0, index($0, $3) + 2); bytes = $2 }
        name ~ /size_fixed|durability_firmware|semihosting|cortex_m|Reset|SysTick|HardFault|Default|main/ && name !~ /^<?<?durability_(core|flash)/ { add("the program itself, its driver and its start"); next }
        name ~ /compiler_builtins|__aeabi|memcpy|memcmp|panick|core::/ && name !~ /durability/ { add("compiler support: copying, comparing, panics"); next }
        name ~ /^<&?durability_flash|^<durability_flash|^durability_flash/ { add("flash directory: slots, headers, erasing, wear (what is inlined into creating a file is below)"); next }
        name ~ /fixed::walk|walog::headless/ { add("opening: which files are the log, and how it is chained"); next }
        name ~ /walog::segment|file::frames|file::search|file::window|file::behind/ { add("reading: frames, torn tail or damage, the search behind a bad frame"); next }
        name ~ /fixed::writer|fixed::segments/ { add("writing: append, sync, rotate, begin, with creating and erasing inlined"); next }
        name ~ /fixed::reader/ { add("replay"); next }
        name ~ /settings|options|storage::name|walog::name|NameBuf/ { add("options and names, and their checks"); next }
        name ~ /bytes::/ { add("formats: frames, headers, control frames, checksum"); next }
        name ~ /account|error|Error|Trouble/ { add("errors, as they are told"); next }
        { add("other") }
        function add(part) { sum[part] += bytes }
        END { for (part in sum) printf "| %s | %d |\n", part, sum[part] }
    ' | sort -t'|' -k3 -rn
}

found=$CARGO_TARGET_DIR/found.md
: >"$found"
for target in $arm $riscv; do
    for program in size_baseline size_files size_fixed size_async size_wal size_queue size_ekv; do
        emulate $target $program || { echo "$program fails on $target" && exit 1; }
    done
    emulate $target logger | tee -a "$found"
    echo | tee -a "$found"
    emulate $target costs_fixed | tee -a "$found"
    echo | tee -a "$found"
done
sizes | tee -a "$found"
{ echo && parts; } | tee -a "$found"

# The same with ordinary frames; of that, what differs most.
for target in $arm $riscv; do
    cargo build --quiet --release --locked --features full --bin logger --target $target "${std[@]}"
    emulate $target logger >"$found.full"
    { echo && grep -A 4 '^\*\*' "$found.full"; } | tee -a "$found"
done

if [ $bytes = 1 ]; then
    nm=$(command -v llvm-nm || command -v nm)
    for target in $arm $riscv; do
        printf '\n%s: functions and constants of the log'"'"'s path by size\n' $target
        "$nm" -C --print-size --size-sort -r -t d "$(image $target size_fixed)" | awk '$3 ~ /[tTrR]/ && ++count <= 60 { printf "%6d %s\n", $2, substr($0, index($0, $3)) }'
    done
fi

if [ -n "$document" ]; then
    awk -v found="$found" '
        $0 == "<!-- firmware -->" { print; print ""; while ((getline line < found) > 0) print line; print ""; inside = 1; next }
        inside && $0 == "<!-- end -->" { inside = 0 }
        !inside { print }
    ' "$document" >"$document.new"
    mv "$document.new" "$document"
fi

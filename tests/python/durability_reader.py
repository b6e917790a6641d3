#!/usr/bin/env python3
"""Prints the records of WAL folders and checkpoint files, each with its id, as hexadecimal.

Written from core/FORMAT.md alone, in 60 lines, to prove that the document is enough. Damage is a failed assertion.
"""
import glob, os, struct, sys
from functools import reduce
from types import SimpleNamespace as Fields

TABLE = list(range(256))
for _ in range(8): TABLE = [n >> 1 ^ (0x82F63B78 if n & 1 else 0) for n in TABLE]
SYNCED, CONTROL, MORE, RESERVED, LENGTH = 1 << 28, 1 << 29, 1 << 30, 1 << 31, (1 << 28) - 1

def crc(seed, data): return reduce(lambda s, byte: TABLE[(s ^ byte) & 255] ^ s >> 8, data, seed ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

def header(data, magic, **own):  # None if it does not verify
    size = struct.calcsize(form := "<8sHBBIQ" + "".join(own.values()) + "I")
    found, version, log2, frame_form, features, log_id, *fields, check = struct.unpack(form, data[:size].ljust(size, b"\0"))
    if found != magic or check != crc(0, data[:size - 4]) or not 2 <= log2 <= 8: return None
    assert version == 1 and frame_form <= (magic[2:5] == b"WAL") and not features, "written by a later version"
    return Fields(align=1 << log2, short=frame_form, log_id=log_id, check=check, first=size + -size % (1 << log2), **dict(zip(own, fields)))

def frame(data, at, salt, align, short=0, before=0):  # None if its header does not verify; without a payload if only that does not
    size, (word, position, check, payload_check) = 16 - 8 * short, struct.unpack("<4I", data[at:at + 16].ljust(16, b"\0"))
    found = crc(salt ^ at, data[at:at + (2 if short else 8)])
    # A compact frame has its length and 1, the upper half of the checksum, and no position.
    if short: check, payload_check, position, word = found ^ (found ^ word) >> 16, position, before + 1 - (word >> 14 & 1), (word & 8191) - 1 | (word >> 13 & 7) << 28
    if not (word & MORE == 0 if word & CONTROL else position) or len(data) < at + size or found != check: return None
    good = (end := at + size + (word & LENGTH)) <= len(data) and crc(check, data[at + size:end]) == payload_check
    return Fields(word=word, position=position, payload=data[at + size:end] if good else None, check=payload_check, end=end + -end % align)

def frames(data, at, salt, align, stop=1 << 32, position=0, short=0):  # those that verify, in order
    while at < stop and (found := frame(data, at, salt, align, short, position)) and found.payload is not None:
        assert not found.word & RESERVED and (not found.word & CONTROL or not 6 < found.payload[0] < 128), "a newer frame"
        assert found.position == position + (not found.word & CONTROL), f"damage at {at}"
        yield found
        position, at = found.position, found.end

def was_durable(data, at, salt, align, position, short):  # does a synced frame behind the bad one prove it? A compact one with its payload only
    start = bad.end if not short and (bad := frame(data, at, salt, align)) else at
    candidates = ((offset - start, frame(data, offset, salt, align, short, position)) for offset in range(start, len(data), align))
    return any(found and found.word & SYNCED and (not short or found.payload is not None) and 0 <= found.position - position <= far // 16 + 2 for far, found in candidates)

def segment(data, head, sealed=None):  # the entries, where the torn tail begins if there is one, the oldest live segment
    salt, entries, last = crc(0, struct.pack("<QI", head.log_id, head.number)), [], Fields(position=0, end=head.first, check=0)
    whole, end, oldest = 0, head.first, head.oldest
    for last in frames(data, head.first, salt, head.align, sealed[0] if sealed else 1 << 32, short=head.short):
        if not last.word & CONTROL: entries.append((head.first_id + last.position - 1, last.payload))
        elif last.payload[0] == 2: oldest = max(oldest, *struct.unpack("<4xI", last.payload))
        if not last.word & MORE: whole, end = len(entries), last.end
    if sealed == (last.end, last.check, last.position): return entries, None, oldest
    assert not sealed and not was_durable(data, last.end, salt, head.align, last.position, head.short), f"damage at {last.end}"
    return entries[:whole], end if data[end:].strip(b"\0\xff") else None, oldest

def wal(folder):
    files = {int(os.path.basename(path)[:8], 16): open(path, "rb").read() for path in glob.glob(folder + "/" + "[0-9A-F]" * 8 + ".WAL")}
    own = dict(number="I", oldest="I", first_id="Q", created="Q", previous="I", check_before="I", end_before="Q", origin="I")
    heads = {number: header(data, b"\x89DWAL\r\n\x1a", **own) for number, data in files.items()}
    head = tail = heads.get(max((number for number in files if heads[number]), default=None))
    assert head or not files or 1 in files and not any(data[72:].strip(b"\0\xff") for data in files.values()), "no header verifies"
    entries, torn, oldest = segment(files[head.number], head) if head else ([], None, 0)
    while head and oldest <= head.previous > 0:
        after, head = head, heads[head.previous]
        sealed = after.end_before, after.check_before, after.first_id - head.first_id
        entries = segment(files[head.number], head, sealed)[0] + entries
    for number, payload in entries: print(number, payload.hex())
    if torn: print("torn", f"{tail.number:08X}.WAL", torn)

def checkpoint(path):
    head = header(data := open(path, "rb").read(), b"\x89DCKP\r\n\x1a", last_id="Q", tag="I", chunk_bytes="I", segment="I")
    *chunks, end = frames(data, head.first, head.check, head.align)
    sizes, chain = [len(chunk.payload) for chunk in chunks], reduce(crc, (struct.pack("<I", chunk.check) for chunk in chunks), 0)
    assert end.payload == struct.pack("<B3xIQI", 6, len(chunks), sum(sizes), chain) and max(sizes, default=0) <= head.chunk_bytes
    print("checkpoint", head.last_id, head.tag, *(chunk.payload.hex() for chunk in chunks))

for path in sys.argv[1:]: (wal if os.path.isdir(path) else checkpoint)(path)

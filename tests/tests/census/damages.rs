//! Every kind of damage to one file.

/// Bytes of a damaged file, and which kind of damage it is; `None`: the file is gone.
type Damaged = (&'static str, Option<Vec<u8>>);

/// All damages to a file, one after the other.
pub(crate) fn each(bytes: &[u8], mut judge: impl FnMut(&'static str, Option<&[u8]>)) {
    let mut damaged = bytes.to_vec();
    for bit in 0..bytes.len() * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        judge("flipped bits", Some(&damaged));
        damaged[bit / 8] = bytes[bit / 8];
    }
    for cut in 0..bytes.len() {
        judge("truncations", Some(&bytes[..cut]));
    }
    for (kind, damaged) in others(bytes) {
        judge(kind, damaged.as_deref());
    }
}

fn others(bytes: &[u8]) -> Vec<Damaged> {
    let mut all = vec![("removed files", None)];
    for (kind, sector) in [("zeroed 16-byte sectors", 16), ("zeroed 512-byte sectors", 512)] {
        for at in (0..bytes.len()).step_by(sector) {
            let mut damaged = bytes.to_vec();
            damaged[at..bytes.len().min(at + sector)].fill(0);
            if damaged != bytes {
                all.push((kind, Some(damaged)));
            }
        }
    }
    // From a point to the end everything reads as room.
    for at in (0..bytes.len()).step_by(4) {
        let mut damaged = bytes.to_vec();
        damaged[at..].fill(0);
        all.push(("zeroed ends", Some(damaged)));
    }
    all
}

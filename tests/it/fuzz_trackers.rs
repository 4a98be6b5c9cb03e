//! The readers of trackers on real files that are cut, spliced and changed byte by byte: they read or refuse, never panic, and keep no
//! more than a file can hold. Chunks are sealed anew after most changes, so that checksums do not hide what lies behind them.
//! SCALELAB_FUZZ_TRACKERS sets the number of cases for each reader (default 2000; `.ci/long` 1 000 000 in all).
#![expect(clippy::disallowed_methods, reason = "a study whose size is set from outside")]

use scalelab::results::{Imported, Variables, Wanted, tracker_bytes};
use scalelab::spec::Random;
use std::fs;
use std::path::Path;

/// Files to start from, each with the name by which it is known, and how it is sealed.
const SEEDS: [(&str, &str, Seal); 4] = [
    ("tensorboard/small/events.out.tfevents.1700000000.host", "events.out.tfevents.1", Seal::Events),
    ("wandb-crashed/run-small.wandb", "run.wandb", Seal::Blocks),
    ("hugging_face/small/checkpoint-20/trainer_state.json", "trainer_state.json", Seal::None),
    ("nanogpt.log", "train.log", Seal::None),
];

#[derive(Clone, Copy, PartialEq)]
enum Seal {
    None,
    Events,
    Blocks,
}

/// CRC-32 by bits: of Castagnoli's polynomial or of the one that zlib has.
fn crc(polynomial: u32, bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ polynomial } else { sum >> 1 })
    })
}

/// Where records of events or chunks of blocks stand: (start of their bytes, length).
fn parts(file: &[u8], seal: Seal) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    match seal {
        Seal::None => {}
        Seal::Events => {
            let mut at = 0;
            while let Some(length) = file.get(at..at + 8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight")) as usize) {
                all.push((at + 12, length));
                at += 16 + length;
            }
        }
        Seal::Blocks => {
            let mut at = 7;
            while at + 7 <= file.len() {
                let left = 32_768 - at % 32_768;
                if left < 7 {
                    at += left;
                    continue;
                }
                let length = usize::from(u16::from_le_bytes([file[at + 4], file[at + 5]]));
                all.push((at + 7, length.min(file.len().saturating_sub(at + 7))));
                at += 7 + length;
            }
        }
    }
    all
}

/// Writes the checksum of a part anew.
fn seal(file: &mut [u8], (at, length): (usize, usize), how: Seal) {
    if at + length > file.len() {
        return;
    }
    match how {
        Seal::Events if at + length + 4 <= file.len() => {
            let sum = crc(0x82f6_3b78, file[at..at + length].iter().copied()).rotate_right(15).wrapping_add(0xa282_ead8);
            file[at + length..at + length + 4].copy_from_slice(&sum.to_le_bytes());
        }
        Seal::Blocks => {
            let sum = crc(0xedb8_8320, file[at - 1..at + length].iter().copied());
            file[at - 7..at - 3].copy_from_slice(&sum.to_le_bytes());
        }
        _ => {}
    }
}

/// Bytes that mean something to a reader of protobuf, JSON or numbers.
const TELLING: &[u8] = b"\x00\x01\x08\x0a\x12\x7f\x80\xff{}[]\",:0123456789eE+-.nNaIif \n";

fn mutated(random: &mut Random, whole: &[u8], parts: &[(usize, usize)], how: Seal) -> Vec<u8> {
    let mut file = whole.to_vec();
    for _ in 0..=random.below(4) {
        let part = (!parts.is_empty()).then(|| parts[random.below(parts.len() as u64) as usize]);
        let (from, length) = part.unwrap_or((0, file.len()));
        if length == 0 || from + length > file.len() {
            continue;
        }
        let at = from + random.below(length as u64) as usize;
        match random.below(8) {
            0 => file.truncate(at.max(1)),
            1 => file[at] = random.below(256) as u8,
            2 => (at..(at + 8).min(from + length)).for_each(|at| file[at] = 0xff),
            3 => {
                // A header, length and kind included.
                let header = from.saturating_sub(1 + random.below(12) as usize);
                file[header] = random.below(256) as u8;
                continue;
            }
            4 if how == Seal::None => drop(file.splice(at..at, whole[..random.below(whole.len() as u64) as usize].iter().copied())),
            _ => file[at] = TELLING[random.below(TELLING.len() as u64) as usize],
        }
        if random.below(8) > 0
            && let Some(part) = part
        {
            seal(&mut file, part, how);
        }
    }
    file
}

/// Numbers that a result keeps.
fn kept(found: &Imported) -> usize {
    found.curves.iter().map(Vec::len).sum::<usize>() + found.trajectories.iter().map(|one| one.points.len()).sum::<usize>()
}

#[test]
fn files_of_trackers_are_read_or_refused_and_what_is_kept_is_bounded_by_them() {
    let cases: u64 = std::env::var("SCALELAB_FUZZ_TRACKERS").ok().and_then(|text| text.parse().ok()).unwrap_or(2000);
    let wanted = [Variables::None, Variables::Two].map(|variables| Wanted { variables, ..Wanted::default() });
    for (file, name, how) in SEEDS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trackers").join(file);
        let whole = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let parts = parts(&whole, how);
        let mut random = Random::new(0, name);
        let (mut read, mut refused) = (0, 0);
        for case in 0..cases {
            let bytes = mutated(&mut random, &whole, &parts, how);
            match tracker_bytes(Path::new(name), &bytes, wanted[(case % 2) as usize]) {
                Ok(Some(found)) => {
                    read += 1;
                    assert!(kept(&found) <= bytes.len(), "{name}: {} numbers of {} bytes", kept(&found), bytes.len());
                    let points = found.trajectories.iter().flat_map(|one| &one.points);
                    assert!(points.into_iter().all(|point| point.2.is_finite() && point.2 > 0.0 && point.1 > 0.0), "{name}: {bytes:?}");
                }
                Ok(None) => refused += 1,
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().starts_with(name), "{error}");
                }
            }
        }
        assert!(read > cases / 50 && read + refused == cases, "{name}: {read} read, {refused} refused");
    }
}

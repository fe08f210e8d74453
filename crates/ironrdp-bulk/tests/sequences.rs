//! MPPC over the many packets of a long session: whatever comes in whatever order, the other end has it, and no packet is
//! longer than what it stands for. Every case names its seed.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

use fastrand::Rng;
use ironrdp_bulk::{CompressionFlags, CompressionType, Compressor, Decompressor};

/// What a session says: noise, flat parts, gradients, text, and above all what it said before, changed a little.
fn packet(random: &mut Rng, said: &[Vec<u8>], length: usize) -> Vec<u8> {
    const WORDS: [&str; 6] = ["the ", "screen ", "changed, ", "and ", "again ", "nothing\r\n"];
    let (level, kind) = (random.u8(..), random.usize(..7));
    let mut data: Vec<u8> = match kind {
        0 => (0..length).map(|_| random.u8(..)).collect(),
        1 => vec![level; length],
        2 => (0..length)
            .map(|at| (at / 7).to_le_bytes()[0].wrapping_add(level))
            .collect(),
        3 => (0..length / 4 + 1)
            .flat_map(|_| WORDS[random.usize(..6)].bytes())
            .collect(),
        _ => said
            .get(random.usize(..said.len().max(1)))
            .cloned()
            .unwrap_or_default(),
    };
    data.resize(length, level);
    for _ in 0..random.usize(..1 + length / 40) {
        let at = random.usize(..length);
        data[at] = random.u8(..);
    }
    data
}

/// Both ends of one direction of a connection.
struct Wire {
    sender: Compressor,
    receiver: Decompressor,
    out: Vec<u8>,
    compressed: usize,
    wrapped: usize,
}

impl Wire {
    fn new(kind: CompressionType) -> Self {
        Self {
            sender: Compressor::new(kind).unwrap(),
            receiver: Decompressor::new(),
            out: Vec::new(),
            compressed: 0,
            wrapped: 0,
        }
    }

    fn carry(&mut self, data: &[u8], context: &str) {
        self.out.clear();
        let decoded = match self.sender.compress(data, &mut self.out) {
            Some(flags) => {
                assert!(self.out.len() < data.len(), "{context}: {} bytes", self.out.len());
                self.compressed += 1;
                self.wrapped += usize::from(flags.contains(CompressionFlags::AT_FRONT));
                self.receiver.decompress(flags, &self.out)
            }
            None => {
                assert!(self.out.is_empty(), "{context}");
                self.receiver.decompress(CompressionFlags::NONE, data)
            }
        };
        assert!(decoded.as_deref() == Ok(data), "{context}: not what was sent");
    }
}

#[test]
fn a_session_of_many_packets_arrives_as_it_was_said() {
    for (kind, largest) in [(CompressionType::K8, 8_191), (CompressionType::K64, 65_535)] {
        for seed in 0..6 {
            let mut random = Rng::with_seed(seed);
            let mut wire = Wire::new(kind);
            let mut said: Vec<Vec<u8>> = Vec::new();
            for number in 0..3_000 {
                let length = match random.usize(..40) {
                    // Around what the history holds, where the next packet begins at the front again.
                    0 => largest - random.usize(..4),
                    1 => largest + 1 + random.usize(..3),
                    2..6 => 1 + random.usize(..4),
                    6..12 => 1 + random.usize(..4_000),
                    _ => 1 + random.usize(..300),
                };
                if random.usize(..300) == 0 {
                    wire.sender.flush();
                }
                let data = packet(&mut random, &said, length);
                wire.carry(
                    &data,
                    &format!("{kind:?}, seed {seed}, packet {number} of {length}"),
                );
                if said.len() == 16 {
                    said.remove(0);
                }
                if length < 1_000 {
                    said.push(data);
                }
            }
            assert!(
                wire.compressed > 1_000,
                "seed {seed}: {} packets",
                wire.compressed
            );
            assert!(wire.wrapped > 50, "seed {seed}: {} turns", wire.wrapped);
        }
    }
}

#[test]
fn packets_of_every_length_around_the_end_of_the_history_arrive() {
    for (kind, size) in [(CompressionType::K8, 8_192_usize), (CompressionType::K64, 65_536)] {
        // What is in the history, and what comes on top: exactly full, and a byte or two off.
        for before in [1, 100, size / 2, size - 300, size - 2] {
            for over in -3..=3_isize {
                let Some(length) = (size - before)
                    .checked_add_signed(over)
                    .filter(|length| *length > 0)
                else {
                    continue;
                };
                let mut random = Rng::with_seed(u64::try_from(before * 8 + length).unwrap());
                let mut wire = Wire::new(kind);
                let context = format!("{kind:?}, {before} and then {length}");
                let first: Vec<u8> = (0..before).map(|at| (at % 97).to_le_bytes()[0]).collect();
                wire.carry(&first, &context);
                let second = packet(&mut random, &[first], length);
                wire.carry(&second, &context);
                wire.carry(&second, &context);
            }
        }
    }
}

/// As a server does that shares what it encoded among clients: each packet begins an empty history.
#[test]
fn packets_that_each_begin_anew_can_be_taken_in_any_order() {
    for kind in [CompressionType::K8, CompressionType::K64] {
        let mut random = Rng::with_seed(5);
        let mut sender = Compressor::new(kind).unwrap();
        let mut packets = Vec::new();
        for _ in 0..200 {
            let length = 1 + random.usize(..7_000);
            let data = packet(&mut random, &[], length);
            sender.flush();
            let mut out = Vec::new();
            if let Some(flags) = sender.compress(&data, &mut out) {
                let flags = flags.bits() & !CompressionFlags::FLUSHED.bits();
                packets.push((CompressionFlags::from_bits(flags), out, data));
            }
        }
        assert!(packets.len() > 80, "{} packets", packets.len());
        let mut receiver = Decompressor::new();
        for _ in 0..2_000 {
            let (flags, packet, data) = &packets[random.usize(..packets.len())];
            assert!(receiver.decompress(*flags, packet).unwrap() == data);
        }
    }
}

//! MPPC against packets of other implementations, and against itself.
#![expect(clippy::panic, reason = "this is how a test fails")]

use fastrand::Rng;
use ironrdp_bulk::{BulkErrorKind, CompressionFlags, CompressionType, Compressor, Decompressor};

const BOTH: [CompressionType; 2] = [CompressionType::K8, CompressionType::K64];
const COMPRESSED: CompressionFlags = CompressionFlags::COMPRESSED;

fn vector(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/vectors/mppc/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Text-like, repetitive, flat or random bytes.
fn data(random: &mut Rng, length: usize) -> Vec<u8> {
    let kind = random.usize(..5);
    let words: Vec<Vec<u8>> = (0..8)
        .map(|_| {
            let length = 1 + random.usize(..12);
            (0..length).map(|_| random.u8(..)).collect()
        })
        .collect();
    let mut data = Vec::new();
    while data.len() < length {
        match kind {
            0 => data.push(random.u8(..)),
            1 => data.push(7),
            2 => data.extend([1, 2, 3, 0xff]),
            _ => data.extend_from_slice(&words[random.usize(..8)]),
        }
    }
    data.truncate(length);
    data
}

/// Bits written as text, highest first, filled up with zeros.
fn bits(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|&byte| byte != b' ')
        .map(|byte| byte - b'0')
        .collect();
    digits
        .chunks(8)
        .map(|chunk| {
            chunk
                .iter()
                .enumerate()
                .fold(0, |byte, (at, &bit)| byte | bit << (7 - at))
        })
        .collect()
}

#[test]
fn packets_of_other_compressors_decode_exactly() {
    for (packet, plain, flags) in [
        ("bells.mppc8k", "bells.txt", 0x60),
        ("bells.mppc64k", "bells.txt", 0x61),
        ("orders.mppc64k", "orders.bin", 0x21),
    ] {
        let packet_bytes = vector(packet);
        let mut decompressor = Decompressor::new();
        let decoded = decompressor
            .decompress(CompressionFlags::from_bits(flags), &packet_bytes)
            .unwrap();
        assert_eq!(decoded, vector(plain), "{packet}");
    }
}

#[test]
fn our_packets_are_no_longer_than_those_of_other_compressors() {
    for (compression_type, packet, plain) in [
        (CompressionType::K8, "bells.mppc8k", "bells.txt"),
        (CompressionType::K64, "bells.mppc64k", "bells.txt"),
        (CompressionType::K64, "orders.mppc64k", "orders.bin"),
    ] {
        let mut ours = Vec::new();
        let flags = Compressor::new(compression_type)
            .unwrap()
            .compress(&vector(plain), &mut ours)
            .unwrap();
        assert_eq!(flags.bits(), 0x60 | compression_type.code());
        assert!(ours.len() <= vector(packet).len(), "{packet}: {}", ours.len());
        let mut decompressor = Decompressor::new();
        assert_eq!(decompressor.decompress(flags, &ours).unwrap(), vector(plain));
    }
}

#[test]
fn a_packet_cut_at_any_byte_is_malformed_or_a_shorter_packet() {
    for (packet, plain, flags) in [
        ("bells.mppc8k", "bells.txt", 0x60),
        ("orders.mppc64k", "orders.bin", 0x21),
    ] {
        let (packet, plain) = (vector(packet), vector(plain));
        for end in 0..packet.len() {
            let mut decompressor = Decompressor::new();
            match decompressor.decompress(CompressionFlags::from_bits(flags), &packet[..end]) {
                // There is no length in the packet: cut between codes, it is one that says less.
                Ok(decoded) => assert!(decoded.len() < plain.len() && plain.starts_with(decoded)),
                Err(error) => {
                    assert_eq!(error.kind(), BulkErrorKind::Malformed);
                    assert!(error.decode_error().offset() <= end);
                }
            }
        }
    }
}

#[test]
fn every_code_means_what_the_specification_says() {
    let decode = |compression_type: CompressionType, text: &str| {
        Decompressor::new()
            .decompress(COMPRESSED.with_type(compression_type), &bits(text))
            .map(<[u8]>::to_vec)
            .map_err(|error| error.to_string())
    };
    for compression_type in BOTH {
        let near = match compression_type {
            CompressionType::K8 => "1111",
            _ => "11111",
        };
        // Literals below and above 0x80.
        assert_eq!(
            decode(compression_type, "01100001 10 0000001"),
            Ok(vec![b'a', 0x81])
        );
        // A copy of 3 from 1 back repeats; then one of 4 and one of 11.
        let text = format!("01100001 {near} 000001 0");
        assert_eq!(decode(compression_type, &text), Ok(vec![b'a'; 4]));
        let text = format!("01100001 {near} 000001 10 00 01100010 {near} 000010 110 011");
        assert_eq!(
            decode(compression_type, &text).unwrap(),
            b"aaaaababababababa"[..].to_vec()
        );
        // Distance 0 is no place.
        let text = format!("01100001 {near} 000000 0");
        assert_eq!(
            decode(compression_type, &text).unwrap_err().split(": ").last(),
            Some("copyOffset is 0")
        );
        // Too many ones in a length: 12, and 15.
        let ones = match compression_type {
            CompressionType::K8 => "1".repeat(12),
            _ => "1".repeat(15),
        };
        let text = format!("01100001 {near} 000001 {ones}0 0000 0000 0000 0000");
        assert!(
            decode(compression_type, &text)
                .unwrap_err()
                .contains("lengthOfMatch is 1"),
            "{compression_type:?}"
        );
        // The longest one allowed fills the history after one byte, and does not fit after two.
        let ones = &ones[1..];
        let longest = format!("{near} 000001 {ones}0 {}", "1".repeat(ones.len() + 1));
        let size = 1_usize << (ones.len() + 2);
        assert!(decode(compression_type, &format!("01100001 {longest}")) == Ok(vec![b'a'; size]));
        let error = decode(compression_type, &format!("01100001 01100001 {longest}")).unwrap_err();
        assert!(
            error.ends_with(&format!("history says {}, but there are {}", size - 1, size - 2)),
            "{error}"
        );
        let full = decode(compression_type, &format!("01100001 {longest} 01100001")).unwrap_err();
        assert!(full.ends_with("history says 1, but there are 0"), "{full}");
    }
}

#[test]
fn a_distance_beyond_the_history_is_malformed_and_one_to_its_zeros_is_not() {
    // 3.1.8.1: the history is zeros at the start, and all of it counts as valid.
    let mut decompressor = Decompressor::new();
    let packet = bits("1111 000010 10 00");
    let decoded = decompressor.decompress(COMPRESSED.with_type(CompressionType::K8), &packet);
    assert_eq!(decoded.unwrap(), [0; 4]);
    // 13 bits of ones: 320 + 8191.
    let packet = bits(&format!("110 {} 0", "1".repeat(13)));
    let error = Decompressor::new()
        .decompress(COMPRESSED.with_type(CompressionType::K8), &packet)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed BulkData at byte 2: copyOffset is 8511 (0x213f)"
    );
    let packet = bits(&format!("110 {} 0", "1".repeat(16)));
    let error = Decompressor::new()
        .decompress(COMPRESSED.with_type(CompressionType::K64), &packet)
        .unwrap_err();
    assert!(error.to_string().contains("copyOffset is 67903"), "{error}");
}

/// A literal of the alphabet.
fn literal(letter: char) -> String {
    format!("0{:07b} ", u32::from(letter))
}

#[test]
fn at_front_keeps_the_history_and_flushed_empties_it() {
    let k64 = |flags: CompressionFlags| flags.with_type(CompressionType::K64);
    let mut decompressor = Decompressor::new();
    let abc: String = "abc".chars().map(literal).collect();
    let first = bits(&abc);
    let second = bits(&literal('x'));
    assert_eq!(decompressor.decompress(k64(COMPRESSED), &first).unwrap(), b"abc");
    // Uncompressed packets go past the history.
    let plain = b"plain";
    assert_eq!(
        decompressor.decompress(CompressionFlags::NONE, plain).unwrap(),
        plain
    );
    // After "abc" comes "x"; then 4 back is "abcx".
    assert_eq!(decompressor.decompress(k64(COMPRESSED), &second).unwrap(), b"x");
    let four_back = bits("11111 000100 10 00");
    assert_eq!(
        decompressor.decompress(k64(COMPRESSED), &four_back).unwrap(),
        b"abcx"
    );
    // At the front: "x" goes over "a", and reaching back over the beginning finds what is at the end: zeros.
    let at_front = k64(COMPRESSED | CompressionFlags::AT_FRONT);
    assert_eq!(decompressor.decompress(at_front, &second).unwrap(), b"x");
    let two_back = bits("11111 000010 0");
    assert_eq!(
        decompressor.decompress(k64(COMPRESSED), &two_back).unwrap(),
        [0, b'x', 0]
    );
    // What was there before is still there behind the front: 65,535 back from the start is the second byte.
    let far_back = bits(&format!("110 {:016b} 0", 65_535 - 2368));
    let mut other = Decompressor::new();
    other.decompress(k64(COMPRESSED), &first).unwrap();
    assert_eq!(other.decompress(at_front, &far_back).unwrap(), b"bc\0");
    // Flushed: nothing is.
    let mut other = Decompressor::new();
    other.decompress(k64(COMPRESSED), &first).unwrap();
    let flushed = k64(COMPRESSED | CompressionFlags::FLUSHED);
    assert_eq!(other.decompress(flushed, &far_back).unwrap(), [0; 3]);
    // Also when the packet that says so is not compressed.
    let mut other = Decompressor::new();
    other.decompress(k64(COMPRESSED), &first).unwrap();
    assert_eq!(other.decompress(CompressionFlags::FLUSHED, plain).unwrap(), plain);
    assert_eq!(other.decompress(k64(COMPRESSED), &far_back).unwrap(), [0; 3]);
}

#[test]
fn types_of_later_versions_are_unsupported() {
    for code in 2..16 {
        let flags = CompressionFlags::from_bits(0x20 | code);
        let error = Decompressor::new().decompress(flags, &[0]).unwrap_err();
        assert_eq!(error.kind(), BulkErrorKind::Unsupported);
    }
    // Not compressed, so the type does not matter.
    let flags = CompressionFlags::from_bits(0x03);
    assert_eq!(Decompressor::new().decompress(flags, &[9]).unwrap(), [9]);
    assert_eq!(
        Compressor::new(CompressionType::Rdp61).unwrap_err().kind(),
        BulkErrorKind::Unsupported
    );
}

#[test]
fn an_idle_session_holds_one_history_and_only_if_it_was_used() {
    let mut decompressor = Decompressor::new();
    decompressor
        .decompress(CompressionFlags::NONE, &[1; 1000])
        .unwrap();
    decompressor
        .decompress(CompressionFlags::FLUSHED, &[1; 1000])
        .unwrap();
    assert_eq!(decompressor.held_bytes(), 0);
    let compressor = Compressor::new(CompressionType::K64).unwrap();
    assert_eq!(compressor.held_bytes(), 0);
    let packet = vector("orders.mppc64k");
    for _ in 0..20 {
        let flags = CompressionFlags::from_bits(0x61);
        decompressor.decompress(flags, &packet).unwrap();
        assert_eq!(decompressor.held_bytes(), 65_536);
    }
    let mut compressor = Compressor::new(CompressionType::K64).unwrap();
    compressor.compress(&[0; 100], &mut Vec::new()).unwrap();
    assert_eq!(compressor.held_bytes(), 112 * 1024);
    let mut compressor = Compressor::new(CompressionType::K8).unwrap();
    compressor.compress(&[0; 100], &mut Vec::new()).unwrap();
    assert_eq!(compressor.held_bytes(), 28 * 1024);
}

#[test]
fn streams_of_packets_survive_both_ways() {
    for seed in 1..60 {
        for compression_type in BOTH {
            let mut random = Rng::with_seed(seed * 0x9e37_79b9);
            let mut compressor = Compressor::new(compression_type).unwrap();
            let mut decompressor = Decompressor::new();
            let (mut packet, mut at_front, mut uncompressed) = (Vec::new(), 0, 0);
            let largest = match compression_type {
                CompressionType::K8 => 9000,
                _ => 70_000,
            };
            for number in 0..60 {
                let length = match random.usize(..6) {
                    0 => random.usize(..largest),
                    1 => random.usize(..4),
                    _ => random.usize(..1500),
                };
                let data = data(&mut random, length);
                if random.usize(..25) == 0 {
                    compressor.flush();
                }
                packet.clear();
                packet.push(0xee);
                let context = format!("seed {seed}, {compression_type:?}, packet {number} of {length}");
                match compressor.compress(&data, &mut packet) {
                    Some(flags) => {
                        assert!(packet.len() - 1 < data.len(), "{context}");
                        assert_eq!(packet[0], 0xee);
                        at_front += usize::from(flags.contains(CompressionFlags::AT_FRONT));
                        let decoded = decompressor.decompress(flags, &packet[1..]);
                        assert_eq!(decoded.as_deref(), Ok(&data[..]), "{context}");
                    }
                    None => {
                        assert_eq!(packet, [0xee], "{context}");
                        uncompressed += 1;
                        let decoded = decompressor.decompress(CompressionFlags::NONE, &data);
                        assert_eq!(decoded.as_deref(), Ok(&data[..]), "{context}");
                    }
                }
            }
            assert!(at_front > 1 && uncompressed > 1, "the test met all ways");
        }
    }
}

#[test]
fn data_that_does_not_get_shorter_leaves_both_histories_as_they_were() {
    for compression_type in BOTH {
        let mut random = Rng::with_seed(3);
        let noise: Vec<u8> = (0..5000).map(|_| random.u8(..)).collect();
        let mut compressor = Compressor::new(compression_type).unwrap();
        let mut decompressor = Decompressor::new();
        let mut packet = Vec::new();
        let text = vector("bells.txt");
        let flags = compressor.compress(&text, &mut packet).unwrap();
        decompressor.decompress(flags, &packet).unwrap();
        assert_eq!(compressor.compress(&noise, &mut packet), None);
        assert_eq!(compressor.compress(b"", &mut packet), None);
        assert_eq!(compressor.compress(&[0; 65_536], &mut packet), None);
        // The text is still known.
        packet.clear();
        let flags = compressor.compress(&text, &mut packet).unwrap();
        assert_eq!(flags, COMPRESSED.with_type(compression_type));
        assert!(packet.len() < 5);
        assert_eq!(decompressor.decompress(flags, &packet).unwrap(), text);
    }
}

#[test]
fn the_largest_packet_fills_all_of_the_history_but_one_byte() {
    for (compression_type, size) in [(CompressionType::K8, 8191), (CompressionType::K64, 65_535)] {
        let data = vec![0x5a; size];
        let mut packet = Vec::new();
        let mut compressor = Compressor::new(compression_type).unwrap();
        let mut decompressor = Decompressor::new();
        for _ in 0..3 {
            packet.clear();
            let flags = compressor.compress(&data, &mut packet).unwrap();
            assert!(flags.contains(CompressionFlags::AT_FRONT));
            assert!(packet.len() < 10);
            assert_eq!(decompressor.decompress(flags, &packet).unwrap(), data);
        }
    }
}

#[test]
fn input_that_broke_another_compressor_survives() {
    let data = vector("bulk_round_trip-crash-02903c340978ae.bin");
    for compression_type in BOTH {
        let mut compressor = Compressor::new(compression_type).unwrap();
        let mut decompressor = Decompressor::new();
        for start in 0..data.len() {
            let mut packet = Vec::new();
            if let Some(flags) = compressor.compress(&data[start..], &mut packet) {
                assert_eq!(decompressor.decompress(flags, &packet).unwrap(), &data[start..]);
            }
        }
        for flags in 0..=255 {
            if let Err(error) = decompressor.decompress(CompressionFlags::from_bits(flags), &data) {
                assert!(error.to_string().contains("BulkData"));
            }
        }
    }
}

#[test]
fn hostile_packets_give_bytes_or_a_described_error() {
    let good = vector("orders.mppc64k");
    for seed in 1..6000 {
        let mut random = Rng::with_seed(seed);
        let mut decompressor = Decompressor::new();
        for _ in 0..4 {
            let length = random.usize(..200);
            let mut packet = if random.bool() {
                data(&mut random, length)
            } else {
                good[..length].to_vec()
            };
            for _ in 0..random.usize(..3) {
                let at = random.usize(..packet.len().max(1));
                if let Some(byte) = packet.get_mut(at) {
                    *byte = random.u8(..);
                }
            }
            let flags = CompressionFlags::from_bits(random.u8(..) | 0x20);
            match decompressor.decompress(flags, &packet) {
                Ok(decoded) => assert!(decoded.len() <= 65_536),
                Err(error) => assert!(error.to_string().contains("at byte"), "{error}"),
            }
            assert!(decompressor.held_bytes() <= 65_536);
        }
    }
}

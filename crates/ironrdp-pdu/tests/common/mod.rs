//! What every structure on the wire must survive, and where the vectors are.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part of this file"
)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::fmt::Debug;
use std::path::Path;

use ironrdp_core::{Decode, DecodeError, DecodeErrorKind, Encode, decode, decode_exact, encode_vec};

/// Reads `tests/vectors/<path>`. Leaked, so that borrowing structures can be decoded from it anywhere in a test.
pub fn vector(path: &str) -> &'static [u8] {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(path);
    match std::fs::read(&file) {
        Ok(bytes) => bytes.leak(),
        Err(error) => panic!("{path}: {error}"),
    }
}

/// Bytes of a hex string; blanks are skipped. Leaked, as in [`vector`].
pub fn hex(text: &str) -> &'static [u8] {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap())
        .collect();
    assert!(digits.len().is_multiple_of(2), "odd number of hex digits");
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.leak()
}

/// Decodes all of `bytes`, prints, encodes back to the same bytes, cuts at every byte and damages every byte.
///
/// A cut may give a shorter legal form. Use [`round_trip_strict`] where none exists.
pub fn round_trip<'a, T>(bytes: &'a [u8]) -> T
where
    T: Decode<'a> + Encode + Debug + Clone + PartialEq,
{
    let value: T = decode_exact(bytes).unwrap_or_else(|error| panic!("{error}"));
    check(bytes, &value);
    for cut in 0..bytes.len() {
        survives(decode::<T>(&bytes[..cut]));
    }
    value
}

/// [`round_trip`] for a structure of which no proper prefix is legal.
pub fn round_trip_strict<'a, T>(bytes: &'a [u8]) -> T
where
    T: Decode<'a> + Encode + Debug + Clone + PartialEq,
{
    let value: T = decode_exact(bytes).unwrap_or_else(|error| panic!("{error}"));
    check(bytes, &value);
    for cut in 0..bytes.len() {
        let error = match decode::<T>(&bytes[..cut]) {
            Ok(value) => panic!("cut at {cut} gave {value:?}"),
            Err(error) => error,
        };
        assert_named(&error);
        assert!(error.offset() <= cut, "{error} is beyond a cut at {cut}");
    }
    value
}

/// Encodes `value` and sends the result through [`round_trip`]: for structures without a vector.
pub fn encode_round_trip<T>(value: &T) -> Vec<u8>
where
    T: Decode<'static> + Encode + Debug + Clone + PartialEq,
{
    let bytes = encode_vec(value).unwrap_or_else(|error| panic!("{error}"));
    let back: T = round_trip(bytes.clone().leak());
    assert_eq!(*value, back);
    bytes
}

/// The error of decoding `bytes` as a `T`.
pub fn decode_error<'a, T: Decode<'a> + Debug>(bytes: &'a [u8]) -> DecodeError {
    match decode::<T>(bytes) {
        Ok(value) => panic!("decoded to {value:?}"),
        Err(error) => error,
    }
}

/// Asserts that `bytes` are refused because `field` of `pdu` promises what is not there.
pub fn assert_length_lies<'a, T: Decode<'a> + Debug>(bytes: &'a [u8], pdu: &str, field: &str) {
    let error = decode_error::<T>(bytes);
    assert!(
        matches!(error.kind(), DecodeErrorKind::LengthLies { .. }),
        "{error} is not about a length"
    );
    assert_eq!((error.pdu(), error.field()), (pdu, field), "{error}");
}

/// Decodes `bytes` damaged in every place and in two ways as a `T`: an error or a value that can be encoded or not,
/// never a panic, and never an encoding whose length is not what `size` promised.
pub fn damage_every_byte<T>(bytes: &[u8])
where
    T: Decode<'static> + Encode + Debug,
{
    for at in 0..bytes.len() {
        for mask in [0xff, 0x01, 0x80] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= mask;
            // Leaked, since a borrowing `T` has one lifetime here; a few hundred KiB in a test run.
            survives(decode::<T>(damaged.leak()));
        }
    }
}

fn check<'a, T>(bytes: &'a [u8], value: &T)
where
    T: Decode<'a> + Encode + Debug + Clone + PartialEq,
{
    assert!(!format!("{value:?}").is_empty());
    assert!(!value.name().is_empty());
    assert_eq!(value.clone(), *value);
    let encoded = encode_vec(value).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(value.size(), bytes.len(), "size of {}", value.name());
    assert_eq!(encoded, bytes, "encoding of {value:?}");
    for at in 0..bytes.len() {
        for mask in [0xff, 0x01, 0x80] {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= mask;
            let damaged: &'static [u8] = damaged.leak();
            // 'static outlives 'a, so the same `T` can borrow from it.
            survives(decode::<T>(damaged));
        }
    }
}

fn survives<T: Encode>(result: Result<T, DecodeError>) {
    match result {
        // Encoding may refuse a strange value; what it may not do is panic or miss its own size.
        Ok(value) => {
            if let Err(error) = encode_vec(&value) {
                assert_ne!(error.field(), "size", "{error}");
            }
        }
        Err(error) => assert_named(&error),
    }
}

fn assert_named(error: &DecodeError) {
    assert!(!error.pdu().is_empty(), "{error} names no PDU");
    assert!(!error.field().is_empty(), "{error} names no field");
}

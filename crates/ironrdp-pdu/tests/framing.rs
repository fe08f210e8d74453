//! Where frames end, and what hints make of it.

use ironrdp_core::{DecodeErrorKind, DecodeResult};
use ironrdp_pdu::{
    ANY_HINT, Action, BerSequenceHint, FAST_PATH_HINT, PduHint, PduInfo, X224_HINT, find_size,
};

fn tpkt(length: usize) -> DecodeResult<Option<PduInfo>> {
    let action = Action::X224;
    Ok(Some(PduInfo { action, length }))
}

fn fast_path(length: usize) -> DecodeResult<Option<PduInfo>> {
    let action = Action::FastPath;
    Ok(Some(PduInfo { action, length }))
}

#[test]
fn the_first_byte_tells_the_framing_or_is_refused() {
    for byte in 0..=u8::MAX {
        let action = Action::from_first_byte(byte);
        match byte {
            3 => assert_eq!(action, Ok(Action::X224)),
            _ if byte % 4 == 0 => assert_eq!(action, Ok(Action::FastPath)),
            _ => {
                let error = action.unwrap_err();
                assert_eq!((error.pdu(), error.offset()), ("frame", 0));
                assert_eq!(find_size(&[byte]), Err(error));
            }
        }
    }
}

#[test]
fn every_tpkt_length_is_found_or_refused() {
    for length in 0..=u16::MAX {
        let [high, low] = length.to_be_bytes();
        let found = find_size(&[3, 0, high, low, 0xaa]);
        if length < 7 {
            let error = found.unwrap_err();
            assert_eq!((error.pdu(), error.field()), ("TpktHeader", "length"));
        } else {
            assert_eq!(found, tpkt(usize::from(length)));
        }
    }
}

#[test]
fn every_fast_path_length_is_found_or_refused() {
    for length in 0..0x80u8 {
        let found = find_size(&[0x80, length]);
        if length < 2 {
            assert_eq!(found.unwrap_err().pdu(), "FastPathHeader");
        } else {
            assert_eq!(found, fast_path(usize::from(length)));
        }
    }
    for length in 0..0x8000u16 {
        let [high, low] = (length | 0x8000).to_be_bytes();
        let found = find_size(&[0, high, low]);
        if length < 3 {
            assert_eq!(found.unwrap_err().pdu(), "FastPathHeader");
        } else {
            assert_eq!(found, fast_path(usize::from(length)));
        }
    }
}

#[test]
fn a_header_that_is_cut_asks_for_more() {
    for cut in [&[][..], &[3], &[3, 0], &[3, 0, 0], &[0], &[0x40, 0x81], &[0xfc]] {
        assert_eq!(find_size(cut), Ok(None), "{cut:?}");
        assert_eq!(ANY_HINT.find_size(cut), Ok(None), "{cut:?}");
    }
}

#[test]
fn hints_say_whether_the_pdu_is_the_one_waited_for() {
    let slow = [3, 0, 0, 8];
    let fast = [0, 5];
    assert_eq!(X224_HINT.find_size(&slow), Ok(Some((true, 8))));
    assert_eq!(X224_HINT.find_size(&fast), Ok(Some((false, 5))));
    assert_eq!(FAST_PATH_HINT.find_size(&slow), Ok(Some((false, 8))));
    assert_eq!(FAST_PATH_HINT.find_size(&fast), Ok(Some((true, 5))));
    assert_eq!(ANY_HINT.find_size(&slow), Ok(Some((true, 8))));
    assert_eq!(ANY_HINT.find_size(&fast), Ok(Some((true, 5))));
}

#[test]
fn bytes_of_another_protocol_are_an_error_for_every_rdp_hint() {
    let hints: [&dyn PduHint; 3] = [&X224_HINT, &FAST_PATH_HINT, &ANY_HINT];
    for hint in hints {
        for bytes in [&b"HTTP/1.1 400"[..], b"SSH-2.0", b"\x15\x03\x03\x00\x02"] {
            // "H" and "T" have the low bits of fast path, so a length is found: a byte count, never a hang.
            match hint.find_size(bytes) {
                Ok(found) => assert!(found.is_some_and(|(_, size)| size >= 2), "{hint:?} {bytes:?}"),
                Err(error) => assert_eq!(error.offset(), 0),
            }
        }
        assert!(hint.find_size(b"SSH-2.0").is_err());
        assert!(hint.find_size(b"\x15\x03\x03").is_err());
    }
}

#[test]
fn a_ber_sequence_ends_where_its_length_says_in_every_definite_form() {
    let hint = BerSequenceHint::new();
    for (bytes, size) in [
        (&[0x30, 0][..], 2),
        (&[0x30, 0x7f], 129),
        (&[0x30, 0x81, 0x80], 131),
        (&[0x30, 0x82, 0x01, 0x00], 260),
        (&[0x30, 0x83, 0, 0x01, 0x00], 261),
        (&[0x30, 0x84, 0, 0, 0x01, 0x00], 262),
        (&[0x30, 0x82, 0xff, 0xfc], 65_536),
    ] {
        assert_eq!(hint.find_size(bytes), Ok(Some((true, size))));
        for cut in 0..bytes.len() {
            assert_eq!(hint.find_size(&bytes[..cut]), Ok(None));
        }
    }
}

#[test]
fn a_ber_sequence_that_is_none_or_too_long_is_refused_at_once() {
    let hint = BerSequenceHint::default();
    let kind = |bytes: &[u8]| hint.find_size(bytes).unwrap_err().kind();
    assert_eq!(kind(&[0x31]), DecodeErrorKind::Invalid { got: 0x31 });
    assert_eq!(kind(&[3, 0, 0, 8]), DecodeErrorKind::Invalid { got: 3 });
    assert_eq!(kind(&[0x30, 0x80]), DecodeErrorKind::Unsupported { got: 0x80 });
    assert_eq!(kind(&[0x30, 0x85]), DecodeErrorKind::Unsupported { got: 0x85 });
    assert_eq!(
        kind(&[0x30, 0x82, 0xff, 0xfd]),
        DecodeErrorKind::Limit {
            got: 65_537,
            max: 65_536
        }
    );
    assert!(matches!(
        kind(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        DecodeErrorKind::Limit { .. }
    ));
    let roomy = BerSequenceHint::with_max_size(1 << 20);
    assert_eq!(
        roomy.find_size(&[0x30, 0x83, 1, 0, 0]),
        Ok(Some((true, 65_536 + 5)))
    );
}

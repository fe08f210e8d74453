//! Input PDUs of both paths, on the wire.

mod common;

use common::{assert_length_lies, decode_error, hex, round_trip, round_trip_strict, vector};
use ironrdp_core::{DecodeErrorKind, DecodeResult, EncodeErrorKind, decode, encode_vec};
use ironrdp_pdu::input::{
    ExtendedPointerFlags, FastPathInput, FastPathInputPdu, InputEvent, KeyFlags, PointerFlags,
    RelativePointerFlags, SlowPathInput, SlowPathInputPdu, TimedEvent, ToggleFlags,
};

/// One of each kind that both paths have.
const COMMON: [InputEvent; 7] = [
    InputEvent::key_pressed(0x1e, false),
    InputEvent::key_released(0x1d, true),
    InputEvent::Unicode {
        flags: KeyFlags::RELEASE,
        unit: 0x20ac,
    },
    InputEvent::Mouse {
        flags: PointerFlags::BUTTON1.union(PointerFlags::DOWN),
        x: 26,
        y: 1_062,
    },
    InputEvent::ExtendedMouse {
        flags: ExtendedPointerFlags::BUTTON2,
        x: 1,
        y: 0xffff,
    },
    InputEvent::RelativeMouse {
        flags: RelativePointerFlags::MOVE,
        dx: -3,
        dy: 300,
    },
    InputEvent::Synchronize {
        toggles: ToggleFlags::NUM_LOCK.union(ToggleFlags::KANA_LOCK),
    },
];

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
fn fast_path_events(pdu: &FastPathInputPdu<'_>) -> Vec<InputEvent> {
    pdu.events().collect::<DecodeResult<_>>().unwrap()
}

#[test]
fn a_captured_fast_path_pdu_gives_its_events_and_its_bytes_back() {
    let bytes = vector("input/fastpath_input_mouse.bin");
    let pdu: FastPathInputPdu<'_> = round_trip_strict(bytes);
    let mouse = |flags, x, y| InputEvent::Mouse { flags, x, y };
    let events = [
        mouse(PointerFlags::DOWN | PointerFlags::BUTTON1, 26, 1_062),
        InputEvent::moved_to(27, 1_062),
        mouse(PointerFlags::BUTTON1, 27, 1_062),
        InputEvent::moved_to(26, 1_063),
        InputEvent::moved_to(25, 1_063),
        InputEvent::moved_to(25, 1_064),
    ];
    assert_eq!(pdu.count(), 6);
    assert_eq!(fast_path_events(&pdu), events);
    assert_eq!(encode_vec(&FastPathInput::new(&events)).unwrap(), bytes);
}

#[test]
fn every_event_survives_the_fast_path() {
    let mut events = COMMON.to_vec();
    events.push(InputEvent::QoeTimestamp {
        milliseconds: 0x0102_0304,
    });
    events.push(InputEvent::Scancode {
        flags: KeyFlags::EXTENDED1,
        code: 0x1d,
    });
    let bytes = encode_vec(&FastPathInput::new(&events)).unwrap();
    let pdu: FastPathInputPdu<'_> = round_trip_strict(&bytes);
    assert_eq!(fast_path_events(&pdu), events);
}

#[test]
fn the_fast_path_has_these_bytes() {
    let bytes = |events: &[InputEvent]| encode_vec(&FastPathInput::new(events)).unwrap();
    assert_eq!(bytes(&COMMON[..2]), hex("08 06 001e 031d"));
    assert_eq!(bytes(&COMMON[2..3]), hex("04 05 81ac20"));
    assert_eq!(bytes(&COMMON[4..5]), hex("04 09 40 0200 0100 ffff"));
    assert_eq!(bytes(&COMMON[5..6]), hex("04 09 a0 0008 fdff 2c01"));
    assert_eq!(bytes(&COMMON[6..]), hex("04 03 6a"));
}

#[test]
fn a_count_above_fifteen_moves_behind_the_length_and_a_long_pdu_has_two_length_bytes() {
    for count in [1, 15, 16, 17, 18, 19, 127, 255] {
        let events = vec![InputEvent::moved_to(3, 4); count];
        let input = FastPathInput::new(&events);
        let bytes = encode_vec(&input).unwrap();
        let header = if bytes.len() > 0x7f { 3 } else { 2 } + usize::from(count > 15);
        assert_eq!(bytes.len(), header + 7 * count);
        let pdu: FastPathInputPdu<'_> = decode(&bytes).unwrap();
        assert_eq!(fast_path_events(&pdu), events);
        assert_eq!(encode_vec(&pdu).unwrap(), bytes);
    }
}

#[test]
fn no_event_and_more_than_a_byte_counts_are_refused() {
    let events = vec![InputEvent::moved_to(0, 0); FastPathInput::MAX_EVENTS + 1];
    let error = encode_vec(&FastPathInput::new(&events)).unwrap_err();
    assert_eq!(
        (error.field(), error.kind()),
        ("numEvents", EncodeErrorKind::TooLarge { value: 256, max: 255 })
    );
    assert!(encode_vec(&FastPathInput::new(&[])).is_err());
}

#[test]
fn a_short_length_in_the_long_form_is_accepted() {
    let pdu: FastPathInputPdu<'_> = decode(hex("04 8005 001e")).unwrap();
    assert_eq!(fast_path_events(&pdu), COMMON[..1]);
}

#[test]
fn an_encrypted_pdu_is_refused_as_unsupported() {
    for first in ["84", "44", "c4"] {
        let bytes = [hex(first), hex("04 001e")].concat();
        let error = decode_error::<FastPathInputPdu<'_>>(&bytes);
        assert!(
            matches!(error.kind(), DecodeErrorKind::Unsupported { .. }),
            "{error}"
        );
        assert_eq!(error.field(), "flags");
    }
}

#[test]
fn lying_lengths_are_told_from_the_field() {
    // Longer than what is there, and shorter than the header itself.
    for bytes in [
        "04 05 001e",
        "04 01 001e",
        "04 00 001e",
        "04 8002 001e",
        "04 ffff 001e",
    ] {
        assert_length_lies::<FastPathInputPdu<'_>>(hex(bytes), "FastPathHeader", "length");
    }
    assert_length_lies::<SlowPathInputPdu<'_>>(
        hex("0200 0000 000000000400 00001e000000"),
        "SlowPathInputPdu",
        "numEvents",
    );
}

#[test]
fn events_that_are_promised_and_missing_are_one_error_and_the_end() {
    let pdu: FastPathInputPdu<'_> = decode(hex("0c 05 001e 20")).unwrap();
    let events: Vec<_> = pdu.events().collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0], Ok(COMMON[0]));
    let error = events[1].unwrap_err();
    assert_eq!(
        (error.pdu(), error.field(), error.offset()),
        ("FastPathInputEvent", "pointerFlags", 5)
    );
}

#[test]
fn an_event_code_that_is_not_known_ends_the_iteration() {
    let pdu: FastPathInputPdu<'_> = decode(hex("08 05 e0 001e")).unwrap();
    let events: Vec<_> = pdu.events().collect();
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].unwrap_err().kind(),
        DecodeErrorKind::Unsupported { got: 7 }
    );
}

#[test]
fn every_event_survives_the_slow_path_with_its_time() {
    let mut events = COMMON.to_vec();
    events.push(InputEvent::Scancode {
        flags: KeyFlags::DOWN | KeyFlags::EXTENDED,
        code: 0x48,
    });
    // The INPUT_EVENT_UNUSED of old clients.
    events.push(InputEvent::Other {
        message_type: 2,
        data: [1, 2, 3, 4, 5, 6],
    });
    let input = SlowPathInput {
        event_time: 77,
        events: &events,
    };
    let bytes = encode_vec(&input).unwrap();
    let pdu: SlowPathInputPdu<'_> = round_trip_strict(&bytes);
    let back: Vec<TimedEvent> = pdu.events().collect();
    assert_eq!(pdu.events().len(), events.len());
    assert!(back.iter().all(|event| event.event_time == 77));
    assert!(back.iter().map(|event| event.event).eq(events));
}

#[test]
fn the_slow_path_has_these_bytes() {
    let bytes = encode_vec(&SlowPathInput::new(&COMMON[1..4])).unwrap();
    let expected = hex("0300 0000
         00000000 0400 0081 1d00 0000
         00000000 0500 0080 ac20 0000
         00000000 0180 0090 1a00 2604");
    assert_eq!(bytes, expected);
    let bytes = encode_vec(&SlowPathInput::new(&COMMON[6..])).unwrap();
    assert_eq!(bytes, hex("0100 0000 00000000 0000 0000 0a000000"));
}

#[test]
fn a_scancode_that_is_none_is_kept_as_it_came() {
    let bytes = hex("0100 0000 00000000 0400 0000 1de0 0000");
    let pdu: SlowPathInputPdu<'_> = round_trip(bytes);
    let event = pdu.events().next().unwrap().event;
    assert!(
        matches!(event, InputEvent::Other { message_type: 4, .. }),
        "{event:?}"
    );
    assert_eq!(encode_vec(&SlowPathInput::new(&[event])).unwrap(), bytes);
}

#[test]
fn what_only_one_path_can_say_is_refused_by_the_other() {
    let other = InputEvent::Other {
        message_type: 2,
        data: [0; 6],
    };
    let error = encode_vec(&FastPathInput::new(&[other])).unwrap_err();
    assert_eq!(error.kind(), EncodeErrorKind::Invalid);
    let timestamp = InputEvent::QoeTimestamp { milliseconds: 1 };
    let error = encode_vec(&SlowPathInput::new(&[timestamp])).unwrap_err();
    assert_eq!(error.kind(), EncodeErrorKind::Invalid);
}

#[test]
fn damaged_events_never_panic() {
    let bytes = encode_vec(&FastPathInput::new(&COMMON)).unwrap();
    for at in 0..bytes.len() {
        for value in 0..=u8::MAX {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(pdu) = decode::<FastPathInputPdu<'_>>(&damaged) {
                assert!(pdu.events().count() <= usize::from(pdu.count()));
            }
        }
    }
}

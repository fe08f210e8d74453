//! Messages of static channels: put together, bounded, and never mixed up.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use common::*;
use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags, ChannelPduHeader, chunks};
use ironrdp_session::{
    ChannelMessage, Event, Limit, LimitExceeded, NoPixels, Session, SessionConfig, SessionErrorKind,
};

fn chunk(channel_id: u16, length: u32, flags: ChannelFlags, data: &[u8]) -> Vec<u8> {
    on_channel(
        channel_id,
        ChannelChunk {
            header: ChannelPduHeader { length, flags },
            data,
        },
    )
}

fn message(channel_id: u16, data: &[u8]) -> Event {
    Event::ChannelData(ChannelMessage {
        channel_id,
        data: data.to_vec(),
    })
}

fn limited(channel_bytes: usize) -> Session<NoPixels> {
    let mut config: SessionConfig = config(64, 48);
    config.limits.channel_bytes = channel_bytes;
    config.limits.event_bytes = channel_bytes;
    Session::new(config, NoPixels).unwrap()
}

/// The messages that were lost, and what would have been needed if a limit is to blame.
fn lost(messages: u64, exceeded: Option<(Limit, usize)>) -> Event {
    Event::ChannelDataLost {
        messages,
        exceeded: exceeded.map(|(limit, wanted)| LimitExceeded {
            limit,
            wanted,
            max: 10_000,
        }),
    }
}

const WHOLE: ChannelFlags = ChannelFlags::FIRST.union(ChannelFlags::LAST);

#[test]
fn chunks_of_two_channels_in_between_each_other_become_two_messages() {
    let (first, second): (Vec<u8>, Vec<u8>) = ((0..200).collect(), (50..250).rev().collect());
    let mut session = session(64, 48);
    let cut = |data| chunks(data, ChannelFlags::SHOW_PROTOCOL, 64).unwrap();
    for (a, b) in cut(&first).zip(cut(&second)) {
        feed(&mut session, &on_channel(CLIPRDR, a)).unwrap();
        feed(&mut session, &on_channel(RDPSND, b)).unwrap();
    }
    assert_eq!(
        events(&mut session),
        [message(CLIPRDR, &first), message(RDPSND, &second)]
    );
    feed(&mut session, &chunk(CLIPRDR, 0, WHOLE, &[])).unwrap();
    assert_eq!(events(&mut session), [message(CLIPRDR, &[])]);
    assert_eq!(session.stats().channel_messages, 3);
}

#[test]
fn a_compressed_chunk_is_decompressed() {
    let text = b"once upon a time, once upon a time, once upon a time".as_slice();
    let mut packed = Vec::new();
    let flags = Compressor::new(CompressionType::K64)
        .unwrap()
        .compress(text, &mut packed)
        .unwrap();
    let flags = WHOLE | ChannelFlags::from_bits_retain(u32::from(flags.bits()) << 16);
    let mut session = session(64, 48);
    feed(
        &mut session,
        &chunk(CLIPRDR, u32::try_from(text.len()).unwrap(), flags, &packed),
    )
    .unwrap();
    assert_eq!(events(&mut session), [message(CLIPRDR, text)]);
}

#[test]
fn chunks_that_do_not_add_up_to_their_message_are_an_error() {
    let cases = [
        vec![chunk(CLIPRDR, 4, WHOLE, &[1, 2, 3])],
        vec![chunk(CLIPRDR, 2, WHOLE, &[1, 2, 3])],
        vec![
            chunk(CLIPRDR, 4, ChannelFlags::FIRST, &[1, 2, 3]),
            chunk(CLIPRDR, 4, ChannelFlags::empty(), &[1, 2, 3]),
        ],
    ];
    for frames in cases {
        let mut session = session(64, 48);
        let (last, before) = frames.split_last().unwrap();
        for frame in before {
            feed(&mut session, frame).unwrap();
        }
        let error = feed(&mut session, last).unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::Malformed);
        assert_eq!(error.decode_error().unwrap().field(), "length");
    }
}

#[test]
fn a_message_without_its_start_or_without_its_end_is_counted_as_lost() {
    let mut session = session(64, 48);
    feed(&mut session, &chunk(CLIPRDR, 9, ChannelFlags::empty(), &[1])).unwrap();
    feed(&mut session, &chunk(CLIPRDR, 9, ChannelFlags::LAST, &[1])).unwrap();
    assert_eq!(events(&mut session), [lost(1, None)]);
    feed(&mut session, &chunk(CLIPRDR, 9, ChannelFlags::FIRST, &[1])).unwrap();
    feed(&mut session, &chunk(CLIPRDR, 2, WHOLE, &[8, 9])).unwrap();
    assert_eq!(events(&mut session), [message(CLIPRDR, &[8, 9]), lost(1, None)]);
    // Pause and resume are no messages.
    feed(&mut session, &chunk(CLIPRDR, 0, ChannelFlags::SUSPEND, &[])).unwrap();
    feed(&mut session, &chunk(CLIPRDR, 0, ChannelFlags::RESUME, &[])).unwrap();
    assert_eq!(events(&mut session), []);
    assert_eq!(session.stats().channel_messages_lost, 2);
}

#[test]
fn more_data_than_allowed_is_dropped_by_whole_messages_and_reported() {
    let mut session = limited(10_000);
    let message_of = |byte| vec![byte; 3_000];
    for byte in 0..5 {
        feed(&mut session, &chunk(CLIPRDR, 3_000, WHOLE, &message_of(byte))).unwrap();
    }
    assert_eq!(
        events(&mut session),
        [
            message(CLIPRDR, &message_of(0)),
            message(CLIPRDR, &message_of(1)),
            // Two that wait, a kibibyte for each, and the one that does not fit.
            lost(3, Some((Limit::Event, 3 * 3_000 + 2 * 1_024))),
        ]
    );
    // Polling makes room again.
    feed(&mut session, &chunk(CLIPRDR, 3_000, WHOLE, &message_of(9))).unwrap();
    assert_eq!(events(&mut session), [message(CLIPRDR, &message_of(9))]);
    // A message that outgrows the limit goes by as a whole, and the next is fine.
    feed(
        &mut session,
        &chunk(RDPSND, 50_000, ChannelFlags::FIRST, &[0; 9_000]),
    )
    .unwrap();
    feed(
        &mut session,
        &chunk(RDPSND, 50_000, ChannelFlags::empty(), &[0; 9_000]),
    )
    .unwrap();
    feed(
        &mut session,
        &chunk(RDPSND, 50_000, ChannelFlags::LAST, &[0; 9_000]),
    )
    .unwrap();
    feed(&mut session, &chunk(RDPSND, 1, WHOLE, &[7])).unwrap();
    assert_eq!(
        events(&mut session),
        [lost(1, Some((Limit::Channel, 18_000))), message(RDPSND, &[7])]
    );
}

#[test]
fn empty_messages_that_nobody_polls_are_bounded_too() {
    let mut session = limited(64 * 1024);
    for _ in 0..10_000 {
        feed(&mut session, &chunk(CLIPRDR, 0, WHOLE, &[])).unwrap();
    }
    let events = events(&mut session);
    assert!(events.len() <= 66, "{}", events.len());
    assert_eq!(
        session.stats().channel_messages + session.stats().channel_messages_lost,
        10_000
    );
}

#[test]
fn what_a_channel_carries_is_not_in_debug_output() {
    let text = format!("{:?}", message(CLIPRDR, b"secret"));
    assert!(!text.contains("115") && !text.contains("secret"), "{text}");
    assert!(text.contains("6 bytes"), "{text}");
}

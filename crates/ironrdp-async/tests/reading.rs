//! Reading: whole frames, short reads, ends and lies.

mod common;

use std::io::ErrorKind;

use bytes::BytesMut;
use common::{Full, Plain, Read, Wire, fast_path, frames, poll_once, run, run_dropping, tpkt};
use ironrdp_async::{EndOfStream, Framed, Limit, LimitExceeded, Limits, UnexpectedFrame, exceeded_limit};
use ironrdp_core::DecodeError;
use ironrdp_pdu::{Action, FAST_PATH_HINT, X224_HINT};

fn action_of(frame: &[u8]) -> Action {
    if frame[0] == 3 {
        Action::X224
    } else {
        Action::FastPath
    }
}

#[test]
fn frames_arrive_whole_however_the_stream_is_cut_and_whenever_the_future_is_dropped() {
    for (seed, largest_piece) in [(1, 1), (2, 7), (3, 100), (4, 2_000), (5, 40_000), (6, 100_000)] {
        println!("seed {seed}, pieces up to {largest_piece}");
        let sent = frames(200, if largest_piece == 1 { 300 } else { 9_000 }, seed);
        let wire = Wire::crumbs(&sent.concat(), largest_piece, seed);
        let mut framed = Framed::<Full>::new(wire);
        let mut drops = 0;
        for (index, frame) in sent.iter().enumerate() {
            let (action, dropped) = match index % 4 {
                0 => {
                    let (read, dropped) = run_dropping(&mut framed, async |framed| framed.read_pdu().await);
                    let (action, bytes) = read.unwrap();
                    assert_eq!(&bytes[..], frame);
                    (action, dropped)
                }
                1 => {
                    let (read, dropped) = run_dropping(&mut framed, async |framed| {
                        framed
                            .next_frame()
                            .await
                            .map(|(action, bytes)| (action, bytes.to_vec()))
                    });
                    let (action, bytes) = read.unwrap();
                    assert_eq!(&bytes, frame);
                    (action, dropped)
                }
                2 => {
                    let size = frame.len();
                    let (read, dropped) =
                        run_dropping(&mut framed, async |framed| framed.read_exact(size).await);
                    assert_eq!(&read.unwrap()[..], frame);
                    (action_of(frame), dropped)
                }
                _ => {
                    let (read, dropped) = run_dropping(&mut framed, async |framed| match action_of(frame) {
                        Action::X224 => framed.read_by_hint(&X224_HINT).await,
                        Action::FastPath => framed.read_by_hint(&FAST_PATH_HINT).await,
                    });
                    assert_eq!(&read.unwrap()[..], frame);
                    (action_of(frame), dropped)
                }
            };
            assert_eq!(action, action_of(frame));
            drops += dropped;
        }
        assert!(drops > 0, "the script has no await point");
        let end = run(framed.read_pdu()).unwrap_err();
        assert!(EndOfStream::of(&end).unwrap().is_between_frames());
        assert_eq!(framed.into_inner_no_leftover().wire.len(), 0);
    }
}

#[test]
fn exchange_and_buffered_frames_deliver_the_same_frames() {
    let sent = frames(300, 3_000, 9);
    let mut framed = Framed::<Full>::new(Wire::crumbs(&sent.concat(), 5_000, 9));
    let mut expected = sent.iter();
    let mut batch = false;
    let end = loop {
        if batch {
            let each = |action, frame: &[u8]| {
                assert_eq!(Some(frame), expected.next().map(Vec::as_slice));
                assert_eq!(action, action_of(frame));
                Ok::<(), std::io::Error>(())
            };
            framed.for_each_buffered(each).unwrap();
        } else {
            while let Some((_, frame)) = framed.buffered_frame().unwrap() {
                assert_eq!(Some(frame), expected.next().map(Vec::as_slice));
            }
        }
        batch = !batch;
        if let (Err(error), _) = run_dropping(&mut framed, async |framed| framed.exchange().await) {
            break error;
        }
    };
    assert!(EndOfStream::of(&end).unwrap().is_between_frames());
    assert_eq!(expected.next(), None);
}

#[test]
fn a_lent_frame_is_neither_peeked_at_nor_handed_out_again() {
    let bytes = [fast_path(10, 1), tpkt(20, 2)].concat();
    let mut framed = Framed::<Full>::new_with_leftover(Wire::default(), BytesMut::from(&bytes[..]));
    assert_eq!(framed.buffered_frame().unwrap().unwrap().1, fast_path(10, 1));
    assert_eq!(framed.peek(), tpkt(20, 2));
    assert_eq!(framed.get_inner().1.len(), 30);
    assert_eq!(framed.get_inner_mut().1[..], tpkt(20, 2));
    assert_eq!(framed.buffered_frame().unwrap().unwrap().1, tpkt(20, 2));
    assert!(framed.peek().is_empty());
    let (_, leftover) = framed.into_inner();
    assert!(leftover.is_empty());
}

#[test]
fn an_error_of_the_callback_leaves_the_frames_behind_it() {
    let bytes = [fast_path(10, 1), fast_path(11, 2), fast_path(12, 3)].concat();
    let mut framed = Framed::<Full>::new_with_leftover(Wire::default(), BytesMut::from(&bytes[..]));
    let result = framed.for_each_buffered(|_, frame| {
        if frame.len() == 11 {
            Err(std::io::Error::from(ErrorKind::Other))
        } else {
            Ok(())
        }
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Other);
    assert_eq!(framed.buffered_frame().unwrap().unwrap().1, fast_path(12, 3));
}

#[test]
fn an_end_in_the_middle_of_a_frame_says_how_much_was_there() {
    let frame = tpkt(40, 0);
    for cut in 0..frame.len() {
        let mut wire = Wire::reading(
            [Read::Bytes(frame[..cut].to_vec())]
                .into_iter()
                .filter(|_| cut > 0),
        );
        wire.eof = true;
        let mut framed = Framed::<Plain>::new(wire);
        let error = run(framed.read_pdu()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let end = EndOfStream::of(&error).unwrap();
        assert_eq!((end.buffered(), end.is_between_frames()), (cut, cut == 0));
        assert_eq!(framed.peek().len(), cut);
    }
}

#[test]
fn a_tls_stream_cut_off_without_a_goodbye_is_an_end_too() {
    let wire = Wire::reading([Read::Bytes(vec![3, 0]), Read::Fails(ErrorKind::UnexpectedEof)]);
    let error = run(Framed::<Full>::new(wire).read_pdu()).unwrap_err();
    let end = EndOfStream::of(&error).unwrap();
    assert_eq!(end.buffered(), 2);
    assert!(std::error::Error::source(end).is_some());
    assert_eq!(
        end.to_string(),
        "the peer ended the stream after 2 bytes of a frame"
    );
}

#[test]
fn other_failures_of_the_stream_pass_through() {
    let wire = Wire::reading([Read::Fails(ErrorKind::ConnectionReset)]);
    let error = run(Framed::<Full>::new(wire).read_pdu()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn bytes_that_start_no_frame_are_invalid_data_with_the_decode_error_inside() {
    for bytes in [&[0x01_u8, 2, 3, 4][..], b"SSH-2.0-x", &[3, 0, 0, 2]] {
        let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(bytes.to_vec())]));
        for _ in 0..2 {
            let error = run(framed.read_pdu()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert!(error.get_ref().unwrap().downcast_ref::<DecodeError>().is_some());
            assert!(framed.buffered_frame().is_err());
            assert!(
                framed
                    .for_each_buffered(|_, _| Ok::<(), std::io::Error>(()))
                    .is_err()
            );
        }
        assert_eq!(framed.peek(), bytes);
    }
}

#[test]
fn a_frame_above_the_limit_is_refused_as_soon_as_its_length_is_known() {
    let frame = tpkt(5_000, 0);
    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(frame[..4].to_vec())]));
    framed.set_limits(&Limits {
        frame_bytes: 4_999,
        ..Limits::default()
    });
    let exceeded = LimitExceeded {
        limit: Limit::Frame,
        wanted: 5_000,
        max: 4_999,
    };
    for error in [
        run(framed.read_pdu()).unwrap_err(),
        run(framed.read_by_hint(&X224_HINT)).unwrap_err(),
        framed.buffered_frame().unwrap_err(),
        framed
            .for_each_buffered(|_, _| Ok::<(), std::io::Error>(()))
            .unwrap_err(),
    ] {
        assert_eq!(exceeded_limit(&error), Some(exceeded));
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
    let error = run(framed.read_exact(5_000)).unwrap_err();
    assert_eq!(exceeded_limit(&error), Some(exceeded));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_pdu_of_another_framing_than_the_hint_is_an_error_and_stays() {
    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(fast_path(30, 5))]));
    let error = run(framed.read_by_hint(&X224_HINT)).unwrap_err();
    let unexpected = error
        .get_ref()
        .unwrap()
        .downcast_ref::<UnexpectedFrame>()
        .unwrap();
    assert_eq!(unexpected.size(), 30);
    assert_eq!(run(framed.read_pdu()).unwrap().1[..], fast_path(30, 5));
}

#[test]
fn the_longest_frame_there_is_arrives() {
    let frame = tpkt(65_535, 6);
    let mut framed = Framed::<Full>::new(Wire::crumbs(&frame, 3_000, 3));
    assert_eq!(run(framed.next_frame()).unwrap().1, frame);
}

#[test]
fn an_idle_stream_holds_no_read_buffer() {
    let mut framed = Framed::<Full>::new(Wire::reading([
        Read::Bytes(frames(40, 1_000, 1).concat()),
        Read::Pending,
        Read::Bytes(tpkt(100, 1)[..60].to_vec()),
        Read::Pending,
    ]));
    for _ in 0..40 {
        run(framed.next_frame()).unwrap();
    }
    assert!(poll_once(framed.next_frame()).is_pending());
    assert_eq!(framed.get_inner().1.capacity(), 0);
    // Half a frame holds one KiB.
    assert!(poll_once(framed.exchange()).is_pending() || poll_once(framed.exchange()).is_pending());
    assert_eq!(framed.peek().len(), 60);
    assert_eq!(framed.get_inner().1.capacity(), 1_024);
}

#[test]
#[should_panic(expected = "3 received and 0 unsent bytes would be lost")]
fn received_bytes_are_not_dropped_in_silence() {
    let framed = Framed::<Full>::new_with_leftover(Wire::default(), BytesMut::from(&[1, 2, 3][..]));
    let _ = framed.into_inner_no_leftover();
}

#[test]
#[should_panic(expected = "0 received and 2 unsent bytes would be lost")]
fn queued_bytes_are_not_dropped_in_silence() {
    let mut framed = Framed::<Full>::new(Wire::default());
    framed.send(&[1, 2]).unwrap();
    let _ = framed.into_inner_no_leftover();
}

#[test]
fn a_stream_with_bytes_on_the_way_is_given_back_to_be_finished() {
    let mut framed = Framed::<Full>::new_with_leftover(Wire::default(), BytesMut::from(&fast_path(9, 1)[..]));
    framed.send(&[1, 2]).unwrap();
    let Err(mut framed) = framed.try_into_inner_no_leftover() else {
        panic!("bytes were lost")
    };
    run(framed.flush()).unwrap();
    run(framed.next_frame()).unwrap();
    let Ok(wire) = framed.try_into_inner_no_leftover() else {
        panic!("nothing was left")
    };
    assert_eq!(wire.wire, [1, 2]);
}

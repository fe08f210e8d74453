//! What a session allocates: nothing for each update once warm, next to nothing while it waits.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;
#[path = "common/memory.rs"]
mod memory;
#[path = "common/recording.rs"]
mod recording;

use common::*;
use core::time::Duration;
use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_core::WriteBuf;
use ironrdp_pdu::fastpath::UpdateCode;
use ironrdp_pdu::input::InputEvent;
use ironrdp_session::{Event, Liveness, NoPixels, PixelStore, Session};
use memory::{allocations, kept_by};

fn drain<P: PixelStore>(session: &mut Session<P>, out: &mut WriteBuf) {
    while session.poll_event().is_some() {}
    session.clear_damage();
    out.clear();
    session.poll_transmit(out);
}

#[test]
fn updates_of_every_form_allocate_nothing_once_warm() {
    let frames = recording::steady_frames();
    let mut session = session(64, 48);
    let mut out = WriteBuf::new();
    let pointer = fast_path(UpdateCode::NewPointer, &vector("pointers/new_pointer_32bpp.bin"));
    feed(&mut session, &pointer).unwrap();
    let mut round = |session: &mut Session<_>| {
        for frame in &frames {
            feed(session, frame).unwrap();
            session.send_input(&[InputEvent::moved_to(3, 4)]).unwrap();
            drain(session, &mut out);
        }
    };
    round(&mut session);
    round(&mut session);
    assert_eq!(allocations(|| round(&mut session)), 0);
}

#[test]
fn compressed_updates_allocate_nothing_once_warm() {
    let mut packer = Compressor::new(CompressionType::K64).unwrap();
    let update = bitmap_update(&picture(24, 12).as_image(), recording::RAW_32, 1, 1);
    let frames: Vec<_> = (0..40)
        .flat_map(|_| recording::compressed(&mut packer, UpdateCode::Bitmap, &update))
        .collect();
    let mut session = session(64, 48);
    let mut out = WriteBuf::new();
    let (warm_up, rest) = frames.split_at(10);
    let mut run = |frames: &[Vec<u8>]| {
        for frame in frames {
            feed(&mut session, frame).unwrap();
            drain(&mut session, &mut out);
        }
    };
    run(warm_up);
    assert_eq!(allocations(|| run(rest)), 0);
}

#[test]
fn a_caller_who_never_polls_does_not_make_memory_grow() {
    let frames = recording::steady_frames();
    let mut session = session(64, 48);
    let round = |session: &mut Session<_>| {
        for frame in &frames {
            feed(session, frame).unwrap();
        }
    };
    let mut out = WriteBuf::new();
    for _ in 0..3 {
        round(&mut session);
    }
    session.poll_transmit(&mut out);
    let ((), kept) = kept_by(|| {
        for _ in 0..200 {
            round(&mut session);
            out.clear();
            session.poll_transmit(&mut out);
        }
    });
    assert!(kept <= 4096, "{kept} bytes more");
    let events = events(&mut session);
    assert!(events.len() <= 6, "{events:?}");
    assert!(events.contains(&Event::Painted));
}

#[test]
fn a_session_that_waits_is_small() {
    let size = size_of::<Session<NoPixels>>();
    println!("Session<NoPixels>: {size} bytes, Event: {}", size_of::<Event>());
    // 304 of them are counters.
    assert!(size <= 720, "{size} bytes");
    assert!(size_of::<Event>() <= 40);

    let frames = recording::steady_frames();
    // One that does not ask a silent server, so that its only timer is for what it holds.
    let patient = || {
        let mut config = config(64, 48);
        config.liveness = Liveness::OFF;
        config
    };
    let (mut session, fresh) = kept_by(|| {
        let mut config = patient();
        config.channels.clear();
        Session::new(config, NoPixels).unwrap()
    });
    println!("on the heap when made: {fresh} bytes");
    let mut out = WriteBuf::new();
    out.extend_from_slice(&[0; 4096]);
    let use_it = |session: &mut Session<NoPixels>, out: &mut WriteBuf| {
        for frame in &frames {
            feed(session, frame).unwrap();
            drain(session, out);
        }
        let due = session.poll_timeout().unwrap();
        assert_eq!(due, NOW + Duration::from_secs(5));
        session.handle_timeout(due);
        assert_eq!(session.poll_timeout(), None);
    };
    // Another session has made what the sessions of a thread share.
    use_it(&mut Session::new(patient(), NoPixels).unwrap(), &mut out);
    let ((), after) = kept_by(|| use_it(&mut session, &mut out));
    println!("kept after use: {after} bytes");
    assert!(fresh <= 288, "{fresh} bytes");
    // A palette and the counts of drawing orders, which ordinary sessions have not.
    assert!(after <= 1024 + 256, "{after} bytes");
}

//! Frames of a hostile server: cut, damaged, out of order. An error or not, but no panic and no great memory.
#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;
#[path = "common/memory.rs"]
mod memory;
#[path = "common/recording.rs"]
mod recording;

use std::fs;
use std::path::Path;

use common::*;
use ironrdp_graphics::Framebuffer;
use ironrdp_pdu::Action;
use ironrdp_session::{NoPixels, PixelStore, Session};
use memory::peak_of;

/// Above what any one frame may lead to: history of the bulk compression, an update's pixels, rows of the widest bitmap.
const MAX_PEAK: u64 = 4 * 1024 * 1024;

fn screen() -> Framebuffer {
    Framebuffer::new(0, 0).unwrap()
}

/// Feeds the frame in both framings, whatever it is, and then whatever can be called.
fn abuse<P: PixelStore>(mut session: Session<P>, frame: &[u8]) {
    for action in [Action::FastPath, Action::X224] {
        let _ = session.handle_frame(NOW, action, frame);
    }
    for event in events(&mut session) {
        let _ = format!("{event:?}");
    }
    for rect in session.damage() {
        assert!(rect.right() <= 64 && rect.bottom() <= 48, "{rect:?}");
    }
    let _ = session.take_activation_frame();
    let _ = session.reactivated(share(64, 48));
    sent(&mut session);
}

#[test]
fn every_recorded_frame_is_handled_as_it_is() {
    let mut session = session(64, 48);
    for frame in recording::all_frames() {
        feed(&mut session, &frame).unwrap();
    }
    assert!(!session.is_active());
    assert_eq!(
        session.stats().fast_path_frames + session.stats().slow_path_frames,
        { u64::try_from(recording::all_frames().len()).unwrap() }
    );
}

#[test]
fn a_frame_cut_at_any_byte_is_an_error() {
    for frame in recording::all_frames() {
        for end in 0..frame.len() {
            let mut session = Session::new(config(64, 48), NoPixels).unwrap();
            let action = Action::from_first_byte(frame[0]).unwrap();
            let error = session.handle_frame(NOW, action, &frame[..end]).unwrap_err();
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_frame_damaged_at_any_byte_neither_panics_nor_takes_much_memory() {
    for (number, frame) in recording::all_frames().iter().enumerate() {
        let mut worst = 0;
        for at in 0..frame.len() {
            for value in [
                frame[at] ^ 0xff,
                frame[at] ^ 0x01,
                frame[at].wrapping_add(0x40),
                0,
            ] {
                let mut damaged = frame.clone();
                damaged[at] = value;
                worst = worst.max(peak_of(|| {
                    abuse(Session::new(config(64, 48), screen()).unwrap(), &damaged);
                }));
            }
        }
        assert!(worst <= MAX_PEAK, "frame {number}: {worst} bytes");
    }
}

#[test]
fn a_whole_recording_with_damage_anywhere_neither_panics_nor_takes_much_memory() {
    let frames = recording::all_frames();
    let seed = 0x5eed;
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..400 {
        let peak = peak_of(|| {
            let mut session = Session::new(config(64, 48), screen()).unwrap();
            let mut frames = frames.clone();
            for _ in 0..=random.usize(..3) {
                let (frame, other) = (random.usize(..frames.len()), random.usize(..frames.len()));
                let at = random.usize(..frames[frame].len());
                frames[frame][at] = random.u8(..);
                frames.swap(frame, other);
            }
            for frame in &frames {
                let Ok(action) = Action::from_first_byte(frame[0]) else {
                    continue;
                };
                if session.handle_frame(NOW, action, frame).is_err() {
                    break;
                }
                if !session.is_active() && session.reactivated(share(64, 48)).is_err() {
                    break;
                }
            }
            events(&mut session);
        });
        assert!(peak <= MAX_PEAK, "seed {seed:#x}, round {round}: {peak} bytes");
    }
}

#[test]
fn inputs_that_broke_others_are_handled() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/malformed");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let peak = peak_of(|| {
            abuse(Session::new(config(64, 48), screen()).unwrap(), &bytes);
            abuse(
                Session::new(config(64, 48), screen()).unwrap(),
                &on_channel(IO, &bytes[..]),
            );
            abuse(
                Session::new(config(64, 48), screen()).unwrap(),
                &slow_path(&bytes),
            );
        });
        assert!(peak <= MAX_PEAK, "{peak}");
        count += 1;
    }
    assert_eq!(count, 7);
}

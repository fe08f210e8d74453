//! When a silent server is asked for a sign of life, and when it is taken for dead.

#![expect(clippy::unwrap_used, reason = "this is how a test fails")]

mod common;

use std::time::Duration;

use common::{IO, SHARE, USER, events, fast_path, sent, session, share};
use ironrdp_core::{MonotonicInstant, encode_vec};
use ironrdp_graphics::{Framebuffer, Rect};
use ironrdp_pdu::fastpath::UpdateCode;
use ironrdp_pdu::mcs::SendDataRequest;
use ironrdp_pdu::share::{DeactivateAll, RefreshRect, ShareControl, ShareData};
use ironrdp_pdu::x224::X224Data;
use ironrdp_pdu::{Action, InclusiveRect};
use ironrdp_session::{Event, LifeSign, Liveness, Session, SessionErrorKind};

type Any = Session<Framebuffer>;

fn at(seconds: u64) -> MonotonicInstant {
    MonotonicInstant::from_origin(Duration::from_secs(seconds))
}

/// The question: four by four pixels of the corner, please (MS-RDPBCGR 2.2.11.2).
fn question() -> Vec<u8> {
    let areas = vec![InclusiveRect {
        left: 0,
        top: 0,
        right: 3,
        bottom: 3,
    }];
    let user_data = ShareData::new(USER, SHARE, RefreshRect { areas });
    encode_vec(&X224Data(SendDataRequest {
        initiator: USER,
        channel_id: IO,
        user_data,
    }))
    .unwrap()
}

/// Something that any server may send, and any answer contains.
fn arrives(session: &mut Any, seconds: u64) {
    let frame = fast_path(UpdateCode::Synchronize, &[]);
    session
        .handle_frame(at(seconds), Action::FastPath, &frame)
        .unwrap();
}

/// Runs the timers up to `until`; gives when they ran and what was sent each time.
fn timers(session: &mut Any, until: u64) -> Vec<(u64, Vec<u8>)> {
    let mut ran = Vec::new();
    while let Some(due) = session.poll_timeout().filter(|due| *due <= at(until)) {
        session.handle_timeout(due);
        let sent = sent(session);
        if !sent.is_empty() || session.failure().is_some() {
            ran.push((due.since_origin().as_secs(), sent));
        }
    }
    ran
}

/// A session that has counted silence from second 0 on.
fn started() -> Any {
    let mut session = session(64, 48);
    session.handle_timeout(at(0));
    session
}

/// A session whose server has answered a question in second 31.
fn with_a_server_that_answers() -> Any {
    let mut session = started();
    assert_eq!(timers(&mut session, 30), [(30, question())]);
    arrives(&mut session, 31);
    session
}

#[test]
fn a_server_that_used_to_answer_and_leaves_two_questions_open_is_dead() {
    let mut session = with_a_server_that_answers();
    assert_eq!(
        timers(&mut session, 1_000),
        [(61, question()), (81, question()), (101, Vec::new())]
    );
    let silent = Event::PeerSilent {
        missed: LifeSign::Answer,
        silent_for: Duration::from_secs(70),
    };
    assert_eq!(events(&mut session), [silent]);
    // The ending is typed, and stays.
    assert_eq!(session.failure().unwrap().kind(), SessionErrorKind::PeerSilent);
    assert_eq!(
        session.refresh(&[]).unwrap_err().kind(),
        SessionErrorKind::PeerSilent
    );
    session.handle_timeout(at(2_000));
    assert_eq!(events(&mut session), []);
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn whatever_arrives_in_time_is_a_sign_of_life() {
    let mut session = with_a_server_that_answers();
    // The second question saves it, late but in time.
    assert_eq!(timers(&mut session, 100).len(), 2);
    arrives(&mut session, 100);
    assert_eq!(session.poll_timeout(), Some(at(130)));
    // Bytes of a frame that is not whole do, too.
    assert_eq!(timers(&mut session, 150).len(), 2);
    session.note_arrival(at(169));
    assert_eq!(timers(&mut session, 198), []);
    assert_eq!(timers(&mut session, 199), [(199, question())]);
    assert!(session.failure().is_none());
}

#[test]
fn a_server_that_never_answered_is_asked_once_and_left_in_peace() {
    let mut session = started();
    assert_eq!(timers(&mut session, 10_000), [(30, question())]);
    assert_eq!(events(&mut session), []);
    // What it sends later of its own accord does not change that.
    arrives(&mut session, 20_000);
    assert_eq!(timers(&mut session, 100_000), []);
    assert!(session.is_active());
}

#[test]
fn a_busy_server_is_never_asked() {
    let mut session = started();
    for seconds in (0..3_000).step_by(29) {
        arrives(&mut session, seconds);
        assert_eq!(timers(&mut session, seconds + 28), []);
    }
}

#[test]
fn a_server_that_was_told_to_be_quiet_is_not_asked() {
    let mut session = with_a_server_that_answers();
    session.suppress_output(true).unwrap();
    sent(&mut session);
    assert_eq!(timers(&mut session, 10_000), []);
    session.suppress_output(false).unwrap();
    sent(&mut session);
    assert_eq!(timers(&mut session, 10_000).len(), 3);
    assert!(session.failure().is_some());
}

#[test]
fn silence_around_a_reactivation_is_not_held_against_the_server() {
    let mut session = with_a_server_that_answers();
    assert_eq!(timers(&mut session, 61).len(), 1);
    let pdu = DeactivateAll::new(SHARE);
    let deactivate = common::on_channel(IO, ShareControl { source: 1002, pdu });
    session.handle_frame(at(62), Action::X224, &deactivate).unwrap();
    assert_eq!(timers(&mut session, 10_000), []);
    session.reactivated(share(64, 48)).unwrap();
    session.note_arrival(at(5_000));
    assert_eq!(timers(&mut session, 5_029), []);
    assert_eq!(timers(&mut session, 5_030), [(5_030, question())]);
}

#[test]
fn a_server_that_does_not_refresh_is_not_asked_and_neither_is_one_that_may_be_silent() {
    let mut config = common::config(64, 48);
    config.share.server.refresh_rect = false;
    let mut session = Session::new(config, Framebuffer::new(0, 0).unwrap()).unwrap();
    session.handle_timeout(at(0));
    assert_eq!(timers(&mut session, 10_000), []);

    let mut config = common::config(64, 48);
    config.liveness = Liveness::OFF;
    let mut session = Session::new(config, Framebuffer::new(0, 0).unwrap()).unwrap();
    session.handle_timeout(at(0));
    assert_eq!(timers(&mut session, 10_000), []);
}

#[test]
fn the_times_are_those_of_the_configuration() {
    let mut config = common::config(64, 48);
    config.liveness = Liveness {
        idle: Duration::from_secs(5),
        answer: Duration::from_secs(2),
    };
    let mut session = Session::new(config, Framebuffer::new(0, 0).unwrap()).unwrap();
    session.handle_timeout(at(0));
    assert_eq!(timers(&mut session, 5).len(), 1);
    arrives(&mut session, 6);
    let ran: Vec<u64> = timers(&mut session, 100).iter().map(|(when, _)| *when).collect();
    assert_eq!(ran, [11, 13, 15]);
}

#[test]
fn an_answer_is_painted_like_any_picture() {
    let mut session = with_a_server_that_answers();
    let picture = common::picture(4, 4);
    let update = common::bitmap_update(&picture.as_image(), common::forms()[12], 0, 0);
    assert!(timers(&mut session, 61).len() == 1);
    session
        .handle_frame(at(62), Action::X224, &common::slow_path(&update))
        .unwrap();
    assert_eq!(events(&mut session), [Event::Painted]);
    assert_eq!(session.damage(), [Rect::new(0, 0, 4, 4)]);
    assert_eq!(timers(&mut session, 91), []);
}

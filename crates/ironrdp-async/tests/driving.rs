//! Driving sequences: the same bytes and answers, whatever is dropped on the way.

#![expect(clippy::panic, reason = "this is how a test fails")]

mod common;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use common::{Full, Plain, Read, Wire, poll_once, run, run_dropping, tpkt};
use fastrand::Rng;
use ironrdp_async::{
    Answers, Driven, Framed, NoAnswers, drive, drive_while, single_sequence_step, single_sequence_step_read,
    single_sequence_step_write,
};
use ironrdp_connector::{
    ConnectorError, ConnectorErrorKind, ConnectorResult, Driver, Limits, NetworkProtocol, NetworkRequest,
    Phase, Reply, Request, Sequence, State, StepInput, Written,
};
use ironrdp_core::WriteBuf;
use ironrdp_pdu::{PduHint, X224_HINT};

/// What a scripted sequence does next.
#[derive(Debug, Clone)]
enum Act {
    Say(Vec<u8>),
    Hear(Vec<u8>),
    Upgrade,
    Random(usize),
    Network(NetworkRequest),
    Fail,
}

/// A sequence that follows a script and notes what it was told.
#[derive(Debug)]
struct Script {
    acts: VecDeque<Act>,
    told: Vec<Vec<u8>>,
    error: Option<ConnectorError>,
}

impl Script {
    fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        Self {
            acts: acts.into_iter().collect(),
            told: Vec::new(),
            error: None,
        }
    }
}

impl State for Script {
    fn name(&self) -> &'static str {
        "Script"
    }
    fn is_terminal(&self) -> bool {
        self.acts.is_empty()
    }
}

impl Sequence for Script {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        matches!(self.acts.front(), Some(Act::Hear(_))).then_some(&X224_HINT as &dyn PduHint)
    }

    fn state(&self) -> &dyn State {
        self
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        match self.acts.pop_front() {
            Some(Act::Say(bytes)) => {
                output.extend_from_slice(&bytes);
                Ok(Written::from_size(bytes.len()))
            }
            Some(Act::Hear(expected)) => {
                assert_eq!(input.bytes, expected);
                Ok(Written::Nothing)
            }
            Some(Act::Fail) => {
                let error = ConnectorError::unexpected("scripted");
                self.error = Some(error.clone());
                self.acts.push_front(Act::Fail);
                Err(error)
            }
            other => panic!("a step at {other:?}"),
        }
    }

    fn request(&self) -> Option<Request<'_>> {
        match self.acts.front()? {
            Act::Upgrade => Some(Request::UpgradeToTls),
            Act::Random(count) => Some(Request::Random(*count)),
            Act::Network(request) => Some(Request::Network(request)),
            _ => None,
        }
    }

    fn answer(&mut self, reply: Reply) -> ConnectorResult<()> {
        match (self.acts.pop_front(), reply) {
            (Some(Act::Upgrade), Reply::Upgraded) => {}
            (Some(Act::Random(count)), Reply::Random(bytes)) => assert_eq!(bytes.len(), count),
            (Some(Act::Network(_)), Reply::Network(bytes)) => self.told.push(bytes),
            other => panic!("answered {other:?}"),
        }
        Ok(())
    }

    fn phase(&self) -> Phase {
        if self.acts.iter().any(|act| matches!(act, Act::Upgrade)) {
            Phase::Negotiate
        } else {
            Phase::Activate
        }
    }

    fn limits(&self) -> &Limits {
        &Limits::DEFAULT
    }
}

/// A KDC that takes its time.
#[derive(Default)]
struct SlowKdc {
    asked: usize,
}

impl Answers for SlowKdc {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        let Request::Network(request) = request else {
            panic!("asked {request:?}")
        };
        self.asked += 1;
        // Nine answers of ten take two polls.
        let mut waits = usize::from(!self.asked.is_multiple_of(10));
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if waits == 0 {
                return Poll::Ready(());
            }
            waits -= 1;
            Poll::Pending
        })
        .await;
        Ok(Reply::Network([&request.data[..], b" answered"].concat()))
    }
}

fn kdc_request() -> Act {
    Act::Network(NetworkRequest {
        protocol: NetworkProtocol::Tcp,
        url: "tcp://kdc".to_owned(),
        data: b"ticket".to_vec(),
    })
}

/// The script, what the peer sends, and what it must get.
fn long_script(dice: &mut Rng) -> (Vec<Act>, Vec<u8>, Vec<u8>) {
    let (mut acts, mut theirs, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..40 {
        let pdu = tpkt(7 + dice.usize(..600), index);
        match dice.usize(..5) {
            0 | 1 => {
                ours.extend_from_slice(&pdu);
                acts.push(Act::Say(pdu));
            }
            2 | 3 => {
                theirs.extend_from_slice(&pdu);
                acts.push(Act::Hear(pdu));
            }
            _ if index % 2 == 0 => acts.push(Act::Random(usize::from(index))),
            _ => acts.push(kdc_request()),
        }
    }
    (acts, theirs, ours)
}

#[test]
fn a_sequence_dropped_at_every_await_point_says_every_byte_once() {
    let mut dropped = 0;
    for seed in 0..100 {
        let mut dice = Rng::with_seed(seed + 77);
        let (acts, theirs, ours) = long_script(&mut dice);
        let mut wire = Wire::crumbs(&theirs, 300, seed);
        wire.writes = (0..300).map(|_| dice.usize(..90)).collect();
        wire.flushes = (0..300).map(|_| dice.bool()).collect();
        let mut shell = (
            Framed::<Full>::new(wire),
            Driver::new(Script::new(acts)),
            SlowKdc::default(),
        );
        let (result, drops) = run_dropping(&mut shell, async |(framed, driver, kdc)| {
            drive(framed, driver, kdc).await
        });
        assert_eq!(result.unwrap(), Driven::Done);
        dropped += drops;
        let wire = shell.0.into_inner_no_leftover();
        assert_eq!((wire.wire, wire.held.len()), (ours, 0), "seed {seed}");
        assert!(
            shell
                .1
                .sequence()
                .told
                .iter()
                .all(|answer| answer == b"ticket answered")
        );
    }
    assert!(dropped > 1_000, "{dropped}");
}

#[test]
fn an_adapter_with_only_the_required_traits_is_driven_too() {
    let (acts, theirs, ours) = long_script(&mut Rng::with_seed(5));
    let mut framed = Framed::<Plain>::new(Wire::crumbs(&theirs, 300, 5));
    let mut driver = Driver::new(Script::new(acts));
    assert_eq!(
        run(drive(&mut framed, &mut driver, &mut SlowKdc::default())).unwrap(),
        Driven::Done
    );
    assert_eq!(framed.into_inner_no_leftover().wire, ours);
}

#[test]
fn pdus_that_need_no_answer_in_between_leave_in_one_write() {
    let acts = [
        Act::Say(tpkt(10, 1)),
        Act::Say(tpkt(20, 2)),
        Act::Random(4),
        Act::Say(tpkt(30, 3)),
        Act::Say(tpkt(40, 4)),
        Act::Hear(tpkt(9, 9)),
        Act::Say(tpkt(50, 5)),
    ];
    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(tpkt(9, 9))]));
    let mut driver = Driver::new(Script::new(acts));
    assert_eq!(
        run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap(),
        Driven::Done
    );
    let wire = framed.into_inner_no_leftover();
    assert_eq!((wire.wire.len(), wire.write_calls), (150, 2));
}

#[test]
fn the_upgrade_is_the_callers_and_comes_after_the_flush() {
    let acts = [
        Act::Say(tpkt(10, 1)),
        Act::Hear(tpkt(11, 2)),
        Act::Upgrade,
        Act::Say(tpkt(12, 3)),
    ];
    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(tpkt(11, 2))]));
    let mut driver = Driver::new(Script::new(acts));
    for _ in 0..2 {
        // Asked again until it is answered.
        assert_eq!(
            run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap(),
            Driven::UpgradeToTls
        );
    }
    assert_eq!(framed.into_inner_no_leftover().wire, tpkt(10, 1));
    driver.answer(Reply::Upgraded).unwrap();
    let mut framed = Framed::<Full>::new(Wire::default());
    assert_eq!(
        run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap(),
        Driven::Done
    );
    assert_eq!(framed.into_inner_no_leftover().wire, tpkt(12, 3));
}

#[test]
fn bytes_smuggled_in_before_the_upgrade_are_an_error() {
    let injected = [tpkt(11, 2), b"!".to_vec()].concat();
    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(injected)]));
    let mut driver = Driver::new(Script::new([Act::Hear(tpkt(11, 2)), Act::Upgrade]));
    let error = run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap_err();
    assert_eq!(error.kind(), &ConnectorErrorKind::Unexpected);
    assert_eq!(error.phase(), Some(Phase::Negotiate));
}

#[test]
fn a_condition_pauses_between_two_waits() {
    let acts = [
        Act::Say(tpkt(10, 1)),
        Act::Hear(tpkt(11, 2)),
        Act::Upgrade,
        Act::Hear(tpkt(12, 3)),
    ];
    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(tpkt(11, 2))]));
    let mut driver = Driver::new(Script::new(acts));
    let first = |script: &Script| script.acts.len() > 1;
    assert_eq!(
        run(drive_while(&mut framed, &mut driver, &mut NoAnswers, first)).unwrap(),
        Driven::UpgradeToTls
    );
    driver.answer(Reply::Upgraded).unwrap();
    let paused = run(drive_while(&mut framed, &mut driver, &mut NoAnswers, |script| {
        script.acts.len() > 1
    }));
    assert_eq!(paused.unwrap(), Driven::Paused);
}

#[test]
fn the_last_words_of_a_failed_sequence_go_out_and_the_error_comes_again() {
    let mut framed = Framed::<Full>::new(Wire::default());
    let mut driver = Driver::new(Script::new([Act::Say(tpkt(10, 1)), Act::Fail]));
    for _ in 0..2 {
        let error = run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap_err();
        assert_eq!(error.kind(), &ConnectorErrorKind::Unexpected);
    }
    assert_eq!(framed.into_inner_no_leftover().wire, tpkt(10, 1));

    // A peer that does not read is not waited for.
    let mut framed = Framed::<Full>::new(Wire {
        writes: [0; 9].into(),
        ..Wire::default()
    });
    let mut driver = Driver::new(Script::new([Act::Say(tpkt(10, 1)), Act::Fail]));
    assert!(matches!(
        poll_once(drive(&mut framed, &mut driver, &mut NoAnswers)),
        Poll::Ready(Err(_))
    ));
}

#[test]
fn io_errors_name_the_phase_and_what_was_done() {
    let mut framed = Framed::<Full>::new(Wire {
        eof: true,
        ..Wire::default()
    });
    let mut driver = Driver::new(Script::new([Act::Hear(tpkt(9, 1))]));
    let error = run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap_err();
    assert_eq!(
        error.kind(),
        &ConnectorErrorKind::Io(std::io::ErrorKind::UnexpectedEof)
    );
    assert_eq!(error.to_string(), "activate: reading from the peer");

    let mut framed = Framed::<Full>::new(Wire {
        fail_writes: true,
        ..Wire::default()
    });
    let mut driver = Driver::new(Script::new([Act::Say(tpkt(9, 1))]));
    let error = run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap_err();
    assert_eq!(error.to_string(), "activate: writing to the peer");
}

#[test]
fn a_question_nobody_answers_is_misuse() {
    let mut framed = Framed::<Full>::new(Wire::default());
    let mut driver = Driver::new(Script::new([kdc_request()]));
    let error = run(drive(&mut framed, &mut driver, &mut NoAnswers)).unwrap_err();
    assert_eq!(error.kind(), &ConnectorErrorKind::Misuse);
}

#[test]
fn single_steps_read_and_write_one_pdu_each() {
    let acts = [
        Act::Say(tpkt(10, 1)),
        Act::Random(5),
        Act::Hear(tpkt(11, 2)),
        Act::Say(tpkt(12, 3)),
        Act::Upgrade,
    ];
    let mut framed = Framed::<Full>::new(Wire::crumbs(&tpkt(11, 2), 3, 1));
    let mut script = Script::new(acts);
    let mut buf = WriteBuf::new();
    run(single_sequence_step(&mut framed, &mut script, &mut buf)).unwrap();
    assert_eq!(framed.get_inner().0.wire, tpkt(10, 1));

    let (written, dropped) = run_dropping(&mut framed, async |framed| {
        single_sequence_step_read(framed, &mut script, &mut buf).await
    });
    assert_eq!(written.unwrap(), Written::Nothing);
    assert!(dropped > 0);

    let written = run(single_sequence_step_read(&mut framed, &mut script, &mut buf)).unwrap();
    assert_eq!(written.size(), 12);
    run(single_sequence_step_write(&mut framed, &buf, written)).unwrap();
    assert_eq!(framed.get_inner().0.wire, [tpkt(10, 1), tpkt(12, 3)].concat());

    let error = run(single_sequence_step(&mut framed, &mut script, &mut buf)).unwrap_err();
    assert_eq!(error.kind(), &ConnectorErrorKind::Misuse);
}

#[test]
fn a_pdu_of_another_framing_ends_a_single_step_with_a_typed_error() {
    let mut buf = WriteBuf::new();
    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(vec![0, 5, 1, 2, 3])]));
    let mut script = Script::new([Act::Hear(tpkt(9, 1))]);
    let step = single_sequence_step_read(&mut framed, &mut script, &mut buf);
    assert_eq!(run(step).unwrap_err().kind(), &ConnectorErrorKind::Unexpected);

    let mut framed = Framed::<Full>::new(Wire::reading([Read::Bytes(vec![1, 5, 1, 2, 3])]));
    let step = single_sequence_step_read(&mut framed, &mut script, &mut buf);
    assert_eq!(run(step).unwrap_err().kind(), &ConnectorErrorKind::Malformed);
}

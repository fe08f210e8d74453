//! Dialling a host that has several addresses.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::Timer;

/// How long the next address waits for the one before it (RFC 8305, section 5: 250 ms).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Addresses of one host that are tried at most. A name with hundreds of them must not open hundreds of sockets.
const MAX_ADDRESSES: usize = 16;

/// Gives the first connection that one of `addresses` answers with; `connect` begins one. For shells that bring their own sockets.
///
/// A new address is tried every 250 ms, or at once when one fails, the families taking turns; so a dead route costs a
/// quarter of a second and not the whole deadline. No more than 16 are tried. If none answers, the error is that of the last to
/// fail; there is no deadline but the caller's.
///
/// # Cancel safety
///
/// The attempts go with the future.
pub async fn dial_any<T, S, F>(
    timer: &mut T,
    addresses: impl IntoIterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<S>
where
    T: Timer,
    F: Future<Output = io::Result<S>>,
{
    let mut waiting = in_turns(addresses.into_iter().take(MAX_ADDRESSES));
    let mut attempts: Vec<Pin<Box<F>>> = Vec::new();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut next_start = T::now();
    loop {
        if (attempts.is_empty() || T::now() >= next_start)
            && let Some(address) = waiting.pop_front()
        {
            tracing::trace!(%address, "dialing");
            attempts.push(Box::pin(connect(address)));
            next_start = T::now() + ATTEMPT_DELAY;
        }
        if attempts.is_empty() {
            return Err(error);
        }
        timer.set((!waiting.is_empty()).then_some(next_start));
        let result = poll_fn(|cx| match poll_attempts(&mut attempts, cx) {
            Poll::Pending if !waiting.is_empty() => timer.poll(cx).map(|()| None),
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => Poll::Ready(Some(result)),
        })
        .await;
        match result {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(failed)) => {
                tracing::debug!(error = %failed, "an address did not answer");
                error = failed;
                next_start = T::now();
            }
            None => {}
        }
    }
}

/// The first attempt that is over; it is removed.
fn poll_attempts<S, F: Future<Output = io::Result<S>>>(
    attempts: &mut Vec<Pin<Box<F>>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<S>> {
    for index in 0..attempts.len() {
        if let Some(attempt) = attempts.get_mut(index)
            && let Poll::Ready(result) = attempt.as_mut().poll(cx)
        {
            drop(attempts.swap_remove(index));
            return Poll::Ready(result);
        }
    }
    Poll::Pending
}

/// The addresses with their families taking turns, starting with that of the first (RFC 8305, section 4).
fn in_turns(addresses: impl Iterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut addresses: VecDeque<SocketAddr> = addresses.collect();
    let mut turns = VecDeque::with_capacity(addresses.len());
    while let Some(first) = addresses.pop_front() {
        let other = addresses
            .iter()
            .position(|address| address.is_ipv4() != first.is_ipv4());
        turns.push_back(first);
        turns.extend(other.and_then(|index| addresses.remove(index)));
    }
    turns
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::pin::pin;
    use std::task::Waker;

    use ironrdp_core::MonotonicInstant;

    use super::*;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    fn at(ms: u64) -> MonotonicInstant {
        MonotonicInstant::from_origin(Duration::from_millis(ms))
    }

    /// Goes by the test's clock.
    #[derive(Default)]
    struct ByHand(Option<MonotonicInstant>);

    impl Timer for ByHand {
        fn now() -> MonotonicInstant {
            at(NOW.get())
        }

        fn set(&mut self, at: Option<MonotonicInstant>) {
            self.0 = at;
        }

        fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
            match self.0 {
                Some(at) if at <= Self::now() => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }
    }

    /// What is at an address, and after how many milliseconds it shows.
    #[derive(Clone, Copy)]
    enum Manner {
        Answers(u64),
        Refuses(u64),
        Dead,
    }

    /// Who answered when, or the error; and when each address was dialled.
    type Dialled = (Result<(u16, u64), io::ErrorKind>, Vec<u64>);

    /// Dials addresses that are told apart by their ports, for ten seconds.
    fn dial(manners: &[Manner]) -> Dialled {
        NOW.set(0);
        let starts = RefCell::new(Vec::new());
        let connect = |address: SocketAddr| {
            let (port, start) = (address.port(), NOW.get());
            starts.borrow_mut().push(start);
            let manner = manners[usize::from(port)];
            poll_fn(move |_| match manner {
                Manner::Answers(after) if NOW.get() >= start + after => Poll::Ready(Ok((port, NOW.get()))),
                Manner::Refuses(after) if NOW.get() >= start + after => {
                    Poll::Ready(Err(io::ErrorKind::ConnectionRefused.into()))
                }
                _ => Poll::Pending,
            })
        };
        let ports = 0..u16::try_from(manners.len()).unwrap();
        let addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut timer = ByHand::default();
        let result = {
            let mut dialling = pin!(dial_any(&mut timer, addresses, connect));
            loop {
                if let Poll::Ready(result) = dialling.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    break result.map_err(|error| error.kind());
                }
                if NOW.get() == 10_000 {
                    break Err(io::ErrorKind::TimedOut);
                }
                NOW.set(NOW.get() + 10);
            }
        };
        (result, starts.into_inner())
    }

    #[test]
    fn a_dead_address_holds_up_the_next_for_a_quarter_of_a_second() {
        use Manner::{Answers, Dead, Refuses};

        assert_eq!(dial(&[Answers(100), Dead]), (Ok((0, 100)), vec![0]));
        assert_eq!(dial(&[Dead, Answers(100)]), (Ok((1, 350)), vec![0, 250]));
        assert_eq!(
            dial(&[Dead, Dead, Dead, Answers(0)]),
            (Ok((3, 750)), vec![0, 250, 500, 750])
        );
        // One that is slow goes on beside the others.
        assert_eq!(dial(&[Answers(300), Dead]), (Ok((0, 300)), vec![0, 250]));
        // One that fails holds nothing up.
        assert_eq!(
            dial(&[Refuses(0), Refuses(20), Answers(0)]),
            (Ok((2, 20)), vec![0, 0, 20])
        );
    }

    #[test]
    fn where_none_answers_the_last_error_is_told_and_no_more_than_sixteen_are_tried() {
        let refused = Err(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            dial(&[Manner::Refuses(30), Manner::Refuses(0)]),
            (refused, vec![0, 30])
        );
        assert_eq!(dial(&[]), (Err(io::ErrorKind::NotFound), vec![]));
        let (result, starts) = dial(&[Manner::Dead; 20]);
        assert_eq!((result, starts.len()), (Err(io::ErrorKind::TimedOut), 16));
    }

    #[test]
    fn families_take_turns() {
        let order = |list: &[&str]| -> Vec<String> {
            in_turns(list.iter().map(|text| text.parse().unwrap()))
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "127.0.0.2:1"]),
            ["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"]
        );
        assert_eq!(order(&["127.0.0.1:1"]), ["127.0.0.1:1"]);
        assert!(order(&[]).is_empty());
    }
}

//! Deadlines for calls that block.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ironrdp_async::{Timer, now};
use ironrdp_core::MonotonicInstant;

thread_local! {
    /// Until when the call that this thread is in may wait. It is here and not in the streams, because the innermost one has to
    /// know, below TLS and whatever else the caller has put on top.
    static UNTIL: Cell<Option<MonotonicInstant>> = const { Cell::new(None) };
}

/// Puts back what held before, whatever happens.
struct Restore(Option<MonotonicInstant>);

impl Drop for Restore {
    fn drop(&mut self) {
        UNTIL.set(self.0);
    }
}

/// The output of a future over streams that block; `None` if a stream's timeout or the time set by a timer has passed.
///
/// Then the future is dropped, and that is why nothing is lost: all progress is in what it borrowed.
pub(crate) fn wait<F: Future>(future: F) -> Option<F::Output> {
    let _restore = Restore(UNTIL.get());
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// [`wait`], no longer than to `until`.
pub(crate) fn wait_until<F: Future>(until: Option<MonotonicInstant>, future: F) -> Option<F::Output> {
    let _restore = Restore(UNTIL.get());
    UNTIL.set(until);
    wait(future)
}

/// How long the call that this thread is in may still wait; `None` for as long as it likes.
pub(crate) fn time_left() -> Option<Duration> {
    UNTIL.get().map(|until| until - now())
}

/// The timer of threads that wait: it bounds what the streams of the same call may block, if they are [`Timed`].
#[derive(Debug, Default)]
pub struct BlockingTimer(Option<MonotonicInstant>);

impl Timer for BlockingTimer {
    fn now() -> MonotonicInstant {
        now()
    }

    fn set(&mut self, at: Option<MonotonicInstant>) {
        self.0 = at;
        UNTIL.set(at);
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        match self.0 {
            Some(at) if at <= now() => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

/// A stream whose waits can be bounded: sockets.
///
/// The methods are those of [`TcpStream`].
pub trait Timeouts {
    /// How long a read may block; `None` for ever.
    fn read_timeout(&self) -> io::Result<Option<Duration>>;

    /// How long a write may block; `None` for ever.
    fn write_timeout(&self) -> io::Result<Option<Duration>>;

    /// Sets how long a read may block; never to zero.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Sets how long a write may block; never to zero.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
}

macro_rules! socket {
    ($($socket:ty),*) => {$(
        impl Timeouts for $socket {
            fn read_timeout(&self) -> io::Result<Option<Duration>> {
                <$socket>::read_timeout(self)
            }

            fn write_timeout(&self) -> io::Result<Option<Duration>> {
                <$socket>::write_timeout(self)
            }

            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                <$socket>::set_read_timeout(self, timeout)
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                <$socket>::set_write_timeout(self, timeout)
            }
        }
    )*};
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

/// A socket that does not block beyond the deadline of the call it is used in.
///
/// Put it around the socket itself and TLS around it. [`connect_begin`](crate::connect_begin),
/// [`connect_finalize`](crate::connect_finalize) and [`SessionStream`](crate::SessionStream) then keep their deadlines, even against a
/// peer that sends a byte now and then. A timeout that the socket had before still ends a call with
/// [`WouldBlock`](ErrorKind::WouldBlock); while it is wrapped, leave the socket's timeouts alone.
#[derive(Debug)]
pub struct Timed<S> {
    stream: S,
    read: Side,
    write: Side,
}

/// One direction of a socket.
#[derive(Debug)]
struct Side {
    /// The timeout it had of its own.
    own: Option<Duration>,
    /// The timeout that is set now.
    armed: Option<Duration>,
}

impl Side {
    const fn new(own: Option<Duration>) -> Self {
        Self { own, armed: own }
    }
}

impl<S: Timeouts> Timed<S> {
    /// Bounds the waits of `stream`; an error if the stream cannot say what timeouts it has.
    pub fn new(stream: S) -> io::Result<Self> {
        Ok(Self {
            read: Side::new(stream.read_timeout()?),
            write: Side::new(stream.write_timeout()?),
            stream,
        })
    }

    /// The stream back, with the timeouts that it had before.
    pub fn into_inner(self) -> io::Result<S> {
        self.stream.set_read_timeout(self.read.own)?;
        self.stream.set_write_timeout(self.write.own)?;
        Ok(self.stream)
    }
}

impl<S> Timed<S> {
    /// The stream, to look at its addresses or set its options.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }
}

/// Calls the operating system with a timeout that ends with the call this thread is in.
fn attempt<S, T>(
    stream: &mut S,
    side: &mut Side,
    set: fn(&S, Option<Duration>) -> io::Result<()>,
    mut call: impl FnMut(&mut S) -> io::Result<T>,
) -> io::Result<T> {
    let mut start = now();
    let patience = side.own.map(|own| start + own);
    loop {
        let until = patience.into_iter().chain(UNTIL.get()).min();
        let left = until.map(|until| until - start);
        if left.is_some_and(|left| left.is_zero()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        if !is_near(side.armed, left) {
            // Systems count in milliseconds, and take zero for ever.
            let left = left.map(|left| left.max(Duration::from_millis(1)));
            set(stream, left)?;
            side.armed = left;
        }
        match call(stream) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                // A stream that never blocks would come back at once for ever.
                if side.armed.is_none_or(|armed| now() - start < armed / 2) {
                    return Err(error);
                }
            }
            result => return result,
        }
        start = now();
    }
}

/// Whether a timeout that is set will do for the one wanted: too short now and then costs less than setting it for each call.
fn is_near(armed: Option<Duration>, wanted: Option<Duration>) -> bool {
    match (armed, wanted) {
        (None, None) => true,
        (Some(armed), Some(wanted)) => armed <= wanted && wanted / 2 <= armed,
        _ => false,
    }
}

impl<S: Read + Timeouts> Read for Timed<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        attempt(&mut self.stream, &mut self.read, S::set_read_timeout, |stream| {
            stream.read(buf)
        })
    }
}

impl<S: Write + Timeouts> Write for Timed<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        attempt(
            &mut self.stream,
            &mut self.write,
            S::set_write_timeout,
            |stream| stream.write(buf),
        )
    }

    fn flush(&mut self) -> io::Result<()> {
        attempt(
            &mut self.stream,
            &mut self.write,
            S::set_write_timeout,
            Write::flush,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Never has anything; keeps what was set, and waits as long as that, unless it never blocks.
    #[derive(Default)]
    struct Silent {
        own: Option<Duration>,
        never_blocks: bool,
        set: RefCell<Vec<Option<Duration>>>,
    }

    impl Timeouts for Silent {
        fn read_timeout(&self) -> io::Result<Option<Duration>> {
            Ok(self.own)
        }

        fn write_timeout(&self) -> io::Result<Option<Duration>> {
            Ok(None)
        }

        fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            assert_ne!(timeout, Some(Duration::ZERO));
            self.set.borrow_mut().push(timeout);
            Ok(())
        }

        fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            if !self.never_blocks {
                let timeout = self.set.borrow().last().copied().unwrap_or(self.own);
                std::thread::sleep(timeout.expect("it would block for ever"));
            }
            Err(ErrorKind::WouldBlock.into())
        }
    }

    const MS: Duration = Duration::from_millis(1);

    /// Reads within a call that may wait until `deadline` from now; says what was set on the socket.
    fn read(stream: Silent, deadline: Option<Duration>) -> Vec<Option<Duration>> {
        let mut timed = Timed::new(stream).unwrap();
        let until = deadline.map(|deadline| now() + deadline);
        let result = wait_until(until, async { timed.read(&mut [0; 9]) }).unwrap();
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(time_left(), None);
        timed.stream.set.into_inner()
    }

    #[test]
    fn a_read_blocks_until_the_deadline_and_not_beyond() {
        let set = read(Silent::default(), Some(500 * MS));
        assert!(
            set.iter().all(|set| set.is_some_and(|set| set <= 500 * MS)),
            "{set:?}"
        );
        assert!(!set.is_empty());
        // A deadline that has passed is not waited for.
        assert_eq!(read(Silent::default(), Some(Duration::ZERO)), []);
    }

    #[test]
    fn a_timeout_of_the_sockets_own_still_counts_if_it_comes_first() {
        let own = |own| Silent {
            own: Some(own),
            ..Silent::default()
        };
        for deadline in [None, Some(3_600_000 * MS)] {
            let set = read(own(10 * MS), deadline);
            assert!(
                set.iter().all(|set| set.is_some_and(|set| set <= 10 * MS)),
                "{set:?}"
            );
        }
        let set = read(own(3_600_000 * MS), Some(500 * MS));
        assert!(set[0].unwrap() <= 500 * MS, "{set:?}");
    }

    #[test]
    fn a_stream_that_never_blocks_is_not_asked_again_and_again() {
        let stream = Silent {
            never_blocks: true,
            ..Silent::default()
        };
        assert_eq!(read(stream, Some(3_600_000 * MS)).len(), 1);
        let stream = Silent {
            never_blocks: true,
            ..Silent::default()
        };
        assert_eq!(read(stream, None), []);
    }

    #[test]
    fn a_timeout_is_not_set_for_each_call() {
        let second = 1_000 * MS;
        assert!(is_near(Some(second), Some(second + MS)) && is_near(None, None));
        assert!(!is_near(Some(second), Some(second - MS)) && !is_near(Some(second), None));
        assert!(!is_near(None, Some(second)) && !is_near(Some(MS), Some(second)));
    }
}

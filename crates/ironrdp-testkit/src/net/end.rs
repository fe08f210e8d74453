//! The ends of a wire as streams: of tokio, of futures-io, and of the standard library.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Clock, LaneReport, Path, Peer, Wire};
use crate::Direction;

/// A connection through a simulated network: the client's end and the server's.
pub fn pipe<C: Clock>(clock: C, seed: u64, to_server: Path, to_client: Path) -> (End<C>, End<C>) {
    let shared = Arc::new(Mutex::new(Shared {
        wire: Wire::new(seed, to_server, to_client),
        client: Waiting::default(),
        server: Waiting::default(),
    }));
    let end = |peer| End {
        shared: Arc::clone(&shared),
        peer,
        clock: clock.clone(),
        read_timer: C::Timer::default(),
        write_timer: C::Timer::default(),
    };
    (end(Peer::Client), end(Peer::Server))
}

/// One end of a [`pipe`].
///
/// Implements the reading and writing traits of `tokio` and `futures-io`. Those of `std::io` never
/// wait: [`WouldBlock`](io::ErrorKind::WouldBlock) means that the clock has to be moved on, or the other end be served. A dropped end
/// has closed its stream.
pub struct End<C: Clock> {
    shared: Arc<Mutex<Shared>>,
    peer: Peer,
    clock: C,
    read_timer: C::Timer,
    write_timer: C::Timer,
}

struct Shared {
    wire: Wire,
    client: Waiting,
    server: Waiting,
}

/// The tasks of one end that wait for the other end to do something.
#[derive(Default)]
struct Waiting {
    to_read: Option<Waker>,
    to_write: Option<Waker>,
}

impl Waiting {
    fn wake_reader(&mut self) {
        self.to_read.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.to_write.take().into_iter().for_each(Waker::wake);
    }

    fn wake(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }
}

impl Shared {
    fn of(&mut self, peer: Peer) -> &mut Waiting {
        match peer {
            Peer::Client => &mut self.client,
            Peer::Server => &mut self.server,
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic elsewhere in a test leaves a wire that is still a wire.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Clock> End<C> {
    /// To look at what happens on the wire, now or when the ends are gone.
    pub fn probe(&self) -> Probe {
        Probe(Arc::clone(&self.shared))
    }

    /// Reads what has arrived; 0 at the end of the stream.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut shared = lock(&self.shared);
        match shared.wire.read(self.peer, self.clock.now(), buf) {
            Ok(Some(count)) => {
                // There is room again.
                shared.of(self.peer.other()).wake_writer();
                Poll::Ready(Ok(count))
            }
            Ok(None) => {
                shared.of(self.peer).to_read = Some(cx.waker().clone());
                if let Some(at) = shared.wire.next_change(self.peer) {
                    self.clock.wake_at(&mut self.read_timer, at, cx);
                }
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Writes as much as there is room for.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = lock(&self.shared);
        let other = self.peer.other();
        let (change, breaks_at) = (shared.wire.next_change(other), shared.wire.breaks_at());
        let result = shared.wire.write(self.peer, self.clock.now(), bytes);
        if shared.wire.breaks_at() != breaks_at {
            // Everybody has to know when to look.
            shared.of(other).wake();
            shared.of(self.peer).wake();
        } else if shared.wire.next_change(other) != change {
            // There will be something to read.
            shared.of(other).wake_reader();
        }
        match result {
            Ok(Some(count)) => Poll::Ready(Ok(count)),
            Ok(None) => {
                shared.of(self.peer).to_write = Some(cx.waker().clone());
                if let Some(at) = shared.wire.next_change(self.peer) {
                    self.clock.wake_at(&mut self.write_timer, at, cx);
                }
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Ends what this end writes; it can go on reading.
    pub fn close(&mut self) {
        let mut shared = lock(&self.shared);
        shared.wire.close(self.peer, self.clock.now());
        shared.of(self.peer.other()).wake();
    }
}

impl<C: Clock> Drop for End<C> {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.wire.abandon(self.peer, self.clock.now());
        shared.of(self.peer.other()).wake();
    }
}

impl<C: Clock> fmt::Debug for End<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Looks at a wire while others use it.
#[derive(Clone)]
pub struct Probe(Arc<Mutex<Shared>>);

impl Probe {
    /// What has happened in one direction so far.
    pub fn report(&self, direction: Direction) -> LaneReport {
        lock(&self.0).wire.report(direction)
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("to_server", &self.report(Direction::ToServer))
            .field("to_client", &self.report(Direction::ToClient))
            .finish()
    }
}

mod for_tokio {
    use std::pin::Pin;

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::{Clock, Context, End, Poll, io, lock};

    impl<C: Clock> AsyncRead for End<C> {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let end = self.get_mut();
            // Making all of a large buffer ready would cost more than the read.
            let arrived = lock(&end.shared).wire.arrived(end.peer, end.clock.now());
            let room = buf.remaining().min(arrived.max(1));
            let polled = end.poll_read(cx, buf.initialize_unfilled_to(room));
            polled.map_ok(|count| buf.advance(count))
        }
    }

    impl<C: Clock> AsyncWrite for End<C> {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            End::poll_write(self.get_mut(), cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.get_mut().close();
            Poll::Ready(Ok(()))
        }
    }
}

mod for_futures {
    use std::pin::Pin;

    use futures_io::{AsyncRead, AsyncWrite};

    use super::{Clock, Context, End, Poll, io};

    impl<C: Clock> AsyncRead for End<C> {
        fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            End::poll_read(self.get_mut(), cx, buf)
        }
    }

    impl<C: Clock> AsyncWrite for End<C> {
        fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            End::poll_write(self.get_mut(), cx, bytes)
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.get_mut().close();
            Poll::Ready(Ok(()))
        }
    }
}

impl<C: Clock> io::Read for End<C> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        now_or_never(self.poll_read(&mut Context::from_waker(Waker::noop()), buf))
    }
}

impl<C: Clock> io::Write for End<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        now_or_never(self.poll_write(&mut Context::from_waker(Waker::noop()), bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn now_or_never(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

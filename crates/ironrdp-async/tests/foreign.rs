//! Adapters that somebody else has written, and streams on top of streams.

#![expect(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use std::future::{Future, Ready, ready};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bytes::BytesMut;
use ironrdp_async::{
    Driven, Framed, FramedRead, FramedWrite, NoAnswers, StreamWrapper, drive, poll_fill, poll_fill_slice,
};
use ironrdp_connector::{ClientConnector, Config, Credentials, Driver};

/// TPKT and X.224 Connection Confirm with a Negotiation Response that selects TLS (MS-RDPBCGR 2.2.1.2.1).
const SELECT_TLS: &[u8] = &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0];

/// What arrives, and who waits for it: a read that is dropped waits no longer, as with a `readable()` that takes itself off a list.
#[derive(Default)]
struct Shared {
    bytes: Vec<u8>,
    waiting: Option<Waker>,
}

/// A stream like that, with no more than the traits an adapter must have.
#[derive(Clone, Default)]
struct OnAList(Arc<Mutex<Shared>>);

impl OnAList {
    fn deliver(&self, bytes: &[u8]) {
        let mut shared = self.0.lock().unwrap();
        shared.bytes.extend(bytes);
        if let Some(waker) = shared.waiting.take() {
            waker.wake();
        }
    }
}

impl StreamWrapper for OnAList {
    type InnerStream = Self;

    fn from_inner(stream: Self) -> Self {
        stream
    }

    fn into_inner(self) -> Self {
        self
    }

    fn get_inner(&self) -> &Self {
        self
    }

    fn get_inner_mut(&mut self) -> &mut Self {
        self
    }
}

impl FramedRead for OnAList {
    type ReadFut<'read> = OneRead<'read>;

    fn read<'a>(&'a mut self, buf: &'a mut BytesMut) -> OneRead<'a> {
        OneRead(&self.0, buf)
    }
}

struct OneRead<'a>(&'a Mutex<Shared>, &'a mut BytesMut);

impl Future for OneRead<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(shared, buf) = self.get_mut();
        let mut shared = shared.lock().unwrap();
        if shared.bytes.is_empty() {
            shared.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes = std::mem::take(&mut shared.bytes);
        buf.extend_from_slice(&bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

impl Drop for OneRead<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().waiting = None;
    }
}

impl FramedWrite for OnAList {
    type WriteAllFut<'write> = Ready<io::Result<()>>;

    fn write_all<'a>(&'a mut self, _: &'a [u8]) -> Self::WriteAllFut<'a> {
        ready(Ok(()))
    }
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls `future` only when it was woken, while `bytes` arrive one by one.
fn byte_by_byte<F: Future>(future: F, stream: &OnAList, bytes: &[u8]) -> F::Output {
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let mut polled = future.as_mut().poll(&mut cx);
    for (at, byte) in bytes.iter().enumerate() {
        assert!(polled.is_pending(), "ready before byte {at}");
        stream.deliver(&[*byte]);
        assert_eq!(
            count.0.swap(0, Ordering::Relaxed),
            1,
            "nobody was woken by byte {at}"
        );
        polled = future.as_mut().poll(&mut cx);
    }
    match polled {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("all bytes are there"),
    }
}

#[test]
fn a_read_that_is_forgotten_when_it_is_dropped_is_kept_from_poll_to_poll() {
    let stream = OnAList::default();
    let mut framed = Framed::<OnAList>::new(stream.clone());
    let config = Config::new(Credentials::new("rdptest", "secret"));
    let mut driver = Driver::new(ClientConnector::new(config));
    let driven = byte_by_byte(
        drive(&mut framed, &mut driver, &mut NoAnswers),
        &stream,
        SELECT_TLS,
    );
    assert_eq!(driven.unwrap(), Driven::UpgradeToTls);
    let frame = [0, 5, 1, 2, 3];
    let (_, read) = byte_by_byte(framed.read_pdu(), &stream, &frame).unwrap();
    assert_eq!(read[..], frame);
}

#[test]
fn a_stream_may_be_filled_while_one_above_it_is() {
    // TLS and the like: a read that reads another stream of the same kind to its own end.
    let (mut outer, mut middle, mut inner) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
    for round in 1..=3_u8 {
        let filled = poll_fill(&mut outer, |outer| {
            outer.extend_from_slice(&[round; 10]);
            let filled = poll_fill_slice(&mut middle, |middle| {
                middle[..20].fill(round + 100);
                let filled = poll_fill(&mut inner, |inner| {
                    inner.extend_from_slice(&[round + 200; 30]);
                    Poll::Ready(Ok(30))
                });
                assert!(matches!(filled, Poll::Ready(Ok(30))));
                Poll::Ready(Ok(20))
            });
            assert!(matches!(filled, Poll::Ready(Ok(20))));
            Poll::Ready(Ok(10))
        });
        assert!(matches!(filled, Poll::Ready(Ok(10))));
        let all = |byte: u8, count: usize| {
            (1..=round)
                .flat_map(|round| vec![round + byte; count])
                .collect::<Vec<_>>()
        };
        assert!(
            outer == all(0, 10) && middle == all(100, 20) && inner == all(200, 30),
            "round {round}"
        );
    }
    // And if none of them has anything, none of them keeps a buffer.
    let mut buffers = [BytesMut::new(), BytesMut::new()];
    let [outer, inner] = &mut buffers;
    let filled = poll_fill(outer, |_| {
        assert!(poll_fill(inner, |_| Poll::Pending).is_pending());
        Poll::Pending
    });
    assert!(filled.is_pending() && buffers.iter().all(|buffer| buffer.capacity() == 0));
}

//! Frames to read: from memory, over TCP, over TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};

use crate::child::median;
use crate::floor::{self, Flights};
use crate::measure::{allocated, thread_cpu};
use crate::{Answer, Target};

/// Frames read before it counts.
pub const WARM_UP: usize = 2_000;

/// Bytes that come at once: 64 KiB, like a socket with a full buffer.
pub const BURST: usize = 64 * 1024;

/// A TPKT packet of this size.
pub fn frame(size: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(size).expect("a TPKT packet").to_be_bytes();
    let mut frame = vec![3, 0, high, low, 2, 0xf0, 0x80];
    frame.resize(size, 0x5a);
    frame
}

/// Frames without end, from memory.
struct Endless {
    burst: Vec<u8>,
    at: usize,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.burst[self.at..];
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        self.at = (self.at + count) % self.burst.len();
        Poll::Ready(Ok(()))
    }
}

/// Somebody who reads `count` frames.
pub trait Reader {
    #[expect(async_fn_in_trait, reason = "all of it runs on one thread")]
    async fn read<S>(self, stream: S, count: usize) -> Answer<Value>
    where
        S: AsyncRead + Unpin + Send + Sync + 'static;
}

/// Measures `$read` on `$framed`. A macro, so that no way of reading is chosen anew for every frame.
#[macro_export]
macro_rules! read_frames {
    ($count:ident, $framed:ident = $new:expr, $read:expr) => {{
        let mut $framed = $new;
        for _ in 0..$crate::frames::WARM_UP {
            $read;
        }
        let mut laps = $crate::frames::Laps::start();
        for _ in 0..$crate::frames::LAPS {
            for _ in 0..$count / $crate::frames::LAPS {
                $read;
            }
            laps.lap();
        }
        laps.per($count)
    }};
}

/// Pieces that a run is timed in; the one in the middle counts.
pub const LAPS: usize = 50;

/// Times of the pieces of a run.
pub struct Laps {
    start: Duration,
    blocks: u64,
    times: Vec<Duration>,
}

impl Laps {
    pub fn start() -> Self {
        let times = Vec::with_capacity(LAPS);
        Self {
            start: thread_cpu(),
            blocks: allocated().0,
            times,
        }
    }

    pub fn lap(&mut self) {
        let now = thread_cpu();
        self.times.push(now - self.start);
        self.start = now;
    }

    /// Figures for each of `count` frames.
    pub fn per(mut self, count: usize) -> Value {
        let blocks = allocated().0 - self.blocks;
        let lap = median(&mut self.times).as_secs_f64();
        json!({
            "cpu_ns": lap * 1e9 / (count / LAPS) as f64,
            "allocations": blocks as f64 / count as f64,
        })
    }
}

/// Looks at a frame as little as a reader can.
#[inline]
pub fn look(frame: &[u8]) {
    std::hint::black_box(frame.last());
}

/// What makes the server send `count` frames of `size` bytes, and those before it counts.
pub fn request(size: usize, count: usize) -> Answer<Vec<u8>> {
    let total = u32::try_from(WARM_UP + count)?;
    Ok([u32::try_from(size)?.to_be_bytes(), total.to_be_bytes()].concat())
}

/// Has `reader` read frames of `size` bytes.
pub async fn run(
    reader: impl Reader,
    target: &Target,
    medium: &str,
    size: usize,
    count: usize,
) -> Answer<Value> {
    if medium == "memory" {
        let burst = frame(size).repeat(BURST / size);
        return reader.read(Endless { burst, at: 0 }, count).await;
    }
    let client = floor::Client::new(target, Flights::default())?;
    let request = request(size, count)?;
    if medium == "tcp" {
        let mut stream = client.tcp().await?;
        stream.write_all(&request).await?;
        reader.read(stream, count).await
    } else {
        let mut stream = client.connect().await?;
        stream.write_all(&request).await?;
        stream.flush().await?;
        reader.read(stream, count).await
    }
}

//! What a frame costs the thread that reads it: this crate beside tokio-util's codecs and a bare read with a copy.
//!
//! One thread writes frames into a loopback socket as fast as it can, the main thread reads them in each of the ways, and its
//! CPU time is divided by the number of frames. Run with `cargo bench -p ironrdp-tokio --bench framing`; takes half a minute.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people")]

use std::future::poll_fn;
use std::hint::black_box;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::time::Duration;

use bytes::BytesMut;
use futures_core::Stream;
use ironrdp_tokio::TokioFramed;
use rustix::time::{ClockId, clock_gettime};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, FramedRead, LengthDelimitedCodec};

/// Frame sizes, and how many frames of that size one run reads.
const SIZES: [(usize, usize); 3] = [(64, 2_000_000), (1_024, 300_000), (16 * 1_024, 25_000)];

/// Runs of every way, in turns, so that a busy moment of the machine hits all of them; the median counts.
const ROUNDS: usize = 5;

const CHUNK: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq)]
enum Way {
    ReadPdu,
    NextFrame,
    BufferedFrame,
    ForEach,
    OwnDecoder,
    LengthDelimited,
    LengthDelimitedSmall,
    ReadAndCopy,
}

const WAYS: [(Way, &str); 8] = [
    (Way::ReadPdu, "read_pdu (owned)"),
    (Way::NextFrame, "next_frame (lent)"),
    (Way::BufferedFrame, "buffered_frame + exchange (lent)"),
    (Way::ForEach, "for_each_buffered + exchange (lent)"),
    (Way::OwnDecoder, "tokio-util, own decoder, 64 KiB"),
    (Way::LengthDelimited, "tokio-util, LengthDelimited, 64 KiB"),
    (Way::LengthDelimitedSmall, "tokio-util, LengthDelimited, 8 KiB"),
    (Way::ReadAndCopy, "bare read + copy, 64 KiB"),
];

/// TPKT by hand, as a program that needs nothing else would write it.
struct Tpkt;

impl Decoder for Tpkt {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        let &[version, _, high, low, ..] = &src[..] else {
            return Ok(None);
        };
        if version != 3 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let size = usize::from(u16::from_be_bytes([high, low]));
        if src.len() < size {
            src.reserve(size - src.len());
            return Ok(None);
        }
        Ok(Some(src.split_to(size)))
    }
}

fn length_delimited(stream: TcpStream, capacity: usize) -> FramedRead<TcpStream, LengthDelimitedCodec> {
    // The length counts the header, which stays in front of the frame.
    let codec = LengthDelimitedCodec::builder()
        .length_field_offset(2)
        .length_field_length(2)
        .num_skip(0)
        .new_codec();
    FramedRead::with_capacity(stream, codec, capacity)
}

async fn next<D: Decoder<Item = BytesMut, Error = io::Error> + Unpin>(
    framed: &mut FramedRead<TcpStream, D>,
) -> BytesMut {
    poll_fn(|cx| Pin::new(&mut *framed).poll_next(cx))
        .await
        .unwrap()
        .unwrap()
}

/// Looks at a frame as little as a reader can.
#[inline]
fn look(frame: &[u8]) -> usize {
    usize::from(*black_box(frame).last().unwrap()) + frame.len()
}

async fn read(way: Way, stream: TcpStream, size: usize, frames: usize) -> usize {
    let mut seen = 0;
    let mut framed = match way {
        Way::OwnDecoder => {
            let mut framed = FramedRead::with_capacity(stream, Tpkt, CHUNK);
            for _ in 0..frames {
                seen += look(&next(&mut framed).await);
            }
            return seen;
        }
        Way::LengthDelimited | Way::LengthDelimitedSmall => {
            let capacity = if way == Way::LengthDelimited {
                CHUNK
            } else {
                8 * 1024
            };
            let mut framed = length_delimited(stream, capacity);
            for _ in 0..frames {
                seen += look(&next(&mut framed).await);
            }
            return seen;
        }
        Way::ReadAndCopy => {
            let mut stream = stream;
            let (mut from, mut to) = (vec![0; CHUNK], vec![0; CHUNK]);
            let mut left = size * frames;
            while left > 0 {
                let count = stream.read(&mut from).await.unwrap();
                to[..count].copy_from_slice(&from[..count]);
                black_box(&to);
                left -= count;
            }
            // No frame was looked at; the same sum, for the check.
            return frames * (size + 7);
        }
        _ => TokioFramed::new(stream),
    };
    let mut left = frames;
    while left > 0 {
        match way {
            Way::ReadPdu => {
                seen += look(&framed.read_pdu().await.unwrap().1);
                left -= 1;
            }
            Way::NextFrame => {
                seen += look(framed.next_frame().await.unwrap().1);
                left -= 1;
            }
            Way::BufferedFrame => {
                framed.exchange().await.unwrap();
                while let Some((_, frame)) = framed.buffered_frame().unwrap() {
                    seen += look(frame);
                    left -= 1;
                }
            }
            _ => {
                framed.exchange().await.unwrap();
                left -= framed
                    .for_each_buffered(|_, frame| {
                        seen += look(frame);
                        Ok::<(), io::Error>(())
                    })
                    .unwrap();
            }
        }
    }
    seen
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap(),
        u32::try_from(time.tv_nsec).unwrap(),
    )
}

/// Nanoseconds of CPU and allocations, each a frame.
fn measure(runtime: &tokio::runtime::Runtime, way: Way, size: usize, frames: usize) -> (f64, f64) {
    let mut frame = vec![7; size];
    frame[..4].copy_from_slice(&[
        3,
        0,
        (size >> 8).try_into().unwrap(),
        (size & 0xff).try_into().unwrap(),
    ]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let writer = std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        let batch = frame.repeat((CHUNK / size).max(1));
        let mut left = size * frames;
        while left > 0 {
            let count = left.min(batch.len());
            stream.write_all(&batch[..count]).unwrap();
            left -= count;
        }
    });
    let stream = listener.accept().unwrap().0;
    stream.set_nonblocking(true).unwrap();
    let mut spent = Duration::ZERO;
    let allocations = allocation_counter::measure(|| {
        runtime.block_on(async {
            let stream = TcpStream::from_std(stream).unwrap();
            let before = cpu();
            let seen = read(way, stream, size, frames).await;
            spent = cpu() - before;
            assert_eq!(seen, frames * (size + 7));
        });
    });
    writer.join().unwrap();
    let per_frame = |total: f64| total / f64::from(u32::try_from(frames).unwrap());
    let count = f64::from(u32::try_from(allocations.count_total).unwrap());
    (per_frame(spent.as_secs_f64() * 1e9), per_frame(count))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    println!(
        "reader-thread CPU over loopback TCP, median of {ROUNDS}; ratios to tokio-util's own decoder and to read + copy\n"
    );
    for (size, frames) in SIZES {
        let mut results = vec![Vec::new(); WAYS.len()];
        for round in 0..=ROUNDS {
            for ((way, _), results) in WAYS.iter().zip(&mut results) {
                // The first round warms up.
                let result = measure(
                    &runtime,
                    *way,
                    size,
                    if round == 0 { frames / 10 } else { frames },
                );
                if round > 0 {
                    results.push(result);
                }
            }
        }
        let rows: Vec<(f64, f64)> = results
            .into_iter()
            .map(|runs| runs.into_iter().unzip())
            .map(|(nanos, allocations): (Vec<f64>, Vec<f64>)| (median(nanos), median(allocations)))
            .collect();
        let of = |wanted: Way| {
            WAYS.iter()
                .position(|(way, _)| *way == wanted)
                .map(|index| rows[index].0)
                .unwrap()
        };
        let (decoder, copy) = (of(Way::OwnDecoder), of(Way::ReadAndCopy));
        println!(
            "{size:>6} B frames{:>32} {:>10} {:>10} {:>12}",
            "ns/frame", "/ decoder", "/ copy", "allocs/frame"
        );
        for ((_, name), (nanos, allocations)) in WAYS.iter().zip(&rows) {
            println!(
                "  {name:<36} {nanos:>9.1} {:>9.2}x {:>9.2}x {allocations:>12.4}",
                nanos / decoder,
                nanos / copy
            );
        }
        println!();
    }
}

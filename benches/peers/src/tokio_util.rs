//! What people use who have no crate of RDP framing.

use std::future::poll_fn;
use std::io;
use std::pin::pin;

use ::tokio_util::codec::{Decoder, FramedRead, LengthDelimitedCodec};
use bench_common::frames::{BURST, LAPS, Laps, Reader, WARM_UP, look};
use bench_common::{Answer, read_frames};
use bytes::BytesMut;
use futures_core::Stream as _;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};

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

async fn next<D, S>(framed: &mut FramedRead<S, D>) -> Answer<BytesMut>
where
    D: Decoder<Item = BytesMut, Error = io::Error> + Unpin,
    S: AsyncRead + Unpin,
{
    let frame = poll_fn(|cx| pin!(&mut *framed).poll_next(cx)).await;
    Ok(frame.ok_or("the frames ended")??)
}

/// As it comes, with its buffer of 8 KiB.
pub struct LengthDelimited;

impl Reader for LengthDelimited {
    async fn read<S>(self, stream: S, count: usize) -> Answer<Value>
    where
        S: AsyncRead + Unpin + Send + Sync + 'static,
    {
        // The length counts the header, which stays in front of the frame.
        let codec = LengthDelimitedCodec::builder()
            .length_field_offset(2)
            .length_field_length(2)
            .num_skip(0)
            .new_codec();
        let new = FramedRead::new(stream, codec);
        Ok(read_frames!(count, framed = new, look(&next(&mut framed).await?)))
    }
}

/// A decoder by hand over 64 KiB.
pub struct ByHand;

impl Reader for ByHand {
    async fn read<S>(self, stream: S, count: usize) -> Answer<Value>
    where
        S: AsyncRead + Unpin + Send + Sync + 'static,
    {
        let new = FramedRead::with_capacity(stream, Tpkt, 64 * 1024);
        Ok(read_frames!(count, framed = new, look(&next(&mut framed).await?)))
    }
}

/// No framing at all: what is read into 64 KiB is copied once.
pub struct Copy {
    pub size: usize,
}

impl Reader for Copy {
    async fn read<S>(self, mut stream: S, count: usize) -> Answer<Value>
    where
        S: AsyncRead + Unpin + Send + Sync + 'static,
    {
        let (mut from, mut to) = (vec![0; BURST], vec![0; BURST]);
        let mut laps = Laps::start();
        let lap = count / LAPS * self.size;
        for bytes in std::iter::once(WARM_UP * self.size).chain([lap; LAPS]) {
            let mut left = bytes;
            while left > 0 {
                let most = left.min(BURST);
                let got = stream.read(&mut from[..most]).await?;
                if got == 0 {
                    return Err("the frames ended".into());
                }
                to[..got].copy_from_slice(&from[..got]);
                std::hint::black_box(&to);
                left -= got;
            }
            laps.lap();
        }
        Ok(laps.per(count))
    }
}

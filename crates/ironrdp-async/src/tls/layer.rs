//! The records of TLS, in the thread's buffers.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedConnectionCommon, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{CommonState, Error};

use crate::FramedFlush;
use crate::chunk::{
    give_back_ciphertext, give_back_ciphertext_output, poll_fill_ciphertext, take_ciphertext_output,
};

/// Ciphertext that may wait for the stream before a write has to wait, too.
const MAX_WAITING: usize = 64 * 1024;

/// Plaintext encrypted by one write: four full records.
const MAX_WRITE: usize = 64 * 1024;

/// The longest plaintext of a record (RFC 8446 5.1).
const RECORD: usize = 16 * 1024;

/// More than any cipher suite adds to a record, its header included.
const OVERHEAD: usize = 64;

/// The byte stream below a [`TlsLayer`]; the adapters of the runtimes are such streams.
pub trait ByteStream: FramedFlush {
    /// Appends received bytes to `buf` without making it grow, and says how many; 0 at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for rustls::client::UnbufferedClientConnection {}
    impl Sealed for rustls::server::UnbufferedServerConnection {}
}

/// One end of TLS: rustls' [`UnbufferedClientConnection`] or [`UnbufferedServerConnection`].
pub trait TlsSide: sealed::Sealed + Deref<Target = UnbufferedConnectionCommon<Self::Data>> {
    /// What rustls keeps for this side.
    type Data;

    /// Works on the records in `incoming`.
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl TlsSide for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

impl TlsSide for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

/// TLS over a [`ByteStream`], for the stream types of runtimes; `ironrdp_tokio::TlsStream` is one.
///
/// While nothing is on its way it holds rustls' state and no buffer: what is read is borrowed from the thread for the time of a
/// poll, and so is what is written. All its methods may be called again after `Pending`, from another task too.
pub struct TlsLayer<C> {
    side: C,
    /// Ciphertext that came and was not worked on yet. rustls remembers places in it.
    incoming: BytesMut,
    /// Plaintext that the reader had no room for.
    plaintext: BytesMut,
    /// Ciphertext that the stream has not taken yet.
    outgoing: Outgoing,
    peer_closed: bool,
    closing: bool,
    failed: Option<Error>,
    /// How a write to the stream failed. Nobody knows then how much of it went out, so nothing is sent behind it.
    broken: Option<io::ErrorKind>,
}

/// Why [`TlsLayer::process`] stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The handshake needs more records.
    Handshaking,
    /// All records are worked on.
    Open,
    /// The reader's room is used up.
    Full,
    /// Both sides have said that they are done.
    Closed,
}

/// What is to be encrypted.
enum Outbound<'a> {
    Nothing,
    Data(&'a [u8]),
    CloseNotify,
}

impl<C: TlsSide> TlsLayer<C> {
    /// TLS that is about to begin.
    pub fn new(side: C) -> Self {
        Self {
            side,
            incoming: BytesMut::new(),
            plaintext: BytesMut::new(),
            outgoing: Outgoing::default(),
            peer_closed: false,
            closing: false,
            failed: None,
            broken: None,
        }
    }

    /// What rustls knows of the connection: version, cipher suite, certificates.
    pub fn connection(&self) -> &CommonState {
        &self.side
    }

    /// Shakes hands.
    ///
    /// The last message of a handshake may wait for the first write, to leave together with it; a read or a flush sends it too.
    pub fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut impl ByteStream,
    ) -> Poll<io::Result<()>> {
        loop {
            let stop = match self.process(&mut |_| 0, Outbound::Nothing) {
                Ok(stop) => stop,
                Err(error) => {
                    let _ = self.poll_send(cx, stream);
                    return Poll::Ready(Err(error));
                }
            };
            if stop != Stop::Handshaking && !self.side.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.peer_closed {
                return Poll::Ready(Err(cut_off()));
            }
            ready!(self.poll_flush(cx, stream))?;
            ready!(self.poll_receive(cx, stream))?;
        }
    }

    /// Reads plaintext: `deliver` takes some or all of what it is given and says how much. Ends with 0 when the peer has said that
    /// it is done; an end of the stream without that is [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    ///
    /// Also sends what waits, as far as the stream takes it at once.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut impl ByteStream,
        mut deliver: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        if !self.plaintext.is_empty() {
            let count = deliver(&self.plaintext).min(self.plaintext.len());
            self.plaintext.advance(count);
            if self.plaintext.is_empty() {
                self.plaintext = BytesMut::new();
            }
            return Poll::Ready(Ok(count));
        }
        loop {
            let mut count = 0;
            let mut counted = |bytes: &[u8]| {
                let taken = deliver(bytes).min(bytes.len());
                count += taken;
                taken
            };
            let stop = self.process(&mut counted, Outbound::Nothing);
            let sent = self.poll_send(cx, stream);
            // What was good before an error is read first; the error comes again.
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            let stop = stop?;
            if stop == Stop::Full || self.peer_closed {
                return Poll::Ready(Ok(0));
            }
            // What the peer said before it closed is worth reading even if it no longer listens.
            match (self.poll_receive(cx, stream), sent) {
                (Poll::Ready(received), _) => received?,
                (Poll::Pending, Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                (Poll::Pending, _) => return Poll::Pending,
            }
        }
    }

    /// Encrypts some of `bytes`, says how many, and sends as far as the stream takes it at once. The rest needs a
    /// [flush](Self::poll_flush), or goes with the next call.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut impl ByteStream,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.outgoing.bytes.len() >= MAX_WAITING || self.broken.is_some() {
            ready!(self.poll_send(cx, stream))?;
        }
        let bytes = bytes.get(..MAX_WRITE).unwrap_or(bytes);
        match self.process(&mut |_| 0, Outbound::Data(bytes))? {
            Stop::Handshaking => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            Stop::Closed => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Stop::Open | Stop::Full => {}
        }
        // An error comes again with the next call; these bytes are taken.
        let _ = self.poll_send(cx, stream);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Sends all that waits, and flushes the stream.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, stream: &mut impl ByteStream) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx, stream))?;
        let flushed = ready!(stream.poll_flush(cx));
        Poll::Ready(flushed.inspect_err(|error| self.broken = Some(error.kind())))
    }

    /// Tells the peer that nothing more will be written, and flushes.
    pub fn poll_close(&mut self, cx: &mut Context<'_>, stream: &mut impl ByteStream) -> Poll<io::Result<()>> {
        if !self.closing {
            // After a failure an alert has said it already.
            if self.failed.is_none() {
                self.process(&mut |_| 0, Outbound::CloseNotify)?;
            }
            self.closing = true;
        }
        self.poll_flush(cx, stream)
    }

    /// Sends what waits; after an error every call is one.
    fn poll_send(&mut self, cx: &mut Context<'_>, stream: &mut impl ByteStream) -> Poll<io::Result<()>> {
        if let Some(kind) = self.broken {
            return Poll::Ready(Err(kind.into()));
        }
        while !self.outgoing.bytes.is_empty() {
            let written = match ready!(stream.poll_write(cx, &self.outgoing.bytes)) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                written => written,
            };
            let count = written.inspect_err(|error| self.broken = Some(error.kind()))?;
            let rest = self.outgoing.bytes.len();
            self.outgoing.bytes.advance(count.min(rest));
        }
        self.outgoing.give_back();
        Poll::Ready(Ok(()))
    }

    /// Receives records, or a part of one.
    fn poll_receive(&mut self, cx: &mut Context<'_>, stream: &mut impl ByteStream) -> Poll<io::Result<()>> {
        let count = ready!(poll_fill_ciphertext(&mut self.incoming, |buf| stream.poll_read(cx, buf)))?;
        Poll::Ready(if count == 0 { Err(cut_off()) } else { Ok(()) })
    }

    /// Works on what came, and encrypts `outbound` behind all that TLS itself has to say. Data that is not encrypted when this
    /// returns [`Stop::Handshaking`] or [`Stop::Closed`] was not taken.
    fn process(
        &mut self,
        deliver: &mut dyn FnMut(&[u8]) -> usize,
        outbound: Outbound<'_>,
    ) -> io::Result<Stop> {
        if let Some(error) = &self.failed {
            return Err(invalid(error.clone()));
        }
        loop {
            let UnbufferedStatus { mut discard, state } = self.side.process(&mut self.incoming);
            let result = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        Some(Ok(record)) => {
                            discard += record.discard;
                            let taken = match self.plaintext.is_empty() {
                                true => deliver(record.payload),
                                false => 0,
                            };
                            let rest = record.payload.get(taken..).unwrap_or_default();
                            self.plaintext.extend_from_slice(rest);
                        }
                        Some(Err(error)) => break Err(error),
                        None => break Ok(None),
                    }
                },
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    self.outgoing.encode(&mut data).map(|()| None)
                }
                // It is in the queue, and leaves in this order.
                Ok(ConnectionState::TransmitTlsData(transmit)) => {
                    transmit.done();
                    Ok(None)
                }
                Ok(ConnectionState::WriteTraffic(traffic)) => self
                    .outgoing
                    .encrypt(traffic, &outbound)
                    .map(|()| Some(Stop::Open)),
                Ok(ConnectionState::PeerClosed) => {
                    self.peer_closed = true;
                    Ok(None)
                }
                Ok(ConnectionState::Closed) => Ok(Some(Stop::Closed)),
                Ok(ConnectionState::BlockedHandshake) => Ok(Some(Stop::Handshaking)),
                Ok(_) => Err(Error::General(
                    "data before the handshake, which nobody asked for".to_owned(),
                )),
                Err(error) => Err(error),
            };
            self.incoming.advance(discard.min(self.incoming.len()));
            match result {
                Ok(Some(stop)) => return Ok(stop),
                // What else came stays as it came until there is room; who writes is not kept waiting for a reader.
                Ok(None) if !self.plaintext.is_empty() && matches!(outbound, Outbound::Nothing) => {
                    return Ok(Stop::Full);
                }
                Ok(None) => {}
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// Remembers a fatal error, and queues the alert that tells the peer.
    fn fail(&mut self, error: Error) -> io::Error {
        // Not once more than that: rustls would read on, and does not expect to after an alert.
        while self.connection().wants_write() {
            let UnbufferedStatus { discard, state } = self.side.process(&mut self.incoming);
            let queued = match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => self.outgoing.encode(&mut data).is_ok(),
                _ => false,
            };
            self.incoming.advance(discard.min(self.incoming.len()));
            if !queued {
                break;
            }
        }
        self.failed = Some(error.clone());
        invalid(error)
    }
}

impl<C> Drop for TlsLayer<C> {
    fn drop(&mut self) {
        give_back_ciphertext(std::mem::take(&mut self.incoming));
        self.outgoing.give_back();
    }
}

/// Ciphertext on its way out, in a buffer of the thread's while there is any.
#[derive(Default)]
struct Outgoing {
    bytes: BytesMut,
    /// The capacity does not tell: it is 0 after the last byte of a full buffer.
    holds_buffer: bool,
}

impl Outgoing {
    /// Appends a handshake message, or the like.
    fn encode<D>(&mut self, data: &mut EncodeTlsData<'_, D>) -> Result<(), Error> {
        let size = match data.encode(&mut []) {
            Err(EncodeError::InsufficientSize(needed)) => needed.required_size,
            Ok(_) | Err(EncodeError::AlreadyEncoded) => 0,
        };
        self.append(size, |room| data.encode(room))
            .map_err(|error| Error::General(error.to_string()))
    }

    /// Appends what is to be encrypted.
    fn encrypt<D>(&mut self, mut traffic: WriteTraffic<'_, D>, outbound: &Outbound<'_>) -> Result<(), Error> {
        let result = match outbound {
            Outbound::Nothing => return Ok(()),
            Outbound::CloseNotify => self.append(OVERHEAD, |room| traffic.queue_close_notify(room)),
            Outbound::Data(bytes) => {
                let size = bytes.len() + (bytes.len() / RECORD + 1) * OVERHEAD;
                match self.append(size, |room| traffic.encrypt(bytes, room)) {
                    // Records are shorter if the configuration wants them so; a change of keys adds one.
                    Err(EncryptError::InsufficientSize(needed)) => {
                        self.append(needed.required_size, |room| traffic.encrypt(bytes, room))
                    }
                    result => result,
                }
            }
        };
        result.map_err(|error| match error {
            EncryptError::EncryptExhausted => Error::EncryptError,
            EncryptError::InsufficientSize(_) => Error::General(error.to_string()),
        })
    }

    /// Appends up to `size` bytes that `write` says it has written.
    fn append<E>(&mut self, size: usize, write: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<(), E> {
        if !self.holds_buffer {
            self.bytes = take_ciphertext_output(size);
            self.holds_buffer = true;
        }
        let len = self.bytes.len();
        self.bytes.resize(len + size, 0);
        let result = write(self.bytes.get_mut(len..).unwrap_or_default());
        let written = result.as_ref().map_or(0, |&count| count.min(size));
        self.bytes.truncate(len + written);
        result.map(|_| ())
    }

    /// Gives the buffer back to the thread, once it is sent.
    fn give_back(&mut self) {
        if self.holds_buffer {
            give_back_ciphertext_output(std::mem::take(&mut self.bytes));
            self.holds_buffer = false;
        }
    }
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn cut_off() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the connection ended without the end of TLS",
    )
}

impl<C> fmt::Debug for TlsLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsLayer")
            .field("incoming", &self.incoming.len())
            .field("plaintext", &self.plaintext.len())
            .field("outgoing", &self.outgoing.bytes.len())
            .field("peer_closed", &self.peer_closed)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

//! The async shell: one loop that runs any sequence over any stream.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use ironrdp_connector::{
    ConnectorError, ConnectorErrorKind, ConnectorResult, Driver, Need, Request, Sequence,
};
use ironrdp_connector::{Phase, Reply};

use crate::{Answers, EndOfStream, Framed, FramedRead, FramedWrite, exceeded_limit};

/// Why [`drive`](crate::drive()) came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Driven {
    /// The sequence has reached its end, and everything it had to say was flushed.
    Done,
    /// Everything so far was flushed, nothing is buffered, and the stream must become a TLS stream now. Answer the driver with
    /// [`Reply::Upgraded`] and drive on over the new stream.
    UpgradeToTls,
    /// The condition given to [`drive_while`] no longer holds. What was said last may still be queued.
    Paused,
}

/// Runs the sequence in `driver` until its end, or until the stream must become a TLS stream.
///
/// Good for every sequence: a client's, a server's, a reactivation. Consecutive PDUs that need no answer in between
/// leave in one write.
///
/// # Cancel safety
///
/// Cancel safe if the adapter has [`FramedWrite::as_flush`] and the driver lives outside the future: call it again
/// with the same `framed` and `driver`, and it goes on where it stopped. A question that was asked and not answered is asked again.
pub async fn drive<S, Q, A>(
    framed: &mut Framed<S>,
    driver: &mut Driver<Q>,
    answers: &mut A,
) -> ConnectorResult<Driven>
where
    S: FramedRead + FramedWrite,
    Q: Sequence,
    A: Answers,
{
    drive_while(framed, driver, answers, |_| true).await
}

/// [`drive`](crate::drive()), as long as `go_on` holds; it is asked before each wait, be it for the peer or for an answer.
///
/// # Cancel safety
///
/// As [`drive`](crate::drive()).
pub async fn drive_while<S, Q, A>(
    framed: &mut Framed<S>,
    driver: &mut Driver<Q>,
    answers: &mut A,
    mut go_on: impl FnMut(&Q) -> bool,
) -> ConnectorResult<Driven>
where
    S: FramedRead + FramedWrite,
    Q: Sequence,
    A: Answers,
{
    framed.take_back();
    framed.set_limits(driver.sequence().limits());
    loop {
        match driver.poll(&mut framed.rx) {
            // Polling again means "taken", so there is no await before the bytes are in the queue.
            Ok(Need::Send(bytes)) => {
                framed.out.push(bytes);
                continue;
            }
            // Nobody is waited for, so what follows may still leave in the same write.
            Ok(Need::Ask(Request::Random(count))) => {
                let bytes = answers.random(count)?;
                driver.answer(Reply::Random(bytes))?;
                continue;
            }
            Ok(_) => {}
            Err(error) => {
                flush_if_there_is_room(framed).await;
                return Err(error);
            }
        }
        if !go_on(driver.sequence()) {
            return Ok(Driven::Paused);
        }
        let phase = driver.sequence().phase();
        // Nothing was received since the first look, so the need is still the same.
        match driver.poll(&mut framed.rx)? {
            Need::Send(bytes) => framed.out.push(bytes),
            Need::Receive => {
                if let Err(error) = framed.exchange_any().await {
                    return Err(exchange_error(error, driver.sequence()));
                }
            }
            Need::Ask(Request::UpgradeToTls) => {
                // Nothing is read ahead here: it might be the start of the handshake.
                framed
                    .flush_any()
                    .await
                    .map_err(|error| write_error(error, phase))?;
                // What came in the clear before TLS was injected by somebody, or is a confusion of layers.
                if framed.peek().is_empty() {
                    return Ok(Driven::UpgradeToTls);
                }
                return Err(ConnectorError::unexpected("data before the TLS handshake").in_phase(phase));
            }
            Need::Ask(request) => {
                framed
                    .flush_reading()
                    .await
                    .map_err(|error| write_error(error, phase))?;
                let reply = answers
                    .answer(request)
                    .await
                    .map_err(|error| error.in_phase(phase))?;
                driver.answer(reply)?;
            }
            Need::Done => {
                framed
                    .flush_reading()
                    .await
                    .map_err(|error| write_error(error, phase))?;
                return Ok(Driven::Done);
            }
        }
    }
}

/// The last words of a sequence that failed may tell the peer why; but a peer that does not listen is not waited for.
async fn flush_if_there_is_room<S: FramedWrite>(framed: &mut Framed<S>) {
    let mut flush = pin!(framed.flush_any());
    poll_fn(|cx| {
        if let Poll::Ready(Err(error)) = flush.as_mut().poll(cx) {
            tracing::debug!(%error, "the last words of the sequence did not go out");
        }
        Poll::Ready(())
    })
    .await;
}

pub(crate) fn read_error<Q: Sequence + ?Sized>(error: io::Error, sequence: &Q) -> ConnectorError {
    if error.kind() == io::ErrorKind::InvalidData {
        return malformed(error).in_phase(sequence.phase());
    }
    if has_ended(&error) {
        // When the peer ends the stream may be all that it says.
        return sequence.stream_ended(error);
    }
    ConnectorError::io("reading from the peer", error).in_phase(sequence.phase())
}

/// Whether the peer is gone, politely or not.
fn has_ended(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}

/// Either half of an exchange may have failed; only an end is known to be that of reading.
fn exchange_error<Q: Sequence + ?Sized>(error: io::Error, sequence: &Q) -> ConnectorError {
    if EndOfStream::of(&error).is_some() || has_ended(&error) {
        return read_error(error, sequence);
    }
    ConnectorError::io("exchanging data with the peer", error).in_phase(sequence.phase())
}

pub(crate) fn write_error(error: io::Error, phase: Phase) -> ConnectorError {
    ConnectorError::io("writing to the peer", error).in_phase(phase)
}

/// A frame that could not be read: the decoder's own verdict if there is one.
fn malformed(error: io::Error) -> ConnectorError {
    if let Some(exceeded) = exceeded_limit(&error) {
        return exceeded.into();
    }
    match error.downcast::<ironrdp_core::DecodeError>() {
        Ok(error) => ConnectorError::from(error),
        Err(error) => ConnectorError::with_source(
            ConnectorErrorKind::Unexpected,
            "a frame that was not waited for",
            error,
        ),
    }
}

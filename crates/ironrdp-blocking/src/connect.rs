//! The connection sequence in three calls around the caller's TLS upgrade, and single steps of any sequence.

use std::io::{Read, Write};

use ironrdp_async::connect_begin_within;
use ironrdp_connector::{
    ClientConnector, ConnectionResult, ConnectorResult, Driver, KerberosConfig, Sequence, ServerName, Written,
};
use ironrdp_core::WriteBuf;

use crate::answers::{Answers, Blocking, NetworkClient, answered};
use crate::timed::{BlockingTimer, wait};
use crate::{Driven, Finalize, Framed, ShouldUpgrade, Upgraded};

/// Negotiates the security protocol; afterwards nothing is buffered or queued in `framed`.
///
/// Over a [`Timed`](crate::Timed) socket it ends with [`Timeout`](ironrdp_connector::ConnectorErrorKind::Timeout) or
/// [`OverallTimeout`](ironrdp_connector::ConnectorErrorKind::OverallTimeout) when the connector's
/// [`Deadlines`](ironrdp_connector::Deadlines) pass. If the stream's own timeout passes, the error is
/// [`Io`](ironrdp_connector::ConnectorErrorKind::Io) of [`WouldBlock`](std::io::ErrorKind::WouldBlock), and the same call again goes on;
/// the deadlines count anew then.
pub fn connect_begin<S: Read + Write>(
    framed: &mut Framed<S>,
    connector: &mut ClientConnector,
) -> ConnectorResult<ShouldUpgrade> {
    answered(wait(connect_begin_within(
        &mut framed.inner,
        connector,
        &mut BlockingTimer::default(),
    )))
}

/// Runs the rest of the connection sequence over the upgraded stream, CredSSP included.
///
/// `server_public_key` is the content of the `subjectPublicKey` bit string of the server's certificate, to which CredSSP binds the
/// login. PDUs for the session that arrive early are in the [`ConnectionResult`] or stay buffered in `framed`.
///
/// Over a [`Timed`](crate::Timed) socket each phase has its deadline, and so has the whole since [`connect_begin`].
///
/// The connector goes with the call, so a timeout of the stream's own is the end of the connection. Where it must not be, use
/// [`Finalize`], of which this is the short form, or [`Connect`](crate::Connect).
pub fn connect_finalize<S: Read + Write, N: NetworkClient>(
    upgraded: Upgraded,
    connector: ClientConnector,
    framed: &mut Framed<S>,
    network_client: &mut N,
    server_name: ServerName,
    server_public_key: Vec<u8>,
    kerberos_config: Option<KerberosConfig>,
) -> ConnectorResult<ConnectionResult> {
    Finalize::new(
        upgraded,
        connector,
        framed,
        network_client,
        server_name,
        server_public_key,
        kerberos_config,
    )?
    .run()
}

/// Runs the sequence in `driver` until its end, or until the stream must become a TLS stream.
///
/// Good for every sequence: a client's, a server's, a reactivation. If the stream's timeout passes, the error is
/// [`Io`](ironrdp_connector::ConnectorErrorKind::Io) of [`WouldBlock`](std::io::ErrorKind::WouldBlock), and the same call again
/// goes on.
pub fn drive<S: Read + Write, Q: Sequence, A: Answers>(
    framed: &mut Framed<S>,
    driver: &mut Driver<Q>,
    answers: &mut A,
) -> ConnectorResult<Driven> {
    drive_while(framed, driver, answers, |_| true)
}

/// [`drive`], as long as `go_on` holds; it is asked before each wait, be it for the peer or for an answer.
pub fn drive_while<S: Read + Write, Q: Sequence, A: Answers>(
    framed: &mut Framed<S>,
    driver: &mut Driver<Q>,
    answers: &mut A,
    go_on: impl FnMut(&Q) -> bool,
) -> ConnectorResult<Driven> {
    let mut answers = Blocking(answers);
    answered(wait(ironrdp_async::drive_while(
        &mut framed.inner,
        driver,
        &mut answers,
        go_on,
    )))
}

/// Takes one step of `sequence`: reads the PDU it waits for, if it waits for one, and writes its answer.
///
/// `buf` is scratch space; what it held before is forgotten. With a stream that has timeouts use the two halves, or an answer
/// that was taken and not written is only in `buf`.
pub fn single_sequence_step<S: Read + Write>(
    framed: &mut Framed<S>,
    sequence: &mut dyn Sequence,
    buf: &mut WriteBuf,
) -> ConnectorResult<()> {
    answered(wait(ironrdp_async::single_sequence_step(
        &mut framed.inner,
        sequence,
        buf,
    )))
}

/// The first half of [`single_sequence_step`]: reads the PDU that `sequence` waits for and takes the step.
///
/// `buf` holds the answer afterwards, and nothing else. Requests for random bytes are answered on the way; a sequence that
/// asks for anything else is [`Misuse`](ironrdp_connector::ConnectorErrorKind::Misuse) until it is answered. If the stream's
/// timeout passes, no step was taken, and the same call again goes on.
pub fn single_sequence_step_read<S: Read>(
    framed: &mut Framed<S>,
    sequence: &mut dyn Sequence,
    buf: &mut WriteBuf,
) -> ConnectorResult<Written> {
    answered(wait(ironrdp_async::single_sequence_step_read(
        &mut framed.inner,
        sequence,
        buf,
    )))
}

/// The second half of [`single_sequence_step`]: writes the answer that the first half left in `buf`.
pub fn single_sequence_step_write<S: Write>(
    framed: &mut Framed<S>,
    buf: &WriteBuf,
    written: Written,
) -> ConnectorResult<()> {
    answered(wait(ironrdp_async::single_sequence_step_write(
        &mut framed.inner,
        buf,
        written,
    )))
}

//! The connection sequence in three calls around the caller's TLS upgrade, and single steps of any sequence.

use ironrdp_connector::{
    ClientConnector, ConnectionResult, ConnectorError, ConnectorResult, Driver, KerberosConfig, Phase, Reply,
    Request, Sequence, ServerName, StepInput, Written,
};
use ironrdp_core::{MonotonicInstant, WriteBuf};

use crate::answers::random;
use crate::drive::{read_error, write_error};
use crate::phases::PhaseClock;
use crate::{
    Driven, Finalize, Framed, FramedRead, FramedWrite, NetworkClient, NoAnswers, Timer, drive_while, now,
};

/// The security protocol is agreed upon, and the stream must become a TLS stream (unless plain RDP was agreed upon).
#[derive(Debug)]
#[must_use = "the connection goes on after mark_as_upgraded"]
pub struct ShouldUpgrade {
    tls: bool,
    started: MonotonicInstant,
}

impl ShouldUpgrade {
    /// Whether TLS is needed at all; false only if the configuration dangerously allows plain RDP and the server chose it.
    pub const fn is_needed(&self) -> bool {
        self.tls
    }
}

/// The stream is what the connector expects it to be.
#[derive(Debug)]
#[must_use = "the connection goes on with connect_finalize"]
pub struct Upgraded {
    // The connector's answer, so that marking the wrong connector is an error and not a panic; and when the connection began.
    marked: ConnectorResult<MonotonicInstant>,
}

impl Upgraded {
    pub(crate) fn into_started(self) -> ConnectorResult<MonotonicInstant> {
        self.marked
    }
}

/// Negotiates the security protocol; afterwards nothing is buffered or queued in `framed`.
///
/// # Cancel safety
///
/// Cancel safe with an adapter that has [`FramedWrite::as_flush`]: call it again with the same arguments. With another adapter, a
/// drop while the request is being written makes the next call fail with an I/O error.
pub async fn connect_begin<S>(
    framed: &mut Framed<S>,
    connector: &mut ClientConnector,
) -> ConnectorResult<ShouldUpgrade>
where
    S: FramedRead + FramedWrite,
{
    let started = now();
    // Plain RDP asks for no upgrade; then the end of the negotiation is where its phase ends.
    let mut driver = Driver::new(connector);
    let negotiating =
        |connector: &&mut ClientConnector| matches!(connector.phase(), Phase::Negotiate | Phase::Tls);
    let driven = drive_while(framed, &mut driver, &mut NoAnswers, negotiating).await?;
    framed
        .flush_any()
        .await
        .map_err(|error| write_error(error, Phase::Negotiate))?;
    Ok(ShouldUpgrade {
        tls: driven == Driven::UpgradeToTls,
        started,
    })
}

/// [`connect_begin`], within the deadlines of the connector's configuration: that for negotiating, and that of the whole.
///
/// # Cancel safety
///
/// As [`connect_begin`]; the deadlines count anew with each call.
pub async fn connect_begin_within<S, T>(
    framed: &mut Framed<S>,
    connector: &mut ClientConnector,
    timer: &mut T,
) -> ConnectorResult<ShouldUpgrade>
where
    S: FramedRead + FramedWrite,
    T: Timer,
{
    let deadlines = *connector.config().deadlines();
    let mut clock = PhaseClock::new(Phase::Negotiate, deadlines);
    let started = T::now();
    let mut should_upgrade = clock.bound(timer, connect_begin(framed, connector)).await?;
    should_upgrade.started = started;
    Ok(should_upgrade)
}

/// Tells `connector` that the stream has been upgraded.
///
/// For plain RDP it changes nothing.
pub fn mark_as_upgraded(should_upgrade: ShouldUpgrade, connector: &mut ClientConnector) -> Upgraded {
    let marked = if should_upgrade.tls {
        connector.answer(Reply::Upgraded)
    } else {
        Ok(())
    };
    Upgraded {
        marked: marked.map(|()| should_upgrade.started),
    }
}

/// Runs the rest of the connection sequence over the upgraded stream, CredSSP included.
///
/// `server_public_key` is the content of the `subjectPublicKey` bit string of the server's certificate, to which CredSSP binds the
/// login. PDUs for the session that arrive early are in the [`ConnectionResult`] or stay buffered in `framed`.
///
/// # Cancel safety
///
/// Not cancel safe: the connector goes with the future. Where a connection must survive being dropped use [`Finalize`], of which
/// this is the short form.
pub async fn connect_finalize<S, N>(
    upgraded: Upgraded,
    connector: ClientConnector,
    framed: &mut Framed<S>,
    network_client: &mut N,
    server_name: ServerName,
    server_public_key: Vec<u8>,
    kerberos_config: Option<KerberosConfig>,
) -> ConnectorResult<ConnectionResult>
where
    S: FramedRead + FramedWrite,
    N: NetworkClient,
{
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
    .await
}

/// Takes one step of `sequence`: reads the PDU it waits for, if it waits for one, and writes its answer.
///
/// `buf` is scratch space; what it held before is forgotten.
///
/// # Cancel safety
///
/// Cancel safe while it reads. Once the step was taken its answer is only in `buf`: if the future may be dropped,
/// use the two halves, [`single_sequence_step_read`] and [`single_sequence_step_write`].
pub async fn single_sequence_step<S>(
    framed: &mut Framed<S>,
    sequence: &mut dyn Sequence,
    buf: &mut WriteBuf,
) -> ConnectorResult<()>
where
    S: FramedRead + FramedWrite,
{
    let phase = sequence.phase();
    let written = single_sequence_step_read(framed, sequence, buf).await?;
    write_step(framed, buf, written)
        .await
        .map_err(|error| write_error(error, phase))
}

/// The first half of [`single_sequence_step`]: reads the PDU that `sequence` waits for and takes the step.
///
/// `buf` holds the answer afterwards, and nothing else. Requests for random bytes are answered on the way; a sequence that
/// asks for anything else is [`Misuse`](ironrdp_connector::ConnectorErrorKind::Misuse) until it is answered.
///
/// # Cancel safety
///
/// Cancel safe: the step is taken when the PDU is there, without a wait in between.
pub async fn single_sequence_step_read<S>(
    framed: &mut Framed<S>,
    sequence: &mut dyn Sequence,
    buf: &mut WriteBuf,
) -> ConnectorResult<Written>
where
    S: FramedRead,
{
    buf.clear();
    while let Some(request) = sequence.request() {
        match request {
            Request::Random(count) => sequence.answer(Reply::Random(random(count)?))?,
            _ => {
                return Err(ConnectorError::misuse(
                    "a step while the sequence asks for something",
                ));
            }
        }
    }
    framed.set_limits(sequence.limits());
    let limit = sequence.next_pdu_limit();
    let pdu = match sequence.next_pdu_hint() {
        Some(hint) => framed
            .read_within(hint, limit, sequence.limits().get(limit))
            .await
            .map_err(|error| read_error(error, &*sequence))?,
        None => bytes::Bytes::new(),
    };
    sequence.step_input(
        StepInput {
            bytes: &pdu,
            received_at: framed.received_at(),
        },
        buf,
    )
}

/// The second half of [`single_sequence_step`]: writes the answer that the first half left in `buf`.
///
/// # Cancel safety
///
/// That of [`Framed::write_all`].
pub async fn single_sequence_step_write<S>(
    framed: &mut Framed<S>,
    buf: &WriteBuf,
    written: Written,
) -> ConnectorResult<()>
where
    S: FramedWrite,
{
    write_step(framed, buf, written)
        .await
        .map_err(|error| ConnectorError::io("writing to the peer", error))
}

async fn write_step<S: FramedWrite>(
    framed: &mut Framed<S>,
    buf: &WriteBuf,
    written: Written,
) -> std::io::Result<()> {
    let filled = buf.filled();
    match filled.get(..written.size()) {
        Some([]) => Ok(()),
        Some(answer) => framed.write_all(answer).await,
        None => Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "the buffer is not the one of the step",
        )),
    }
}

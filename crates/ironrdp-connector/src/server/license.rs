//! Ends licensing in one message, or issues a licence in five (MS-RDPBCGR 2.2.1.12; MS-RDPELE 1.3.3).

use ironrdp_core::{Limit, WriteBuf, decode, decode_exact};
use ironrdp_pdu::license::LicensePdu;
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};

use super::ServerState;
use super::activation::ServerActivation;
use super::config::LicenseForm;
use super::result::Facts;
use crate::channel_io::{receive_from_client, send_to_client};
use crate::license::{LicensePolicy, LicenseServer, LicenseServerRandom, LicenseServerStep};
use crate::result::LicenseOutcome;
use crate::{ConnectorError, ConnectorResult, Request, StepInput};

/// The client may have a session; the full exchange needs random bytes first.
#[derive(Debug, Default)]
pub(super) struct SendLicense {
    random: Option<LicenseServerRandom>,
}

/// Waiting for the client's next message of the full exchange.
#[derive(Debug)]
pub(super) struct WaitLicense {
    exchange: LicenseServer,
}

impl SendLicense {
    pub(super) fn request(&self, facts: &Facts) -> Option<Request<'_>> {
        let full = matches!(facts.config.license, LicenseForm::Full(_));
        (full && self.random.is_none()).then_some(Request::Random(LicenseServerRandom::SIZE))
    }

    pub(super) fn answer_random(&mut self, bytes: &[u8]) -> ConnectorResult<()> {
        let random = LicenseServerRandom::from_slice(bytes)
            .ok_or_else(|| ConnectorError::misuse("not as many random bytes as were asked for"))?;
        self.random = Some(random);
        Ok(())
    }

    pub(super) fn send(self, facts: &mut Facts, out: &mut WriteBuf) -> ConnectorResult<ServerState> {
        let (policy, outcome) = match (&facts.config.license, self.random) {
            (LicenseForm::Short, _) => (LicensePolicy::NotNeeded, LicenseOutcome::NotNeeded),
            (LicenseForm::Full(authority), Some(random)) => (
                LicensePolicy::Issue(Box::new(authority.issuer.clone()), random),
                LicenseOutcome::Issued,
            ),
            (LicenseForm::Full(_), None) => {
                return Err(ConnectorError::misuse("a step while random bytes are asked for"));
            }
        };
        facts.license = outcome;
        let mut exchange = LicenseServer::new(policy);
        match exchange.start() {
            Some(step) => advance(exchange, step, facts, out),
            None => Err(ConnectorError::misuse("licensing was started twice")),
        }
    }
}

impl WaitLicense {
    pub(super) fn handle(
        mut self: Box<Self>,
        facts: &mut Facts,
        input: StepInput<'_>,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ServerState> {
        let received = receive_from_client(input.bytes)?;
        if received.channel_id != facts.io_channel_id {
            facts.deferred.push(input.bytes)?;
            return Ok(ServerState::WaitLicense(self));
        }
        let secured: BasicSecurity<&[u8]> = decode_exact(received.data)?;
        if !secured.flags.contains(SecurityFlags::LICENSE_PACKET) {
            return Err(ConnectorError::unexpected(
                "a PDU on the I/O channel while the licence is negotiated",
            ));
        }
        facts.config.limits.check(Limit::License, secured.body.len())?;
        let LicensePdu { message, .. } = decode(secured.body)?;
        match self.exchange.handle(message) {
            Ok(step) => advance(self.exchange, step, facts, out),
            Err(error) => {
                if let Some(alert) = error.alert() {
                    send(facts, alert, out)?;
                }
                Ok(ServerState::Farewell(error.into()))
            }
        }
    }
}

fn advance(
    exchange: LicenseServer,
    step: LicenseServerStep,
    facts: &mut Facts,
    out: &mut WriteBuf,
) -> ConnectorResult<ServerState> {
    match step {
        LicenseServerStep::Reply(pdu) => {
            send(facts, pdu, out)?;
            Ok(ServerState::WaitLicense(Box::new(WaitLicense { exchange })))
        }
        LicenseServerStep::Last(pdu) => {
            send(facts, pdu, out)?;
            tracing::debug!(outcome = ?facts.license, "licensing ended");
            let activation = ServerActivation::first(facts.activation_settings());
            Ok(ServerState::Activate(Box::new(activation)))
        }
    }
}

fn send(facts: &Facts, pdu: LicensePdu, out: &mut WriteBuf) -> ConnectorResult<()> {
    let secured = BasicSecurity {
        flags: SecurityFlags::LICENSE_PACKET,
        body: pdu,
    };
    send_to_client(facts.io_channel_id, secured, out)
}

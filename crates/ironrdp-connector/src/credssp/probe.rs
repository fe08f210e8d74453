//! Asks a server who it is, without logging in.

use ironrdp_core::{Limit, Limits, WriteBuf, decode_exact, encode_into};
use ironrdp_pdu::{BerSequenceHint, PduHint};

use super::{NtlmChallenge, TsRequest};
use crate::{
    ConnectorError, ConnectorErrorKind, ConnectorResult, NtStatus, Phase, Sequence, State, StepInput, Written,
};

/// Begins a login by NTLM and stops where a password would be needed: a server that takes network level authentication names
/// itself, its domain and its clock to everybody.
///
/// Run it over the TLS stream, once [`HYBRID`](ironrdp_pdu::x224::SecurityProtocol::HYBRID) was negotiated.
#[derive(Debug, Default)]
pub struct NtlmProbe {
    state: ProbeState,
}

#[derive(Debug, Default)]
enum ProbeState {
    #[default]
    SendNegotiate,
    WaitChallenge,
    Done(Box<NtlmChallenge>),
    Failed(ConnectorError),
}

/// `NEGOTIATE_MESSAGE` (MS-NLMP 2.2.1.1) without names or version: what every client of NTLM version 2 asks for.
const NEGOTIATE: &[u8; 40] = b"NTLMSSP\0\x01\0\0\0\xb7\x82\x08\xe0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

impl NtlmProbe {
    /// A probe that has said nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the server said; [`Misuse`](ConnectorErrorKind::Misuse) while the sequence is not at its end, and the sequence's
    /// own error if it failed.
    pub fn into_result(self) -> ConnectorResult<NtlmChallenge> {
        match self.state {
            ProbeState::Done(challenge) => Ok(*challenge),
            ProbeState::Failed(error) => Err(error),
            _ => Err(ConnectorError::misuse("the probe is not at its end")),
        }
    }

    fn advance(&self, input: &[u8], output: &mut WriteBuf) -> ConnectorResult<ProbeState> {
        match &self.state {
            ProbeState::SendNegotiate => {
                let request = TsRequest {
                    nego_token: Some(NEGOTIATE),
                    ..TsRequest::new()
                };
                encode_into(&request, output)?;
                Ok(ProbeState::WaitChallenge)
            }
            ProbeState::WaitChallenge => {
                let answer: TsRequest<'_> = decode_exact(input)?;
                if let Some(status) = answer.error_code.filter(|status| *status != NtStatus::SUCCESS) {
                    return Err(ConnectorError::with_source(
                        ConnectorErrorKind::Auth(status.failure()),
                        "the server ended the login",
                        status,
                    ));
                }
                let token = answer
                    .nego_token
                    .ok_or_else(|| ConnectorError::unexpected("an authentication message without a token"))?;
                Ok(ProbeState::Done(Box::new(decode_exact(token)?)))
            }
            ProbeState::Done(_) => Err(ConnectorError::misuse("a step after the end of the sequence")),
            ProbeState::Failed(error) => Err(error.clone()),
        }
    }
}

impl Sequence for NtlmProbe {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        const HINT: BerSequenceHint = BerSequenceHint::with_max_size(usize::MAX);
        matches!(self.state, ProbeState::WaitChallenge).then_some(&HINT)
    }

    fn state(&self) -> &dyn State {
        &self.state
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        let start = output.filled_len();
        match self.advance(input.bytes, output) {
            Ok(state) => {
                self.state = state;
                Ok(Written::from_size(output.filled_len() - start))
            }
            Err(error) => {
                let error = error.in_phase(Phase::Authenticate);
                self.state = ProbeState::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn phase(&self) -> Phase {
        Phase::Authenticate
    }

    fn limits(&self) -> &Limits {
        &Limits::DEFAULT
    }

    fn next_pdu_limit(&self) -> Limit {
        Limit::Credssp
    }
}

impl State for ProbeState {
    fn name(&self) -> &'static str {
        match self {
            Self::SendNegotiate => "SendNegotiate",
            Self::WaitChallenge => "WaitChallenge",
            Self::Done(_) => "Done",
            Self::Failed(_) => "Failed",
        }
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Done(_))
    }
}

#[cfg(test)]
mod tests {
    use ironrdp_core::FrameBuf;

    use super::*;
    use crate::{Driver, Need};

    fn probe(answer: &[u8]) -> (Vec<u8>, ConnectorResult<NtlmChallenge>) {
        let mut driver = Driver::new(NtlmProbe::new());
        let mut rx = FrameBuf::new();
        let mut said = Vec::new();
        loop {
            match driver.poll(&mut rx) {
                Ok(Need::Send(bytes)) => said.extend_from_slice(bytes),
                Ok(Need::Receive) if rx.is_empty() => rx.extend_from_slice(answer),
                Ok(Need::Receive) => panic!("more is needed"),
                Ok(Need::Ask(request)) => panic!("{request:?}"),
                Ok(Need::Done) => return (said, driver.into_sequence().into_result()),
                Err(error) => return (said, Err(error)),
            }
        }
    }

    #[test]
    fn a_server_says_who_it_is() {
        let two = include_bytes!("../../tests/vectors/credssp/exchange_2.der");
        let (said, challenge) = probe(two);
        assert_eq!(challenge.unwrap().dns_computer.as_deref(), Some("VGPC"));
        let said: TsRequest<'_> = decode_exact(&said).unwrap();
        // The package's own server takes the message.
        let mut ntlm = sspi::Ntlm::new();
        use sspi::{Sspi as _, SspiImpl as _};
        let token = said.nego_token.unwrap().to_vec();
        let mut input = [sspi::SecurityBuffer::new(token, sspi::BufferType::Token)];
        let mut output = [sspi::SecurityBuffer::new(Vec::new(), sspi::BufferType::Token)];
        let mut nobody = None;
        let builder = ntlm
            .accept_security_context()
            .with_credentials_handle(&mut nobody)
            .with_context_requirements(sspi::ServerRequestFlags::empty())
            .with_target_data_representation(sspi::DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        ntlm.accept_security_context_impl(builder)
            .unwrap()
            .resolve_to_result()
            .unwrap();
        let challenge: NtlmChallenge = decode_exact(&output[0].buffer).unwrap();
        assert!(challenge.time.is_some());
    }

    #[test]
    fn a_refusal_and_garbage_are_errors() {
        let error = include_bytes!("../../tests/vectors/credssp/ts_request_error.der");
        assert_eq!(
            probe(error).1.unwrap_err().nt_status(),
            Some(NtStatus(0xc007_00ea))
        );
        let garbage = probe(b"\x03\0\0\x09").1.unwrap_err();
        assert_eq!(*garbage.kind(), ConnectorErrorKind::Malformed);
        let no_challenge = include_bytes!("../../tests/vectors/credssp/exchange_1.der");
        let error = probe(no_challenge).1.unwrap_err();
        assert_eq!(
            error.to_string(),
            "authenticate: malformed data from the peer while reading a PDU"
        );
    }
}

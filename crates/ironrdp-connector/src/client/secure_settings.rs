//! Says who logs in, then waits for the licence (MS-RDPBCGR 1.3.1.1, 2.2.1.11, 2.2.1.12; MS-RDPELE).
//!
//! Connect-time measurements and side-channel offers may come in between, on the message channel.

use ironrdp_core::{Limit, WriteBuf, decode, decode_exact};
use ironrdp_pdu::client_info::{
    AddressFamily, ClientInfo, CompressionType, ExtendedInfo, InfoFlags, Secret, TimeZone,
};
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::license::{LicenseErrorCode, LicenseMessage, LicensePdu};
use ironrdp_pdu::message_channel::MessageChannelResponder;
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::security::{BasicSecurity, SecurityFlags};
use ironrdp_pdu::share::{DataPduType, ShareDataPdu, SharePdu, SharePdus};

use super::{ClientState, auto_reconnect};
use crate::activation::{Activation, explain, redirected};
use crate::channel_io::{receive_from_server, send_to_server};
use crate::license::{LicenseConfig, LicenseError, LicenseExchange, LicenseRandom, LicenseStep};
use crate::message_channel;
use crate::result::{Facts, LicenseOutcome};
use crate::{Compression, Config, ConnectorError, ConnectorResult, Request, StepInput};

/// The channels are joined, or will be when the server gets to read this.
#[derive(Debug)]
pub(super) struct SendClientInfo;

/// Waiting for licensing to end, in one message or in five.
#[derive(Debug)]
pub(super) struct WaitLicense {
    responder: MessageChannelResponder,
    /// The last error the server announced; tells why it disconnects.
    error_info: Option<ErrorInfo>,
    exchange: Exchange,
}

/// The full licence exchange needs random bytes; most servers never start it.
#[derive(Debug)]
enum Exchange {
    NotStarted,
    /// A request has come and waits for random bytes.
    NeedsRandom(LicenseMessage),
    /// Random bytes have come; the request is handled at the next step.
    Ready(LicenseMessage, LicenseRandom),
    Running(LicenseExchange),
}

impl SendClientInfo {
    pub(super) fn send(self, facts: &Facts, out: &mut WriteBuf) -> ConnectorResult<Box<WaitLicense>> {
        let info = BasicSecurity {
            flags: SecurityFlags::INFO_PACKET,
            body: client_info(&facts.config),
        };
        send_to_server(facts.user_channel_id, facts.io_channel_id, info, out)?;
        Ok(Box::new(WaitLicense {
            responder: MessageChannelResponder::default(),
            error_info: None,
            exchange: Exchange::NotStarted,
        }))
    }
}

fn client_info(config: &Config) -> ClientInfo {
    let mut flags = InfoFlags::MOUSE
        | InfoFlags::UNICODE
        | InfoFlags::DISABLE_CTRL_ALT_DEL
        | InfoFlags::LOGON_NOTIFY
        | InfoFlags::LOGON_ERRORS
        | InfoFlags::MAXIMIZE_SHELL
        | InfoFlags::ENABLE_WINDOWS_KEY
        | InfoFlags::MOUSE_HAS_WHEEL
        | InfoFlags::NO_AUDIO_PLAYBACK
        | InfoFlags::VIDEO_DISABLE;
    flags.set(InfoFlags::AUTOLOGON, config.autologon);
    flags = flags.with_compression(match config.compression {
        Compression::Off => None,
        Compression::Mppc8K => Some(CompressionType::Mppc8K),
        Compression::Mppc64K => Some(CompressionType::Mppc64K),
    });
    let credentials = &config.credentials;
    ClientInfo {
        code_page: 0,
        flags,
        domain: credentials.domain().unwrap_or_default().to_owned(),
        user_name: credentials.username().to_owned(),
        // Restricted Admin: the server is not to have it, by this way either.
        password: if config.restricted_admin {
            Secret::from("")
        } else {
            credentials.password().clone()
        },
        alternate_shell: String::new(),
        working_dir: String::new(),
        extended: Some(ExtendedInfo {
            // Where the client is and which clock it lives by are nobody's business until someone asks for them.
            address_family: AddressFamily::Inet,
            client_address: String::new(),
            client_dir: String::new(),
            time_zone: Some(TimeZone::default()),
            client_session_id: Some(0),
            performance_flags: Some(config.performance),
            auto_reconnect: config.auto_reconnect.as_ref().map(auto_reconnect::proof),
            dynamic_time_zone: None,
        }),
    }
}

impl WaitLicense {
    pub(super) fn needs_input(&self) -> bool {
        !matches!(self.exchange, Exchange::Ready(..))
    }

    pub(super) fn request(&self) -> Option<Request<'_>> {
        matches!(self.exchange, Exchange::NeedsRandom(_)).then_some(Request::Random(LicenseRandom::SIZE))
    }

    pub(super) fn answer_random(&mut self, bytes: &[u8]) -> ConnectorResult<()> {
        let random = LicenseRandom::from_slice(bytes)
            .ok_or_else(|| ConnectorError::misuse("not as many random bytes as were asked for"))?;
        match core::mem::replace(&mut self.exchange, Exchange::NotStarted) {
            Exchange::NeedsRandom(message) => {
                self.exchange = Exchange::Ready(message, random);
                Ok(())
            }
            other => {
                self.exchange = other;
                Err(ConnectorError::misuse(
                    "an answer to a question that was not asked",
                ))
            }
        }
    }

    pub(super) fn handle(
        mut self: Box<Self>,
        facts: &mut Facts,
        input: StepInput<'_>,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ClientState> {
        match core::mem::replace(&mut self.exchange, Exchange::NotStarted) {
            Exchange::Ready(message, random) => {
                let config = LicenseConfig::new(&facts.config);
                let exchange = LicenseExchange::new(config, random);
                return self.advance(exchange, message, facts, out);
            }
            // Only a licensing message may change these; a PDU of another channel can come in between.
            other => self.exchange = other,
        }
        let received = receive_from_server(input.bytes).map_err(|error| explain(error, self.error_info))?;
        if received.channel_id == facts.io_channel_id {
            return self.handle_io(received.data, facts, out);
        }
        if Some(received.channel_id) == facts.message_channel_id {
            message_channel::answer(
                &mut self.responder,
                facts.user_channel_id,
                received,
                input.received_at,
                &mut facts.deferred,
                out,
            )?;
        } else {
            facts.deferred.push(input.bytes)?;
        }
        Ok(ClientState::WaitLicense(self))
    }

    fn handle_io(
        mut self: Box<Self>,
        data: &[u8],
        facts: &mut Facts,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ClientState> {
        let secured: BasicSecurity<&[u8]> = decode_exact(data)?;
        // Meant for RDP's own encryption, but sent without it, too. The length of a share PDU may look the same.
        if secured.flags == SecurityFlags::REDIRECTION_PACKET
            && let Ok(redirection) = decode::<ServerRedirection>(secured.body)
        {
            return Err(redirected(redirection));
        }
        if !secured.flags.contains(SecurityFlags::LICENSE_PACKET) {
            return self.handle_share(data);
        }
        facts.config.limits.check(Limit::License, secured.body.len())?;
        let LicensePdu { message, .. } = decode(secured.body)?;
        match core::mem::replace(&mut self.exchange, Exchange::NotStarted) {
            Exchange::NotStarted => match message {
                LicenseMessage::ErrorAlert(alert) if alert.code == LicenseErrorCode::ValidClient => {
                    finish(facts, LicenseOutcome::NotNeeded)
                }
                LicenseMessage::ErrorAlert(alert) => Err(LicenseError::Alert(alert).into()),
                message => {
                    self.exchange = Exchange::NeedsRandom(message);
                    Ok(ClientState::WaitLicense(self))
                }
            },
            Exchange::Running(exchange) => self.advance(exchange, message, facts, out),
            Exchange::NeedsRandom(_) | Exchange::Ready(..) => {
                Err(ConnectorError::misuse("a step while random bytes are asked for"))
            }
        }
    }

    /// A server that sends the client away does not wait for the licence; share PDUs have no security header.
    fn handle_share(mut self: Box<Self>, data: &[u8]) -> ConnectorResult<ClientState> {
        for pdu in SharePdus::new(data) {
            match pdu? {
                SharePdu::ServerRedirect { body, .. } => {
                    let EnhancedRedirection(redirection) = decode(body)?;
                    return Err(redirected(redirection));
                }
                SharePdu::Data(data) if data.pdu_type == DataPduType::SET_ERROR_INFO => {
                    if let ShareDataPdu::SetErrorInfo(info) = data.decode_uncompressed()? {
                        self.error_info = (!info.is_none()).then_some(info);
                    }
                }
                _ => {
                    return Err(ConnectorError::unexpected(
                        "a PDU on the I/O channel while waiting for the licence",
                    ));
                }
            }
        }
        Ok(ClientState::WaitLicense(self))
    }

    fn advance(
        mut self: Box<Self>,
        mut exchange: LicenseExchange,
        message: LicenseMessage,
        facts: &mut Facts,
        out: &mut WriteBuf,
    ) -> ConnectorResult<ClientState> {
        match exchange.handle(message)? {
            LicenseStep::Reply(reply) => {
                let reply = BasicSecurity {
                    flags: SecurityFlags::LICENSE_PACKET,
                    body: reply,
                };
                send_to_server(facts.user_channel_id, facts.io_channel_id, reply, out)?;
                self.exchange = Exchange::Running(exchange);
                Ok(ClientState::WaitLicense(self))
            }
            LicenseStep::Granted(license) => {
                tracing::debug!(
                    scope = license.scope,
                    product = license.product_id,
                    "a licence was issued"
                );
                finish(facts, LicenseOutcome::Issued)
            }
            LicenseStep::NotNeeded => finish(facts, LicenseOutcome::Accepted),
        }
    }
}

fn finish(facts: &mut Facts, outcome: LicenseOutcome) -> ConnectorResult<ClientState> {
    facts.license = outcome;
    tracing::debug!(?outcome, "licensing ended");
    Ok(ClientState::Activate(Box::new(Activation::new(
        facts.activation_settings(),
    ))))
}

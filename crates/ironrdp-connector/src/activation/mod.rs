//! Activates the share: capabilities both ways, then the finalisation (MS-RDPBCGR 1.3.1.1, 1.3.1.3).
//!
//! Runs at the end of every connection and again after each deactivation.

mod capabilities;

use std::sync::Arc;

use ironrdp_core::{Encode, Limits, WriteBuf};
use ironrdp_pdu::capability::DemandActive;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::CompressionFlags;
use ironrdp_pdu::finalization::{Control, ControlAction, FontList, Synchronize};
use ironrdp_pdu::mcs::SERVER_USER_ID;
use ironrdp_pdu::message_channel::MessageChannelResponder;
use ironrdp_pdu::redirection::{EnhancedRedirection, ServerRedirection};
use ironrdp_pdu::share::{DataPdu, RawShareData, ShareControl, ShareData, ShareDataPdu, SharePdu, SharePdus};
use ironrdp_pdu::{ANY_HINT, Action, DesktopSize, PduHint};

use crate::channel_io::{receive_from_server, send_to_server};
use crate::message_channel;
use crate::result::Deferred;
use crate::{
    ColorDepth, Config, ConnectorError, ConnectorErrorKind, ConnectorResult, Phase, Refusal, Sequence, State,
    StepInput, Written,
};

pub use capabilities::{InputSupport, ServerFeatures};

/// What a client needs to know to activate a share, the first time and every time.
#[derive(Debug, Clone)]
pub(crate) struct ActivationSettings {
    pub(crate) config: Arc<Config>,
    pub(crate) io_channel_id: u16,
    pub(crate) user_channel_id: u16,
    pub(crate) message_channel_id: Option<u16>,
}

/// A share that is active, and what its server can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Activated {
    /// Identifies the share in every later data PDU.
    pub share_id: u32,
    /// The desktop's size, which need not be the one asked for.
    pub desktop_size: DesktopSize,
    /// The desktop's colour depth, which need not be the one asked for.
    pub color_depth: ColorDepth,
    /// What the server can do.
    pub server: ServerFeatures,
}

/// Waits for the server's Demand Active and brings the share to life.
#[derive(Debug)]
pub struct Activation {
    settings: ActivationSettings,
    responder: MessageChannelResponder,
    deferred: Deferred,
    /// The last error the server announced; tells why it disconnects.
    error_info: Option<ErrorInfo>,
    state: ActivationState,
}

#[derive(Debug)]
enum ActivationState {
    WaitDemandActive,
    WaitFontMap(Box<Activated>),
    Active(Box<Activated>),
    Failed(ConnectorError),
}

impl Activation {
    pub(crate) fn new(settings: ActivationSettings) -> Self {
        let deferred = Deferred::new(settings.config.limits.deferred_bytes);
        Self {
            settings,
            responder: MessageChannelResponder::default(),
            deferred,
            error_info: None,
            state: ActivationState::WaitDemandActive,
        }
    }

    pub(crate) fn into_parts(self) -> ConnectorResult<(Activated, Deferred)> {
        match self.state {
            ActivationState::Active(activated) => Ok((*activated, self.deferred)),
            ActivationState::Failed(error) => Err(error),
            _ => Err(ConnectorError::misuse("the share is not active yet")),
        }
    }

    /// PDUs that meant nothing to anybody so far.
    pub fn ignored(&self) -> u64 {
        self.deferred.ignored()
    }

    /// The share, once it is active, with the whole PDUs for the session that came before it was.
    pub fn into_result(self) -> ConnectorResult<(Activated, Vec<Vec<u8>>)> {
        let (activated, deferred) = self.into_parts()?;
        Ok((activated, deferred.into_frames()))
    }

    fn handle(&mut self, input: StepInput<'_>, out: &mut WriteBuf) -> ConnectorResult<()> {
        // Graphics before the Font Map are early, not wrong: some servers paint as soon as they have our capabilities.
        if Action::from_first_byte(input.bytes.first().copied().unwrap_or_default())? == Action::FastPath {
            return self.deferred.push(input.bytes);
        }
        let received = receive_from_server(input.bytes).map_err(|error| explain(error, self.error_info))?;
        if received.channel_id == self.settings.io_channel_id {
            self.handle_share(input.bytes, received.data, out)
        } else if Some(received.channel_id) == self.settings.message_channel_id {
            let user = self.settings.user_channel_id;
            message_channel::answer(
                &mut self.responder,
                user,
                received,
                input.received_at,
                &mut self.deferred,
                out,
            )
        } else {
            self.deferred.push(input.bytes)
        }
    }

    fn handle_share(&mut self, frame: &[u8], payload: &[u8], out: &mut WriteBuf) -> ConnectorResult<()> {
        let mut for_session = false;
        for pdu in SharePdus::new(payload) {
            match pdu? {
                SharePdu::DemandActive(demand) => self.confirm(demand, out)?,
                // 1.3.1.3: a server may deactivate before it has finished activating (Windows does, at logon).
                SharePdu::DeactivateAll(_) => self.state = ActivationState::WaitDemandActive,
                SharePdu::ServerRedirect { body, .. } => {
                    let EnhancedRedirection(redirection) = ironrdp_core::decode(body)?;
                    return Err(redirected(redirection));
                }
                SharePdu::Data(data) => for_session |= !self.handle_data(&data)?,
                // T.128 flow control: receivers ignore it.
                SharePdu::Flow(_) => self.deferred.ignore("flow control"),
                SharePdu::ConfirmActive(_) | SharePdu::Unknown { .. } => {
                    return Err(ConnectorError::unexpected(
                        "a share PDU that has no place in an activation",
                    ));
                }
            }
        }
        if for_session {
            self.deferred.push(frame)
        } else {
            Ok(())
        }
    }

    fn confirm(&mut self, demand: ShareControl<DemandActive>, out: &mut WriteBuf) -> ConnectorResult<()> {
        let activated = capabilities::read_demand(&demand.pdu, &self.settings.config.limits)?;
        let confirm = capabilities::confirm(&self.settings.config, &activated);
        let user = self.settings.user_channel_id;
        let share_id = activated.share_id;
        self.send(
            ShareControl {
                source: user,
                pdu: confirm,
            },
            out,
        )?;
        // 1.3.1.1: the client's four finalisation PDUs need no answer in between.
        self.send_data(
            share_id,
            Synchronize {
                target_user: SERVER_USER_ID,
            },
            out,
        )?;
        self.send_data(share_id, Control::new(ControlAction::Cooperate), out)?;
        self.send_data(share_id, Control::new(ControlAction::RequestControl), out)?;
        self.send_data(share_id, FontList::default(), out)?;
        self.state = ActivationState::WaitFontMap(Box::new(activated));
        Ok(())
    }

    fn send(&self, pdu: impl Encode, out: &mut WriteBuf) -> ConnectorResult<()> {
        send_to_server(
            self.settings.user_channel_id,
            self.settings.io_channel_id,
            pdu,
            out,
        )
    }

    fn send_data(&self, share_id: u32, pdu: impl DataPdu, out: &mut WriteBuf) -> ConnectorResult<()> {
        self.send(ShareData::new(self.settings.user_channel_id, share_id, pdu), out)
    }

    /// False for a PDU that the running session has to see.
    fn handle_data(&mut self, data: &RawShareData<'_>) -> ConnectorResult<bool> {
        // The PDUs of the finalisation are never compressed; what is compressed is for the session.
        if data.compression.contains(CompressionFlags::COMPRESSED) {
            return Ok(false);
        }
        match data.decode_uncompressed()? {
            ShareDataPdu::Synchronize(_) | ShareDataPdu::Control(_) => {}
            ShareDataPdu::FontMap(_) => {
                let state = core::mem::replace(&mut self.state, ActivationState::WaitDemandActive);
                self.state = match state {
                    ActivationState::WaitFontMap(activated) => ActivationState::Active(activated),
                    // Left over from the share that was deactivated.
                    state => {
                        self.deferred.ignore("a Font Map of another share");
                        state
                    }
                };
            }
            ShareDataPdu::SetErrorInfo(info) => self.error_info = (!info.is_none()).then_some(info),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// What the server said before it disconnected is the better error.
pub(crate) fn explain(error: ConnectorError, announced: Option<ErrorInfo>) -> ConnectorError {
    match (error.kind(), announced) {
        (ConnectorErrorKind::Refused(Refusal::Disconnected(_)), Some(info)) => {
            ConnectorError::refused(Refusal::ErrorInfo(info), "the server ended the connection")
        }
        _ => error,
    }
}

/// The typed outcome of a redirection.
pub(crate) fn redirected(redirection: ServerRedirection) -> ConnectorError {
    ConnectorError::new(
        ConnectorErrorKind::Redirected(Box::new(redirection)),
        "redirected by the server",
    )
}

impl Sequence for Activation {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        match &self.state {
            ActivationState::WaitDemandActive | ActivationState::WaitFontMap(_) => Some(&ANY_HINT),
            ActivationState::Active(_) | ActivationState::Failed(_) => None,
        }
    }

    fn state(&self) -> &dyn State {
        &self.state
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        match &self.state {
            ActivationState::Active(_) => {
                return Err(ConnectorError::misuse("a step after the end of the sequence"));
            }
            ActivationState::Failed(error) => return Err(error.clone()),
            ActivationState::WaitDemandActive | ActivationState::WaitFontMap(_) => {}
        }
        let start = output.filled_len();
        match self.handle(input, output) {
            Ok(()) => Ok(Written::from_size(output.filled_len() - start)),
            Err(error) => {
                output.truncate(start);
                let error = error.in_phase(Phase::Activate);
                self.state = ActivationState::Failed(error.clone());
                Err(error)
            }
        }
    }

    fn phase(&self) -> Phase {
        Phase::Activate
    }

    fn limits(&self) -> &Limits {
        &self.settings.config.limits
    }
}

impl State for ActivationState {
    fn name(&self) -> &'static str {
        match self {
            Self::WaitDemandActive => "WaitDemandActive",
            Self::WaitFontMap(_) => "WaitFontMap",
            Self::Active(_) => "Active",
            Self::Failed(_) => "Failed",
        }
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Active(_))
    }
}

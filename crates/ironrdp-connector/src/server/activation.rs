//! Activates the share from the server's end: capabilities both ways, then the finalisation (MS-RDPBCGR 1.3.1.1, 1.3.1.3).
//!
//! Runs at the end of every connection and again whenever the server changes the desktop's size.

use std::sync::Arc;

use ironrdp_core::{Encode, Limits, WriteBuf};
use ironrdp_pdu::capability::{
    Bitmap, BitmapCodecs, CapabilitySet, ConfirmActive, DemandActive, Font, FrameAcknowledge, General, Input,
    LargePointer, MultifragmentUpdate, Order, Pointer, Share, SurfaceCommands, VirtualChannel,
};
use ironrdp_pdu::finalization::{Control, ControlAction, FontMap, SequenceFlags, Synchronize};
use ironrdp_pdu::mcs::SERVER_USER_ID;
use ironrdp_pdu::share::{
    DataPdu, DeactivateAll, RawShareData, ShareControl, ShareData, ShareDataPdu, SharePdu, SharePdus,
    StreamId,
};
use ironrdp_pdu::{ANY_HINT, Action, DesktopSize, PduHint};

use super::AcceptorConfig;
use crate::channel_io::{receive_from_client, send_to_client};
use crate::result::Deferred;
use crate::{ColorDepth, ConnectorError, ConnectorResult, Phase, Sequence, State, StepInput, Written};

/// The first share of a connection. T.128 builds the id of a share of a number and the user id of its server.
const FIRST_SHARE_ID: u32 = 0x0001_03ea;

/// What a server needs to know to activate a share, the first time and every time.
#[derive(Debug, Clone)]
pub(super) struct ServerActivationSettings {
    pub(super) config: Arc<AcceptorConfig>,
    pub(super) io_channel_id: u16,
    pub(super) user_channel_id: u16,
    pub(super) desktop_size: DesktopSize,
    pub(super) color_depth: ColorDepth,
}

/// A share that is active, and what its client can do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerActivated {
    /// Identifies the share in every later data PDU.
    pub share_id: u32,
    /// The desktop's size.
    pub desktop_size: DesktopSize,
    /// The desktop's colour depth.
    pub color_depth: ColorDepth,
    /// What the client can do: `capabilities.find::<SurfaceCommands>()`.
    pub capabilities: ConfirmActive,
}

/// Demands the client's capabilities and brings the share to life.
#[derive(Debug)]
pub struct ServerActivation {
    settings: ServerActivationSettings,
    share_id: u32,
    deferred: Deferred,
    state: ServerActivationState,
}

#[derive(Debug)]
enum ServerActivationState {
    /// The share `ends` first, if there is one already.
    SendDemandActive {
        ends: Option<u32>,
    },
    /// Waiting for the client's capabilities.
    WaitConfirmActive,
    /// Waiting for the last PDU of the client's finalisation.
    WaitFontList(Box<ConfirmActive>),
    Active(Box<ConfirmActive>),
    Failed(ConnectorError),
}

impl ServerActivation {
    pub(super) fn first(settings: ServerActivationSettings) -> Self {
        Self::new(settings, FIRST_SHARE_ID, None)
    }

    /// A share in place of `ends`.
    pub(super) fn next(settings: ServerActivationSettings, ends: u32) -> Self {
        Self::new(settings, ends.wrapping_add(0x0001_0000), Some(ends))
    }

    fn new(settings: ServerActivationSettings, share_id: u32, ends: Option<u32>) -> Self {
        let deferred = Deferred::new(settings.config.limits.deferred_bytes);
        Self {
            settings,
            share_id,
            deferred,
            state: ServerActivationState::SendDemandActive { ends },
        }
    }

    pub(super) fn into_parts(self) -> ConnectorResult<(ServerActivated, Deferred)> {
        match self.state {
            ServerActivationState::Active(capabilities) => Ok((
                ServerActivated {
                    share_id: self.share_id,
                    desktop_size: self.settings.desktop_size,
                    color_depth: self.settings.color_depth,
                    capabilities: *capabilities,
                },
                self.deferred,
            )),
            ServerActivationState::Failed(error) => Err(error),
            _ => Err(ConnectorError::misuse("the share is not active yet")),
        }
    }

    /// PDUs that meant nothing to anybody so far.
    pub fn ignored(&self) -> u64 {
        self.deferred.ignored()
    }

    /// The share, once it is active, with the whole PDUs for the session that came before it was.
    pub fn into_result(self) -> ConnectorResult<(ServerActivated, Vec<Vec<u8>>)> {
        let (activated, deferred) = self.into_parts()?;
        Ok((activated, deferred.into_frames()))
    }

    fn demand(&mut self, ends: Option<u32>, out: &mut WriteBuf) -> ConnectorResult<()> {
        if let Some(share_id) = ends {
            self.send(
                ShareControl {
                    source: SERVER_USER_ID,
                    pdu: DeactivateAll::new(share_id),
                },
                out,
            )?;
        }
        self.send(
            ShareControl {
                source: SERVER_USER_ID,
                pdu: DemandActive::new(self.share_id, capabilities(&self.settings)),
            },
            out,
        )?;
        self.state = ServerActivationState::WaitConfirmActive;
        Ok(())
    }

    fn handle(&mut self, bytes: &[u8], out: &mut WriteBuf) -> ConnectorResult<()> {
        // Input before the Font Map is early, not wrong: clients that reactivate go on typing.
        if Action::from_first_byte(bytes.first().copied().unwrap_or_default())? == Action::FastPath {
            return self.deferred.push(bytes);
        }
        let received = receive_from_client(bytes)?;
        if received.channel_id != self.settings.io_channel_id {
            return self.deferred.push(bytes);
        }
        let mut for_session = false;
        for pdu in SharePdus::new(received.data) {
            match pdu? {
                SharePdu::ConfirmActive(confirm) => self.confirmed(confirm.pdu, out)?,
                SharePdu::Data(data) => for_session |= !self.handle_data(&data, out)?,
                // T.128 flow control: receivers ignore it.
                SharePdu::Flow(_) => self.deferred.ignore("flow control"),
                _ => {
                    return Err(ConnectorError::unexpected(
                        "a share PDU that has no place in an activation",
                    ));
                }
            }
        }
        if for_session {
            self.deferred.push(bytes)
        } else {
            Ok(())
        }
    }

    fn confirmed(&mut self, confirm: ConfirmActive, out: &mut WriteBuf) -> ConnectorResult<()> {
        if !matches!(self.state, ServerActivationState::WaitConfirmActive) {
            return Err(ConnectorError::unexpected("a second Confirm Active"));
        }
        if confirm.share_id != self.share_id {
            return Err(ConnectorError::unexpected("a Confirm Active for another share"));
        }
        self.state = ServerActivationState::WaitFontList(Box::new(confirm));
        // 1.3.1.1: both sides send these two of their own accord; some clients wait for them before they go on.
        let user = self.settings.user_channel_id;
        self.send_data(Synchronize { target_user: user }, out)?;
        self.send_data(Control::new(ControlAction::Cooperate), out)
    }

    /// False for a PDU that the running session has to see.
    fn handle_data(&mut self, data: &RawShareData<'_>, out: &mut WriteBuf) -> ConnectorResult<bool> {
        match data.decode_uncompressed()? {
            ShareDataPdu::Synchronize(_) => {}
            // They are for a bitmap cache, which is not offered.
            ShareDataPdu::PersistentKeyList(_) => self.deferred.ignore("keys of a bitmap cache"),
            ShareDataPdu::Control(control) if control.action == ControlAction::RequestControl => {
                let granted = Control {
                    action: ControlAction::GrantedControl,
                    grant_id: self.settings.user_channel_id,
                    control_id: SERVER_USER_ID.into(),
                };
                self.send_data(granted, out)?;
            }
            ShareDataPdu::Control(_) => {}
            // Clients of RDP 4 send their list in two; the answer belongs to the last.
            ShareDataPdu::FontList(list) if list.flags == SequenceFlags::FIRST => {}
            ShareDataPdu::FontList(_) => self.finish(out)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(&mut self, out: &mut WriteBuf) -> ConnectorResult<()> {
        let state = core::mem::replace(&mut self.state, ServerActivationState::WaitConfirmActive);
        let ServerActivationState::WaitFontList(confirm) = state else {
            return Err(ConnectorError::unexpected(
                "a Font List before the Confirm Active",
            ));
        };
        self.send_data(FontMap::default(), out)?;
        self.state = ServerActivationState::Active(confirm);
        Ok(())
    }

    fn send(&self, pdu: impl Encode, out: &mut WriteBuf) -> ConnectorResult<()> {
        send_to_client(self.settings.io_channel_id, pdu, out)
    }

    fn send_data(&self, pdu: impl DataPdu, out: &mut WriteBuf) -> ConnectorResult<()> {
        let data = ShareData {
            stream_id: StreamId::MEDIUM,
            ..ShareData::new(SERVER_USER_ID, self.share_id, pdu)
        };
        self.send(data, out)
    }
}

/// The server's offer: bitmaps, surface commands and pointers; every kind of input; no drawing orders.
fn capabilities(settings: &ServerActivationSettings) -> Vec<CapabilitySet> {
    let bitmap = Bitmap::new(settings.color_depth.bits(), settings.desktop_size);
    let mut sets: Vec<CapabilitySet> = vec![
        Share::server().into(),
        General::server().into(),
        VirtualChannel::default().into(),
        Font::default().into(),
        Order::default().into(),
        Pointer::default().into(),
        Input::default().into(),
        MultifragmentUpdate::default().into(),
        LargePointer::default().into(),
        SurfaceCommands::default().into(),
        BitmapCodecs::default().into(),
        FrameAcknowledge::default().into(),
    ];
    for set in &settings.config.capabilities {
        match sets.iter_mut().find(|other| other.kind() == set.kind()) {
            Some(other) => other.clone_from(set),
            None => sets.push(set.clone()),
        }
    }
    let bitmap = CapabilitySet::from(bitmap);
    sets.retain(|set| set.kind() != bitmap.kind());
    sets.insert(2, bitmap);
    sets
}

impl Sequence for ServerActivation {
    fn next_pdu_hint(&self) -> Option<&dyn PduHint> {
        match &self.state {
            ServerActivationState::WaitConfirmActive | ServerActivationState::WaitFontList(_) => {
                Some(&ANY_HINT)
            }
            ServerActivationState::SendDemandActive { .. }
            | ServerActivationState::Active(_)
            | ServerActivationState::Failed(_) => None,
        }
    }

    fn state(&self) -> &dyn State {
        &self.state
    }

    fn step_input(&mut self, input: StepInput<'_>, output: &mut WriteBuf) -> ConnectorResult<Written> {
        let start = output.filled_len();
        let result = match &self.state {
            ServerActivationState::SendDemandActive { ends } => self.demand(*ends, output),
            ServerActivationState::WaitConfirmActive | ServerActivationState::WaitFontList(_) => {
                self.handle(input.bytes, output)
            }
            ServerActivationState::Active(_) => {
                return Err(ConnectorError::misuse("a step after the end of the sequence"));
            }
            ServerActivationState::Failed(error) => return Err(error.clone()),
        };
        match result {
            Ok(()) => Ok(Written::from_size(output.filled_len() - start)),
            Err(error) => {
                output.truncate(start);
                let error = error.in_phase(Phase::Activate);
                self.state = ServerActivationState::Failed(error.clone());
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

impl State for ServerActivationState {
    fn name(&self) -> &'static str {
        match self {
            Self::SendDemandActive { .. } => "SendDemandActive",
            Self::WaitConfirmActive => "WaitConfirmActive",
            Self::WaitFontList(_) => "WaitFontList",
            Self::Active(_) => "Active",
            Self::Failed(_) => "Failed",
        }
    }

    fn is_terminal(&self) -> bool {
        matches!(self, Self::Active(_))
    }
}

//! What a server learned about its client and agreed upon with it.

use std::sync::Arc;

use ironrdp_core::Limits;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::client_info::ClientInfo;
use ironrdp_pdu::gcc::ClientCoreData;
use ironrdp_pdu::x224::{ConnectionRequest, SecurityProtocol};

use super::activation::{ServerActivated, ServerActivation, ServerActivationSettings};
use super::{AcceptorConfig, NetworkMeasurement};
use crate::result::{Deferred, LicenseOutcome, StaticChannel};
use crate::{ColorDepth, ConnectorResult, Logon};

/// What the server has learned so far.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) config: Arc<AcceptorConfig>,
    pub(super) request: ConnectionRequest,
    pub(super) protocol: SecurityProtocol,
    pub(super) core: ClientCoreData,
    pub(super) desktop_size: DesktopSize,
    pub(super) color_depth: ColorDepth,
    pub(super) io_channel_id: u16,
    pub(super) user_channel_id: u16,
    pub(super) message_channel_id: Option<u16>,
    pub(super) channels: Vec<StaticChannel>,
    pub(super) joins_skipped: bool,
    pub(super) logon: Option<Logon>,
    /// Who logged in may not have a session, and has not been told yet.
    pub(super) is_denied: bool,
    pub(super) info: ClientInfo,
    pub(super) network: Option<NetworkMeasurement>,
    pub(super) license: LicenseOutcome,
    pub(super) deferred: Deferred,
}

impl Facts {
    /// Nothing learned yet; the client's own words are filled in as they come.
    pub(super) fn new(config: Arc<AcceptorConfig>) -> Self {
        const SMALLEST: DesktopSize = match DesktopSize::new(1, 1) {
            Some(size) => size,
            None => unreachable!(),
        };
        let deferred = Deferred::new(config.limits.deferred_bytes);
        Self {
            config,
            request: ConnectionRequest::default(),
            protocol: SecurityProtocol::empty(),
            core: ClientCoreData::new(SMALLEST),
            desktop_size: SMALLEST,
            color_depth: ColorDepth::default(),
            io_channel_id: 0,
            user_channel_id: 0,
            message_channel_id: None,
            channels: Vec::new(),
            joins_skipped: false,
            logon: None,
            is_denied: false,
            info: ClientInfo::new("", ""),
            network: None,
            license: LicenseOutcome::NotNeeded,
            deferred,
        }
    }

    /// Whether `id` is a channel that the client may join.
    pub(super) fn has_channel(&self, id: u16) -> bool {
        id == self.user_channel_id
            || id == self.io_channel_id
            || self.message_channel_id == Some(id)
            || self.channels.iter().any(|channel| channel.id == id)
    }

    pub(super) fn activation_settings(&self) -> ServerActivationSettings {
        ServerActivationSettings {
            config: Arc::clone(&self.config),
            io_channel_id: self.io_channel_id,
            user_channel_id: self.user_channel_id,
            desktop_size: self.desktop_size,
            color_depth: self.color_depth,
        }
    }
}

/// A server's connection after its sequence: who the client is and what was agreed upon.
#[derive(Debug)]
pub struct AcceptResult {
    /// The security protocol in use; empty for plain RDP.
    pub protocol: SecurityProtocol,
    /// What the client asked for first, with its cookie or routing token.
    pub request: ConnectionRequest,
    /// The client's name, keyboard, version, wishes and abilities.
    pub core: ClientCoreData,
    /// Who proved to be whom by network level authentication; the user name in `info` is only what the client says.
    pub logon: Option<Logon>,
    /// Who logged in and how; the password is blanked out, since it did its work when the client was authorised.
    pub info: ClientInfo,
    /// The MCS channel of graphics and input.
    pub io_channel_id: u16,
    /// The client's own channel.
    pub user_channel_id: u16,
    /// The channel of auto-detect and heartbeat messages, if the client asked for one.
    pub message_channel_id: Option<u16>,
    /// The static virtual channels the client asked for, with the ids given.
    pub channels: Vec<StaticChannel>,
    /// Whether the channels counted as joined without being joined one by one.
    pub joins_skipped: bool,
    /// The network between client and server, if it was measured.
    pub network: Option<NetworkMeasurement>,
    /// How licensing ended.
    pub license: LicenseOutcome,
    /// PDUs of the client that meant nothing to the sequence and were passed over; the session counts its own.
    pub ignored: u64,
    /// The share and what the client can do.
    pub activated: ServerActivated,
    deferred: Vec<Vec<u8>>,
    settings: ServerActivationSettings,
}

impl AcceptResult {
    pub(super) fn new(facts: Facts, activation: ServerActivation) -> ConnectorResult<Self> {
        let settings = facts.activation_settings();
        let mut deferred = facts.deferred;
        let (activated, later) = activation.into_parts()?;
        deferred.append(later);
        Ok(Self {
            protocol: facts.protocol,
            request: facts.request,
            logon: facts.logon,
            core: facts.core,
            info: facts.info,
            io_channel_id: facts.io_channel_id,
            user_channel_id: facts.user_channel_id,
            message_channel_id: facts.message_channel_id,
            channels: facts.channels,
            joins_skipped: facts.joins_skipped,
            network: facts.network,
            license: facts.license,
            ignored: deferred.ignored(),
            activated,
            deferred: deferred.into_frames(),
            settings,
        })
    }

    /// What the client may cost, as the configuration says.
    pub fn limits(&self) -> &Limits {
        &self.settings.config.limits
    }

    /// Takes the whole PDUs that came for the session before it was active; the session must handle them first.
    pub fn take_deferred(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.deferred)
    }

    /// A sequence that ends the active share and starts one with a desktop of `size`.
    ///
    /// When it has run, put what its [`into_result`](ServerActivation::into_result) gives into
    /// [`activated`](Self::activated): the next reactivation counts from there.
    pub fn reactivation(&self, size: DesktopSize) -> ServerActivation {
        let settings = ServerActivationSettings {
            desktop_size: size,
            ..self.settings.clone()
        };
        ServerActivation::next(settings, self.activated.share_id)
    }
}

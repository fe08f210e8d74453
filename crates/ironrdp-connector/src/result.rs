//! What a connection sequence learned and agreed upon.

use std::sync::Arc;

use ironrdp_core::{Limit, LimitExceeded, Limits, Liveness};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::x224::SecurityProtocol;

use crate::activation::{Activated, Activation, ActivationSettings};
use crate::{ColorDepth, Compression, Config, ConnectorResult, Deadlines};

/// What the client has learned so far.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) config: Arc<Config>,
    pub(crate) protocol: SecurityProtocol,
    pub(crate) io_channel_id: u16,
    pub(crate) user_channel_id: u16,
    pub(crate) message_channel_id: Option<u16>,
    pub(crate) channels: Vec<StaticChannel>,
    pub(crate) joins_skipped: bool,
    pub(crate) license: LicenseOutcome,
    pub(crate) deferred: Deferred,
}

impl Facts {
    pub(crate) fn new(config: Arc<Config>) -> Self {
        let deferred = Deferred::new(config.limits.deferred_bytes);
        Self {
            config,
            protocol: SecurityProtocol::empty(),
            io_channel_id: 0,
            user_channel_id: 0,
            message_channel_id: None,
            channels: Vec::new(),
            joins_skipped: false,
            license: LicenseOutcome::NotNeeded,
            deferred,
        }
    }

    /// Every channel to be joined, in the order servers expect: the user's own, I/O, message, then the static ones.
    pub(crate) fn channels_to_join(&self) -> impl Iterator<Item = u16> {
        [self.user_channel_id, self.io_channel_id]
            .into_iter()
            .chain(self.message_channel_id)
            .chain(self.channels.iter().map(|channel| channel.id))
    }

    /// What the activation of the share needs to know; kept for reactivations.
    pub(crate) fn activation_settings(&self) -> ActivationSettings {
        ActivationSettings {
            config: Arc::clone(&self.config),
            io_channel_id: self.io_channel_id,
            user_channel_id: self.user_channel_id,
            message_channel_id: self.message_channel_id,
        }
    }
}

/// A static virtual channel that was asked for, and the id the server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticChannel {
    /// Its name, at most seven characters.
    pub name: String,
    /// Its MCS channel id; 0 when the server does not offer the channel.
    pub id: u16,
}

/// How licensing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LicenseOutcome {
    /// The server asked for no licence (`STATUS_VALID_CLIENT` at once).
    NotNeeded,
    /// The server issued a licence after the full exchange.
    Issued,
    /// The server accepted the client during the exchange without issuing a licence.
    Accepted,
}

/// PDUs that are not for the sequence: those for the running session are kept, whole and in order; others are counted.
#[derive(Debug)]
pub(crate) struct Deferred {
    frames: Vec<Vec<u8>>,
    bytes: usize,
    max: usize,
    ignored: u64,
}

impl Deferred {
    pub(crate) const fn new(max: usize) -> Self {
        Self {
            frames: Vec::new(),
            bytes: 0,
            max,
            ignored: 0,
        }
    }

    /// Keeps `frame`, framing header included.
    pub(crate) fn push(&mut self, frame: &[u8]) -> ConnectorResult<()> {
        let wanted = self.bytes.saturating_add(frame.len());
        if wanted > self.max {
            return Err(LimitExceeded {
                limit: Limit::Deferred,
                wanted,
                max: self.max,
            }
            .into());
        }
        self.bytes = wanted;
        tracing::debug!(
            bytes = frame.len(),
            "a PDU for the session came early and is kept"
        );
        self.frames.push(frame.to_vec());
        Ok(())
    }

    /// Counts a PDU that means nothing to anybody.
    pub(crate) fn ignore(&mut self, what: &'static str) {
        tracing::debug!(what, "a PDU was passed over");
        self.ignored += 1;
    }

    /// PDUs that meant nothing to anybody.
    pub(crate) const fn ignored(&self) -> u64 {
        self.ignored
    }

    pub(crate) fn into_frames(self) -> Vec<Vec<u8>> {
        self.frames
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.ignored += other.ignored;
        self.frames.extend(other.frames);
    }
}

/// A client's connection after its sequence: what was agreed upon, ready to make a session of.
#[derive(Debug)]
pub struct ConnectionResult {
    /// The security protocol in use; empty for plain RDP.
    pub protocol: SecurityProtocol,
    /// The MCS channel of graphics and input.
    pub io_channel_id: u16,
    /// This client's own channel, the source of all it sends.
    pub user_channel_id: u16,
    /// The channel of auto-detect and heartbeat messages, if the server has one.
    pub message_channel_id: Option<u16>,
    /// The static virtual channels asked for, with the ids given.
    pub channels: Vec<StaticChannel>,
    /// Whether the channels counted as joined without being joined one by one.
    pub joins_skipped: bool,
    /// How licensing ended.
    pub license: LicenseOutcome,
    /// The share and what the server can do.
    pub activated: Activated,
    /// The bulk compression offered to the server.
    pub compression: Compression,
    /// PDUs of the server that meant nothing to the sequence and were passed over; the session counts its own.
    pub ignored: u64,
    deferred: Vec<Vec<u8>>,
    settings: ActivationSettings,
}

impl ConnectionResult {
    pub(crate) fn new(facts: Facts, activation: Activation) -> ConnectorResult<Self> {
        let settings = facts.activation_settings();
        let mut deferred = facts.deferred;
        let (activated, later) = activation.into_parts()?;
        deferred.append(later);
        Ok(Self {
            protocol: facts.protocol,
            io_channel_id: facts.io_channel_id,
            user_channel_id: facts.user_channel_id,
            message_channel_id: facts.message_channel_id,
            channels: facts.channels,
            joins_skipped: facts.joins_skipped,
            license: facts.license,
            activated,
            compression: facts.config.compression,
            ignored: deferred.ignored(),
            deferred: deferred.into_frames(),
            settings,
        })
    }

    /// The desktop's size.
    pub fn desktop_size(&self) -> DesktopSize {
        self.activated.desktop_size
    }

    /// The desktop's colour depth.
    pub fn color_depth(&self) -> ColorDepth {
        self.activated.color_depth
    }

    /// What the session may cost, as the configuration says.
    pub fn limits(&self) -> &Limits {
        &self.settings.config.limits
    }

    /// When the session takes a silent server for dead, as the configuration says.
    pub fn liveness(&self) -> &Liveness {
        &self.settings.config.liveness
    }

    /// How long each phase of the connection might take, as the configuration says; a reactivation is another `activate`.
    pub fn deadlines(&self) -> &Deadlines {
        &self.settings.config.deadlines
    }

    /// Takes the whole PDUs that came for the session before it was active; the session must handle them first.
    pub fn take_deferred(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.deferred)
    }

    /// A sequence for the next activation: run it when the session says that the server deactivated the share.
    pub fn reactivation(&self) -> Activation {
        Activation::new(self.settings.clone())
    }
}

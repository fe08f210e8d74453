//! Everything that comes in TPKT frames (MS-RDPBCGR 2.2.9.1.1).

use ironrdp_core::{DecodeErrorKind, DecodeResult, MonotonicInstant, decode, decode_exact, encode_vec};
use ironrdp_pdu::channel::{ChannelChunk, ChannelFlags};
use ironrdp_pdu::fastpath::CompressionFlags;
use ironrdp_pdu::mcs::{McsPdu, SERVER_USER_ID, SendDataIndication};
use ironrdp_pdu::message_channel::MessageChannelPdu;
use ironrdp_pdu::output::Update;
use ironrdp_pdu::pointer::PointerUpdate;
use ironrdp_pdu::redirection::EnhancedRedirection;
use ironrdp_pdu::session_info::SaveSessionInfo;
use ironrdp_pdu::share::{DataPduType, RawShareData, ShareDataPdu, SharePdu, SharePdus};
use ironrdp_pdu::x224::{X224Data, X224Pdu};

use crate::pixel_store::PixelStore;
use crate::screen::Surroundings;
use crate::session::{Session, State};
use crate::{Event, Limit, PduKind, SessionError, SessionErrorKind, SessionResult, Unsupported};

impl<P: PixelStore> Session<P> {
    pub(crate) fn handle_slow_path(&mut self, now: MonotonicInstant, bytes: &[u8]) -> SessionResult<()> {
        let payload = match decode_exact::<X224Pdu<'_>>(bytes)? {
            X224Pdu::Data(payload) => payload,
            X224Pdu::DisconnectRequest(_) => {
                self.disconnected(None);
                return Ok(());
            }
            X224Pdu::ConnectionRequest(_) | X224Pdu::ConnectionConfirm(_) => {
                return Err(unexpected("a negotiation message inside a session"));
            }
        };
        match decode_exact::<McsPdu<'_>>(payload)? {
            McsPdu::SendDataIndication(indication) => {
                self.handle_channel(now, indication.channel_id, indication.user_data)
            }
            McsPdu::DisconnectProviderUltimatum(ultimatum) => {
                self.disconnected(Some(ultimatum.reason));
                Ok(())
            }
            _ => Err(unexpected("an MCS message that has no place in a session")),
        }
    }

    fn handle_channel(&mut self, now: MonotonicInstant, channel_id: u16, data: &[u8]) -> SessionResult<()> {
        if channel_id == self.config.io_channel_id {
            self.handle_share(data)
        } else if Some(channel_id) == self.config.message_channel_id {
            self.handle_message(now, channel_id, data)
        } else if self.channels.contains(channel_id) {
            self.handle_chunk(channel_id, data)
        } else {
            tracing::debug!(channel_id, "data on a channel that was not joined");
            self.stats.ignore(PduKind::Stray);
            Ok(())
        }
    }

    fn handle_chunk(&mut self, channel_id: u16, data: &[u8]) -> SessionResult<()> {
        self.stats.count(PduKind::Channel);
        let chunk: ChannelChunk<'_> = decode(data)?;
        let flags = chunk.header.flags;
        let data = if flags.intersects(
            ChannelFlags::PACKET_COMPRESSED | ChannelFlags::PACKET_AT_FRONT | ChannelFlags::PACKET_FLUSHED,
        ) {
            let flags = CompressionFlags::from_bits_retain(flags.bulk_flags());
            self.inflater
                .inflate(flags, chunk.data, self.config.compression, &mut self.stats)?
        } else {
            chunk.data
        };
        self.channels.chunk(
            channel_id,
            chunk.header,
            data,
            &self.config.limits,
            &mut self.events,
            &mut self.stats,
        )
    }

    fn handle_message(&mut self, now: MonotonicInstant, channel_id: u16, data: &[u8]) -> SessionResult<()> {
        let pdu: MessageChannelPdu<'_> = decode(data)?;
        match &pdu {
            MessageChannelPdu::Heartbeat(heartbeat) => {
                self.stats.count(PduKind::Heartbeat);
                self.watch.promised(*heartbeat);
            }
            MessageChannelPdu::Other(_) => self.stats.ignore(PduKind::Unknown),
            MessageChannelPdu::AutoDetect(_) => self.stats.count(PduKind::AutoDetect),
            MessageChannelPdu::Multitransport(_) => self.stats.count(PduKind::Multitransport),
        }
        // A client that has said good-bye says no more.
        if matches!(self.state, State::Disconnecting) {
            return Ok(());
        }
        if let Some(reply) = self.responder.handle(&pdu, now) {
            self.stats.requests_answered += 1;
            self.outbox.channel(&self.config, channel_id, reply)?;
        }
        Ok(())
    }

    fn handle_share(&mut self, payload: &[u8]) -> SessionResult<()> {
        for pdu in SharePdus::new(payload) {
            match pdu? {
                SharePdu::Data(data) => self.handle_share_data(&data)?,
                SharePdu::DeactivateAll(_) => {
                    self.stats.count(PduKind::DeactivateAll);
                    self.deactivated();
                }
                pdu @ SharePdu::DemandActive(_) => {
                    self.stats.count(PduKind::DemandActive);
                    self.keep_for_activation(&pdu)?;
                }
                SharePdu::ServerRedirect { body, .. } => {
                    self.stats.count(PduKind::Redirect);
                    let EnhancedRedirection(redirection) = decode(body)?;
                    self.events.push(Event::Redirected(Box::new(redirection)));
                }
                // T.128 flow control: receivers ignore it.
                SharePdu::Flow(_) => self.stats.ignore(PduKind::Flow),
                SharePdu::ConfirmActive(_) => return Err(unexpected("a Confirm Active from a server")),
                SharePdu::Unknown { pdu_type, .. } => {
                    self.stats.count(PduKind::Unknown);
                    self.split().1.unsupported(Unsupported::SharePdu(pdu_type));
                }
            }
        }
        Ok(())
    }

    fn deactivated(&mut self) {
        // Servers repeat it, and it may come while the caller disconnects.
        if self.is_active() {
            tracing::debug!("the server deactivated the share");
            self.stats.deactivations += 1;
            self.state = State::Deactivated;
            if self.fragments.reset() {
                self.stats.ignore(PduKind::Stray);
            }
            self.watch.excuse();
            self.events.push(Event::Deactivated);
        }
    }

    /// A Demand Active is for the activation: it is kept as a frame of its own until the caller takes it there.
    fn keep_for_activation(&mut self, demand: &SharePdu<'_>) -> SessionResult<()> {
        // 1.3.1.3: a Deactivate All comes before. A server that leaves it out means the same.
        self.deactivated();
        if !matches!(self.state, State::Deactivated) {
            // The caller disconnects and will not take part.
            self.stats.ignored += 1;
            return Ok(());
        }
        let frame = X224Data(SendDataIndication {
            initiator: SERVER_USER_ID,
            channel_id: self.config.io_channel_id,
            user_data: demand,
        });
        self.activation_frame = Some(encode_vec(&frame)?.into_boxed_slice());
        Ok(())
    }

    fn handle_share_data(&mut self, data: &RawShareData<'_>) -> SessionResult<()> {
        let is_active = self.is_active();
        let Self {
            config,
            screen,
            inflater,
            events,
            stats,
            outbox,
            ..
        } = self;
        let payload = inflater.inflate(data.compression, data.payload, config.compression, stats)?;
        config.limits.check(Limit::Update, payload.len())?;
        let mut around = Surroundings {
            config,
            events,
            stats,
            outbox,
            is_active,
        };
        match data.pdu_type {
            DataPduType::UPDATE => return screen.graphics(&decode::<Update<'_>>(payload)?, &mut around),
            DataPduType::POINTER => {
                return screen.pointer(&decode::<PointerUpdate<'_>>(payload)?, &mut around);
            }
            _ => {}
        }
        let error_info = match known(ShareDataPdu::decode(data.pdu_type, payload))? {
            Some(ShareDataPdu::SetErrorInfo(info)) => {
                around.stats.count(PduKind::ErrorInfo);
                Some(info)
            }
            Some(pdu) => {
                notice(pdu, &mut around);
                None
            }
            None => {
                around.stats.count(PduKind::Unknown);
                around.unsupported(Unsupported::DataPdu(data.pdu_type.0));
                None
            }
        };
        if let Some(info) = error_info {
            tracing::debug!(%info, "the server says why it will disconnect");
            self.error_info = (!info.is_none()).then_some(info);
            self.events.push(Event::ErrorInfoSet(info));
        }
        Ok(())
    }
}

/// The end of these PDUs is known, so that a form of them we do not know can be passed over.
fn known(decoded: DecodeResult<ShareDataPdu<'_>>) -> SessionResult<Option<ShareDataPdu<'_>>> {
    match decoded {
        Ok(pdu) => Ok(Some(pdu)),
        Err(error) if matches!(error.kind(), DecodeErrorKind::Unsupported { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Tells the caller what a PDU says that changes nothing in the session itself.
fn notice(pdu: ShareDataPdu<'_>, around: &mut Surroundings<'_>) {
    let event = match pdu {
        ShareDataPdu::SaveSessionInfo(info) => {
            around.stats.count(PduKind::SessionInfo);
            return logon(info, around);
        }
        ShareDataPdu::SetKeyboardIndicators(pdu) => Event::KeyboardIndicators(pdu.leds),
        ShareDataPdu::SetKeyboardImeStatus(pdu) => Event::InputMethodStatus(pdu),
        ShareDataPdu::PlaySound(pdu) => Event::Beep(pdu),
        ShareDataPdu::MonitorLayout(pdu) => Event::MonitorLayout(pdu),
        ShareDataPdu::StatusInfo(pdu) => Event::StatusInfo(pdu.code),
        ShareDataPdu::AutoReconnectStatus(_) => Event::AutoReconnectRefused,
        ShareDataPdu::ShutdownDenied => Event::ShutdownDenied,
        ShareDataPdu::Unknown { pdu_type, .. } => {
            around.stats.count(PduKind::Unknown);
            return around.unsupported(Unsupported::DataPdu(pdu_type.0));
        }
        // The finalisation's, kept back by the activation, and what only clients send.
        _ => return around.stats.ignore(PduKind::Finalization),
    };
    around.stats.count(PduKind::Notice);
    around.events.push(event);
}

fn logon(info: SaveSessionInfo, around: &mut Surroundings<'_>) {
    let events = &mut *around.events;
    match info {
        SaveSessionInfo::Logon(info) | SaveSessionInfo::LogonLong(info) => {
            events.push(Event::LoggedOn(Some(Box::new(info))));
        }
        SaveSessionInfo::PlainNotify => events.push(Event::LoggedOn(None)),
        SaveSessionInfo::Extended(info) => {
            if let Some(cookie) = info.auto_reconnect {
                events.push(Event::AutoReconnectCookie(Box::new(cookie)));
            }
            if let Some(errors) = info.errors {
                events.push(Event::LogonNotified(errors));
            }
        }
    }
}

#[cold]
fn unexpected(context: &'static str) -> SessionError {
    SessionError::new(SessionErrorKind::Unexpected, context)
}

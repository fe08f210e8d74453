//! One client's session after its connection sequence, without I/O.

use ironrdp_connector::{AcceptResult, ColorDepth, ServerActivated};
use ironrdp_core::{EncodeResult, Limit, Limits, WriteBuf, decode_exact, encode_into, encode_vec};
use ironrdp_graphics::Rect;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::UpdateCode;
use ironrdp_pdu::input::{FastPathInputPdu, SlowPathInputPdu};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, McsPdu};
use ironrdp_pdu::output::PaletteUpdate;
use ironrdp_pdu::session_info::{LogonExtended, LogonInfo, SaveSessionInfo};
use ironrdp_pdu::share::{
    AutoReconnectStatus, RawShareData, ShareDataPdu, SharePdu, SharePdus, SuppressOutput,
};
use ironrdp_pdu::surface::{FrameAction, FrameMarker, SurfaceCommand};
use ironrdp_pdu::x224::X224Data;
use ironrdp_pdu::{Action, DesktopSize, InclusiveRect};

use crate::encode::{Form, PALETTE, bodies};
use crate::reconnect::Cookie;
use crate::seen::Seen;
use crate::sharing::View;
use crate::support::ClientSupport;
use crate::{Client, Input, Screen, ServerError, ServerErrorKind, ServerResult};

/// `frameID` of a client that wants to be sent frames without being waited for (MS-RDPRFX 2.2.3.1).
const NEVER_WAIT: u32 = 0xffff_ffff;

/// What a frame costs by itself: it is decrypted and decoded. The unit is an event handed on, or a word of marks set.
const FRAME_WORK: u32 = 64;

/// A client's session: its frames in, updates of a [`Screen`] out, and of what it has seen only a number and a bit a tile.
///
/// Give every frame to [`handle_frame`](Self::handle_frame), then send what [`poll_transmit`](Self::poll_transmit) gives.
/// Whenever all output has left, send what [`poll_update`](Self::poll_update) gives: never two updates wait, so a slow client
/// gets few frames and new ones. When [`wanted_size`](Self::wanted_size) gives a size, run the activation and call
/// [`reactivated`](Self::reactivated).
#[derive(Debug)]
pub struct ServerSession {
    view: View,
    support: ClientSupport,
    share_id: u32,
    desktop_size: DesktopSize,
    seen: Seen,
    suppressed: bool,
    palette_sent: bool,
    /// Frames marked so far; the number of the last one.
    frame_id: u32,
    acknowledged: u32,
    answers: WriteBuf,
    limits: Limits,
    ignored: u64,
    /// Done for the client since the counting began.
    work: u32,
    ended: bool,
}

impl ServerSession {
    /// The session of a client that was `accepted`, before it has seen anything of `screen`.
    ///
    /// `bulk` is whether to compress for clients that offer it.
    pub fn new(accepted: &AcceptResult, screen: Screen, bulk: bool) -> Self {
        let support = ClientSupport::new(accepted, bulk);
        let activated = &accepted.activated;
        Self {
            view: View::new(screen, Form::new(activated.color_depth, &support)),
            support,
            share_id: activated.share_id,
            desktop_size: activated.desktop_size,
            seen: Seen::default(),
            suppressed: false,
            palette_sent: false,
            frame_id: 0,
            acknowledged: 0,
            answers: WriteBuf::new(),
            limits: *accepted.limits(),
            ignored: 0,
            work: 0,
            ended: false,
        }
    }

    /// Handles one whole frame and hands what the user did to `input`.
    ///
    /// An error is the end of the session.
    pub fn handle_frame(&mut self, action: Action, bytes: &[u8], input: &mut dyn Input) -> ServerResult<()> {
        self.charge(FRAME_WORK);
        if action == Action::FastPath {
            let pdu: FastPathInputPdu<'_> = decode_exact(bytes)?;
            for event in pdu.events() {
                self.charge(1);
                input.event(event?);
            }
            return Ok(());
        }
        let X224Data(payload) = decode_exact::<X224Data<&[u8]>>(bytes)?;
        match decode_exact(payload)? {
            McsPdu::SendDataRequest(data) if data.channel_id == self.support.io_channel_id => {
                for pdu in SharePdus::new(data.user_data) {
                    self.handle_share(&pdu?, input)?;
                }
                Ok(())
            }
            // Channels may be joined, but nobody on this side speaks on them.
            McsPdu::SendDataRequest(_) => {
                self.ignored += 1;
                Ok(())
            }
            McsPdu::DisconnectProviderUltimatum(_) => {
                self.ended = true;
                Ok(())
            }
            _ => Err(ServerError::new(
                ServerErrorKind::Unexpected,
                "an MCS PDU that has no place in a session",
            )),
        }
    }

    fn handle_share(&mut self, pdu: &SharePdu<'_>, input: &mut dyn Input) -> ServerResult<()> {
        self.charge(1);
        match pdu {
            SharePdu::Data(data) => self.handle_data(data, input),
            SharePdu::Flow(_) => {
                self.ignored += 1;
                Ok(())
            }
            _ => Err(ServerError::new(
                ServerErrorKind::Unexpected,
                "a share PDU that has no place in a session",
            )),
        }
    }

    fn handle_data(&mut self, data: &RawShareData<'_>, input: &mut dyn Input) -> ServerResult<()> {
        match data.decode_uncompressed()? {
            ShareDataPdu::Input(body) => {
                for timed in decode_exact::<SlowPathInputPdu<'_>>(body)?.events() {
                    self.charge(1);
                    input.event(timed.event);
                }
            }
            ShareDataPdu::RefreshRect(refresh) => {
                for area in refresh.areas {
                    self.send_again(area);
                }
            }
            ShareDataPdu::SuppressOutput(SuppressOutput::Suppress) => self.suppressed = true,
            ShareDataPdu::SuppressOutput(SuppressOutput::Allow(area)) => {
                self.suppressed = false;
                self.send_again(area);
            }
            ShareDataPdu::FrameAcknowledge(shown) if shown.frame_id == NEVER_WAIT => {
                self.support.frames = None;
            }
            // Acknowledging what was not sent yet must not let frames out unchecked later.
            ShareDataPdu::FrameAcknowledge(shown)
                if frames_between(shown.frame_id, self.frame_id) <= self.outstanding() =>
            {
                self.acknowledged = shown.frame_id;
            }
            // 2.2.2.2: somebody is logged on, so the client asks its user and disconnects of its own accord.
            ShareDataPdu::ShutdownRequest => {
                let answer = ShareDataPdu::ShutdownDenied;
                self.support.send_data(self.share_id, answer, &mut self.answers)?;
                self.limits.check(Limit::Output, self.answers.filled_len())?;
            }
            // Repetitions of the finalisation, cache reports, acknowledgements of what was not sent, and what newer clients say.
            _ => self.ignored += 1,
        }
        Ok(())
    }

    fn send_again(&mut self, area: InclusiveRect) {
        if let Some(part) = Rect::from_inclusive(area.left, area.top, area.right, area.bottom) {
            let words = self.seen.mark_part(part);
            self.charge(words);
        }
        // A frame may hold many areas, also such as mark nothing.
        self.charge(1);
    }

    fn charge(&mut self, work: u32) {
        self.work = self.work.saturating_add(work);
    }

    /// What the frames cost that were handled since [`begin_turn`](Self::begin_turn), in events: one may hold very many areas.
    pub(crate) const fn work(&self) -> u32 {
        self.work
    }

    /// Counts the work from here.
    pub(crate) const fn begin_turn(&mut self) {
        self.work = 0;
    }

    /// Appends answers to what was handled; false if there are none.
    pub fn poll_transmit(&mut self, out: &mut WriteBuf) -> bool {
        let any = !self.answers.is_empty();
        out.extend_from_slice(self.answers.filled());
        self.answers.release();
        any
    }

    /// Appends what the client is to see next: at most `max_bytes` and one tile more; false if there is nothing for now.
    ///
    /// Call it when everything before has left, again until it gives false, and then when the screen changes or a frame
    /// was handled.
    pub fn poll_update(&mut self, out: &mut WriteBuf, max_bytes: usize) -> ServerResult<bool> {
        if !self.may_update() {
            return Ok(false);
        }
        let start = out.filled_len();
        let mut pointer = None;
        let is_same_desktop = self.view.screen().look(|mark| {
            let caught_up = self.seen.catch_up(mark, self.desktop_size);
            if caught_up {
                pointer = self.seen.take_pointer(mark);
            }
            caught_up
        });
        if !is_same_desktop {
            return Ok(false);
        }
        if let Some(pointer) = pointer {
            pointer.encode(&self.support, self.share_id, out)?;
        }
        if self.seen.dirty_count > 0 {
            self.send_palette(out)?;
            self.send_frame(out, max_bytes)?;
        }
        Ok(out.filled_len() > start)
    }

    /// Whether the client would be sent an update now, if there is one.
    pub fn may_update(&self) -> bool {
        !self.suppressed && !self.ended && !self.awaits_acknowledgement() && self.wanted_size().is_none()
    }

    /// Whether as many frames are on their way as the client wants there to be.
    pub fn awaits_acknowledgement(&self) -> bool {
        self.support.frames.is_some_and(|most| self.outstanding() >= most)
    }

    /// Whether there is something to see that the client would be sent if it acknowledged what it has.
    pub(crate) fn withholds_updates(&self) -> bool {
        let is_behind = || self.view.screen().look(|mark| mark.version > self.seen.version);
        self.awaits_acknowledgement() && !self.suppressed && (self.has_backlog() || is_behind())
    }

    /// The last frame that the client says it has shown.
    pub(crate) const fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    /// Whether parts of the screen are known to be left to send.
    pub fn has_backlog(&self) -> bool {
        self.seen.dirty_count > 0
    }

    fn send_palette(&mut self, out: &mut WriteBuf) -> EncodeResult<()> {
        if !self.view.form().is_palette() || self.palette_sent {
            return Ok(());
        }
        self.palette_sent = true;
        let colors: Vec<_> = (0..=u8::MAX).map(|index| PALETTE.rgb(index)).collect();
        let body = encode_vec(&PaletteUpdate { colors: &colors })?;
        if self.support.fast_path {
            self.support.fast_path_update(UpdateCode::Palette, &body, out)
        } else {
            self.support.slow_path_update(self.share_id, &body, out)
        }
    }

    fn send_frame(&mut self, out: &mut WriteBuf, max_bytes: usize) -> ServerResult<()> {
        let Some(grid) = self.seen.grid.upgrade() else {
            return Ok(());
        };
        let marked = self.support.frames.is_some();
        if marked {
            self.frame_id = self.frame_id.wrapping_add(1);
            // The number that means something else.
            if self.frame_id == NEVER_WAIT {
                self.frame_id = 0;
            }
            self.send_marker(FrameAction::Begin, out)?;
        }
        let start = out.filled_len();
        while out.filled_len() - start < max_bytes
            && let Some(index) = self.seen.take_tile()
        {
            let (view, support, share_id) = (&self.view, &self.support, self.share_id);
            view.screen()
                .encode(&grid, index, view.wanted_form(), |bytes| -> EncodeResult<()> {
                    if !view.form().is_slow_path() {
                        out.extend_from_slice(bytes);
                        return Ok(());
                    }
                    bodies(bytes).try_for_each(|body| support.slow_path_update(share_id, body, out))
                })?
                .transpose()?;
        }
        if marked {
            self.send_marker(FrameAction::End, out)?;
        }
        Ok(())
    }

    fn send_marker(&self, action: FrameAction, out: &mut WriteBuf) -> EncodeResult<()> {
        let marker = SurfaceCommand::FrameMarker(FrameMarker {
            action,
            frame_id: Some(self.frame_id),
        });
        self.support
            .fast_path_update(UpdateCode::SurfaceCommands, &encode_vec(&marker)?, out)
    }

    /// Frames on their way.
    const fn outstanding(&self) -> u32 {
        frames_between(self.acknowledged, self.frame_id)
    }

    /// The size of the screen, if it is another than the client's desktop: the share must be activated again with it.
    pub fn wanted_size(&self) -> Option<DesktopSize> {
        let size = self.view.screen().size();
        (size != self.desktop_size).then_some(size)
    }

    /// Takes over a share that was activated anew, of which the client has seen nothing.
    pub fn reactivated(&mut self, activated: &ServerActivated) {
        self.support.learn(&activated.capabilities);
        self.view.change(Form::new(activated.color_depth, &self.support));
        self.share_id = activated.share_id;
        self.desktop_size = activated.desktop_size;
        self.seen = Seen::default();
        self.suppressed = false;
        self.palette_sent = false;
        self.frame_id = 0;
        self.acknowledged = 0;
    }

    /// Appends that the cookie the client came with is not good (2.2.4.1.1), and that this is another session therefore.
    pub(crate) fn refuse_cookie(&self, out: &mut WriteBuf) -> EncodeResult<()> {
        self.support
            .send_data(self.share_id, AutoReconnectStatus { status: 0 }, out)
    }

    /// Appends who is logged on, and a cookie to come back with if the client takes one.
    pub(crate) fn greet(
        &self,
        client: &Client,
        cookie: Option<&Cookie>,
        out: &mut WriteBuf,
    ) -> EncodeResult<()> {
        if self.support.logon_notify {
            let logon = SaveSessionInfo::LogonLong(LogonInfo {
                domain: client.domain.clone(),
                user_name: client.user_name.clone(),
                session_id: client.id,
            });
            self.support.send_data(self.share_id, logon, out)?;
        }
        let Some(cookie) = cookie else {
            return Ok(());
        };
        let extended = SaveSessionInfo::Extended(LogonExtended {
            auto_reconnect: Some(cookie.for_client()),
            errors: None,
        });
        self.support.send_data(self.share_id, extended, out)
    }

    /// Whether the client takes part in auto-reconnect.
    pub(crate) const fn takes_cookies(&self) -> bool {
        self.support.auto_reconnect
    }

    /// Appends why the server ends the session, as far as the client understands it, and that it does.
    pub fn disconnect(&mut self, why: ErrorInfo, out: &mut WriteBuf) -> ServerResult<()> {
        self.ended = true;
        if self.support.error_info {
            self.support.send_data(self.share_id, why, out)?;
        }
        let reason = DisconnectReason::ProviderInitiated;
        encode_into(&X224Data(DisconnectProviderUltimatum { reason }), out)?;
        Ok(())
    }

    /// Why the screen was closed, if it was: the session is to be [`disconnect`](Self::disconnect)ed for that reason.
    pub fn closing(&self) -> Option<ErrorInfo> {
        self.view.screen().look(|mark| mark.closed)
    }

    /// PDUs that meant nothing to this server and were passed over.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Whether one of the two sides has ended the session.
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether the client has asked to be sent nothing for now.
    pub const fn is_suppressed(&self) -> bool {
        self.suppressed
    }

    /// The size of the client's desktop.
    pub const fn desktop_size(&self) -> DesktopSize {
        self.desktop_size
    }
}

/// How many frames were marked after `earlier`, up to `later`. The number that means something else is none of theirs.
const fn frames_between(earlier: u32, later: u32) -> u32 {
    let numbers = later.wrapping_sub(earlier);
    if later < earlier { numbers - 1 } else { numbers }
}

/// The depth in use, for those who describe the client.
pub(crate) const fn color_depth(accepted: &AcceptResult) -> ColorDepth {
    accepted.activated.color_depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_frames_go_round_without_the_one_that_means_something_else() {
        assert_eq!(frames_between(7, 7), 0);
        assert_eq!(frames_between(0, 2), 2);
        // 0xfffffffe, then 0.
        assert_eq!(frames_between(NEVER_WAIT - 1, 0), 1);
        assert_eq!(frames_between(NEVER_WAIT - 2, 1), 3);
    }
}

//! What a client can do, and how to speak to it accordingly.

use ironrdp_bulk::{CompressionType, Compressor};
use ironrdp_connector::AcceptResult;
use ironrdp_core::{EncodeResult, WriteBuf, encode_into};
use ironrdp_pdu::capability::{
    Bitmap, BitmapDrawingFlags, ConfirmActive, FrameAcknowledge, General, GeneralExtraFlags,
    MultifragmentUpdate, Pointer, SurfaceCommandFlags, SurfaceCommands,
};
use ironrdp_pdu::client_info::{self, InfoFlags};
use ironrdp_pdu::fastpath::{CompressionFlags, FastPathFragments, FastPathOutput, UpdateCode};
use ironrdp_pdu::gcc::ClientEarlyCapabilityFlags;
use ironrdp_pdu::mcs::{SERVER_USER_ID, SendDataIndication};
use ironrdp_pdu::share::{DataPdu, ShareData, ShareDataPdu};
use ironrdp_pdu::x224::X224Data;

/// Bytes of an update in one piece. 16,383 is what a length of 14 bits can say, which is all that some clients read;
/// the headers need room too.
const MAX_PIECE: usize = 16_000;

/// What matters of a client's capabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientSupport {
    pub(crate) io_channel_id: u16,
    pub(crate) fast_path: bool,
    /// Most bytes of an update in several fragments; 0 if it takes none.
    pub(crate) max_fragmented: usize,
    pub(crate) bitmap_compression: bool,
    /// Planar bitmaps come with an alpha plane.
    pub(crate) alpha_plane: bool,
    /// Compressed bitmaps come with their header.
    pub(crate) bitmap_header: bool,
    pub(crate) alpha_pointers: bool,
    /// Frames are marked, and so many may be on their way.
    pub(crate) frames: Option<u32>,
    pub(crate) bulk: Option<CompressionType>,
    pub(crate) auto_reconnect: bool,
    pub(crate) error_info: bool,
    pub(crate) logon_notify: bool,
}

impl ClientSupport {
    /// What `accepted` says of the client. `bulk` is whether the server wants to compress at all.
    pub(crate) fn new(accepted: &AcceptResult, bulk: bool) -> Self {
        let early = accepted.core.early_capability_flags.unwrap_or_default();
        let info = accepted.info.flags;
        let mut support = Self {
            io_channel_id: accepted.io_channel_id,
            fast_path: false,
            max_fragmented: 0,
            bitmap_compression: false,
            alpha_plane: true,
            bitmap_header: true,
            alpha_pointers: false,
            frames: None,
            bulk: info.compression().filter(|_| bulk).map(|offered| match offered {
                client_info::CompressionType::Mppc8K => CompressionType::K8,
                // Each kind includes those before it.
                _ => CompressionType::K64,
            }),
            auto_reconnect: false,
            error_info: early.contains(ClientEarlyCapabilityFlags::SUPPORT_ERRINFO_PDU),
            logon_notify: info.contains(InfoFlags::LOGON_NOTIFY),
        };
        support.learn(&accepted.activated.capabilities);
        support
    }

    /// Takes over what a Confirm Active says; a reactivation brings another one.
    pub(crate) fn learn(&mut self, sets: &ConfirmActive) {
        let general = sets
            .find::<General>()
            .map_or(GeneralExtraFlags::empty(), |general| general.extra_flags);
        self.fast_path = general.contains(GeneralExtraFlags::FASTPATH_OUTPUT);
        self.bitmap_header = !general.contains(GeneralExtraFlags::NO_BITMAP_COMPRESSION_HEADER);
        self.auto_reconnect = general.contains(GeneralExtraFlags::AUTO_RECONNECT);
        let bitmap = sets.find::<Bitmap>();
        self.bitmap_compression = bitmap.is_none_or(|bitmap| bitmap.compression);
        // rdesktop shows nothing at all of a bitmap without that plane.
        self.alpha_plane =
            !bitmap.is_some_and(|set| set.drawing_flags.contains(BitmapDrawingFlags::SKIP_ALPHA));
        self.max_fragmented = sets.find::<MultifragmentUpdate>().map_or(0, |set| {
            usize::try_from(set.max_request_size).unwrap_or(usize::MAX)
        });
        self.alpha_pointers = sets
            .find::<Pointer>()
            .is_some_and(|pointer| pointer.cache_size.unwrap_or_default() > 0);
        let marks = sets
            .find::<SurfaceCommands>()
            .is_some_and(|surface| surface.flags.contains(SurfaceCommandFlags::FRAME_MARKER));
        self.frames = sets
            .find::<FrameAcknowledge>()
            .filter(|_| marks && self.fast_path)
            // A client that says 0 still acknowledges; waiting for none at all would stop it for good.
            .map(|set| set.max_unacknowledged_frames.max(1));
    }

    /// Whether an update of so many bytes can be sent as one.
    pub(crate) const fn takes_update_of(&self, bytes: usize) -> bool {
        bytes <= MAX_PIECE || (self.fast_path && bytes <= self.max_fragmented)
    }

    /// Appends an update on the fast path, in pieces if need be.
    pub(crate) fn fast_path_update(
        &self,
        code: UpdateCode,
        data: &[u8],
        out: &mut WriteBuf,
    ) -> EncodeResult<()> {
        fast_path(code, data, None, out)
    }

    /// Appends the body of an Update PDU on the slow path.
    pub(crate) fn slow_path_update(
        &self,
        share_id: u32,
        body: &[u8],
        out: &mut WriteBuf,
    ) -> EncodeResult<()> {
        self.send_data(share_id, ShareDataPdu::Update(body), out)
    }

    /// Appends the body of a Pointer PDU on the slow path.
    pub(crate) fn slow_path_pointer(
        &self,
        share_id: u32,
        body: &[u8],
        out: &mut WriteBuf,
    ) -> EncodeResult<()> {
        self.send_data(share_id, ShareDataPdu::Pointer(body), out)
    }

    /// Appends a share data PDU.
    pub(crate) fn send_data(&self, share_id: u32, pdu: impl DataPdu, out: &mut WriteBuf) -> EncodeResult<()> {
        encode_into(
            &X224Data(SendDataIndication {
                initiator: SERVER_USER_ID,
                channel_id: self.io_channel_id,
                user_data: ShareData::new(SERVER_USER_ID, share_id, pdu),
            }),
            out,
        )?;
        Ok(())
    }
}

/// Appends an update on the fast path, each piece compressed if that makes it shorter.
///
/// Every piece starts with an empty history, so that it can be decoded whatever was sent before: it can be kept, and sent to any
/// client that understands it, in any order.
pub(crate) fn fast_path(
    code: UpdateCode,
    data: &[u8],
    mut bulk: Option<&mut Compressor>,
    out: &mut WriteBuf,
) -> EncodeResult<()> {
    let mut compressed = Vec::new();
    for mut update in FastPathFragments::new(code, data, MAX_PIECE) {
        if let Some(compressor) = &mut bulk {
            compressor.flush();
            compressed.clear();
            if let Some(flags) = compressor.compress(update.data, &mut compressed) {
                // The history need not be wiped, only begun at its front: nothing before this piece is ever referred to.
                let flags = CompressionFlags::from_bits_retain(flags.bits()) - CompressionFlags::FLUSHED;
                update.compression = Some(flags);
                update.data = &compressed;
            }
        }
        encode_into(&FastPathOutput { update }, out)?;
    }
    Ok(())
}

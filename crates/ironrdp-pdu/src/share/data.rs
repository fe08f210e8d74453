//! The share data PDUs behind their headers.

use ironrdp_core::{
    Decode, DecodeError, DecodeErrorKind, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor,
};

use super::display::{FrameAcknowledge, MonitorLayout, RefreshRect, SuppressOutput};
use super::header::{DATA_HEADER, DataPdu, DataPduType, RawShareData, ShareControlHeader};
use super::status::{
    AutoReconnectStatus, PlaySound, SetKeyboardImeStatus, SetKeyboardIndicators, StatusInfo,
};
use crate::error_info::ErrorInfo;
use crate::fastpath::CompressionFlags;
use crate::finalization::{Control, FontList, FontMap, PersistentKeyList, Synchronize};
use crate::session_info::SaveSessionInfo;

/// Generates the enum and what depends on the list of its variants: those with a type of their own, those kept as
/// bytes (decoded elsewhere, or by nobody), those without a body.
macro_rules! data_pdus {
    (
        typed { $( $(#[$typed_doc:meta])* $typed:ident($ty:ty) = $typed_code:ident, )* }
        raw { $( $(#[$raw_doc:meta])* $raw:ident = $raw_code:ident, )* }
        empty { $( $(#[$empty_doc:meta])* $empty:ident = $empty_code:ident, )* }
    ) => {
        /// The payload of a share data PDU, decompressed.
        ///
        /// Bytes after the fields known here are skipped: the total length of the PDU already says where it ends.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum ShareDataPdu<'a> {
            $( $(#[$typed_doc])* $typed($ty), )*
            $( $(#[$raw_doc])* $raw(&'a [u8]), )*
            $( $(#[$empty_doc])* $empty, )*
            /// A type this implementation does not know.
            Unknown {
                /// The type.
                pdu_type: DataPduType,
                /// The payload.
                body: &'a [u8],
            },
        }

        impl<'a> ShareDataPdu<'a> {
            fn read(pdu_type: DataPduType, mut src: ReadCursor<'a>) -> DecodeResult<Self> {
                Ok(match pdu_type {
                    $( DataPduType::$typed_code => Self::$typed(<$ty>::decode(&mut src)?), )*
                    $( DataPduType::$raw_code => Self::$raw(src.rest()), )*
                    $( DataPduType::$empty_code => Self::$empty, )*
                    _ => Self::Unknown { pdu_type, body: src.rest() },
                })
            }
        }

        impl DataPdu for ShareDataPdu<'_> {
            fn data_pdu_type(&self) -> DataPduType {
                match self {
                    $( Self::$typed(_) => DataPduType::$typed_code, )*
                    $( Self::$raw(_) => DataPduType::$raw_code, )*
                    $( Self::$empty => DataPduType::$empty_code, )*
                    Self::Unknown { pdu_type, .. } => *pdu_type,
                }
            }
        }

        impl Encode for ShareDataPdu<'_> {
            fn name(&self) -> &'static str {
                match self {
                    $( Self::$typed(pdu) => Encode::name(pdu), )*
                    $( Self::$raw(_) => stringify!($raw), )*
                    $( Self::$empty => stringify!($empty), )*
                    Self::Unknown { .. } => "ShareDataPdu",
                }
            }

            fn size(&self) -> usize {
                match self {
                    $( Self::$typed(pdu) => pdu.size(), )*
                    $( Self::$raw(body) )|* | Self::Unknown { body, .. } => body.len(),
                    $( Self::$empty )|* => 0,
                }
            }

            fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
                match self {
                    $( Self::$typed(pdu) => pdu.encode(dst), )*
                    $( Self::$raw(body) )|* | Self::Unknown { body, .. } => dst.bytes(body),
                    $( Self::$empty )|* => Ok(()),
                }
            }
        }

        $(
            impl DataPdu for $ty {
                fn data_pdu_type(&self) -> DataPduType {
                    DataPduType::$typed_code
                }
            }
        )*
    };
}

data_pdus! {
    typed {
        /// First message of the finalisation.
        Synchronize(Synchronize) = SYNCHRONIZE,
        /// Who controls the session.
        Control(Control) = CONTROL,
        /// The client's (always empty) list of fonts.
        FontList(FontList) = FONT_LIST,
        /// The server's answer, which ends the finalisation.
        FontMap(FontMap) = FONT_MAP,
        /// Bitmaps the client has kept from earlier sessions.
        PersistentKeyList(PersistentKeyList) = PERSISTENT_KEY_LIST,
        /// Parts of the desktop to be sent again.
        RefreshRect(RefreshRect) = REFRESH_RECT,
        /// Stop or go on sending graphics.
        SuppressOutput(SuppressOutput) = SUPPRESS_OUTPUT,
        /// Beep.
        PlaySound(PlaySound) = PLAY_SOUND,
        /// What the server has to say about the login.
        SaveSessionInfo(SaveSessionInfo) = SAVE_SESSION_INFO,
        /// Lights of the keyboard.
        SetKeyboardIndicators(SetKeyboardIndicators) = SET_KEYBOARD_INDICATORS,
        /// State of the input method.
        SetKeyboardImeStatus(SetKeyboardImeStatus) = SET_KEYBOARD_IME_STATUS,
        /// Why the server is about to disconnect.
        SetErrorInfo(ErrorInfo) = SET_ERROR_INFO,
        /// Progress of a connection through a broker.
        StatusInfo(StatusInfo) = STATUS_INFO,
        /// How the server has laid out the monitors.
        MonitorLayout(MonitorLayout) = MONITOR_LAYOUT,
        /// A frame was shown.
        FrameAcknowledge(FrameAcknowledge) = FRAME_ACKNOWLEDGE,
        /// An auto-reconnect cookie was refused.
        AutoReconnectStatus(AutoReconnectStatus) = AUTO_RECONNECT_STATUS,
    }
    raw {
        /// Graphics of the slow path, for the decoder in [`output`](crate::output).
        Update = UPDATE,
        /// Pointer of the slow path, for the decoder in [`pointer`](crate::pointer).
        Pointer = POINTER,
        /// Input of the slow path, for the decoder in [`input`](crate::input).
        Input = INPUT,
        /// The client's bitmap caches are in disorder.
        BitmapCacheError = BITMAP_CACHE_ERROR,
        /// The client's offscreen cache is in disorder.
        OffscreenCacheError = OFFSCREEN_CACHE_ERROR,
        /// The client's nine-grid cache is in disorder.
        DrawNineGridError = DRAW_NINE_GRID_ERROR,
        /// The client's GDI+ caches are in disorder.
        DrawGdiPlusError = DRAW_GDI_PLUS_ERROR,
    }
    empty {
        /// The user closes the client and asks whether the session may end (MS-RDPBCGR 2.2.2.1).
        ShutdownRequest = SHUTDOWN_REQUEST,
        /// Somebody is logged on, so the session stays (MS-RDPBCGR 2.2.2.2).
        ShutdownDenied = SHUTDOWN_DENIED,
    }
}

impl<'a> ShareDataPdu<'a> {
    /// Reads a decompressed `payload`, which starts behind the share data header.
    pub fn decode(pdu_type: DataPduType, payload: &'a [u8]) -> DecodeResult<Self> {
        Self::read(pdu_type, ReadCursor::new(payload))
    }
}

impl<'a> RawShareData<'a> {
    /// Reads a payload that is not compressed; one that is gives an error.
    pub fn decode_uncompressed(&self) -> DecodeResult<ShareDataPdu<'a>> {
        // Errors count from the start of the PDU, so that they point into what arrived.
        let offset = ShareControlHeader::SIZE + DATA_HEADER;
        if self.compression.contains(CompressionFlags::COMPRESSED) {
            let got = u64::from(self.compression.bits());
            let kind = DecodeErrorKind::Unsupported { got };
            return Err(DecodeError::new("compressedType", offset - 3, kind).in_pdu(Self::NAME));
        }
        ShareDataPdu::read(self.pdu_type, ReadCursor::with_offset(self.payload, offset))
    }
}

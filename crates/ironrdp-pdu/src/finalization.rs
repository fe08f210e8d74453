//! The finalisation: what both sides exchange between Confirm Active and the running session (MS-RDPBCGR 2.2.1.14-22).

use alloc::vec::Vec;

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
};

use crate::fields::{Field, flags};

/// First message of either side (`TS_SYNCHRONIZE_PDU`, MS-RDPBCGR 2.2.1.14.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Synchronize {
    /// MCS channel of the receiver.
    pub target_user: u16,
}

impl Synchronize {
    /// `SYNCMSGTYPE_SYNC`, the only message type there is.
    const MESSAGE_TYPE: u16 = 1;
}

impl Decode<'_> for Synchronize {
    const NAME: &'static str = "Synchronize";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let message_type = src.u16_le("messageType")?;
        if message_type != Self::MESSAGE_TYPE {
            return Err(src.invalid("messageType", message_type));
        }
        Ok(Self {
            target_user: src.u16_le("targetUser")?,
        })
    }
}

impl Encode for Synchronize {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* messageType */ + 2 /* targetUser */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(Self::MESSAGE_TYPE)?;
        dst.u16_le(self.target_user)
    }
}

/// What a [`Control`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ControlAction {
    /// The client asks for control: `CTRLACTION_REQUEST_CONTROL`.
    RequestControl,
    /// The server grants it: `CTRLACTION_GRANTED_CONTROL`.
    GrantedControl,
    /// Control is given up: `CTRLACTION_DETACH`.
    Detach,
    /// Both sides work together: `CTRLACTION_COOPERATE`.
    Cooperate,
}

impl ControlAction {
    const fn code(self) -> u16 {
        match self {
            Self::RequestControl => 1,
            Self::GrantedControl => 2,
            Self::Detach => 3,
            Self::Cooperate => 4,
        }
    }
}

/// Who controls the session (`TS_CONTROL_PDU`, MS-RDPBCGR 2.2.1.15.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Control {
    /// What it is about.
    pub action: ControlAction,
    /// MCS channel of the client when control is granted, else 0.
    pub grant_id: u16,
    /// Channel of the server (0x03EA) when control is granted, else 0.
    pub control_id: u32,
}

impl Control {
    /// A message of which only the action matters: cooperate or request control.
    pub const fn new(action: ControlAction) -> Self {
        Self {
            action,
            grant_id: 0,
            control_id: 0,
        }
    }
}

impl Decode<'_> for Control {
    const NAME: &'static str = "Control";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let action = match src.u16_le("action")? {
            1 => ControlAction::RequestControl,
            2 => ControlAction::GrantedControl,
            3 => ControlAction::Detach,
            4 => ControlAction::Cooperate,
            other => return Err(src.invalid("action", other)),
        };
        Ok(Self {
            action,
            grant_id: src.u16_le("grantId")?,
            control_id: src.u32_le("controlId")?,
        })
    }
}

impl Encode for Control {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* action */ + 2 /* grantId */ + 4 /* controlId */
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.action.code())?;
        dst.u16_le(self.grant_id)?;
        dst.u32_le(self.control_id)
    }
}

flags! {
    /// Place of a message in its sequence (`listFlags`, `mapFlags`).
    pub struct SequenceFlags: u16 {
        /// First of its sequence.
        const FIRST = 0x0001;
        /// Last of its sequence.
        const LAST = 0x0002;
    }

    /// Place of a Persistent Key List in its sequence (`bBitMask`).
    pub struct PersistentKeyListFlags: u8 {
        /// First of its sequence.
        const FIRST = 0x01;
        /// Last of its sequence.
        const LAST = 0x02;
    }
}

/// Declares a font message: four numbers that nobody reads, of which peers leave out the end.
macro_rules! font_message {
    (
        $(#[$meta:meta])*
        $name:ident { $number:literal, $total:literal, $flags:literal, $size:literal, default $default:literal }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            /// Entries in this message: 0.
            pub count: u16,
            /// Entries in all messages: 0.
            pub total: u16,
            /// Place in the sequence: first and last.
            pub flags: SequenceFlags,
            /// Bytes of an entry.
            pub entry_size: u16,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    count: 0,
                    total: 0,
                    flags: SequenceFlags::FIRST | SequenceFlags::LAST,
                    entry_size: $default,
                }
            }
        }

        impl Decode<'_> for $name {
            const NAME: &'static str = stringify!($name);

            // A missing field has the value that the specification demands of it. Seen: an empty body.
            fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
                let mut pdu = Self::default();
                read_if_any(src, &mut pdu.count, $number)?;
                read_if_any(src, &mut pdu.total, $total)?;
                read_if_any(src, &mut pdu.flags, $flags)?;
                read_if_any(src, &mut pdu.entry_size, $size)?;
                Ok(pdu)
            }
        }

        impl Encode for $name {
            fn name(&self) -> &'static str {
                Self::NAME
            }

            fn size(&self) -> usize {
                2 * 4
            }

            fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
                dst.u16_le(self.count)?;
                dst.u16_le(self.total)?;
                self.flags.write(dst)?;
                dst.u16_le(self.entry_size)
            }
        }
    };
}

font_message! {
    /// The client's list of fonts, which is always empty (`TS_FONT_LIST_PDU`, MS-RDPBCGR 2.2.1.18.1); send the default.
    FontList { "numberFonts", "totalNumFonts", "listFlags", "entrySize", default 50 }
}

font_message! {
    /// The server's answer, which ends the finalisation (`TS_FONT_MAP_PDU`, MS-RDPBCGR 2.2.1.22.1); send the default.
    ///
    /// Short and empty bodies are accepted: xrdp and others send them.
    FontMap { "numberEntries", "totalNumEntries", "mapFlags", "entrySize", default 4 }
}

fn read_if_any<T: Field>(src: &mut ReadCursor<'_>, field: &mut T, name: &'static str) -> DecodeResult<()> {
    if !src.is_empty() {
        *field = T::read(src, name)?;
    }
    Ok(())
}

/// Bitmaps the client has kept from earlier sessions (`TS_BITMAPCACHE_PERSISTENT_LIST_PDU`, MS-RDPBCGR 2.2.1.17.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersistentKeyList {
    /// Keys of each cache in this message; their sum is the number of `keys`.
    pub entries: [u16; 5],
    /// Keys of each cache in all messages of the sequence.
    pub totals: [u16; 5],
    /// Place in the sequence.
    pub flags: PersistentKeyListFlags,
    /// The keys, those of the first cache first. The specification advises at most 169 in a message.
    pub keys: Vec<u64>,
}

impl PersistentKeyList {
    fn count(&self) -> usize {
        self.entries.iter().map(|count| usize::from(*count)).sum()
    }
}

impl Decode<'_> for PersistentKeyList {
    const NAME: &'static str = "PersistentKeyList";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut pdu = Self {
            entries: Field::read(src, "numEntriesCache")?,
            totals: Field::read(src, "totalEntriesCache")?,
            flags: Field::read(src, "bBitMask")?,
            keys: Vec::new(),
        };
        src.skip(3, "pad")?;
        let count = pdu.count();
        let available = src.remaining() / 8;
        if count > available {
            return Err(src.lies("numEntriesCache", count, available));
        }
        pdu.keys = (0..count)
            .map(|_| src.u64_le("key"))
            .collect::<DecodeResult<_>>()?;
        Ok(pdu)
    }
}

impl Encode for PersistentKeyList {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 * 5 /* numEntries */ + 2 * 5 /* totalEntries */ + 1 /* bBitMask */ + 3 /* pads */ + 8 * self.keys.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        if self.count() != self.keys.len() {
            return Err(EncodeError::new(
                Self::NAME,
                "numEntriesCache",
                EncodeErrorKind::Invalid,
            ));
        }
        self.entries.write(dst)?;
        self.totals.write(dst)?;
        self.flags.write(dst)?;
        dst.zeros(3)?;
        self.keys.iter().try_for_each(|key| dst.u64_le(*key))
    }
}

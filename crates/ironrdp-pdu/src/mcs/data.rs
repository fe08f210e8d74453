//! The two PDUs that carry everything after the channels are joined.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::USER_ID_BASE;
use super::domain::{CHOICE_SEND_DATA_INDICATION, CHOICE_SEND_DATA_REQUEST};
use crate::per;

/// High priority, first and last segment. Windows sends some channels with low priority,
/// 0xf0, but nobody acts on it, and data that is split at the MCS level does not occur: it is not kept when reading.
const PRIORITY_AND_SEGMENTATION: u8 = 0x70;

const FIXED_SIZE: usize = 1 /* choice */ + 2 /* initiator */ + 2 /* channelId */ + 1 /* priority, segmentation */;

macro_rules! send_data {
    ($(#[$doc:meta])* $name:ident, $label:literal, $choice:ident) => {
        $(#[$doc])*
        ///
        /// Decoding borrows the data; encoding writes any payload that can be encoded, 32,767 bytes at most.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name<T> {
            /// User id of the sender.
            pub initiator: u16,
            /// Channel the data is for.
            pub channel_id: u16,
            /// The PDU inside.
            pub user_data: T,
        }

        impl<'de> Decode<'de> for $name<&'de [u8]> {
            const NAME: &'static str = $label;

            #[inline]
            fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
                let choice = src.u8("choice")?;
                if choice >> 2 != $choice {
                    return Err(src.invalid("choice", choice >> 2));
                }
                let initiator = per::read_u16_from(src, USER_ID_BASE, "initiator")?;
                let channel_id = src.u16_be("channelId")?;
                let _priority_and_segmentation = src.u8("dataPriority")?;
                Ok(Self {
                    initiator,
                    channel_id,
                    user_data: per::read_octets(src, "userData")?.rest(),
                })
            }
        }

        impl<T: Encode> Encode for $name<T> {
            fn name(&self) -> &'static str {
                $label
            }

            fn size(&self) -> usize {
                let length = self.user_data.size();
                FIXED_SIZE + per::length_size(length) + length
            }

            fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
                dst.u8($choice << 2)?;
                per::write_u16_from(dst, self.initiator, USER_ID_BASE, $label, "initiator")?;
                dst.u16_be(self.channel_id)?;
                dst.u8(PRIORITY_AND_SEGMENTATION)?;
                per::write_length(dst, self.user_data.size(), $label, "userData")?;
                self.user_data
                    .encode(dst)
                    .map_err(|error| error.in_pdu(self.user_data.name()))
            }
        }
    };
}

send_data! {
    /// Data from a client to the server (T.125 `SendDataRequest`).
    SendDataRequest, "SendDataRequest", CHOICE_SEND_DATA_REQUEST
}

send_data! {
    /// Data from the server to a client (T.125 `SendDataIndication`).
    SendDataIndication, "SendDataIndication", CHOICE_SEND_DATA_INDICATION
}

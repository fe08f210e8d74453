//! Slow-path input: a Share Data body of events with twelve bytes each.

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
    len_u16,
};

use super::{ExtendedPointerFlags, InputEvent, KeyFlags, PointerFlags, RelativePointerFlags, ToggleFlags};
use crate::span::Span;

const HEADER_SIZE: usize = 2 /* numEvents */ + 2 /* pad2Octets */;
const EVENT_SIZE: usize = 4 /* eventTime */ + 2 /* messageType */ + 6 /* slowPathInputData */;

/// Events to be sent in one slow-path PDU (`TS_INPUT_PDU_DATA`, MS-RDPBCGR 2.2.8.1.1.3), the body of a Share Data PDU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowPathInput<'a> {
    /// Time put on every event. Servers ignore it.
    pub event_time: u32,
    /// What happened, oldest first.
    pub events: &'a [InputEvent],
}

impl<'a> SlowPathInput<'a> {
    const NAME: &'static str = "SlowPathInput";

    /// A PDU with these events and no time.
    pub const fn new(events: &'a [InputEvent]) -> Self {
        Self {
            event_time: 0,
            events,
        }
    }
}

impl Encode for SlowPathInput<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        HEADER_SIZE + self.events.len() * EVENT_SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(len_u16(self.events.len(), Self::NAME, "numEvents")?)?;
        dst.zeros(2)?;
        self.events.iter().try_for_each(|event| {
            dst.u32_le(self.event_time)?;
            write_event(dst, event)
        })
    }
}

/// A slow-path input PDU as received (`TS_INPUT_PDU_DATA`, MS-RDPBCGR 2.2.8.1.1.3); the events are read while iterating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowPathInputPdu<'a> {
    count: u16,
    body: Span<'a>,
}

impl<'a> SlowPathInputPdu<'a> {
    /// Number of events.
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// The events. Reading them cannot fail: all are of one size, and what is not understood is [`InputEvent::Other`].
    pub const fn events(&self) -> SlowPathEvents<'a> {
        SlowPathEvents {
            rest: self.body.bytes(),
        }
    }
}

impl<'de> Decode<'de> for SlowPathInputPdu<'de> {
    const NAME: &'static str = "SlowPathInputPdu";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let count = src.u16_le("numEvents")?;
        src.skip(2, "pad2Octets")?;
        let mut body = src.sub(usize::from(count) * EVENT_SIZE, "numEvents")?;
        Ok(Self {
            count,
            body: Span::rest(&mut body),
        })
    }
}

impl Encode for SlowPathInputPdu<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        HEADER_SIZE + self.body.bytes().len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(self.count)?;
        dst.zeros(2)?;
        dst.bytes(self.body.bytes())
    }
}

/// A slow-path event and the time its sender put on it (`TS_INPUT_EVENT`, MS-RDPBCGR 2.2.8.1.1.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedEvent {
    /// Milliseconds with an origin known to the client only.
    pub event_time: u32,
    /// What happened.
    pub event: InputEvent,
}

/// Iterator over the events of a received slow-path PDU.
#[derive(Debug, Clone)]
pub struct SlowPathEvents<'a> {
    rest: &'a [u8],
}

impl Iterator for SlowPathEvents<'_> {
    type Item = TimedEvent;

    fn next(&mut self) -> Option<Self::Item> {
        let ([t0, t1, t2, t3, m0, m1, data @ ..], rest) = self.rest.split_first_chunk::<EVENT_SIZE>()?;
        self.rest = rest;
        Some(TimedEvent {
            event_time: u32::from_le_bytes([*t0, *t1, *t2, *t3]),
            event: read_event(u16::from_le_bytes([*m0, *m1]), *data),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.rest.len() / EVENT_SIZE;
        (left, Some(left))
    }
}

impl ExactSizeIterator for SlowPathEvents<'_> {}

impl core::iter::FusedIterator for SlowPathEvents<'_> {}

mod message_type {
    pub(super) const SYNCHRONIZE: u16 = 0x0000;
    pub(super) const SCANCODE: u16 = 0x0004;
    pub(super) const UNICODE: u16 = 0x0005;
    pub(super) const MOUSE: u16 = 0x8001;
    pub(super) const EXTENDED_MOUSE: u16 = 0x8002;
    pub(super) const RELATIVE_MOUSE: u16 = 0x8004;
}

fn read_event(message_type: u16, data: [u8; 6]) -> InputEvent {
    let [a0, a1, b0, b1, c0, c1] = data;
    let first = u16::from_le_bytes([a0, a1]);
    let second = u16::from_le_bytes([b0, b1]);
    let third = u16::from_le_bytes([c0, c1]);
    match message_type {
        message_type::SYNCHRONIZE => InputEvent::Synchronize {
            toggles: ToggleFlags::from_bits_retain(u32::from_le_bytes([b0, b1, c0, c1])),
        },
        // keyCode has 16 bits for an 8-bit scancode: one that does not fit is no key of any keyboard.
        message_type::SCANCODE if b1 == 0 => InputEvent::Scancode {
            flags: KeyFlags::from_bits_retain(first),
            code: b0,
        },
        message_type::UNICODE => InputEvent::Unicode {
            flags: KeyFlags::from_bits_retain(first),
            unit: second,
        },
        message_type::MOUSE => InputEvent::Mouse {
            flags: PointerFlags::from_bits_retain(first),
            x: second,
            y: third,
        },
        message_type::EXTENDED_MOUSE => InputEvent::ExtendedMouse {
            flags: ExtendedPointerFlags::from_bits_retain(first),
            x: second,
            y: third,
        },
        message_type::RELATIVE_MOUSE => InputEvent::RelativeMouse {
            flags: RelativePointerFlags::from_bits_retain(first),
            dx: second.cast_signed(),
            dy: third.cast_signed(),
        },
        _ => InputEvent::Other { message_type, data },
    }
}

fn write_event(dst: &mut WriteCursor<'_>, event: &InputEvent) -> EncodeResult<()> {
    let (message_type, [first, second, third]) = match *event {
        InputEvent::Synchronize { toggles } => {
            let [low0, low1, high0, high1] = toggles.bits().to_le_bytes();
            let (low, high) = (
                u16::from_le_bytes([low0, low1]),
                u16::from_le_bytes([high0, high1]),
            );
            (message_type::SYNCHRONIZE, [0, low, high])
        }
        InputEvent::Scancode { flags, code } => (message_type::SCANCODE, [flags.bits(), code.into(), 0]),
        InputEvent::Unicode { flags, unit } => (message_type::UNICODE, [flags.bits(), unit, 0]),
        InputEvent::Mouse { flags, x, y } => (message_type::MOUSE, [flags.bits(), x, y]),
        InputEvent::ExtendedMouse { flags, x, y } => (message_type::EXTENDED_MOUSE, [flags.bits(), x, y]),
        InputEvent::RelativeMouse { flags, dx, dy } => (
            message_type::RELATIVE_MOUSE,
            [flags.bits(), dx.cast_unsigned(), dy.cast_unsigned()],
        ),
        InputEvent::QoeTimestamp { .. } => {
            return Err(EncodeError::new(
                SlowPathInput::NAME,
                "messageType",
                EncodeErrorKind::Invalid,
            ));
        }
        InputEvent::Other { message_type, data } => {
            dst.u16_le(message_type)?;
            return dst.bytes(&data);
        }
    };
    dst.u16_le(message_type)?;
    dst.u16_le(first)?;
    dst.u16_le(second)?;
    dst.u16_le(third)
}

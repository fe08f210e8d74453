//! Fast-path input: one header byte, then events of one to seven bytes.

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor, len_u8,
};

use super::{ExtendedPointerFlags, InputEvent, KeyFlags, PointerFlags, RelativePointerFlags, ToggleFlags};
use crate::fastpath::header;
use crate::span::Span;

/// Events to be sent in one fast-path PDU (`TS_FP_INPUT_PDU`, MS-RDPBCGR 2.2.8.1.2); encoding allocates nothing.
///
/// Takes 1 to [`MAX_EVENTS`](Self::MAX_EVENTS) events; split a longer list with `chunks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastPathInput<'a> {
    /// What happened, oldest first.
    pub events: &'a [InputEvent],
}

impl<'a> FastPathInput<'a> {
    /// Most events a PDU can count: `numEvents` is a byte.
    pub const MAX_EVENTS: usize = 255;

    const NAME: &'static str = "FastPathInput";

    /// A PDU with these events.
    pub const fn new(events: &'a [InputEvent]) -> Self {
        Self { events }
    }

    fn body_size(&self) -> usize {
        let extra = usize::from(self.events.len() > MAX_COUNT_IN_HEADER);
        extra + self.events.iter().map(event_size).sum::<usize>()
    }
}

impl Encode for FastPathInput<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        header::frame_size(self.body_size())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let count = len_u8(self.events.len(), Self::NAME, "numEvents")?;
        // Zero in the header means "the count follows", so that no event at all has no short form and no use.
        if count == 0 {
            return Err(EncodeError::new(
                Self::NAME,
                "numEvents",
                EncodeErrorKind::Invalid,
            ));
        }
        let in_header = if self.events.len() > MAX_COUNT_IN_HEADER {
            0
        } else {
            count
        };
        header::write(dst, in_header, self.body_size())?;
        if in_header == 0 {
            dst.u8(count)?;
        }
        self.events.iter().try_for_each(|event| write_event(dst, event))
    }
}

/// A fast-path input PDU as received (`TS_FP_INPUT_PDU`, MS-RDPBCGR 2.2.8.1.2); the events are read while iterating.
///
/// Encrypted ones are refused as unsupported. Bytes after the last event are kept and otherwise ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastPathInputPdu<'a> {
    count: u8,
    body: Span<'a>,
}

/// Four bits of the header; beyond that the count has a byte of its own.
const MAX_COUNT_IN_HEADER: usize = 15;

impl<'a> FastPathInputPdu<'a> {
    /// Number of events the sender announces.
    pub const fn count(&self) -> u8 {
        self.count
    }

    /// The events; ends after the announced number, or after the first error.
    pub const fn events(&self) -> FastPathEvents<'a> {
        FastPathEvents {
            left: self.count,
            src: self.body.cursor(),
        }
    }

    fn count_size(&self) -> usize {
        usize::from(!(1..=MAX_COUNT_IN_HEADER).contains(&usize::from(self.count)))
    }
}

impl<'de> Decode<'de> for FastPathInputPdu<'de> {
    const NAME: &'static str = "FastPathInputPdu";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let (in_header, mut body) = header::read(src)?;
        let count = match in_header {
            0 => body.u8("numEvents")?,
            count => count,
        };
        Ok(Self {
            count,
            body: Span::rest(&mut body),
        })
    }
}

impl Encode for FastPathInputPdu<'_> {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        header::frame_size(self.count_size() + self.body.bytes().len())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let count_size = self.count_size();
        let in_header = if count_size == 0 { self.count } else { 0 };
        header::write(dst, in_header, count_size + self.body.bytes().len())?;
        if count_size != 0 {
            dst.u8(self.count)?;
        }
        dst.bytes(self.body.bytes())
    }
}

/// Iterator over the events of a received fast-path PDU.
#[derive(Debug, Clone)]
pub struct FastPathEvents<'a> {
    left: u8,
    src: ReadCursor<'a>,
}

impl Iterator for FastPathEvents<'_> {
    type Item = DecodeResult<InputEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let event = read_event(&mut self.src).map_err(|error| error.in_pdu("FastPathInputEvent"));
        if event.is_err() {
            self.left = 0;
        }
        Some(event)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(usize::from(self.left)))
    }
}

impl core::iter::FusedIterator for FastPathEvents<'_> {}

mod code {
    pub(super) const SCANCODE: u8 = 0;
    pub(super) const MOUSE: u8 = 1;
    pub(super) const EXTENDED_MOUSE: u8 = 2;
    pub(super) const SYNCHRONIZE: u8 = 3;
    pub(super) const UNICODE: u8 = 4;
    pub(super) const RELATIVE_MOUSE: u8 = 5;
    pub(super) const QOE_TIMESTAMP: u8 = 6;
}

const RELEASE: u8 = 0x01;
const EXTENDED: u8 = 0x02;
const EXTENDED1: u8 = 0x04;
const FLAGS_MASK: u8 = 0x1f;

fn read_event(src: &mut ReadCursor<'_>) -> DecodeResult<InputEvent> {
    let header = src.u8("eventHeader")?;
    let flags = header & FLAGS_MASK;
    Ok(match header >> 5 {
        code::SCANCODE => InputEvent::Scancode {
            flags: key_flags(flags),
            code: src.u8("keyCode")?,
        },
        code::UNICODE => InputEvent::Unicode {
            flags: key_flags(flags & RELEASE),
            unit: src.u16_le("unicodeCode")?,
        },
        code::MOUSE => InputEvent::Mouse {
            flags: PointerFlags::from_bits_retain(src.u16_le("pointerFlags")?),
            x: src.u16_le("xPos")?,
            y: src.u16_le("yPos")?,
        },
        code::EXTENDED_MOUSE => InputEvent::ExtendedMouse {
            flags: ExtendedPointerFlags::from_bits_retain(src.u16_le("pointerFlags")?),
            x: src.u16_le("xPos")?,
            y: src.u16_le("yPos")?,
        },
        code::RELATIVE_MOUSE => InputEvent::RelativeMouse {
            flags: RelativePointerFlags::from_bits_retain(src.u16_le("pointerFlags")?),
            dx: src.i16_le("xDelta")?,
            dy: src.i16_le("yDelta")?,
        },
        code::SYNCHRONIZE => InputEvent::Synchronize {
            toggles: ToggleFlags::from_bits_retain(flags.into()),
        },
        code::QOE_TIMESTAMP => InputEvent::QoeTimestamp {
            milliseconds: src.u32_le("timestamp")?,
        },
        // The length of an event follows from its code alone, so that nothing after this one can be read.
        unknown => return Err(src.unsupported("eventCode", unknown)),
    })
}

fn key_flags(flags: u8) -> KeyFlags {
    let mut out = KeyFlags::empty();
    out.set(KeyFlags::RELEASE, flags & RELEASE != 0);
    out.set(KeyFlags::EXTENDED, flags & EXTENDED != 0);
    out.set(KeyFlags::EXTENDED1, flags & EXTENDED1 != 0);
    out
}

const fn event_size(event: &InputEvent) -> usize {
    match event {
        InputEvent::Scancode { .. } => 2,
        InputEvent::Unicode { .. } => 3,
        InputEvent::Mouse { .. } | InputEvent::ExtendedMouse { .. } | InputEvent::RelativeMouse { .. } => 7,
        InputEvent::Synchronize { .. } => 1,
        InputEvent::QoeTimestamp { .. } => 5,
        InputEvent::Other { .. } => 0,
    }
}

fn write_event(dst: &mut WriteCursor<'_>, event: &InputEvent) -> EncodeResult<()> {
    match *event {
        InputEvent::Scancode { flags, code } => {
            dst.u8(code::SCANCODE << 5 | key_bits(flags))?;
            dst.u8(code)
        }
        InputEvent::Unicode { flags, unit } => {
            dst.u8(code::UNICODE << 5 | key_bits(flags & KeyFlags::RELEASE))?;
            dst.u16_le(unit)
        }
        InputEvent::Mouse { flags, x, y } => write_pointer(dst, code::MOUSE, flags.bits(), x, y),
        InputEvent::ExtendedMouse { flags, x, y } => {
            write_pointer(dst, code::EXTENDED_MOUSE, flags.bits(), x, y)
        }
        InputEvent::RelativeMouse { flags, dx, dy } => write_pointer(
            dst,
            code::RELATIVE_MOUSE,
            flags.bits(),
            dx.cast_unsigned(),
            dy.cast_unsigned(),
        ),
        InputEvent::Synchronize { toggles } => {
            let [flags, ..] = toggles.bits().to_le_bytes();
            dst.u8(code::SYNCHRONIZE << 5 | flags & FLAGS_MASK)
        }
        InputEvent::QoeTimestamp { milliseconds } => {
            dst.u8(code::QOE_TIMESTAMP << 5)?;
            dst.u32_le(milliseconds)
        }
        InputEvent::Other { .. } => Err(EncodeError::new(
            FastPathInput::NAME,
            "eventCode",
            EncodeErrorKind::Invalid,
        )),
    }
}

fn key_bits(flags: KeyFlags) -> u8 {
    let mut bits = 0;
    for (flag, bit) in [
        (KeyFlags::RELEASE, RELEASE),
        (KeyFlags::EXTENDED, EXTENDED),
        (KeyFlags::EXTENDED1, EXTENDED1),
    ] {
        if flags.contains(flag) {
            bits |= bit;
        }
    }
    bits
}

fn write_pointer(dst: &mut WriteCursor<'_>, code: u8, flags: u16, x: u16, y: u16) -> EncodeResult<()> {
    dst.u8(code << 5)?;
    dst.u16_le(flags)?;
    dst.u16_le(x)?;
    dst.u16_le(y)
}

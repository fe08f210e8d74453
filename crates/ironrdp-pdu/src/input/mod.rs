//! What the user does: keys and pointers, in the slow and the fast form (MS-RDPBCGR 2.2.8).

mod fast_path;
mod slow_path;

use bitflags::bitflags;

pub use fast_path::{FastPathEvents, FastPathInput, FastPathInputPdu};
pub use slow_path::{SlowPathEvents, SlowPathInput, SlowPathInputPdu, TimedEvent};

/// One thing the user did; both forms on the wire are written from it and read into it.
///
/// What only one form can say is refused by the encoder of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputEvent {
    /// A key by its position on the keyboard (`TS_KEYBOARD_EVENT`, MS-RDPBCGR 2.2.8.1.1.3.1.1.1).
    Scancode {
        /// Pressed or released, and which of the keys that share the code.
        flags: KeyFlags,
        /// Set 1 scancode, without its E0 or E1 prefix.
        code: u8,
    },
    /// A character without a key (`TS_UNICODE_KEYBOARD_EVENT`, 2.2.8.1.1.3.1.1.2).
    Unicode {
        /// Only [`KeyFlags::RELEASE`] means something here.
        flags: KeyFlags,
        /// UTF-16 unit; a character beyond U+FFFF is two events.
        unit: u16,
    },
    /// The pointer moved, or a button or wheel was used (`TS_POINTER_EVENT`, 2.2.8.1.1.3.1.1.3).
    Mouse {
        /// What happened.
        flags: PointerFlags,
        /// Column on the desktop.
        x: u16,
        /// Row on the desktop.
        y: u16,
    },
    /// Buttons four and five (`TS_POINTERX_EVENT`, 2.2.8.1.1.3.1.1.4).
    ExtendedMouse {
        /// What happened.
        flags: ExtendedPointerFlags,
        /// Column on the desktop.
        x: u16,
        /// Row on the desktop.
        y: u16,
    },
    /// The pointer moved by a distance (`TS_RELPOINTER_EVENT`, 2.2.8.1.1.3.1.1.7).
    RelativeMouse {
        /// What happened.
        flags: RelativePointerFlags,
        /// Columns to the right.
        dx: i16,
        /// Rows down.
        dy: i16,
    },
    /// State of the lock keys; the server forgets pressed keys (`TS_SYNC_EVENT`, 2.2.8.1.1.3.1.1.5).
    Synchronize {
        /// Locks that are on.
        toggles: ToggleFlags,
    },
    /// When the batch it stands in was written, for measurements; fast path only (`TS_FP_QOETIMESTAMP_EVENT`, 2.2.8.1.2.2.6).
    QoeTimestamp {
        /// Client time with a free origin, wraps around.
        milliseconds: u32,
    },
    /// A slow-path event of another type, or of a known type with a value that type does not have.
    Other {
        /// Type on the wire.
        message_type: u16,
        /// Body on the wire.
        data: [u8; 6],
    },
}

impl InputEvent {
    /// A key goes down; `extended` is for keys with an E0 prefix.
    pub const fn key_pressed(code: u8, extended: bool) -> Self {
        Self::Scancode {
            flags: KeyFlags::for_key(extended),
            code,
        }
    }

    /// A key comes up; `extended` is for keys with an E0 prefix.
    pub const fn key_released(code: u8, extended: bool) -> Self {
        Self::Scancode {
            flags: KeyFlags::for_key(extended).union(KeyFlags::RELEASE),
            code,
        }
    }

    /// The pointer is now at a place.
    pub const fn moved_to(x: u16, y: u16) -> Self {
        Self::Mouse {
            flags: PointerFlags::MOVE,
            x,
            y,
        }
    }
}

bitflags! {
    /// Flags of a key, with the values of the slow path (`keyboardFlags`, MS-RDPBCGR 2.2.8.1.1.3.1.1.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct KeyFlags: u16 {
        /// The code has an E0 prefix.
        const EXTENDED = 0x0100;
        /// The code has an E1 prefix (Pause).
        const EXTENDED1 = 0x0200;
        /// The key was down already: a repeat. The fast path cannot say this.
        const DOWN = 0x4000;
        /// The key came up; without it, it went down.
        const RELEASE = 0x8000;
    }
}

impl KeyFlags {
    const fn for_key(extended: bool) -> Self {
        if extended { Self::EXTENDED } else { Self::empty() }
    }
}

bitflags! {
    /// Flags of a pointer event (`pointerFlags`, MS-RDPBCGR 2.2.8.1.1.3.1.1.3). The low nine bits are the wheel's rotation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct PointerFlags: u16 {
        /// Rotation is negative: its ninth bit.
        const WHEEL_NEGATIVE = 0x0100;
        /// The wheel was turned.
        const WHEEL = 0x0200;
        /// The horizontal wheel was turned.
        const HORIZONTAL_WHEEL = 0x0400;
        /// The pointer moved.
        const MOVE = 0x0800;
        /// Left button.
        const BUTTON1 = 0x1000;
        /// Right button.
        const BUTTON2 = 0x2000;
        /// Middle button.
        const BUTTON3 = 0x4000;
        /// The button went down; without it, it came up.
        const DOWN = 0x8000;
    }
}

impl PointerFlags {
    /// Sign and magnitude share nine bits, in two's complement.
    const ROTATION_MASK: u16 = 0x01ff;

    /// The wheel turned by `rotation` (120 is one notch away from the user), kept within the -256..=255 the wire holds.
    pub fn wheel(rotation: i16) -> Self {
        Self::WHEEL | Self::rotated(rotation)
    }

    /// The horizontal wheel turned by `rotation` to the right, kept within -256..=255.
    pub fn horizontal_wheel(rotation: i16) -> Self {
        Self::HORIZONTAL_WHEEL | Self::rotated(rotation)
    }

    /// By how much a wheel was turned; 0 unless one of the wheel flags is set.
    pub fn wheel_rotation(self) -> i16 {
        if !self.intersects(Self::WHEEL | Self::HORIZONTAL_WHEEL) {
            return 0;
        }
        let raw = (self.bits() & Self::ROTATION_MASK).cast_signed();
        if self.contains(Self::WHEEL_NEGATIVE) {
            raw - 0x0200
        } else {
            raw
        }
    }

    fn rotated(rotation: i16) -> Self {
        let raw = rotation.clamp(-256, 255).cast_unsigned();
        Self::from_bits_retain(raw & Self::ROTATION_MASK)
    }
}

bitflags! {
    /// Flags of the buttons four and five (`pointerFlags`, MS-RDPBCGR 2.2.8.1.1.3.1.1.4).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct ExtendedPointerFlags: u16 {
        /// Button four ("back").
        const BUTTON1 = 0x0001;
        /// Button five ("forward").
        const BUTTON2 = 0x0002;
        /// The button went down; without it, it came up.
        const DOWN = 0x8000;
    }
}

bitflags! {
    /// Flags of a relative pointer event (`pointerFlags`, MS-RDPBCGR 2.2.8.1.1.3.1.1.7).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct RelativePointerFlags: u16 {
        /// Button four.
        const EXTENDED_BUTTON1 = 0x0001;
        /// Button five.
        const EXTENDED_BUTTON2 = 0x0002;
        /// The pointer moved.
        const MOVE = 0x0800;
        /// Left button.
        const BUTTON1 = 0x1000;
        /// Right button.
        const BUTTON2 = 0x2000;
        /// Middle button.
        const BUTTON3 = 0x4000;
        /// The button went down; without it, it came up.
        const DOWN = 0x8000;
    }
}

bitflags! {
    /// Locks that are on (`toggleFlags`, MS-RDPBCGR 2.2.8.1.1.3.1.1.5).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct ToggleFlags: u32 {
        /// Scroll Lock.
        const SCROLL_LOCK = 0x0001;
        /// Num Lock.
        const NUM_LOCK = 0x0002;
        /// Caps Lock.
        const CAPS_LOCK = 0x0004;
        /// Kana Lock.
        const KANA_LOCK = 0x0008;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_keeps_its_direction_and_stops_at_what_nine_bits_hold() {
        for rotation in [-256, -120, -1, 0, 1, 120, 255] {
            assert_eq!(PointerFlags::wheel(rotation).wheel_rotation(), rotation);
            assert_eq!(
                PointerFlags::horizontal_wheel(rotation).wheel_rotation(),
                rotation
            );
        }
        assert_eq!(PointerFlags::wheel(1_000).wheel_rotation(), 255);
        assert_eq!(PointerFlags::wheel(-1_000).wheel_rotation(), -256);
        assert_eq!(PointerFlags::wheel(-120).bits(), 0x0388);
        assert_eq!(PointerFlags::from_bits_retain(0x0888).wheel_rotation(), 0);
    }
}

//! What users do.

use ironrdp_pdu::input::{
    ExtendedPointerFlags, InputEvent, KeyFlags, PointerFlags, RelativePointerFlags, ToggleFlags,
};
use tokio::sync::mpsc;

/// Takes what one client's user does, in order. Every method does nothing unless it is implemented.
///
/// Called from the client's task, so it should return at once; that also bounds what a client that floods can cost.
pub trait Input: Send + 'static {
    /// Everything the user does, as the client said it. Calls the other methods unless it is implemented itself, for those
    /// who hand on what they get.
    fn event(&mut self, event: InputEvent) {
        deliver(event, self);
    }

    /// A key by its place: set 1 scancode, `extended` for those with an E0 prefix. Repeats come as more presses.
    fn key(&mut self, code: u8, extended: bool, pressed: bool) {
        let _ = (code, extended, pressed);
    }

    /// A character without a key, as a UTF-16 unit.
    fn unicode(&mut self, unit: u16, pressed: bool) {
        let _ = (unit, pressed);
    }

    /// The pointer is at a place on the desktop.
    fn pointer_moved(&mut self, x: u16, y: u16) {
        let _ = (x, y);
    }

    /// The pointer moved by a distance: clients in games, where it has no place.
    fn pointer_moved_by(&mut self, dx: i16, dy: i16) {
        let _ = (dx, dy);
    }

    /// A button, where the pointer is.
    fn button(&mut self, button: Button, pressed: bool) {
        let _ = (button, pressed);
    }

    /// The wheel, 120 a notch: away from the user, or to the right.
    fn wheel(&mut self, axis: WheelAxis, rotation: i16) {
        let _ = (axis, rotation);
    }

    /// The state of the lock keys; keys held down are to be forgotten.
    fn synchronize(&mut self, toggles: ToggleFlags) {
        let _ = toggles;
    }
}

/// Lets users look and not touch.
#[derive(Debug, Clone, Copy, Default)]
pub struct IgnoreInput;

impl Input for IgnoreInput {}

/// Sends on everything, to the other end of a relay say. What finds the channel full is lost: a user who is faster than
/// the receiver, for as long as the channel is deep, is either no user or better off so than with seconds of old input.
impl Input for mpsc::Sender<InputEvent> {
    fn event(&mut self, event: InputEvent) {
        if let Err(error) = self.try_send(event) {
            tracing::debug!(%error, "input lost");
        }
    }
}

/// A button of a mouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Button {
    /// The left one.
    Left,
    /// The right one.
    Right,
    /// The one in the middle, or the wheel pressed.
    Middle,
    /// The fourth, "back".
    Back,
    /// The fifth, "forward".
    Forward,
}

/// Which way a wheel turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WheelAxis {
    /// Away from the user is positive.
    Vertical,
    /// To the right is positive.
    Horizontal,
}

/// Hands one event of the wire to the method of `input` that is about it.
fn deliver(event: InputEvent, input: &mut (impl Input + ?Sized)) {
    match event {
        InputEvent::Scancode { flags, code } => {
            input.key(
                code,
                flags.contains(KeyFlags::EXTENDED),
                !flags.contains(KeyFlags::RELEASE),
            );
        }
        InputEvent::Unicode { flags, unit } => input.unicode(unit, !flags.contains(KeyFlags::RELEASE)),
        InputEvent::Mouse { flags, x, y } => mouse(flags, x, y, input),
        InputEvent::ExtendedMouse { flags, x, y } => {
            input.pointer_moved(x, y);
            let pressed = flags.contains(ExtendedPointerFlags::DOWN);
            let buttons = [
                (ExtendedPointerFlags::BUTTON1, Button::Back),
                (ExtendedPointerFlags::BUTTON2, Button::Forward),
            ];
            for (_, button) in buttons.into_iter().filter(|(flag, _)| flags.contains(*flag)) {
                input.button(button, pressed);
            }
        }
        InputEvent::RelativeMouse { flags, dx, dy } => relative(flags, dx, dy, input),
        InputEvent::Synchronize { toggles } => input.synchronize(toggles),
        InputEvent::QoeTimestamp { .. } | InputEvent::Other { .. } => {}
    }
}

fn mouse(flags: PointerFlags, x: u16, y: u16, input: &mut (impl Input + ?Sized)) {
    // 2.2.8.1.1.3.1.1.3: the coordinates of a turning wheel mean nothing.
    if flags.contains(PointerFlags::WHEEL) {
        return input.wheel(WheelAxis::Vertical, flags.wheel_rotation());
    }
    if flags.contains(PointerFlags::HORIZONTAL_WHEEL) {
        return input.wheel(WheelAxis::Horizontal, flags.wheel_rotation());
    }
    input.pointer_moved(x, y);
    let pressed = flags.contains(PointerFlags::DOWN);
    let buttons = [
        (PointerFlags::BUTTON1, Button::Left),
        (PointerFlags::BUTTON2, Button::Right),
        (PointerFlags::BUTTON3, Button::Middle),
    ];
    for (_, button) in buttons.into_iter().filter(|(flag, _)| flags.contains(*flag)) {
        input.button(button, pressed);
    }
}

fn relative(flags: RelativePointerFlags, dx: i16, dy: i16, input: &mut (impl Input + ?Sized)) {
    if flags.contains(RelativePointerFlags::MOVE) {
        input.pointer_moved_by(dx, dy);
    }
    let pressed = flags.contains(RelativePointerFlags::DOWN);
    let buttons = [
        (RelativePointerFlags::BUTTON1, Button::Left),
        (RelativePointerFlags::BUTTON2, Button::Right),
        (RelativePointerFlags::BUTTON3, Button::Middle),
        (RelativePointerFlags::EXTENDED_BUTTON1, Button::Back),
        (RelativePointerFlags::EXTENDED_BUTTON2, Button::Forward),
    ];
    for (_, button) in buttons.into_iter().filter(|(flag, _)| flags.contains(*flag)) {
        input.button(button, pressed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Log(Vec<String>);

    impl Input for Log {
        fn key(&mut self, code: u8, extended: bool, pressed: bool) {
            self.0.push(format!("key {code:#x} {extended} {pressed}"));
        }

        fn pointer_moved(&mut self, x: u16, y: u16) {
            self.0.push(format!("at {x},{y}"));
        }

        fn button(&mut self, button: Button, pressed: bool) {
            self.0.push(format!("{button:?} {pressed}"));
        }

        fn wheel(&mut self, axis: WheelAxis, rotation: i16) {
            self.0.push(format!("{axis:?} {rotation}"));
        }
    }

    #[test]
    fn a_channel_gets_every_event_as_it_was_and_loses_what_it_has_no_room_for() {
        let (mut sender, mut receiver) = mpsc::channel(2);
        let events = [1, 2, 3].map(|x| InputEvent::moved_to(x, 0));
        events.into_iter().for_each(|event| sender.event(event));
        assert_eq!(receiver.try_recv(), Ok(events[0]));
        assert_eq!(receiver.try_recv(), Ok(events[1]));
        assert!(receiver.try_recv().is_err());
        drop(receiver);
        sender.event(events[0]);
    }

    #[test]
    fn a_click_tells_the_place_before_the_button_and_a_wheel_tells_no_place() {
        let mut log = Log::default();
        let click = PointerFlags::BUTTON2 | PointerFlags::DOWN;
        deliver(
            InputEvent::Mouse {
                flags: click,
                x: 3,
                y: 4,
            },
            &mut log,
        );
        let wheel = PointerFlags::wheel(-120);
        deliver(
            InputEvent::Mouse {
                flags: wheel,
                x: 9,
                y: 9,
            },
            &mut log,
        );
        deliver(InputEvent::key_released(0x1c, true), &mut log);
        let back = ExtendedPointerFlags::BUTTON1;
        deliver(
            InputEvent::ExtendedMouse {
                flags: back,
                x: 1,
                y: 2,
            },
            &mut log,
        );
        assert_eq!(
            log.0,
            [
                "at 3,4",
                "Right true",
                "Vertical -120",
                "key 0x1c true false",
                "at 1,2",
                "Back false"
            ]
        );
    }
}

//! The built-in desktop: an evening, a clock, a ball, the pointer's trail, and a sheet that shows what is typed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ironrdp_graphics::{Framebuffer, ImageMut, Rect};
use ironrdp_pdu::DesktopSize;
use ironrdp_server::Display;
use tokio::sync::Notify;

use super::{clock, scenery, sheet};
use crate::drawing::{Brush, Colour, Typewriter};

const BALL: u16 = 28;
const DOT: u16 = 5;
const TRAIL: usize = 48;
/// Left free around everything.
pub(super) const MARGIN: u16 = 32;

pub(super) const PALE: Colour = [0xb9, 0xbd, 0xdb];
pub(super) const CORAL: Colour = [0xff, 0x6a, 0x4d];

/// What all clients see, and what they do to it.
pub(crate) struct Desktop {
    state: Mutex<State>,
    /// Shown in place of everything but what is typed.
    picture: Mutex<Option<Framebuffer>>,
    /// Somebody has typed.
    pub(crate) typed: Notify,
}

struct State {
    size: DesktopSize,
    /// Nothing moves, not even time.
    still: bool,
    now: SystemTime,
    ball: Ball,
    trail: VecDeque<(u16, u16)>,
    typewriter: Typewriter,
}

#[derive(Clone, Copy)]
struct Ball {
    x: u16,
    y: u16,
    right: bool,
    down: bool,
}

impl Desktop {
    /// One that moves when it is told to.
    pub(crate) fn new(size: DesktopSize) -> Self {
        Self {
            state: Mutex::new(State {
                size,
                still: false,
                now: SystemTime::now(),
                ball: Ball {
                    x: 2 * BALL,
                    y: 3 * BALL,
                    right: true,
                    down: true,
                },
                trail: VecDeque::new(),
                typewriter: Typewriter::default(),
            }),
            picture: Mutex::new(None),
            typed: Notify::new(),
        }
    }

    /// One that shows `picture`, or else itself as it is now.
    pub(crate) fn still(size: DesktopSize, picture: Option<Framebuffer>) -> Self {
        let desktop = Self::new(size);
        desktop.state().still = true;
        *desktop.picture.lock().unwrap_or_else(PoisonError::into_inner) = picture;
        desktop
    }

    pub(crate) fn resize(&self, size: DesktopSize) {
        self.state().size = size;
    }

    pub(crate) fn set_picture(&self, picture: Framebuffer) {
        *self.picture.lock().unwrap_or_else(PoisonError::into_inner) = Some(picture);
    }

    /// All that was typed lately.
    pub(crate) fn text(&self) -> String {
        self.state().typewriter.text().to_owned()
    }

    /// Lets a moment pass and says what it changed.
    pub(crate) fn tick(&self, now: SystemTime) -> Vec<Rect> {
        let mut state = self.state();
        if state.still {
            return Vec::new();
        }
        let mut damage = vec![ball_area(state.ball)];
        state.ball = state.ball.moved(state.size);
        damage.push(ball_area(state.ball));
        // The trail fades from its oldest end.
        if let Some(gone) = state.trail.pop_front() {
            damage.push(dot_area(gone));
        }
        if clock::time(now) != clock::time(state.now) {
            state.now = now;
            damage.push(clock::area(state.size));
        }
        damage
    }

    /// Somebody's pointer was moved there; what of its trail has changed.
    pub(super) fn trace(&self, at: (u16, u16)) -> Vec<Rect> {
        let mut state = self.state();
        if state.still {
            // It would never fade.
            return Vec::new();
        }
        let faded = (state.trail.len() == TRAIL)
            .then(|| state.trail.pop_front())
            .flatten();
        state.trail.push_back(at);
        faded.into_iter().chain([at]).map(dot_area).collect()
    }

    /// Somebody types; the area that shows it, if `work` changed something.
    pub(super) fn type_in(&self, work: impl FnOnce(&mut Typewriter) -> bool) -> Option<Rect> {
        let mut state = self.state();
        work(&mut state.typewriter).then(|| {
            self.typed.notify_one();
            sheet::area(state.size)
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ball {
    /// One step on, back where the desktop ends.
    fn moved(self, size: DesktopSize) -> Self {
        let (x, right) = bounce(self.x, self.right, 5, size.width());
        let (y, down) = bounce(self.y, self.down, 4, size.height());
        Self { x, y, right, down }
    }
}

fn bounce(at: u16, forward: bool, step: u16, end: u16) -> (u16, bool) {
    let last = end.saturating_sub(BALL + 1).max(BALL);
    let next = if forward {
        at.saturating_add(step)
    } else {
        at.saturating_sub(step)
    };
    let forward = if next >= last {
        false
    } else {
        forward || next <= BALL
    };
    (next.clamp(BALL, last), forward)
}

fn ball_area(ball: Ball) -> Rect {
    Rect::new(
        ball.x.saturating_sub(BALL),
        ball.y.saturating_sub(BALL),
        2 * BALL + 1,
        2 * BALL + 1,
    )
}

fn dot_area((x, y): (u16, u16)) -> Rect {
    Rect::new(
        x.saturating_sub(DOT),
        y.saturating_sub(DOT),
        2 * DOT + 1,
        2 * DOT + 1,
    )
}

impl Display for Desktop {
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
        let mut brush = Brush::new(part, image);
        let state = self.state();
        let picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(picture) = &*picture {
            brush.shade(|x, y| {
                picture
                    .pixel(x, y)
                    .map_or([0x10, 0x12, 0x18], |[blue, green, red, _]| [red, green, blue])
            });
            // Whoever types wants to see it, and until then there is nothing but the picture.
            if !state.typewriter.text().is_empty() {
                sheet::draw(&mut brush, state.size, state.typewriter.text());
            }
            return;
        }
        scenery::draw(&mut brush, state.size);
        clock::draw(&mut brush, state.size, state.now);
        sheet::draw(&mut brush, state.size, state.typewriter.text());
        for (age, dot) in state.trail.iter().enumerate() {
            let age = u16::try_from(age * 4 / TRAIL.max(1)).unwrap_or_default();
            brush.disc(*dot, (1 + age).min(DOT), [0xff, 0xd0, 0x50]);
        }
        let ball = (state.ball.x, state.ball.y);
        brush.disc(ball, BALL, CORAL);
        brush.disc(
            (ball.0 - BALL / 3, ball.1 - BALL / 3),
            BALL / 4,
            [0xff, 0xb8, 0xa0],
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use ironrdp_server::{Input as _, Screen};

    use super::super::visitor::Visitor;
    use super::*;

    fn picture(desktop: &Desktop, size: DesktopSize) -> Framebuffer {
        let mut picture = Framebuffer::new(size.width(), size.height()).unwrap();
        desktop.paint(
            Rect::new(0, 0, size.width(), size.height()),
            &mut picture.as_image_mut(),
        );
        picture
    }

    fn visitor(desktop: &Arc<Desktop>, size: DesktopSize) -> Visitor {
        Visitor {
            desktop: Arc::clone(desktop),
            screen: Screen::new(size, NoDisplay),
            name: "somebody".to_owned(),
        }
    }

    #[test]
    fn all_that_changes_is_told() {
        let size = DesktopSize::new(480, 360).unwrap();
        let desktop = Arc::new(Desktop::new(size));
        let mut visitor = visitor(&desktop, size);
        visitor.pointer_moved(300, 200);
        visitor.pointer_moved(310, 205);
        let mut before = picture(&desktop, size);
        // Through midnight, which changes the date.
        for second in 86_380..86_420 {
            let damage = desktop.tick(UNIX_EPOCH + Duration::from_secs(second));
            let after = picture(&desktop, size);
            for y in 0..360 {
                for x in 0..480 {
                    let told = || damage.iter().any(|area| area.contains(&Rect::new(x, y, 1, 1)));
                    assert!(
                        before.pixel(x, y) == after.pixel(x, y) || told(),
                        "{x},{y} at {second}"
                    );
                }
            }
            before = after;
        }
    }

    #[test]
    fn a_picture_is_all_there_is_until_somebody_types() {
        for (width, height) in [(480, 360), (200, 150), (70, 300)] {
            let size = DesktopSize::new(width, height).unwrap();
            let mut shown = Framebuffer::new(width, height).unwrap();
            shown
                .as_image_mut()
                .fill(Rect::new(0, 0, width, height), [0x2e, 0x6e, 0x8e]);
            let desktop = Arc::new(Desktop::still(size, Some(shown.clone())));
            let mut visitor = visitor(&desktop, size);
            visitor.pointer_moved(20, 30);
            assert!(desktop.tick(UNIX_EPOCH).is_empty());
            assert_eq!(picture(&desktop, size).pixels(), shown.pixels());
            visitor.key(0x1e, false, true);
            assert_eq!(desktop.text(), "a");
            let typed = picture(&desktop, size);
            let sheet = sheet::area(size);
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                let inside = sheet.contains(&Rect::new(x, y, 1, 1));
                assert_eq!(
                    inside,
                    typed.pixel(x, y) != shown.pixel(x, y),
                    "{x},{y} of {width}x{height}"
                );
            }
        }
    }

    #[test]
    fn a_still_desktop_stays_as_it_was() {
        let size = DesktopSize::new(320, 200).unwrap();
        let desktop = Arc::new(Desktop::still(size, None));
        let before = picture(&desktop, size);
        visitor(&desktop, size).pointer_moved(20, 30);
        assert!(desktop.tick(UNIX_EPOCH).is_empty());
        assert_eq!(picture(&desktop, size).pixels(), before.pixels());
    }

    struct NoDisplay;

    impl Display for NoDisplay {
        fn paint(&self, _: Rect, _: &mut ImageMut<'_>) {}
    }

    #[test]
    fn the_ball_stays_on_any_desktop() {
        for (width, height) in [(640, 480), (60, 60), (1, 1), (8192, 8192)] {
            let size = DesktopSize::new(width, height).unwrap();
            let mut ball = Ball {
                x: 500,
                y: 9,
                right: true,
                down: false,
            };
            for _ in 0..5000 {
                ball = ball.moved(size);
                assert!(ball.x >= BALL && ball.y >= BALL);
                assert!(ball.x < width.max(2 * BALL) && ball.y < height.max(2 * BALL));
            }
            picture(
                &Desktop::new(size),
                DesktopSize::new(width.min(200), height.min(200)).unwrap(),
            );
        }
    }
}

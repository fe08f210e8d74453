//! The built-in desktop: sky, clock, a ball, the pointer's trail, and a sheet that shows what is typed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ironrdp_graphics::{Framebuffer, ImageMut, Rect};
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{Display, Input, Screen};

use crate::demo::brush::{Brush, Colour};
use crate::demo::typewriter::Typewriter;
use crate::demo::{font, wrap};

const BALL: u16 = 28;
const DOT: u16 = 5;
const TRAIL: usize = 48;
const MARGIN: u16 = 32;
const CLOCK_SCALE: u16 = 9;

/// What all clients see, and what they do to it.
pub(crate) struct Desktop {
    state: Mutex<State>,
    /// Shown in place of the sky.
    picture: Mutex<Option<Framebuffer>>,
}

struct State {
    size: DesktopSize,
    clock: String,
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
    pub(crate) fn new(size: DesktopSize, picture: Option<Framebuffer>) -> Self {
        Self {
            state: Mutex::new(State {
                size,
                clock: clock_text(SystemTime::now()),
                ball: Ball {
                    x: 2 * BALL,
                    y: 3 * BALL,
                    right: true,
                    down: true,
                },
                trail: VecDeque::new(),
                typewriter: Typewriter::default(),
            }),
            picture: Mutex::new(picture),
        }
    }

    pub(crate) fn resize(&self, size: DesktopSize) {
        self.state().size = size;
    }

    pub(crate) fn set_picture(&self, picture: Framebuffer) {
        *self.picture.lock().unwrap_or_else(PoisonError::into_inner) = Some(picture);
    }

    /// Lets a moment pass and says what it changed.
    pub(crate) fn tick(&self, now: SystemTime) -> Vec<Rect> {
        let mut state = self.state();
        let mut damage = vec![ball_area(state.ball)];
        state.ball = state.ball.moved(state.size);
        damage.push(ball_area(state.ball));
        // The trail fades from its oldest end.
        if let Some(gone) = state.trail.pop_front() {
            damage.push(dot_area(gone));
        }
        let clock = clock_text(now);
        if clock != state.clock {
            state.clock = clock;
            damage.push(clock_area());
        }
        damage
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ground(&self, brush: &mut Brush<'_, '_>, size: DesktopSize) {
        let (width, height) = (u32::from(size.width()), u32::from(size.height()));
        let picture = self.picture.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(picture) = &*picture {
            return brush.shade(|x, y| {
                picture
                    .pixel(x, y)
                    .map_or([0x10, 0x12, 0x18], |[blue, green, red, _]| [red, green, blue])
            });
        }
        brush.shade(|x, y| sky(u32::from(x) * 256 / width, u32::from(y) * 256 / height));
    }
}

/// Evening: blue above, warm at the horizon, with a little light from the left. Both in 256ths of a side.
fn sky(x: u32, y: u32) -> Colour {
    let mix = |top: u32, bottom: u32| (top * (256 - y) + bottom * y) / 256;
    let light = 24 * (256 - x) / 256;
    [mix(22, 226), mix(38, 132), mix(78, 96)].map(|channel| u8::try_from(channel + light).unwrap_or(u8::MAX))
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

const fn clock_area() -> Rect {
    Rect::new(
        MARGIN,
        MARGIN,
        8 * font::ADVANCE * CLOCK_SCALE,
        font::ROWS * CLOCK_SCALE,
    )
}

fn sheet_area(size: DesktopSize) -> Rect {
    let (width, height) = (size.width(), size.height());
    let top = height - height / 3;
    Rect::new(
        MARGIN,
        top,
        width.saturating_sub(2 * MARGIN),
        (height - top).saturating_sub(MARGIN),
    )
}

/// Hours, minutes and seconds of UTC.
fn clock_text(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

impl Display for Desktop {
    fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
        let mut brush = Brush::new(part, image);
        let state = self.state();
        self.ground(&mut brush, state.size);
        let clock = clock_area();
        brush.text(
            (clock.left, clock.top),
            CLOCK_SCALE,
            [0xff, 0xf4, 0xe0],
            &state.clock,
        );
        let below = clock.top + clock.height + 14;
        brush.text(
            (MARGIN, below),
            2,
            [0xd8, 0xd4, 0xdc],
            "UTC, drawn by ironrdp serve",
        );
        sheet(&mut brush, &state);
        for (age, dot) in state.trail.iter().enumerate() {
            let age = u16::try_from(age * 4 / TRAIL.max(1)).unwrap_or_default();
            brush.disc(*dot, (1 + age).min(DOT), [0xff, 0xd0, 0x50]);
        }
        let ball = (state.ball.x, state.ball.y);
        brush.disc(ball, BALL, [0xff, 0x6a, 0x4d]);
        brush.disc(
            (ball.0 - BALL / 3, ball.1 - BALL / 3),
            BALL / 4,
            [0xff, 0xb8, 0xa0],
        );
    }
}

fn sheet(brush: &mut Brush<'_, '_>, state: &State) {
    const SCALE: u16 = 3;
    let area = sheet_area(state.size);
    brush.fill(area, [0xf7, 0xf4, 0xec]);
    let rule = Rect::new(area.left, area.top, area.width, 4);
    brush.fill(rule, [0xff, 0x6a, 0x4d]);
    let columns = usize::from(area.width.saturating_sub(24) / (font::ADVANCE * SCALE)).max(1);
    let rows = usize::from(area.height.saturating_sub(24) / (font::LINE * SCALE)).max(1);
    let text = state.typewriter.text();
    if text.is_empty() {
        return brush.text(
            (area.left + 12, area.top + 16),
            SCALE,
            [0xa8, 0xa4, 0x9c],
            "Type here.",
        );
    }
    // The caret is a letter that nobody has typed yet.
    let lines = wrap(&format!("{text}_"), columns);
    let mut top = area.top + 16;
    for line in lines.iter().skip(lines.len().saturating_sub(rows)) {
        brush.text((area.left + 12, top), SCALE, [0x20, 0x24, 0x2e], line);
        top += font::LINE * SCALE;
    }
}

/// One client's keyboard and mouse.
pub(crate) struct Visitor {
    pub(crate) desktop: Arc<Desktop>,
    pub(crate) screen: Screen,
}

impl Visitor {
    fn typed(&self, work: impl FnOnce(&mut Typewriter) -> bool) {
        let mut state = self.desktop.state();
        if work(&mut state.typewriter) {
            let area = sheet_area(state.size);
            drop(state);
            self.screen.damage(area);
        }
    }
}

impl Input for Visitor {
    fn key(&mut self, code: u8, extended: bool, pressed: bool) {
        self.typed(|typewriter| typewriter.key(code, extended, pressed));
    }

    fn unicode(&mut self, unit: u16, pressed: bool) {
        self.typed(|typewriter| typewriter.unicode(unit, pressed));
    }

    fn pointer_moved(&mut self, x: u16, y: u16) {
        let mut state = self.desktop.state();
        let faded = (state.trail.len() == TRAIL)
            .then(|| state.trail.pop_front())
            .flatten();
        state.trail.push_back((x, y));
        drop(state);
        self.screen
            .damage_each(faded.into_iter().chain([(x, y)]).map(dot_area));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn picture(desktop: &Desktop, size: DesktopSize) -> Framebuffer {
        let mut picture = Framebuffer::new(size.width(), size.height()).unwrap();
        desktop.paint(
            Rect::new(0, 0, size.width(), size.height()),
            &mut picture.as_image_mut(),
        );
        picture
    }

    #[test]
    fn all_that_changes_is_told() {
        let size = DesktopSize::new(640, 480).unwrap();
        let desktop = Arc::new(Desktop::new(size, None));
        let screen = Screen::new(size, NoDisplay);
        let mut visitor = Visitor {
            desktop: Arc::clone(&desktop),
            screen,
        };
        visitor.pointer_moved(300, 200);
        visitor.pointer_moved(310, 205);
        let mut before = picture(&desktop, size);
        for second in 1..150 {
            let damage = desktop.tick(UNIX_EPOCH + Duration::from_secs(second));
            let after = picture(&desktop, size);
            for y in 0..480 {
                for x in 0..640 {
                    let told = damage.iter().any(|area| area.contains(&Rect::new(x, y, 1, 1)));
                    assert!(
                        told || before.pixel(x, y) == after.pixel(x, y),
                        "{x},{y} at {second}"
                    );
                }
            }
            before = after;
        }
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
                &Desktop::new(size, None),
                DesktopSize::new(width.min(200), height.min(200)).unwrap(),
            );
        }
    }

    #[test]
    fn the_clock_is_that_of_the_day() {
        assert_eq!(
            clock_text(UNIX_EPOCH + Duration::from_secs(86_400 + 3_661)),
            "01:01:01"
        );
    }
}

//! The built-in desktop: an evening, a clock, a ball, the pointer's trail, and a sheet that shows what is typed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ironrdp_graphics::{Framebuffer, ImageMut, Rect};
use ironrdp_pdu::DesktopSize;
use ironrdp_server::{Display, Input, Screen};
use tokio::sync::Notify;

use super::scenery;
use crate::drawing::{Brush, Colour, Typewriter, font, wrap};
use crate::output;

const BALL: u16 = 28;
const DOT: u16 = 5;
const TRAIL: usize = 48;
const MARGIN: u16 = 32;

const LAMP: Colour = [0xff, 0xf4, 0xe0];
const PALE: Colour = [0xb9, 0xbd, 0xdb];
const CORAL: Colour = [0xff, 0x6a, 0x4d];
const PAPER: Colour = [0xf8, 0xf5, 0xee];
const TITLE: Colour = [0x3a, 0x35, 0x5c];

/// Rows of the bar over the sheet.
const TITLE_BAR: u16 = 26;

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
        if clock_text(now) != clock_text(state.now) {
            state.now = now;
            damage.push(clock_area(state.size));
        }
        damage
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

/// Pixels a dot of the clock: as large as fits.
fn clock_scale(size: DesktopSize) -> u16 {
    (size.width().saturating_sub(2 * MARGIN) / (8 * font::ADVANCE)).clamp(1, 10)
}

/// The clock and the date under it.
fn clock_area(size: DesktopSize) -> Rect {
    let scale = clock_scale(size);
    let width = (8 * font::ADVANCE * scale).max(date_width());
    Rect::new(
        MARGIN,
        MARGIN,
        width,
        font::ROWS * scale + DATE_GAP + 2 * font::ROWS,
    )
}

const DATE_GAP: u16 = 16;

const fn date_width() -> u16 {
    // "2026-11-22 UTC", and years may come that are longer.
    2 * font::ADVANCE * 16
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

/// Year, month and day of UTC.
fn date_text(now: SystemTime) -> String {
    let days = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut left) = (1970, days);
    loop {
        let length = 365 + u64::from(is_leap(year));
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02} UTC", left + 1)
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
                sheet(&mut brush, &state);
            }
            return;
        }
        scenery::draw(&mut brush, state.size);
        clock(&mut brush, &state);
        sheet(&mut brush, &state);
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

fn clock(brush: &mut Brush<'_, '_>, state: &State) {
    let area = clock_area(state.size);
    if area.intersection(&brush.part()).is_empty() {
        return;
    }
    let scale = clock_scale(state.size);
    brush.lamps((area.left, area.top), scale, LAMP, &clock_text(state.now));
    let below = area.top + font::ROWS * scale + DATE_GAP;
    brush.text((area.left, below), 2, PALE, &date_text(state.now));
}

fn sheet(brush: &mut Brush<'_, '_>, state: &State) {
    const SCALE: u16 = 3;
    let area = sheet_area(state.size);
    if area.intersection(&brush.part()).is_empty() {
        return;
    }
    brush.fill(area, PAPER);
    if area.height < TITLE_BAR + 20 + font::LINE * SCALE || area.width < 120 {
        // No room for a line. The colour tells that there is a sheet.
        return;
    }
    brush.fill(Rect::new(area.left, area.top, area.width, TITLE_BAR), TITLE);
    for (index, colour) in (0..).zip([CORAL, [0xff, 0xc9, 0x5c], [0x7c, 0xc9, 0x8b]]) {
        brush.disc((area.left + 16 + 20 * index, area.top + TITLE_BAR / 2), 6, colour);
    }
    let title = format!("ironrdp serve, {}x{}", state.size.width(), state.size.height());
    let columns = usize::from(area.width.saturating_sub(90) / (2 * font::ADVANCE));
    if title.len() <= columns {
        brush.text((area.left + 78, area.top + 6), 2, PALE, &title);
    }
    let top = area.top + TITLE_BAR + 14;
    let columns = usize::from(area.width.saturating_sub(24) / (font::ADVANCE * SCALE)).max(1);
    let rows = usize::from(area.height.saturating_sub(TITLE_BAR + 20) / (font::LINE * SCALE)).max(1);
    let text = state.typewriter.text();
    if text.is_empty() {
        let hint = if columns < 10 { "" } else { "Type here." };
        return brush.text((area.left + 12, top), SCALE, [0xa8, 0xa4, 0x9c], hint);
    }
    // The caret is a letter that nobody has typed yet.
    let lines = wrap(&format!("{text}_"), columns);
    let mut top = top;
    for line in lines.iter().skip(lines.len().saturating_sub(rows)) {
        brush.text((area.left + 12, top), SCALE, [0x20, 0x24, 0x2e], line);
        top += font::LINE * SCALE;
    }
}

/// One client's keyboard and mouse.
pub(crate) struct Visitor {
    pub(crate) desktop: Arc<Desktop>,
    pub(crate) screen: Screen,
    /// For a note when it has left.
    pub(crate) name: String,
}

impl Visitor {
    fn typed(&self, work: impl FnOnce(&mut Typewriter) -> bool) {
        let mut state = self.desktop.state();
        if work(&mut state.typewriter) {
            let area = sheet_area(state.size);
            drop(state);
            self.screen.damage(area);
            self.desktop.typed.notify_one();
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
        if state.still {
            // It would never fade.
            return;
        }
        let faded = (state.trail.len() == TRAIL)
            .then(|| state.trail.pop_front())
            .flatten();
        state.trail.push_back((x, y));
        drop(state);
        self.screen
            .damage_each(faded.into_iter().chain([(x, y)]).map(dot_area));
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        output::note(&format!("{} has left", self.name));
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
            let sheet = sheet_area(size);
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

    #[test]
    fn the_clock_and_the_date_are_those_of_the_day() {
        let at = |days: u64, seconds: u64| UNIX_EPOCH + Duration::from_secs(86_400 * days + seconds);
        assert_eq!(clock_text(at(1, 3_661)), "01:01:01");
        for (days, date) in [
            (0, "1970-01-01 UTC"),
            (364, "1970-12-31 UTC"),
            (11_016, "2000-02-29 UTC"),
            (20_779, "2026-11-22 UTC"),
            (47_540, "2100-02-28 UTC"),
            (47_541, "2100-03-01 UTC"),
        ] {
            assert_eq!(date_text(at(days, 86_399)), date);
        }
    }
}

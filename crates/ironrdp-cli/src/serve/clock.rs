//! The clock of the built-in desktop, and the date under it.

use std::time::{SystemTime, UNIX_EPOCH};

use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;

use super::desktop::{MARGIN, PALE};
use crate::drawing::{Brush, Colour, font};

const LAMP: Colour = [0xff, 0xf4, 0xe0];

/// Pixels a dot of the clock: as large as fits.
fn scale(size: DesktopSize) -> u16 {
    (size.width().saturating_sub(2 * MARGIN) / (8 * font::ADVANCE)).clamp(1, 10)
}

/// Where both are.
pub(super) fn area(size: DesktopSize) -> Rect {
    let scale = scale(size);
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

/// Hours, minutes and seconds of UTC.
pub(super) fn time(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// Year, month and day of UTC.
fn date(now: SystemTime) -> String {
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

/// Draws what of both is in the brush's part.
pub(super) fn draw(brush: &mut Brush<'_, '_>, size: DesktopSize, now: SystemTime) {
    let area = area(size);
    if area.intersection(&brush.part()).is_empty() {
        return;
    }
    let scale = scale(size);
    brush.lamps((area.left, area.top), scale, LAMP, &time(now));
    let below = area.top + font::ROWS * scale + DATE_GAP;
    brush.text((area.left, below), 2, PALE, &date(now));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_and_the_date_are_those_of_the_day() {
        let at = |days: u64, seconds: u64| UNIX_EPOCH + Duration::from_secs(86_400 * days + seconds);
        assert_eq!(time(at(1, 3_661)), "01:01:01");
        for (days, expected) in [
            (0, "1970-01-01 UTC"),
            (364, "1970-12-31 UTC"),
            (11_016, "2000-02-29 UTC"),
            (20_779, "2026-11-22 UTC"),
            (47_540, "2100-02-28 UTC"),
            (47_541, "2100-03-01 UTC"),
        ] {
            assert_eq!(date(at(days, 86_399)), expected);
        }
    }
}

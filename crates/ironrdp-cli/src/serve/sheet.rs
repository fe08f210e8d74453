//! The sheet of the built-in desktop, which shows what is typed.

use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;

use super::desktop::{CORAL, MARGIN, PALE};
use crate::drawing::{Brush, Colour, font, wrap};

const PAPER: Colour = [0xf8, 0xf5, 0xee];
const TITLE: Colour = [0x3a, 0x35, 0x5c];

/// Rows of the bar over the sheet.
const TITLE_BAR: u16 = 26;

/// Where it is.
pub(super) fn area(size: DesktopSize) -> Rect {
    let (width, height) = (size.width(), size.height());
    let top = height - height / 3;
    Rect::new(
        MARGIN,
        top,
        width.saturating_sub(2 * MARGIN),
        (height - top).saturating_sub(MARGIN),
    )
}

/// Draws what of it is in the brush's part, with the end of `text`.
pub(super) fn draw(brush: &mut Brush<'_, '_>, size: DesktopSize, text: &str) {
    const SCALE: u16 = 3;
    let area = area(size);
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
    let title = format!("ironrdp serve, {}x{}", size.width(), size.height());
    let columns = usize::from(area.width.saturating_sub(90) / (2 * font::ADVANCE));
    if title.len() <= columns {
        brush.text((area.left + 78, area.top + 6), 2, PALE, &title);
    }
    let top = area.top + TITLE_BAR + 14;
    let columns = usize::from(area.width.saturating_sub(24) / (font::ADVANCE * SCALE)).max(1);
    let rows = usize::from(area.height.saturating_sub(TITLE_BAR + 20) / (font::LINE * SCALE)).max(1);
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

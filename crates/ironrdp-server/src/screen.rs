//! What many clients see: the newest frame, and what changed since whichever one they had.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ironrdp_graphics::Rect;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::error_info::ErrorInfo;
use tokio::sync::watch;

use crate::encode::{self, Form};
use crate::sharing::{MAX_BYTES, Wanted, WantedForm};
use crate::{Display, Pointer, ServerResult};

/// Pixels a side of a tile, the unit of damage and of encoding. Raw, a tile just fits a fast-path PDU.
pub(crate) const TILE: u16 = 64;

/// A [`Display`] shown to any number of clients. Cheap to clone: all clones are the same screen.
///
/// It keeps no frames. Each tile knows when it last changed, and each client how much it has seen; so a client that
/// reads slowly gets what the screen shows now, whatever it has missed. Tiles are encoded once for all clients that
/// understand the same bytes: those of the four forms that most clients want are kept until they change, 64 MiB at most,
/// and only while two clients want them.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

struct Inner {
    display: Box<dyn Display>,
    state: watch::Sender<Mark>,
    /// Wakes those too who cannot be sent an update now: the screen was closed, or has another size.
    alarm: watch::Sender<()>,
    wanted: Wanted,
    encoded: AtomicU64,
    shared: AtomicU64,
}

/// The state of a screen; whoever watches it is woken when it changes.
#[derive(Clone)]
pub(crate) struct Mark {
    pub(crate) version: u64,
    pub(crate) grid: Arc<Grid>,
    pub(crate) pointer: Arc<Pointer>,
    /// The version with which the pointer changed.
    pub(crate) pointer_version: u64,
    pub(crate) closed: Option<ErrorInfo>,
}

/// The tiles of a screen of one size.
pub(crate) struct Grid {
    pub(crate) size: DesktopSize,
    pub(crate) columns: usize,
    tiles: Box<[Tile]>,
    /// Bytes of encoded tiles that still may be kept.
    room: AtomicUsize,
}

#[derive(Default)]
struct Tile {
    /// Changed under the lock of the state only.
    version: AtomicU64,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    version: u64,
    forms: Vec<(Form, Box<[u8]>)>,
}

/// How much work a [`Screen`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScreenStats {
    /// Tiles drawn and encoded.
    pub tiles_encoded: u64,
    /// Tiles sent in the bytes made for another client.
    pub tiles_shared: u64,
    /// Bytes of encoded tiles that are kept for other clients now.
    pub bytes_kept: usize,
}

impl Screen {
    /// A screen of `size` that shows `display`.
    pub fn new(size: DesktopSize, display: impl Display) -> Self {
        let state = Mark {
            version: 1,
            grid: Arc::new(Grid::new(size, 1)),
            pointer: Arc::default(),
            pointer_version: 0,
            closed: None,
        };
        Self(Arc::new(Inner {
            display: Box::new(display),
            state: watch::Sender::new(state),
            alarm: watch::Sender::new(()),
            wanted: Wanted::default(),
            encoded: AtomicU64::new(0),
            shared: AtomicU64::new(0),
        }))
    }

    /// Its size.
    pub fn size(&self) -> DesktopSize {
        self.0.state.borrow().grid.size
    }

    /// Tells that `part` changed. The display must show the change already.
    pub fn damage(&self, part: Rect) {
        self.damage_each([part]);
    }

    /// Tells that several parts changed together.
    pub fn damage_each(&self, parts: impl IntoIterator<Item = Rect>) {
        self.0.state.send_modify(|mark| {
            mark.version += 1;
            for part in parts {
                for index in mark.grid.overlapping(part) {
                    if let Some(tile) = mark.grid.tiles.get(index) {
                        tile.version.store(mark.version, Ordering::Release);
                    }
                }
            }
        });
    }

    /// Tells that everything may have changed.
    pub fn damage_all(&self) {
        let size = self.size();
        self.damage(Rect::new(0, 0, size.width(), size.height()));
    }

    /// Gives the screen another size: clients are reactivated with it. The display must have it already.
    pub fn resize(&self, size: DesktopSize) {
        let mut before = None;
        self.0.state.send_if_modified(|mark| {
            if mark.grid.size == size {
                return false;
            }
            mark.version += 1;
            let grid = Arc::new(Grid::new(size, mark.version));
            before = Some(std::mem::replace(&mut mark.grid, grid));
            true
        });
        // Nobody waits while its tiles are given back.
        if before.is_some() {
            self.0.alarm.send_replace(());
        }
    }

    /// Changes what the pointer looks like for everybody.
    pub fn set_pointer(&self, pointer: Pointer) {
        self.0.state.send_modify(|mark| {
            mark.version += 1;
            mark.pointer = Arc::new(pointer);
            mark.pointer_version = mark.version;
        });
    }

    /// Sends everybody who looks at it away, now and in future, and tells them why. The first reason counts.
    pub fn close(&self, why: ErrorInfo) {
        self.0.state.send_modify(|mark| {
            mark.closed.get_or_insert(why);
        });
        self.0.alarm.send_replace(());
    }

    /// How many clients look at it.
    pub fn viewers(&self) -> usize {
        self.0.state.receiver_count()
    }

    /// How much work it has done.
    pub fn stats(&self) -> ScreenStats {
        ScreenStats {
            tiles_encoded: self.0.encoded.load(Ordering::Relaxed),
            tiles_shared: self.0.shared.load(Ordering::Relaxed),
            bytes_kept: self.look(|mark| mark.grid.bytes_kept()),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Mark> {
        self.0.state.subscribe()
    }

    /// Wakes when the screen is closed or gets another size.
    pub(crate) fn alarm(&self) -> watch::Receiver<()> {
        self.0.alarm.subscribe()
    }

    /// Calls `look` with the state, which cannot change meanwhile.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Mark) -> T) -> T {
        look(&self.0.state.borrow())
    }

    /// Counts a client that wants its tiles in `form`; see [`View`](crate::sharing::View).
    pub(crate) fn join(&self, form: Form) -> Arc<WantedForm> {
        let (wanted_form, dropped) = self.0.wanted.join(form);
        self.forget(&dropped);
        wanted_form
    }

    /// A client that has joined wants nothing any more.
    pub(crate) fn leave(&self, wanted_form: &Arc<WantedForm>) {
        self.forget(&self.0.wanted.leave(wanted_form));
    }

    fn forget(&self, forms: &[Form]) {
        if !forms.is_empty() {
            let grid = self.look(|mark| Arc::clone(&mark.grid));
            grid.forget(forms);
        }
    }

    #[cfg(test)]
    pub(crate) fn wanted_by_nobody(&self) -> bool {
        self.0.wanted.is_empty()
    }

    /// Hands tile `index` of `grid` as it is now to `take`.
    pub(crate) fn encode<T>(
        &self,
        grid: &Grid,
        index: usize,
        wanted_form: &WantedForm,
        take: impl FnOnce(&[u8]) -> T,
    ) -> ServerResult<Option<T>> {
        let Some(tile) = grid.tiles.get(index) else {
            return Ok(None);
        };
        // One at a time: whoever comes second finds it done.
        let mut cache = tile.cache();
        // Read before drawing: what changes while it is drawn raises the version and is drawn again.
        let version = tile.version.load(Ordering::Acquire);
        if cache.version != version {
            cache.version = version;
            grid.give_back(&std::mem::take(&mut cache.forms));
        }
        if let Some((_, bytes)) = cache.forms.iter().find(|(form, _)| *form == wanted_form.form) {
            self.0.shared.fetch_add(1, Ordering::Relaxed);
            return Ok(Some(take(bytes)));
        }
        let bytes = encode::tile(&*self.0.display, grid.part(index), &wanted_form.form)?;
        self.0.encoded.fetch_add(1, Ordering::Relaxed);
        let result = take(&bytes);
        if wanted_form.is_kept() && grid.take_room(bytes.len()) {
            cache.forms.push((wanted_form.form, bytes.into()));
        }
        Ok(Some(result))
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("size", &self.size())
            .field("viewers", &self.viewers())
            .finish_non_exhaustive()
    }
}

impl Tile {
    // A panic in a display left nothing behind.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grid {
    fn new(size: DesktopSize, version: u64) -> Self {
        let columns = usize::from(size.width().div_ceil(TILE));
        let count = columns * usize::from(size.height().div_ceil(TILE));
        let tile = || Tile {
            version: AtomicU64::new(version),
            ..Tile::default()
        };
        Self {
            size,
            columns,
            tiles: std::iter::repeat_with(tile).take(count).collect(),
            room: AtomicUsize::new(MAX_BYTES),
        }
    }

    /// Whether so many bytes more may be kept; they count as kept then.
    fn take_room(&self, bytes: usize) -> bool {
        let left = |room: usize| room.checked_sub(bytes);
        self.room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
            .is_ok()
    }

    fn give_back(&self, gone: &[(Form, Box<[u8]>)]) {
        let bytes = gone.iter().map(|(_, bytes)| bytes.len()).sum();
        self.room.fetch_add(bytes, Ordering::Relaxed);
    }

    fn bytes_kept(&self) -> usize {
        MAX_BYTES.saturating_sub(self.room.load(Ordering::Relaxed))
    }

    /// Keeps nothing in these forms.
    fn forget(&self, forms: &[Form]) {
        for tile in &self.tiles {
            let mut cache = tile.cache();
            let all = std::mem::take(&mut cache.forms);
            let (gone, kept) = all.into_iter().partition(|(form, _)| forms.contains(form));
            cache.forms = kept;
            self.give_back(&gone);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tiles.len()
    }

    /// Tiles that changed after `seen`.
    pub(crate) fn changed_since(&self, seen: u64) -> impl Iterator<Item = usize> {
        self.tiles
            .iter()
            .enumerate()
            .filter(move |(_, tile)| tile.version.load(Ordering::Relaxed) > seen)
            .map(|(index, _)| index)
    }

    /// Tiles that share a pixel with `part`.
    pub(crate) fn overlapping(&self, part: Rect) -> impl Iterator<Item = usize> + use<> {
        self.spans(part).flatten()
    }

    /// Tiles that share a pixel with `part`, those of a row together.
    pub(crate) fn spans(&self, part: Rect) -> impl Iterator<Item = Range<usize>> + use<> {
        let desktop = Rect::new(0, 0, self.size.width(), self.size.height());
        let part = part.intersection(&desktop);
        let columns = self.columns;
        let span = |start: u16, length: u16| {
            let first = usize::from(start / TILE);
            let end = (usize::from(start) + usize::from(length)).div_ceil(usize::from(TILE));
            if length == 0 { 0..0 } else { first..end }
        };
        let across = span(part.left, part.width);
        let rows = span(part.top, part.height);
        let place = move |row: usize, column: usize| row * columns + column;
        // Whole rows follow each other.
        let whole = across.len() == columns && !rows.is_empty();
        let together = whole.then(|| place(rows.start, 0)..place(rows.end, 0));
        let apart = if whole { 0..0 } else { rows };
        let apart = apart.map(move |row| place(row, across.start)..place(row, across.end));
        together.into_iter().chain(apart)
    }

    /// The pixels of a tile.
    fn part(&self, index: usize) -> Rect {
        let place = |count: usize| u16::try_from(count * usize::from(TILE)).unwrap_or(u16::MAX);
        let (left, top) = (place(index % self.columns), place(index / self.columns));
        let desktop = Rect::new(0, 0, self.size.width(), self.size.height());
        Rect::new(left, top, TILE, TILE).intersection(&desktop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Canvas;
    use crate::sharing::View;
    use crate::sharing::tests::form;

    fn size(width: u16, height: u16) -> DesktopSize {
        DesktopSize::new(width, height).unwrap()
    }

    #[test]
    fn the_last_tiles_end_with_the_desktop() {
        let grid = Grid::new(size(130, 65), 1);
        assert_eq!((grid.columns, grid.len()), (3, 6));
        assert_eq!(grid.part(5), Rect::new(128, 64, 2, 1));
        assert_eq!(grid.part(1), Rect::new(64, 0, 64, 64));
    }

    #[test]
    fn damage_marks_the_tiles_it_touches_and_no_others() {
        let grid = Grid::new(size(200, 200), 1);
        let tiles: Vec<_> = grid.overlapping(Rect::new(63, 64, 2, 64)).collect();
        assert_eq!(tiles, [4, 5]);
        assert_eq!(grid.overlapping(Rect::new(64, 64, 0, 9)).count(), 0);
        assert_eq!(grid.overlapping(Rect::new(500, 0, 9, 9)).count(), 0);
        assert_eq!(grid.overlapping(Rect::new(0, 0, u16::MAX, u16::MAX)).count(), 16);
    }

    #[test]
    fn a_viewer_finds_what_changed_since_it_looked_and_not_what_changed_before() {
        let screen = Screen::new(size(256, 64), Canvas::new(size(256, 64)).unwrap());
        let seen = screen.look(|mark| {
            assert_eq!(mark.grid.changed_since(0).count(), 4);
            mark.version
        });
        screen.damage(Rect::new(70, 0, 1, 1));
        screen.damage_each([Rect::new(200, 5, 1, 1)]);
        let changed: Vec<_> = screen.look(|mark| mark.grid.changed_since(seen).collect());
        assert_eq!(changed, [1, 3]);
    }

    #[test]
    fn what_does_not_fit_is_encoded_for_each_and_room_is_never_taken_twice() {
        let grid = Grid::new(size(64, 64), 1);
        assert_eq!(grid.bytes_kept(), 0);
        assert!(grid.take_room(MAX_BYTES - 10));
        assert!(!grid.take_room(11));
        assert!(grid.take_room(10));
        assert_eq!(grid.bytes_kept(), MAX_BYTES);

        // A screen without room serves all the same.
        let screen = Screen::new(size(64, 64), Canvas::new(size(64, 64)).unwrap());
        let form = form(4);
        let views = [(); 2].map(|()| View::new(screen.clone(), form));
        let full = screen.look(|mark| Arc::clone(&mark.grid));
        full.room.store(3, Ordering::Relaxed);
        for view in &views {
            let length = screen.encode(&full, 0, view.wanted_form(), <[u8]>::len).unwrap();
            assert!(length > Some(3));
        }
        assert_eq!(screen.stats().tiles_encoded, 2);
        assert_eq!(full.room.load(Ordering::Relaxed), 3);
    }
}

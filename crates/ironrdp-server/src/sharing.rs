//! Which encoded tiles a screen keeps for other clients: those in the forms that most of them want at the moment.

use std::cmp::Reverse;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Screen;
use crate::encode::Form;

/// Forms whose tiles are kept. There are over a hundred, and a client chooses its own: without a bound, two connections that
/// come back as other clients again and again would fill the memory of a screen on which nothing changes.
pub(crate) const MAX_FORMS: usize = 4;

/// Bytes of tiles kept for a screen: two forms of a 4K desktop that is nothing but noise. What does not fit is encoded for
/// each client.
pub(crate) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The forms that are wanted now, those that most clients want first.
#[derive(Default)]
pub(crate) struct Wanted(Mutex<Vec<(Arc<WantedForm>, usize)>>);

/// A form as long as somebody wants it.
pub(crate) struct WantedForm {
    pub(crate) form: Form,
    kept: AtomicBool,
}

impl WantedForm {
    /// Whether what is encoded now is worth keeping. Ask under the lock of the tile: whoever ends it empties the tiles
    /// after saying so here.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }
}

impl Wanted {
    /// Counts one client more; also gives the forms that are no longer kept.
    pub(crate) fn join(&self, form: Form) -> (Arc<WantedForm>, Vec<Form>) {
        let mut wanted = self.lock();
        let known = wanted
            .iter_mut()
            .find(|(wanted_form, _)| wanted_form.form == form);
        let wanted_form = match known {
            Some((wanted_form, clients)) => {
                *clients += 1;
                Arc::clone(wanted_form)
            }
            None => {
                let kept = AtomicBool::new(false);
                let wanted_form = Arc::new(WantedForm { form, kept });
                wanted.push((Arc::clone(&wanted_form), 1));
                wanted_form
            }
        };
        (wanted_form, rank(&mut wanted))
    }

    /// Counts one client less; gives the forms that are no longer kept.
    pub(crate) fn leave(&self, left: &Arc<WantedForm>) -> Vec<Form> {
        let mut wanted = self.lock();
        for (_, clients) in wanted
            .iter_mut()
            .filter(|(wanted_form, _)| Arc::ptr_eq(wanted_form, left))
        {
            *clients = clients.saturating_sub(1);
        }
        let dropped = rank(&mut wanted);
        wanted.retain(|(_, clients)| *clients > 0);
        if wanted.is_empty() {
            *wanted = Vec::new();
        }
        dropped
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<WantedForm>, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sorts by clients, and says which forms have lost their place. One that a single client wants has none: nobody will ask
/// for its tiles again.
fn rank(wanted: &mut [(Arc<WantedForm>, usize)]) -> Vec<Form> {
    // Stable, so that forms that are equally liked do not push each other out.
    wanted.sort_by_key(|(_, clients)| Reverse(*clients));
    let ranked = wanted.iter().enumerate();
    ranked
        .filter_map(|(place, (wanted_form, clients))| {
            let keep = place < MAX_FORMS && *clients > 1;
            let kept = wanted_form.kept.swap(keep, Ordering::AcqRel);
            (kept && !keep).then_some(wanted_form.form)
        })
        .collect()
}

/// A client in front of a screen, and the form it wants its tiles in; counted until it is dropped.
pub(crate) struct View {
    screen: Screen,
    wanted_form: Arc<WantedForm>,
}

impl View {
    pub(crate) fn new(screen: Screen, form: Form) -> Self {
        let wanted_form = screen.join(form);
        Self { screen, wanted_form }
    }

    /// The same client, which wants another form from now on.
    pub(crate) fn change(&mut self, form: Form) {
        if form != self.wanted_form.form {
            *self = Self::new(self.screen.clone(), form);
        }
    }

    pub(crate) const fn screen(&self) -> &Screen {
        &self.screen
    }

    pub(crate) fn wanted_form(&self) -> &WantedForm {
        &self.wanted_form
    }

    pub(crate) fn form(&self) -> &Form {
        &self.wanted_form.form
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.screen.leave(&self.wanted_form);
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("screen", &self.screen)
            .field("form", self.form())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ironrdp_bulk::CompressionType;
    use ironrdp_connector::ColorDepth;
    use ironrdp_graphics::{ImageMut, Rect};
    use ironrdp_pdu::DesktopSize;

    use super::*;
    use crate::Display;
    use crate::support::ClientSupport;

    /// What no codec makes smaller.
    struct Noise;

    impl Display for Noise {
        fn paint(&self, part: Rect, image: &mut ImageMut<'_>) {
            let mut state = 1 + u32::from(part.left) + 99 * u32::from(part.top);
            for y in 0..part.height {
                for byte in image.row_mut(y).unwrap() {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *byte = state.to_be_bytes()[0];
                }
            }
        }
    }

    /// Forms that are all different, as a client may choose them.
    pub(crate) fn form(number: usize) -> Form {
        let depths = [
            ColorDepth::Bpp8,
            ColorDepth::Bpp15,
            ColorDepth::Bpp16,
            ColorDepth::Bpp24,
            ColorDepth::Bpp32,
        ];
        let carriages = [None, Some(CompressionType::K8), Some(CompressionType::K64)];
        let support = ClientSupport {
            io_channel_id: 1003,
            fast_path: true,
            max_fragmented: 0,
            bitmap_compression: false,
            alpha_plane: false,
            bitmap_header: false,
            alpha_pointers: false,
            frames: None,
            bulk: carriages[number / 5 % 3],
            auto_reconnect: false,
            error_info: false,
            logon_notify: false,
        };
        Form::new(depths[number % 5], &support)
    }

    /// Six tiles.
    fn screen() -> Screen {
        Screen::new(DesktopSize::new(192, 128).unwrap(), Noise)
    }

    /// Shows everything to `view`, as a client sees it first.
    fn look(view: &View) {
        let grid = view.screen().look(|mark| Arc::clone(&mark.grid));
        for index in 0..grid.len() {
            let length = view
                .screen()
                .encode(&grid, index, view.wanted_form(), <[u8]>::len);
            assert!(length.unwrap().unwrap() > 64 * 64);
        }
    }

    fn kept(screen: &Screen) -> usize {
        screen.stats().bytes_kept
    }

    #[test]
    fn a_form_is_kept_while_two_want_it_and_then_given_back() {
        let screen = screen();
        let first = View::new(screen.clone(), form(4));
        look(&first);
        assert_eq!(kept(&screen), 0, "nobody else would ask for it");
        let second = View::new(screen.clone(), form(4));
        look(&second);
        let raw = 192 * 128 * 4;
        assert!((raw..raw + 6 * 100).contains(&kept(&screen)), "{}", kept(&screen));
        look(&first);
        let stats = screen.stats();
        assert_eq!((stats.tiles_encoded, stats.tiles_shared), (12, 6));
        drop(first);
        assert_eq!(kept(&screen), 0);
        look(&second);
        assert_eq!(screen.stats().tiles_encoded, 18);
        drop(second);
        assert!(screen.stats().bytes_kept == 0);
    }

    #[test]
    fn only_the_forms_that_most_want_are_kept() {
        let screen = screen();
        let mut views = Vec::new();
        // Of form 5 three, of the others two each, in an order in which the liked one comes late.
        for number in [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 5] {
            views.push(View::new(screen.clone(), form(number)));
        }
        let is_kept = |number| {
            views
                .iter()
                .any(|view| *view.form() == form(number) && view.wanted_form().is_kept())
        };
        let all: Vec<_> = (0..6).filter(|number| is_kept(*number)).collect();
        assert_eq!(all.len(), MAX_FORMS);
        assert!(is_kept(5), "{all:?}");
        views.iter().for_each(look);
        let most = MAX_FORMS * (192 * 128 * 4 + 6 * 100);
        assert!((1..most).contains(&kept(&screen)), "{}", kept(&screen));
    }

    #[test]
    fn a_form_that_loses_its_place_gives_its_bytes_back_and_one_that_gets_it_is_kept() {
        let screen = screen();
        let mut views = Vec::new();
        for number in (0..MAX_FORMS).flat_map(|number| [number; 2]) {
            views.push(View::new(screen.clone(), form(number)));
        }
        views.iter().for_each(look);
        let before = kept(&screen);
        for _ in 0..3 {
            views.push(View::new(screen.clone(), form(9)));
        }
        assert!(kept(&screen) < before, "one of the four has gone");
        look(&views[2 * MAX_FORMS]);
        assert!(views[2 * MAX_FORMS].wanted_form().is_kept());
        drop(views);
        assert_eq!(kept(&screen), 0);
        assert!(screen.wanted_by_nobody());
    }

    #[test]
    fn a_client_that_changes_its_form_is_counted_once() {
        let screen = screen();
        let mut guest = View::new(screen.clone(), form(0));
        let host = View::new(screen.clone(), form(0));
        look(&host);
        assert!(kept(&screen) > 0);
        for number in 1..40 {
            guest.change(form(number % 15));
            look(&guest);
            let alone = number % 15 != 0;
            assert_eq!(kept(&screen) == 0, alone, "{number}");
        }
        drop((guest, host));
        assert!(screen.wanted_by_nobody());
    }

    #[test]
    fn a_tile_that_changes_gives_its_bytes_back_when_it_is_drawn_anew() {
        let screen = screen();
        let views = [(); 2].map(|()| View::new(screen.clone(), form(2)));
        views.iter().for_each(look);
        let before = kept(&screen);
        for _ in 0..20 {
            screen.damage_all();
            views.iter().for_each(look);
            assert_eq!(kept(&screen), before);
        }
        let tiles = screen.look(|mark| Arc::downgrade(&mark.grid));
        screen.resize(DesktopSize::new(64, 64).unwrap());
        assert!(tiles.upgrade().is_none(), "no view keeps them");
        assert_eq!(kept(&screen), 0);
    }
}

//! Who looks at the built-in desktop and works on it.

use std::sync::Arc;

use ironrdp_server::{Input, Screen};

use super::desktop::Desktop;
use crate::drawing::Typewriter;
use crate::output;

/// One client's keyboard and mouse.
pub(crate) struct Visitor {
    pub(crate) desktop: Arc<Desktop>,
    pub(crate) screen: Screen,
    /// For a note when it has left.
    pub(crate) name: String,
}

impl Visitor {
    fn typed(&self, work: impl FnOnce(&mut Typewriter) -> bool) {
        if let Some(area) = self.desktop.type_in(work) {
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
        let damage = self.desktop.trace((x, y));
        if !damage.is_empty() {
            self.screen.damage_each(damage);
        }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        output::note(&format!("{} has left", self.name));
    }
}

//! Values that must not show up in logs or stay in freed memory.

use alloc::string::String;
use core::fmt;

use zeroize::Zeroize;

/// A password or key: prints as `***` and is overwritten with zeros when dropped.
///
/// Read it with [`expose`](Self::expose), which is easy to search for. Copies that the caller makes are the caller's to wipe.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes `value` into custody.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value in the clear.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value in the clear, to change it in place; what grows may leave a copy behind where it was.
    pub const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even the length: it narrows a password down.
        f.write_str("***")
    }
}

impl From<&str> for Secret<String> {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Secret<String> {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_secret_never_prints_its_value_or_length() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.expose(), "hunter2");
    }
}

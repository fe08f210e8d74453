//! Values that must not show up in logs or stay in freed memory.

use alloc::string::String;

use zeroize::Zeroize;

/// A password or key: it cannot be printed, and is overwritten with zeros when dropped. What holds one prints the rest of
/// itself by [`debug_hiding!`](crate::debug_hiding).
///
/// Read it with [`expose`](Self::expose), which is easy to search for. Copies that the caller makes are the caller's to wipe.
///
/// ```compile_fail,E0277
/// let password = ironrdp_pdu::client_info::Secret::from("hunter2");
/// println!("{password:?}");
/// ```
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

/// Implements `Debug` for a struct that holds a [`Secret`]: `debug_hiding!(Login { user, domain } hides { password });`
///
/// Every field must be named, so that whoever adds one decides whether it is shown. Not even the length of a secret is: it
/// narrows a password down.
#[macro_export]
macro_rules! debug_hiding {
    ($name:ident $(<$lifetime:lifetime>)? { $($shown:ident),* $(,)? } hides { $($hidden:ident),+ $(,)? }) => {
        impl ::core::fmt::Debug for $name $(<$lifetime>)? {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let Self { $($shown,)* $($hidden: _,)+ } = self;
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), $shown))*
                    .finish_non_exhaustive()
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    struct Login {
        user: &'static str,
        password: Secret<String>,
    }

    debug_hiding!(Login { user } hides { password });

    #[test]
    fn what_holds_a_secret_prints_the_rest() {
        let login = Login {
            user: "ada",
            password: Secret::from("hunter2"),
        };
        assert_eq!(format!("{login:?}"), "Login { user: \"ada\", .. }");
        assert_eq!(login.password.expose(), "hunter2");
    }
}

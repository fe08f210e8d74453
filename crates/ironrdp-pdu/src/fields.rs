//! Structures that are a plain row of fields: declared once, read and written by the same list.

use ironrdp_core::{DecodeResult, EncodeResult, ReadCursor, WriteCursor};

/// A field of fixed size.
pub(crate) trait Field: Sized {
    const SIZE: usize;

    fn read(src: &mut ReadCursor<'_>, name: &'static str) -> DecodeResult<Self>;

    fn write(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()>;
}

macro_rules! number {
    ($($ty:ty: $method:ident;)*) => {$(
        impl Field for $ty {
            const SIZE: usize = size_of::<Self>();

            fn read(src: &mut ReadCursor<'_>, name: &'static str) -> DecodeResult<Self> {
                src.$method(name)
            }

            fn write(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
                dst.$method(*self)
            }
        }
    )*};
}

number! {
    u8: u8;
    u16: u16_le;
    u32: u32_le;
}

/// A 16-bit `BOOL`, as the T.128 structures have it: everything but zero is true.
impl Field for bool {
    const SIZE: usize = 2;

    fn read(src: &mut ReadCursor<'_>, name: &'static str) -> DecodeResult<Self> {
        src.u16_le(name).map(|value| value != 0)
    }

    fn write(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(u16::from(*self))
    }
}

impl<T: Field + Copy + Default, const N: usize> Field for [T; N] {
    const SIZE: usize = T::SIZE * N;

    fn read(src: &mut ReadCursor<'_>, name: &'static str) -> DecodeResult<Self> {
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = T::read(src, name)?;
        }
        Ok(values)
    }

    fn write(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        self.iter().try_for_each(|value| value.write(dst))
    }
}

/// Declares `bitflags!` that keep unknown bits and can be a field of a row.
macro_rules! flags {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident: $bits:ty {
            $( $(#[$($flag_meta:tt)*])* const $flag:ident = $value:expr; )*
        }
    )*) => {$(
        bitflags::bitflags! {
            $(#[$meta])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
            pub struct $name: $bits {
                $( $(#[$($flag_meta)*])* const $flag = $value; )*
            }
        }

        impl $crate::fields::Field for $name {
            const SIZE: usize = size_of::<$bits>();

            fn read(
                src: &mut ironrdp_core::ReadCursor<'_>,
                name: &'static str,
            ) -> ironrdp_core::DecodeResult<Self> {
                <$bits as $crate::fields::Field>::read(src, name).map(Self::from_bits_retain)
            }

            fn write(&self, dst: &mut ironrdp_core::WriteCursor<'_>) -> ironrdp_core::EncodeResult<()> {
                $crate::fields::Field::write(&self.bits(), dst)
            }
        }
    )*};
}
pub(crate) use flags;

/// Declares codes that peers may extend: a number with named values, which can be a field of a row.
macro_rules! codes {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident($bits:ty) {
            $( $(#[$code_meta:meta])* $code:ident = $value:expr; )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $bits);

        impl $name {
            $( $(#[$code_meta])* pub const $code: Self = Self($value); )*
        }

        impl $crate::fields::Field for $name {
            const SIZE: usize = size_of::<$bits>();

            fn read(
                src: &mut ironrdp_core::ReadCursor<'_>,
                name: &'static str,
            ) -> ironrdp_core::DecodeResult<Self> {
                <$bits as $crate::fields::Field>::read(src, name).map(Self)
            }

            fn write(&self, dst: &mut ironrdp_core::WriteCursor<'_>) -> ironrdp_core::EncodeResult<()> {
                $crate::fields::Field::write(&self.0, dst)
            }
        }
    )*};
}
pub(crate) use codes;

/// Declares structures whose fields follow each other on the wire in the order given; `= "name"` is the spec's name.
///
/// `pad N` at the end is N bytes that are written as zeros and may be missing when read: every row stands in an
/// envelope with a length of its own, and peers leave padding out.
macro_rules! rows {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* pub $field:ident: $ty:ty = $wire:literal, )*
        }
        $( pad $pad:literal; )?
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $ty, )*
        }

        impl ironrdp_core::Decode<'_> for $name {
            const NAME: &'static str = stringify!($name);

            fn decode_body(src: &mut ironrdp_core::ReadCursor<'_>) -> ironrdp_core::DecodeResult<Self> {
                let value = Self {
                    $( $field: <$ty as $crate::fields::Field>::read(src, $wire)?, )*
                };
                $( src.skip(src.remaining().min($pad), "pad")?; )?
                Ok(value)
            }
        }

        impl ironrdp_core::Encode for $name {
            fn name(&self) -> &'static str {
                stringify!($name)
            }

            fn size(&self) -> usize {
                0 $( + <$ty as $crate::fields::Field>::SIZE )* $( + $pad )?
            }

            fn encode(&self, dst: &mut ironrdp_core::WriteCursor<'_>) -> ironrdp_core::EncodeResult<()> {
                $( $crate::fields::Field::write(&self.$field, dst)?; )*
                $( dst.zeros($pad)?; )?
                Ok(())
            }
        }
    )*};
}
pub(crate) use rows;

//! The Client Info packet itself.

use alloc::string::String;

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
    len_u16,
};

use super::{ExtendedInfo, InfoFlags, Secret};
use crate::text::{utf16_size, write_utf16_z};

/// Credentials and wishes of the client (`TS_INFO_PACKET`, MS-RDPBCGR 2.2.1.11.1.1).
///
/// Travels behind a header with [`INFO_PACKET`](crate::security::SecurityFlags::INFO_PACKET) and takes all of its envelope.
/// Without [`InfoFlags::UNICODE`] texts are bytes of the client's code page, which we do not convert: each byte becomes
/// the character of the same number, exact for ASCII and Latin-1.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientInfo {
    /// The ANSI code page, or the input locale in Unicode packets; information only.
    pub code_page: u32,
    /// What the client wants.
    pub flags: InfoFlags,
    /// The user's domain; empty for none.
    pub domain: String,
    /// The user's name.
    pub user_name: String,
    /// The password or PIN.
    pub password: Secret<String>,
    /// A program to start instead of the desktop; empty for the desktop.
    pub alternate_shell: String,
    /// The directory it starts in.
    pub working_dir: String,
    /// Absent from clients before RDP 5.
    pub extended: Option<ExtendedInfo>,
}

crate::debug_hiding!(ClientInfo {
    code_page, flags, domain, user_name, alternate_shell, working_dir, extended
} hides { password });

impl Decode<'_> for ClientInfo {
    const NAME: &'static str = "ClientInfo";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let code_page = src.u32_le("CodePage")?;
        let flags = InfoFlags::from_bits_retain(src.u32_le("flags")?);
        let text = if flags.contains(InfoFlags::UNICODE) {
            read_unicode
        } else {
            read_ansi
        };
        let domain = src.u16_le("cbDomain")?;
        let user_name = src.u16_le("cbUserName")?;
        let password = src.u16_le("cbPassword")?;
        let alternate_shell = src.u16_le("cbAlternateShell")?;
        let working_dir = src.u16_le("cbWorkingDir")?;
        let info = Self {
            code_page,
            flags,
            domain: text(src, domain, "cbDomain")?,
            user_name: text(src, user_name, "cbUserName")?,
            password: Secret::new(text(src, password, "cbPassword")?),
            alternate_shell: text(src, alternate_shell, "cbAlternateShell")?,
            working_dir: text(src, working_dir, "cbWorkingDir")?,
            extended: if src.is_empty() {
                None
            } else {
                Some(ExtendedInfo::decode(src)?)
            },
        };
        // The packet ends its envelope; later versions may add fields.
        src.rest();
        Ok(info)
    }
}

/// Reads `size` bytes of UTF-16 and the terminator that the size leaves out.
fn read_unicode(src: &mut ReadCursor<'_>, size: u16, field: &'static str) -> DecodeResult<String> {
    if !size.is_multiple_of(2) {
        return Err(src.invalid(field, size));
    }
    let bytes = src.sub(size.into(), field)?.rest();
    src.skip(2, field)?;
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .take_while(|unit| *unit != 0);
    // Room for the longest UTF-8 form from the start: a password must not be left behind in outgrown allocations.
    let mut text = String::with_capacity(usize::from(size) / 2 * 3);
    text.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    Ok(text)
}

/// Reads `size` bytes, one a character, and the terminator that the size leaves out.
fn read_ansi(src: &mut ReadCursor<'_>, size: u16, field: &'static str) -> DecodeResult<String> {
    let bytes = src.sub(size.into(), field)?.rest();
    src.skip(1, field)?;
    let mut text = String::with_capacity(usize::from(size) * 2);
    text.extend(
        bytes
            .iter()
            .take_while(|byte| **byte != 0)
            .map(|byte| char::from(*byte)),
    );
    Ok(text)
}

impl ClientInfo {
    /// A Unicode packet with these credentials and an extended info without optional fields; the rest is empty.
    pub fn new(user_name: &str, password: &str) -> Self {
        Self {
            code_page: 0,
            flags: InfoFlags::UNICODE,
            domain: String::new(),
            user_name: user_name.into(),
            password: password.into(),
            alternate_shell: String::new(),
            working_dir: String::new(),
            extended: Some(ExtendedInfo::default()),
        }
    }

    fn is_unicode(&self) -> bool {
        self.flags.contains(InfoFlags::UNICODE)
    }

    /// Texts in wire order, each with the field that holds its length.
    fn texts(&self) -> [(&str, &'static str); 5] {
        [
            (&self.domain, "cbDomain"),
            (&self.user_name, "cbUserName"),
            (self.password.expose(), "cbPassword"),
            (&self.alternate_shell, "cbAlternateShell"),
            (&self.working_dir, "cbWorkingDir"),
        ]
    }

    /// Bytes of `text` without its terminator.
    fn text_size(&self, text: &str) -> usize {
        if self.is_unicode() {
            utf16_size(text)
        } else {
            text.chars().count()
        }
    }
}

impl Encode for ClientInfo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const FIXED: usize = 4 /* CodePage */ + 4 /* flags */ + 5 * 2 /* lengths */;
        let terminator = if self.is_unicode() { 2 } else { 1 };
        let texts: usize = self
            .texts()
            .iter()
            .map(|(text, _)| self.text_size(text) + terminator)
            .sum();
        FIXED + texts + self.extended.as_ref().map_or(0, Encode::size)
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.code_page)?;
        dst.u32_le(self.flags.bits())?;
        for (text, field) in self.texts() {
            dst.u16_le(len_u16(self.text_size(text), Self::NAME, field)?)?;
        }
        for (text, field) in self.texts() {
            if self.is_unicode() {
                write_utf16_z(dst, text)?;
            } else {
                for c in text.chars() {
                    let byte = u8::try_from(c)
                        .map_err(|_| EncodeError::new(Self::NAME, field, EncodeErrorKind::Invalid))?;
                    dst.u8(byte)?;
                }
                dst.u8(0)?;
            }
        }
        match &self.extended {
            Some(extended) => extended.encode(dst),
            None => Ok(()),
        }
    }
}

//! What the server tells the client about the login (Save Session Info).

use alloc::string::String;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16, len_u32};

use crate::client_info::ServerAutoReconnect;
use crate::fields::{codes, rows};
use crate::text::{read_utf16, utf16_size, write_utf16_padded, write_utf16_z};

/// News about the login (`TS_SAVE_SESSION_INFO_PDU_DATA`, MS-RDPBCGR 2.2.10.1.1).
///
/// Whatever its kind: the user is logged on once it arrives, except for an [`Extended`](Self::Extended) one that
/// only brings [`LogonErrors`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveSessionInfo {
    /// Who is logged on (`INFOTYPE_LOGON`).
    Logon(LogonInfo),
    /// Who is logged on, with longer texts (`INFOTYPE_LOGON_LONG`).
    LogonLong(LogonInfo),
    /// Somebody is logged on (`INFOTYPE_LOGON_PLAINNOTIFY`).
    PlainNotify,
    /// A cookie to come back with, or what is wrong with the login (`INFOTYPE_LOGON_EXTENDED_INFO`).
    Extended(LogonExtended),
}

/// Who is logged on (`TS_LOGON_INFO` and `TS_LOGON_INFO_VERSION_2`, MS-RDPBCGR 2.2.10.1.1.1 and .2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogonInfo {
    /// Domain or computer name; at most 25 UTF-16 units in the short form.
    pub domain: String,
    /// User name; at most 255 UTF-16 units in the short form.
    pub user_name: String,
    /// The session on the server.
    pub session_id: u32,
}

/// More about the login (`TS_LOGON_INFO_EXTENDED`, MS-RDPBCGR 2.2.10.1.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogonExtended {
    /// A cookie to come back with after the connection broke.
    pub auto_reconnect: Option<ServerAutoReconnect>,
    /// What is wrong with the login, or going on in it.
    pub errors: Option<LogonErrors>,
}

codes! {
    /// What a login is waiting for or suffering from (`ErrorNotificationType`).
    pub struct LogonNotification(u32) {
        /// Taking over another user's session was refused: `LOGON_MSG_DISCONNECT_REFUSED`.
        DISCONNECT_REFUSED = 0xffff_fff9;
        /// The user may not log on: `LOGON_MSG_NO_PERMISSION`.
        NO_PERMISSION = 0xffff_fffa;
        /// A dialog asks whose session is to end: `LOGON_MSG_BUMP_OPTIONS`.
        BUMP_OPTIONS = 0xffff_fffb;
        /// A dialog asks which session to take up again: `LOGON_MSG_RECONNECT_OPTIONS`.
        RECONNECT_OPTIONS = 0xffff_fffc;
        /// The session is being ended: `LOGON_MSG_SESSION_TERMINATE`.
        SESSION_TERMINATE = 0xffff_fffd;
        /// The login goes on: `LOGON_MSG_SESSION_CONTINUE`.
        SESSION_CONTINUE = 0xffff_fffe;
        /// Access is denied.
        ACCESS_DENIED = 0xffff_ffff;
    }

    /// What went wrong with a login, or the id of the session it is about (`ErrorNotificationData`).
    pub struct LogonErrorData(u32) {
        /// Wrong user name or password: `LOGON_FAILED_BAD_PASSWORD`.
        BAD_PASSWORD = 0;
        /// The password has to be changed: `LOGON_FAILED_UPDATE_PASSWORD`.
        UPDATE_PASSWORD = 1;
        /// It failed for another reason: `LOGON_FAILED_OTHER`.
        OTHER = 2;
        /// The user is shown a warning: `LOGON_WARNING`.
        WARNING = 3;
    }
}

rows! {
    /// What is wrong with a login, or going on in it (`TS_LOGON_ERRORS_INFO`, MS-RDPBCGR 2.2.10.1.1.4.1.1).
    pub struct LogonErrors {
        /// What it is.
        pub notification: LogonNotification = "ErrorNotificationType",
        /// More about it.
        pub data: LogonErrorData = "ErrorNotificationData",
    }
}

/// `LOGON_EX_AUTORECONNECTCOOKIE`: the cookie is present.
const FIELD_COOKIE: u32 = 0x0000_0001;
/// `LOGON_EX_LOGONERRORS`: the errors are present.
const FIELD_ERRORS: u32 = 0x0000_0002;

const INFO_TYPE_LOGON: u32 = 0;
const INFO_TYPE_LOGON_LONG: u32 = 1;
const INFO_TYPE_PLAIN_NOTIFY: u32 = 2;
const INFO_TYPE_EXTENDED: u32 = 3;

/// Bytes of the domain field of the short form.
const DOMAIN: usize = 52;
/// Bytes of the user name field of the short form.
const USER_NAME: usize = 512;
/// `SAVE_SESSION_PDU_VERSION_ONE`, the only version of the long form.
const LONG_VERSION: u16 = 1;
/// Bytes of the long form before its padding.
const LONG_FIXED: usize = 2 /* Version */ + 4 /* Size */ + 4 /* SessionId */ + 4 /* cbDomain */ + 4 /* cbUserName */;
const LONG_PAD: usize = 558;
const PLAIN_NOTIFY_PAD: usize = 576;
const EXTENDED_FIXED: usize = 2 /* Length */ + 4 /* FieldsPresent */;
const EXTENDED_PAD: usize = 570;

impl SaveSessionInfo {
    const fn info_type(&self) -> u32 {
        match self {
            Self::Logon(_) => INFO_TYPE_LOGON,
            Self::LogonLong(_) => INFO_TYPE_LOGON_LONG,
            Self::PlainNotify => INFO_TYPE_PLAIN_NOTIFY,
            Self::Extended(_) => INFO_TYPE_EXTENDED,
        }
    }
}

impl Decode<'_> for SaveSessionInfo {
    const NAME: &'static str = "SaveSessionInfo";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(match src.u32_le("infoType")? {
            INFO_TYPE_LOGON => Self::Logon(LogonInfo::read_short(src)?),
            INFO_TYPE_LOGON_LONG => Self::LogonLong(LogonInfo::read_long(src)?),
            INFO_TYPE_PLAIN_NOTIFY => {
                // Nothing but padding, of which servers send what they like.
                src.skip(src.remaining().min(PLAIN_NOTIFY_PAD), "pad")?;
                Self::PlainNotify
            }
            INFO_TYPE_EXTENDED => Self::Extended(LogonExtended::decode(src)?),
            other => return Err(src.unsupported("infoType", other)),
        })
    }
}

impl Encode for SaveSessionInfo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 + match self {
            Self::Logon(_) => 4 + DOMAIN + 4 + USER_NAME + 4,
            Self::LogonLong(info) => LONG_FIXED + LONG_PAD + z_size(&info.domain) + z_size(&info.user_name),
            Self::PlainNotify => PLAIN_NOTIFY_PAD,
            Self::Extended(info) => info.size(),
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(self.info_type())?;
        match self {
            Self::Logon(info) => info.write_short(dst),
            Self::LogonLong(info) => info.write_long(dst),
            Self::PlainNotify => dst.zeros(PLAIN_NOTIFY_PAD),
            Self::Extended(info) => info.encode(dst),
        }
    }
}

/// Bytes of `text` with its terminator.
fn z_size(text: &str) -> usize {
    utf16_size(text) + 2
}

impl LogonInfo {
    fn read_short(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            domain: read_field(src, DOMAIN, "cbDomain", "Domain")?,
            user_name: read_field(src, USER_NAME, "cbUserName", "UserName")?,
            session_id: src.u32_le("SessionId")?,
        })
    }

    fn write_short(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let name = SaveSessionInfo::NAME;
        dst.u32_le(len_u32(z_size(&self.domain), name, "cbDomain")?)?;
        write_utf16_padded(dst, &self.domain, DOMAIN, "Domain")?;
        dst.u32_le(len_u32(z_size(&self.user_name), name, "cbUserName")?)?;
        write_utf16_padded(dst, &self.user_name, USER_NAME, "UserName")?;
        dst.u32_le(self.session_id)
    }

    fn read_long(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let version = src.u16_le("Version")?;
        if version != LONG_VERSION {
            return Err(src.unsupported("Version", version));
        }
        // Windows says 18 here, without the padding; others count it. The layout is the same.
        src.skip(4, "Size")?;
        let session_id = src.u32_le("SessionId")?;
        let domain = length(src, "cbDomain")?;
        let user_name = length(src, "cbUserName")?;
        src.skip(LONG_PAD, "pad")?;
        Ok(Self {
            domain: read_utf16(src, domain, "cbDomain")?,
            user_name: read_utf16(src, user_name, "cbUserName")?,
            session_id,
        })
    }

    fn write_long(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let name = SaveSessionInfo::NAME;
        dst.u16_le(LONG_VERSION)?;
        dst.u32_le(len_u32(LONG_FIXED, name, "Size")?)?;
        dst.u32_le(self.session_id)?;
        dst.u32_le(len_u32(z_size(&self.domain), name, "cbDomain")?)?;
        dst.u32_le(len_u32(z_size(&self.user_name), name, "cbUserName")?)?;
        dst.zeros(LONG_PAD)?;
        write_utf16_z(dst, &self.domain)?;
        write_utf16_z(dst, &self.user_name)
    }
}

fn length(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<usize> {
    // On a 16-bit target a length that does not fit cannot be there either.
    Ok(usize::try_from(src.u32_le(field)?).unwrap_or(usize::MAX))
}

/// Reads a length and the text of that length at the start of a field of `size` bytes.
fn read_field(
    src: &mut ReadCursor<'_>,
    size: usize,
    length_field: &'static str,
    field: &'static str,
) -> DecodeResult<String> {
    let length = length(src, length_field)?;
    if length > size {
        return Err(src.lies(length_field, length, size));
    }
    // Taken as bytes first: too few of them is a short PDU, not a length that lies.
    let offset = src.offset();
    let bytes = src.bytes(size, field)?;
    read_utf16(&mut ReadCursor::with_offset(bytes, offset), length, length_field)
}

impl Decode<'_> for LogonExtended {
    const NAME: &'static str = "LogonExtended";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let available = src.remaining();
        let length = usize::from(src.u16_le("Length")?);
        if length > available {
            return Err(src.lies("Length", length, available));
        }
        let fields = src.u32_le("FieldsPresent")?;
        let mut info = Self::default();
        if fields & FIELD_COOKIE != 0 {
            info.auto_reconnect = Some(ServerAutoReconnect::decode(&mut field_data(src)?)?);
        }
        if fields & FIELD_ERRORS != 0 {
            info.errors = Some(LogonErrors::decode(&mut field_data(src)?)?);
        }
        src.skip(src.remaining().min(EXTENDED_PAD), "Pad")?;
        Ok(info)
    }
}

fn field_data<'a>(src: &mut ReadCursor<'a>) -> DecodeResult<ReadCursor<'a>> {
    let length = length(src, "cbFieldData")?;
    src.sub(length, "cbFieldData")
}

impl Encode for LogonExtended {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let cookie = self.auto_reconnect.as_ref().map_or(0, |cookie| 4 + cookie.size());
        let errors = self.errors.map_or(0, |errors| 4 + errors.size());
        EXTENDED_FIXED + cookie + errors + EXTENDED_PAD
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(len_u16(self.size() - EXTENDED_PAD, Self::NAME, "Length")?)?;
        let cookie = self.auto_reconnect.as_ref().map_or(0, |_| FIELD_COOKIE);
        dst.u32_le(cookie | self.errors.map_or(0, |_| FIELD_ERRORS))?;
        if let Some(cookie) = &self.auto_reconnect {
            dst.u32_le(len_u32(cookie.size(), Self::NAME, "cbFieldData")?)?;
            cookie.encode(dst)?;
        }
        if let Some(errors) = &self.errors {
            dst.u32_le(len_u32(errors.size(), Self::NAME, "cbFieldData")?)?;
            errors.encode(dst)?;
        }
        dst.zeros(EXTENDED_PAD)
    }
}

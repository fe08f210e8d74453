//! What clients since RDP 5 add to the Client Info packet.

use alloc::string::String;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16};

use super::{ClientAutoReconnect, PerformanceFlags, TimeZone};
use crate::text::{read_utf16, utf16_size, write_utf16, write_utf16_z};

/// Where the client is and what it can do without (`TS_EXTENDED_INFO_PACKET`, MS-RDPBCGR 2.2.1.11.1.1.1).
///
/// Fields after `client_dir` are optional but ordered: a client stops where its version ends. When one is present,
/// encoding writes those before it too, with zeros for what is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtendedInfo {
    /// Kind of `client_address`.
    pub address_family: AddressFamily,
    /// The client's own idea of its address, as text.
    pub client_address: String,
    /// Where the client program lies.
    pub client_dir: String,
    /// The client's time zone.
    pub time_zone: Option<TimeZone>,
    /// Zero, unless the client runs in a session itself.
    pub client_session_id: Option<u32>,
    /// What the server may leave out.
    pub performance_flags: Option<PerformanceFlags>,
    /// The proof for coming back to a session.
    pub auto_reconnect: Option<ClientAutoReconnect>,
    /// The time zone by name, so that the server can follow rules that change from year to year.
    pub dynamic_time_zone: Option<DynamicTimeZone>,
}

/// Kind of the client's address (`clientAddressFamily`, MS-RDPBCGR 2.2.1.11.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AddressFamily {
    /// IPv4, `AF_INET`.
    #[default]
    Inet,
    /// IPv6, `AF_INET6`.
    Inet6,
    /// Something else, or nothing (zero).
    Other(u16),
}

impl From<u16> for AddressFamily {
    fn from(family: u16) -> Self {
        match family {
            0x0002 => Self::Inet,
            0x0017 => Self::Inet6,
            other => Self::Other(other),
        }
    }
}

impl From<AddressFamily> for u16 {
    fn from(family: AddressFamily) -> Self {
        match family {
            AddressFamily::Inet => 0x0002,
            AddressFamily::Inet6 => 0x0017,
            AddressFamily::Other(other) => other,
        }
    }
}

/// A time zone by its name in the registry (`dynamicDSTTimeZoneKeyName`, MS-RDPBCGR 2.2.1.11.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamicTimeZone {
    /// The key name, such as `Pacific Standard Time`.
    pub key_name: String,
    /// The user switched daylight saving off; absent from clients that stop after the name.
    pub daylight_disabled: Option<bool>,
}

impl Decode<'_> for ExtendedInfo {
    const NAME: &'static str = "ExtendedInfo";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let address_family = AddressFamily::from(src.u16_le("clientAddressFamily")?);
        let client_address = read_counted(src, "cbClientAddress")?;
        let client_dir = read_counted(src, "cbClientDir")?;
        let time_zone = optional(src, TimeZone::decode)?;
        let client_session_id = optional(src, |src| src.u32_le("clientSessionId"))?;
        let performance_flags = optional(src, |src| {
            src.u32_le("performanceFlags")
                .map(PerformanceFlags::from_bits_retain)
        })?;
        let auto_reconnect = optional(src, read_auto_reconnect)?.flatten();
        optional(src, |src| src.skip(2, "reserved1"))?;
        optional(src, |src| src.skip(2, "reserved2"))?;
        let dynamic_time_zone = optional(src, |src| {
            Ok(DynamicTimeZone {
                key_name: read_counted(src, "cbDynamicDSTTimeZoneKeyName")?,
                daylight_disabled: optional(src, |src| {
                    src.u16_le("dynamicDaylightTimeDisabled").map(|flag| flag != 0)
                })?,
            })
        })?;
        Ok(Self {
            address_family,
            client_address,
            client_dir,
            time_zone,
            client_session_id,
            performance_flags,
            auto_reconnect,
            dynamic_time_zone,
        })
    }
}

/// A field that is there unless the input ends before it.
fn optional<'de, T>(
    src: &mut ReadCursor<'de>,
    read: impl FnOnce(&mut ReadCursor<'de>) -> DecodeResult<T>,
) -> DecodeResult<Option<T>> {
    if src.is_empty() {
        Ok(None)
    } else {
        read(src).map(Some)
    }
}

fn read_counted(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<String> {
    let size = src.u16_le(field)?;
    if !size.is_multiple_of(2) {
        return Err(src.invalid(field, size));
    }
    read_utf16(src, size.into(), field)
}

fn read_auto_reconnect(src: &mut ReadCursor<'_>) -> DecodeResult<Option<ClientAutoReconnect>> {
    let size = src.u16_le("cbAutoReconnectCookie")?;
    if size == 0 {
        return Ok(None);
    }
    let mut cookie = src.sub(size.into(), "cbAutoReconnectCookie")?;
    ClientAutoReconnect::decode(&mut cookie).map(Some)
}

/// How many of the optional fields go on the wire, counted so that each implies those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    Directory,
    TimeZone,
    SessionId,
    PerformanceFlags,
    AutoReconnect,
    DynamicTimeZone,
}

impl ExtendedInfo {
    fn extent(&self) -> Extent {
        if self.dynamic_time_zone.is_some() {
            Extent::DynamicTimeZone
        } else if self.auto_reconnect.is_some() {
            Extent::AutoReconnect
        } else if self.performance_flags.is_some() {
            Extent::PerformanceFlags
        } else if self.client_session_id.is_some() {
            Extent::SessionId
        } else if self.time_zone.is_some() {
            Extent::TimeZone
        } else {
            Extent::Directory
        }
    }
}

impl Encode for ExtendedInfo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const COUNT: usize = 2;
        const TERMINATOR: usize = 2;
        let extent = self.extent();
        let mut size = 2 /* clientAddressFamily */
            + COUNT + utf16_size(&self.client_address) + TERMINATOR
            + COUNT + utf16_size(&self.client_dir) + TERMINATOR;
        if extent >= Extent::TimeZone {
            size += TimeZone::SIZE;
        }
        if extent >= Extent::SessionId {
            size += 4;
        }
        if extent >= Extent::PerformanceFlags {
            size += 4;
        }
        if extent >= Extent::AutoReconnect {
            size += COUNT + self.auto_reconnect.as_ref().map_or(0, Encode::size);
        }
        if let Some(zone) = &self.dynamic_time_zone {
            size += 2 /* reserved1 */ + 2 /* reserved2 */ + COUNT + utf16_size(&zone.key_name);
            size += zone.daylight_disabled.map_or(0, |_| 2);
        }
        size
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let extent = self.extent();
        dst.u16_le(self.address_family.into())?;
        // 2.2.1.11.1.1.1: unlike the counts of the info packet, these two include the terminator.
        for (text, field) in [
            (&self.client_address, "cbClientAddress"),
            (&self.client_dir, "cbClientDir"),
        ] {
            dst.u16_le(len_u16(utf16_size(text) + 2, Self::NAME, field)?)?;
            write_utf16_z(dst, text)?;
        }
        if extent >= Extent::TimeZone {
            match &self.time_zone {
                Some(zone) => zone.encode(dst)?,
                None => dst.zeros(TimeZone::SIZE)?,
            }
        }
        if extent >= Extent::SessionId {
            dst.u32_le(self.client_session_id.unwrap_or(0))?;
        }
        if extent >= Extent::PerformanceFlags {
            dst.u32_le(self.performance_flags.map_or(0, |flags| flags.bits()))?;
        }
        if extent >= Extent::AutoReconnect {
            let cookie = self.auto_reconnect.as_ref();
            let size = cookie.map_or(0, Encode::size);
            dst.u16_le(len_u16(size, Self::NAME, "cbAutoReconnectCookie")?)?;
            cookie.map_or(Ok(()), |cookie| cookie.encode(dst))?;
        }
        if let Some(zone) = &self.dynamic_time_zone {
            dst.zeros(2 /* reserved1 */ + 2 /* reserved2 */)?;
            // This one has neither a terminator nor counts one.
            let size = utf16_size(&zone.key_name);
            dst.u16_le(len_u16(size, Self::NAME, "cbDynamicDSTTimeZoneKeyName")?)?;
            write_utf16(dst, &zone.key_name)?;
            if let Some(disabled) = zone.daylight_disabled {
                dst.u16_le(disabled.into())?;
            }
        }
        Ok(())
    }
}

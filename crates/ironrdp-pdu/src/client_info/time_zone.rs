//! The client's time zone and its rules for daylight saving.

use alloc::string::String;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use crate::text::{read_utf16, write_utf16_padded};

/// Standard and daylight time of a zone (`TS_TIME_ZONE_INFORMATION`, MS-RDPBCGR 2.2.1.11.1.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimeZone {
    /// Minutes to add to local time to get UTC.
    pub bias: i32,
    /// Name of standard time, at most 31 UTF-16 units.
    pub standard_name: String,
    /// When standard time begins.
    pub standard_date: SystemTime,
    /// Minutes to add to `bias` in standard time.
    pub standard_bias: i32,
    /// Name of daylight time, at most 31 UTF-16 units.
    pub daylight_name: String,
    /// When daylight time begins.
    pub daylight_date: SystemTime,
    /// Minutes to add to `bias` in daylight time.
    pub daylight_bias: i32,
}

const NAME_SIZE: usize = 64;

impl TimeZone {
    /// Bytes on the wire.
    pub const SIZE: usize = 4 /* Bias */ + 2 * (NAME_SIZE + SystemTime::SIZE + 4 /* its bias */);
}

impl Decode<'_> for TimeZone {
    const NAME: &'static str = "TimeZone";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        Ok(Self {
            bias: src.i32_le("Bias")?,
            standard_name: read_name(src, "StandardName")?,
            standard_date: SystemTime::decode(src)?,
            standard_bias: src.i32_le("StandardBias")?,
            daylight_name: read_name(src, "DaylightName")?,
            daylight_date: SystemTime::decode(src)?,
            daylight_bias: src.i32_le("DaylightBias")?,
        })
    }
}

fn read_name(src: &mut ReadCursor<'_>, field: &'static str) -> DecodeResult<String> {
    let bytes = src.array::<NAME_SIZE>(field)?;
    read_utf16(&mut ReadCursor::new(&bytes), NAME_SIZE, field)
}

impl Encode for TimeZone {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.i32_le(self.bias)?;
        write_utf16_padded(dst, &self.standard_name, NAME_SIZE, "StandardName")?;
        self.standard_date.encode(dst)?;
        dst.i32_le(self.standard_bias)?;
        write_utf16_padded(dst, &self.daylight_name, NAME_SIZE, "DaylightName")?;
        self.daylight_date.encode(dst)?;
        dst.i32_le(self.daylight_bias)
    }
}

/// A date as Windows writes it (`TS_SYSTEMTIME`, MS-RDPBCGR 2.2.1.11.1.1.1.1.1).
///
/// In a time zone it is a rule: with `year` zero, `day` counts the weekday's turn in the month (5 is the last one).
/// All zero means no change to daylight time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SystemTime {
    /// The year, or zero for a rule that holds every year.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u16,
    /// Day of the week, 0 (Sunday) to 6.
    pub day_of_week: u16,
    /// Day of the month, or the weekday's turn.
    pub day: u16,
    /// Hour, 0 to 23.
    pub hour: u16,
    /// Minute, 0 to 59.
    pub minute: u16,
    /// Second, 0 to 59.
    pub second: u16,
    /// Millisecond, 0 to 999.
    pub milliseconds: u16,
}

impl SystemTime {
    /// Bytes on the wire.
    pub const SIZE: usize = 8 * 2;
}

impl Decode<'_> for SystemTime {
    const NAME: &'static str = "SystemTime";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        // Out-of-range values are kept: a client with a broken clock is still a client.
        Ok(Self {
            year: src.u16_le("wYear")?,
            month: src.u16_le("wMonth")?,
            day_of_week: src.u16_le("wDayOfWeek")?,
            day: src.u16_le("wDay")?,
            hour: src.u16_le("wHour")?,
            minute: src.u16_le("wMinute")?,
            second: src.u16_le("wSecond")?,
            milliseconds: src.u16_le("wMilliseconds")?,
        })
    }
}

impl Encode for SystemTime {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        [
            self.year,
            self.month,
            self.day_of_week,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.milliseconds,
        ]
        .into_iter()
        .try_for_each(|field| dst.u16_le(field))
    }
}

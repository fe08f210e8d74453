//! The two time formats of X.509.

use core::fmt;
use core::time::Duration;
use std::time::SystemTime;

use crate::der::{Element, GENERALIZED_TIME, UTC_TIME};

/// A point in time from a certificate, to the second; displays as `2026-11-22T07:41:16Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateTime {
    unix_seconds: i64,
}

impl CertificateTime {
    /// From seconds since 1970-01-01T00:00:00Z.
    pub const fn from_unix_seconds(unix_seconds: i64) -> Self {
        Self { unix_seconds }
    }

    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub const fn unix_seconds(self) -> i64 {
        self.unix_seconds
    }

    /// The same as a `SystemTime`; none if the platform cannot hold it.
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_secs(self.unix_seconds.unsigned_abs());
        if self.unix_seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(distance)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(distance)
        }
    }

    /// Reads UTCTime or GeneralizedTime in the one form that RFC 5280 4.1.2.5 allows: seconds, and `Z`.
    pub(crate) fn from_der(element: &Element<'_>) -> Option<Self> {
        let (year, rest) = match element.tag {
            UTC_TIME => {
                let (year, rest) = number(element.contents, 2)?;
                // 4.1.2.5.1: the two digits mean 1950 to 2049.
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => number(element.contents, 4)?,
            _ => return None,
        };
        let (month, rest) = number(rest, 2)?;
        let (day, rest) = number(rest, 2)?;
        let (hour, rest) = number(rest, 2)?;
        let (minute, rest) = number(rest, 2)?;
        let (second, rest) = number(rest, 2)?;
        let in_range = rest == b"Z"
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        in_range.then(|| Self {
            unix_seconds: ((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second,
        })
    }
}

impl fmt::Display for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.unix_seconds.div_euclid(86_400);
        let seconds = self.unix_seconds.rem_euclid(86_400);
        let (year, month, day) = civil_date(days);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// The first `digits` bytes as a decimal number, and what follows.
fn number(text: &[u8], digits: usize) -> Option<(i64, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let value = head.iter().try_fold(0_i64, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
    })?;
    Some((value, rest))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days before 1 January of `year`, counted from 1 January of year 1 (Gregorian throughout).
fn days_before_year(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400)
}

const EPOCH: i64 = 719_162; // days_before_year(1970)

fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let before_month: i64 = (1..month).map(|earlier| days_in_month(year, earlier)).sum();
    days_before_year(year) - EPOCH + before_month + day - 1
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil_date(days: i64) -> (i64, i64, i64) {
    // 146,097 days are exactly 400 years. The estimate is at most one year off, either way.
    let since_year_1 = days.saturating_add(EPOCH);
    let cycles = since_year_1.div_euclid(146_097);
    let in_cycle = since_year_1.rem_euclid(146_097);
    let mut year = cycles * 400 + in_cycle / 366 + 1;
    let mut left = since_year_1 - days_before_year(year);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let mut month = 1;
    while left >= days_in_month(year, month) {
        left -= days_in_month(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{CertificateTime, EPOCH, days_before_year};
    use crate::der::DerReader;

    fn parse(tag: u8, text: &str) -> Option<CertificateTime> {
        let mut der = vec![tag, u8::try_from(text.len()).unwrap()];
        der.extend_from_slice(text.as_bytes());
        CertificateTime::from_der(&DerReader::new(&der).element("time").unwrap())
    }

    #[test]
    fn known_dates_convert_both_ways() {
        assert_eq!(days_before_year(1970), EPOCH);
        for (tag, text, unix, shown) in [
            (0x17, "700101000000Z", 0, "1970-01-01T00:00:00Z"),
            (0x17, "500101000000Z", -631_152_000, "1950-01-01T00:00:00Z"),
            (0x17, "491231235959Z", 2_524_607_999, "2049-12-31T23:59:59Z"),
            (0x17, "000229120000Z", 951_825_600, "2000-02-29T12:00:00Z"),
            (0x18, "20380119031408Z", 2_147_483_648, "2038-01-19T03:14:08Z"),
            (0x18, "21240101000000Z", 4_859_740_800, "2124-01-01T00:00:00Z"),
            // RFC 5280 4.1.2.5: "no well-defined expiration date".
            (0x18, "99991231235959Z", 253_402_300_799, "9999-12-31T23:59:59Z"),
            (0x18, "00010101000000Z", -62_135_596_800, "0001-01-01T00:00:00Z"),
        ] {
            let time = parse(tag, text).unwrap();
            assert_eq!((time.unix_seconds(), time.to_string().as_str()), (unix, shown));
        }
    }

    #[test]
    fn every_day_of_eight_centuries_displays_as_the_one_after_the_last() {
        let mut last = String::new();
        for day in -146_097_i64..=146_097 {
            let shown = CertificateTime::from_unix_seconds(day * 86_400).to_string();
            let (date, _) = shown.split_once('T').unwrap();
            let again = parse(0x18, &format!("{}000000Z", date.replace('-', ""))).unwrap();
            assert_eq!(again.unix_seconds(), day * 86_400);
            assert!(last.as_str() < date, "{last} then {date}");
            last = date.to_owned();
        }
    }

    #[test]
    fn malformed_times_are_refused() {
        for text in [
            "",
            "Z",
            "7001010000Z",
            "700101000000",
            "700101000000+0100",
            "700132000000Z",
            "701301000000Z",
            "700001000000Z",
            "010229000000Z",
            "700101240000Z",
            "700101006000Z",
            "700101000060Z",
            "70010100000aZ",
            "700101000000ZZ",
        ] {
            assert_eq!(parse(0x17, text), None, "{text}");
        }
        assert_eq!(parse(0x18, "700101000000Z"), None);
        assert_eq!(parse(0x13, "700101000000Z"), None);
    }

    #[test]
    fn system_time_agrees() {
        let time = CertificateTime::from_unix_seconds(86_400);
        assert_eq!(
            time.to_system_time(),
            Some(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400))
        );
    }
}

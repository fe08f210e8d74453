//! SHA-256 fingerprints and how people write them.

use core::fmt;
use core::str::FromStr;

use crate::crypto::sha256;

/// SHA-256 of a certificate, or of its public key (the DER of SubjectPublicKeyInfo, RFC 5280 4.1).
///
/// Parses from 64 hex digits in either case, plain or in pairs with colons, with or without a leading
/// `sha256:`. Displays as 64 lower-case digits; `{:#}` puts the colons in, as `openssl x509` prints it.
///
/// ```
/// use ironrdp_tls::Fingerprint;
///
/// let text = "sha256:5E:5D:E1:22:2C:2D:7F:0C:BC:60:35:69:D2:31:63:2A:21:83:97:2A:30:FE:9A:9A:32:76:CA:65:42:8F:2D:1B";
/// let fingerprint: Fingerprint = text.parse()?;
/// assert_eq!(fingerprint.to_string(), "5e5de1222c2d7f0cbc603569d231632a2183972a30fe9a9a3276ca65428f2d1b");
/// # Ok::<(), ironrdp_tls::ParseFingerprintError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes the 32 bytes of a SHA-256 hash.
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Hashes `data`: the DER of a certificate, or of a SubjectPublicKeyInfo.
    pub fn of(data: &[u8]) -> Self {
        Self(sha256(data))
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Fingerprint {
    fn from(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if f.alternate() {
                let colon = if at == 0 { "" } else { ":" };
                write!(f, "{colon}{byte:02X}")?;
            } else {
                write!(f, "{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PREFIX: &str = "sha256:";
        let start = match text.get(..PREFIX.len()) {
            Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => PREFIX.len(),
            _ => 0,
        };
        let body = text.get(start..).unwrap_or_default();
        let with_colons = body.contains(':');
        let mut bytes = [0; 32];
        let mut digits = 0_usize;
        let mut colon_due = false;
        for (at, found) in body.char_indices() {
            let offset = start.saturating_add(at);
            if with_colons && (found == ':' || colon_due) {
                if found != ':' || !colon_due {
                    return Err(ParseFingerprintError::MisplacedColon { offset });
                }
                colon_due = false;
                continue;
            }
            let Some(value) = found.to_digit(16).and_then(|value| u8::try_from(value).ok()) else {
                return Err(ParseFingerprintError::InvalidCharacter { offset, found });
            };
            // Digits past the 64th are only counted: the error names how many there were.
            if let Some(byte) = bytes.get_mut(digits / 2) {
                *byte = (*byte << 4) | value;
            }
            digits = digits.saturating_add(1);
            colon_due = digits.is_multiple_of(2);
        }
        if digits != 64 {
            return Err(ParseFingerprintError::WrongLength { digits });
        }
        if with_colons && !colon_due || body.ends_with(':') {
            return Err(ParseFingerprintError::MisplacedColon {
                offset: text.len().saturating_sub(1),
            });
        }
        Ok(Self(bytes))
    }
}

/// Why a text is no SHA-256 fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseFingerprintError {
    /// A character that is neither a hex digit nor a colon.
    InvalidCharacter {
        /// Where it stands, in bytes.
        offset: usize,
        /// The character.
        found: char,
    },
    /// Colons are used, but not between every two digits.
    MisplacedColon {
        /// Where a colon is missing or too many, in bytes.
        offset: usize,
    },
    /// Not 64 digits. 40 are a SHA-1 fingerprint, which is not accepted: collisions are affordable.
    WrongLength {
        /// How many digits there were.
        digits: usize,
    },
}

impl fmt::Display for ParseFingerprintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidCharacter { offset, found } => {
                write!(f, "{found:?} at position {offset} is no hex digit")
            }
            Self::MisplacedColon { offset } => {
                write!(
                    f,
                    "colons must stand between every two digits, look at position {offset}"
                )
            }
            Self::WrongLength { digits: 40 } => {
                f.write_str("40 hex digits are a sha-1 fingerprint; the sha-256 one has 64")
            }
            Self::WrongLength { digits } => {
                write!(f, "{digits} hex digits where a sha-256 fingerprint has 64")
            }
        }
    }
}

impl core::error::Error for ParseFingerprintError {}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, ParseFingerprintError as Error};

    #[test]
    fn both_spellings_give_the_same_fingerprint() {
        let fingerprint = Fingerprint::of(b"abc");
        let plain = fingerprint.to_string();
        let colons = format!("{fingerprint:#}");
        assert_eq!(colons.len(), 95);
        for text in [
            plain.clone(),
            plain.to_uppercase(),
            colons.clone(),
            colons.to_lowercase(),
        ] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
            assert_eq!(format!("sha256:{text}").parse(), Ok(fingerprint));
            assert_eq!(format!("SHA256:{text}").parse(), Ok(fingerprint));
        }
    }

    #[test]
    fn what_is_no_fingerprint_says_why() {
        let digits = |n: usize| "a".repeat(n);
        let parse = |text: &str| text.parse::<Fingerprint>().unwrap_err();
        assert_eq!(parse(""), Error::WrongLength { digits: 0 });
        assert_eq!(parse(&digits(40)), Error::WrongLength { digits: 40 });
        assert_eq!(parse(&digits(63)), Error::WrongLength { digits: 63 });
        assert_eq!(parse(&digits(65)), Error::WrongLength { digits: 65 });
        assert_eq!(
            parse("12g4"),
            Error::InvalidCharacter {
                offset: 2,
                found: 'g'
            }
        );
        assert_eq!(
            parse("sha256:12ü"),
            Error::InvalidCharacter {
                offset: 9,
                found: 'ü'
            }
        );
        assert_eq!(parse("1:23"), Error::MisplacedColon { offset: 1 });
        assert_eq!(parse("12:345"), Error::MisplacedColon { offset: 5 });
        assert_eq!(
            parse(&format!("{}:", digits(64))),
            Error::MisplacedColon { offset: 2 }
        );
        let whole = format!("{:#}", Fingerprint::of(b""));
        assert_eq!(parse(&format!("{whole}:")), Error::MisplacedColon { offset: 95 });
        assert_eq!(parse(&format!(":{whole}")), Error::MisplacedColon { offset: 0 });
        assert!(parse(&digits(40)).to_string().contains("sha-1"));
    }
}

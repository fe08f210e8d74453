//! The parts of NTLM messages that are looked at outside the security package (MS-NLMP 2.2.1).

use core::time::Duration;

use ironrdp_core::{Decode, DecodeResult, ReadCursor};

use crate::LogonName;

/// How every NTLM message begins.
pub(super) const SIGNATURE: &[u8] = b"NTLMSSP\0";

const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;

const NEGOTIATE_UNICODE: u32 = 0x0000_0001;
const NEGOTIATE_KEY_EXCHANGE: u32 = 0x4000_0000;
const NEGOTIATE_VERSION: u32 = 0x0200_0000;

/// What a server says about itself before anybody has logged in (`CHALLENGE_MESSAGE`, MS-NLMP 2.2.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NtlmChallenge {
    /// The computer, by its NetBIOS name.
    pub netbios_computer: Option<String>,
    /// Its domain, by its NetBIOS name; the computer's own name where it has no domain.
    pub netbios_domain: Option<String>,
    /// The computer, by its DNS name.
    pub dns_computer: Option<String>,
    /// Its domain, by its DNS name.
    pub dns_domain: Option<String>,
    /// The forest, by its DNS name.
    pub dns_forest: Option<String>,
    /// The operating system: major, minor and build number. Servers that are not Windows send what they like.
    pub version: Option<(u8, u8, u16)>,
    /// The server's clock, since the start of 1601 in UTC.
    pub time: Option<Duration>,
}

impl NtlmChallenge {
    /// The server's clock, since the start of 1970 in UTC.
    pub fn unix_time(&self) -> Option<Duration> {
        /// 369 years, 89 of them leap years.
        const FROM_1601_TO_1970: Duration = Duration::from_secs(11_644_473_600);
        self.time?.checked_sub(FROM_1601_TO_1970)
    }
}

impl<'de> Decode<'de> for NtlmChallenge {
    const NAME: &'static str = "NtlmChallenge";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let message = src.peek();
        header(src, CHALLENGE)?;
        let _target_name = Field::read(src, "TargetNameFields")?;
        let flags = src.u32_le("NegotiateFlags")?;
        src.skip(8, "ServerChallenge")?;
        src.skip(8, "Reserved")?;
        let target_info = Field::read(src, "TargetInfoFields")?;
        let mut challenge = Self::default();
        if flags & NEGOTIATE_VERSION != 0 {
            let version: [u8; 8] = src.array("Version")?;
            challenge.version = Some((
                version[0],
                version[1],
                u16::from_le_bytes([version[2], version[3]]),
            ));
        }
        let mut pairs = target_info.of(message, "TargetInfo")?;
        src.rest();
        while !pairs.is_empty() {
            let id = pairs.u16_le("AvId")?;
            let length = pairs.u16_le("AvLen")?;
            let mut value = pairs.sub(usize::from(length), "Value")?;
            match id {
                0 => break,
                1 => challenge.netbios_computer = text(&mut value)?,
                2 => challenge.netbios_domain = text(&mut value)?,
                3 => challenge.dns_computer = text(&mut value)?,
                4 => challenge.dns_domain = text(&mut value)?,
                5 => challenge.dns_forest = text(&mut value)?,
                7 => {
                    let ticks = value.u64_le("Timestamp")?; // of 100 ns
                    let nanoseconds = u32::try_from(ticks % 10_000_000 * 100).unwrap_or(0);
                    challenge.time = Some(Duration::new(ticks / 10_000_000, nanoseconds));
                }
                _ => {}
            }
        }
        Ok(challenge)
    }
}

/// What the server needs of the client's last message before the package reads it (`AUTHENTICATE_MESSAGE`, MS-NLMP 2.2.1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NtlmAuthenticate {
    pub(super) name: LogonName,
    pub(super) exchanges_keys: bool,
}

impl<'de> Decode<'de> for NtlmAuthenticate {
    const NAME: &'static str = "NtlmAuthenticate";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let message = src.peek();
        header(src, AUTHENTICATE)?;
        let _lm_response = Field::read(src, "LmChallengeResponseFields")?;
        let _nt_response = Field::read(src, "NtChallengeResponseFields")?;
        let domain = Field::read(src, "DomainNameFields")?;
        let user = Field::read(src, "UserNameFields")?;
        let _workstation = Field::read(src, "WorkstationFields")?;
        let _session_key = Field::read(src, "EncryptedRandomSessionKeyFields")?;
        let flags = src.u32_le("NegotiateFlags")?;
        // NTLM version 2 needs it.
        if flags & NEGOTIATE_UNICODE == 0 {
            return Err(src.unsupported("NegotiateFlags", flags));
        }
        src.rest();
        Ok(Self {
            name: LogonName {
                user: text(&mut user.of(message, "UserName")?)?.unwrap_or_default(),
                domain: text(&mut domain.of(message, "DomainName")?)?.unwrap_or_default(),
            },
            exchanges_keys: flags & NEGOTIATE_KEY_EXCHANGE != 0,
        })
    }
}

fn header(src: &mut ReadCursor<'_>, message_type: u32) -> DecodeResult<()> {
    let start = src.clone();
    if src.bytes(SIGNATURE.len(), "Signature")? != SIGNATURE {
        return Err(start.invalid("Signature", start.peek_u8().unwrap_or(0)));
    }
    let start = src.clone();
    match src.u32_le("MessageType")? {
        got if got == message_type => Ok(()),
        got => Err(start.invalid("MessageType", got)),
    }
}

/// Where in the message something is.
struct Field {
    length: usize,
    offset: usize,
}

impl Field {
    fn read(src: &mut ReadCursor<'_>, name: &'static str) -> DecodeResult<Self> {
        let length = src.u16_le(name)?;
        src.skip(2, name)?; // the length again, which nobody has to look at
        let offset = src.u32_le(name)?;
        Ok(Self {
            length: usize::from(length),
            offset: usize::try_from(offset).unwrap_or(usize::MAX),
        })
    }

    fn of<'a>(&self, message: &'a [u8], name: &'static str) -> DecodeResult<ReadCursor<'a>> {
        let mut src = ReadCursor::new(message);
        if self.length == 0 {
            return src.sub(0, name);
        }
        src.skip(self.offset, name)?;
        src.sub(self.length, name)
    }
}

/// UTF-16 text; `None` if it is empty.
fn text(src: &mut ReadCursor<'_>) -> DecodeResult<Option<String>> {
    let start = src.clone();
    let (units, []) = src.rest().as_chunks::<2>() else {
        return Err(start.text("text"));
    };
    let text = char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
        .collect::<Result<String, _>>()
        .map_err(|_| start.text("text"))?;
    Ok((!text.is_empty()).then_some(text))
}

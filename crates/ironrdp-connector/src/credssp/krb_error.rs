//! Why a KDC refused (`KRB-ERROR`, RFC 4120 5.9.1, MS-KILE 2.2.1).

use core::fmt;

use ironrdp_core::{Decode, DecodeResult, ReadCursor};

use super::der;
use crate::{AuthFailure, NetworkProtocol, NtStatus};

/// A KDC's refusal, as far as a program can act on it. The security package tells it in words only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KrbError {
    code: u32,
    /// Domain controllers add what they would have said to a Windows client.
    status: Option<NtStatus>,
}

const APPLICATION_30: u8 = 0x7e;

/// `KDC_ERR_PREAUTH_REQUIRED`: no refusal, but how every login begins.
const PREAUTH_REQUIRED: u32 = 25;

impl KrbError {
    /// The refusal in `answer`, a KDC's message behind a four-byte length; KDC proxies wrap both.
    pub(super) fn find(protocol: NetworkProtocol, answer: &[u8]) -> Option<Self> {
        let answer = match protocol {
            NetworkProtocol::Tcp | NetworkProtocol::Udp => answer,
            NetworkProtocol::Http | NetworkProtocol::Https => proxied(answer).ok()?,
        };
        let error: Self = ironrdp_core::decode(answer.get(4..)?).ok()?;
        (error.code != PREAUTH_REQUIRED).then_some(error)
    }

    /// What it means for the one who logs in; `None` if it is no matter of the user's.
    pub(super) fn failure(self) -> Option<AuthFailure> {
        if let Some(status) = self.status {
            return Some(status.failure());
        }
        Some(match self.code {
            1 /* KDC_ERR_NAME_EXP */ => AuthFailure::AccountExpired,
            6 /* KDC_ERR_C_PRINCIPAL_UNKNOWN */ => AuthFailure::UnknownUser,
            7 /* KDC_ERR_S_PRINCIPAL_UNKNOWN */ => AuthFailure::UnknownServer,
            12 /* KDC_ERR_POLICY */ => AuthFailure::AccountRestricted,
            18 /* KDC_ERR_CLIENT_REVOKED */ => AuthFailure::AccountDisabled,
            23 /* KDC_ERR_KEY_EXPIRED */ => AuthFailure::PasswordExpired,
            24 /* KDC_ERR_PREAUTH_FAILED */ => AuthFailure::BadCredentials,
            37 /* KRB_AP_ERR_SKEW */ => AuthFailure::ClockSkew,
            68 /* KDC_ERR_WRONG_REALM */ => AuthFailure::UnknownUser,
            _ => return None,
        })
    }

    /// The name of the code in RFC 4120 7.5.9.
    const fn name(self) -> Option<&'static str> {
        Some(match self.code {
            1 => "KDC_ERR_NAME_EXP",
            6 => "KDC_ERR_C_PRINCIPAL_UNKNOWN",
            7 => "KDC_ERR_S_PRINCIPAL_UNKNOWN",
            12 => "KDC_ERR_POLICY",
            14 => "KDC_ERR_ETYPE_NOSUPP",
            18 => "KDC_ERR_CLIENT_REVOKED",
            23 => "KDC_ERR_KEY_EXPIRED",
            24 => "KDC_ERR_PREAUTH_FAILED",
            37 => "KRB_AP_ERR_SKEW",
            68 => "KDC_ERR_WRONG_REALM",
            _ => return None,
        })
    }

    pub(super) const fn status(self) -> Option<NtStatus> {
        self.status
    }
}

impl fmt::Display for KrbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.code),
            None => write!(f, "KRB-ERROR {}", self.code),
        }
    }
}

impl core::error::Error for KrbError {}

impl<'de> Decode<'de> for KrbError {
    const NAME: &'static str = "KrbError";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let error = der::take(src, APPLICATION_30, "KRB-ERROR")?;
        let mut fields = der::only(error, der::SEQUENCE, "KRB-ERROR")?;
        let start = fields.clone();
        let (mut code, mut status) = (None, None);
        while !fields.is_empty() {
            let (tag, content) = der::take_any(&mut fields, "field")?;
            match tag {
                0xa6 => code = Some(der::only_u32(content, "error-code")?),
                // Whatever else is in there is none of ours, so it may be malformed.
                0xac => status = extended_status(content).ok().flatten(),
                _ => {}
            }
        }
        match code {
            Some(code) => Ok(Self { code, status }),
            None => Err(start.invalid("error-code", 0_u8)),
        }
    }
}

/// What a KDC proxy passes on (`KDC-PROXY-MESSAGE`, MS-KKDCP 2.2.2).
fn proxied(message: &[u8]) -> DecodeResult<&[u8]> {
    let message = ReadCursor::new(message);
    let mut fields = der::only(message, der::SEQUENCE, "KDC-PROXY-MESSAGE")?;
    let message = der::take(&mut fields, der::field(0), "kerb-message")?;
    Ok(der::only(message, der::OCTET_STRING, "kerb-message")?.rest())
}

/// The status in `KERB-ERROR-DATA` with a `KERB_EXT_ERROR` (MS-KILE 2.2.1, 2.2.2).
fn extended_status(data: ReadCursor<'_>) -> DecodeResult<Option<NtStatus>> {
    const EXTENDED: u32 = 3;
    let data = der::only(data, der::OCTET_STRING, "e-data")?;
    let mut fields = der::only(data, der::SEQUENCE, "KERB-ERROR-DATA")?;
    let kind = der::only_u32(der::take(&mut fields, der::field(1), "data-type")?, "data-type")?;
    if kind != EXTENDED {
        return Ok(None);
    }
    let value = der::take(&mut fields, der::field(2), "data-value")?;
    let mut value = der::only(value, der::OCTET_STRING, "data-value")?;
    let status = NtStatus(value.u32_le("status")?);
    Ok((status != NtStatus::SUCCESS).then_some(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What MIT Kerberos 1.20 says to a wrong password, with its time and names left out.
    const WRONG_PASSWORD: &[u8] = &[
        0, 0, 0, 0x20, 0x7e, 0x1e, 0x30, 0x1c, 0xa0, 0x03, 0x02, 0x01, 0x05, 0xa1, 0x03, 0x02, 0x01, 0x1e,
        0xa6, 0x03, 0x02, 0x01, 0x18, 0xaa, 0x0b, 0x1b, 0x09, b'L', b'A', b'B', b'.', b'T', b'E', b'S', b'T',
        0,
    ];

    #[test]
    fn a_refusal_is_read_from_its_code() {
        let error = KrbError::find(NetworkProtocol::Tcp, WRONG_PASSWORD).unwrap();
        assert_eq!(error.failure(), Some(AuthFailure::BadCredentials));
        assert_eq!(error.status(), None);
        assert_eq!(error.to_string(), "KDC_ERR_PREAUTH_FAILED (24)");
        let mut required = WRONG_PASSWORD.to_vec();
        required[22] = 25;
        assert_eq!(KrbError::find(NetworkProtocol::Tcp, &required), None);
        required[22] = 60;
        assert_eq!(
            KrbError::find(NetworkProtocol::Tcp, &required).unwrap().failure(),
            None
        );
        for cut in 0..WRONG_PASSWORD.len() {
            assert_eq!(KrbError::find(NetworkProtocol::Tcp, &WRONG_PASSWORD[..cut]), None);
        }
    }

    #[test]
    fn a_refusal_that_a_proxy_passes_on_is_unwrapped_and_a_message_that_lies_is_none() {
        let wrapped = [&[0x30, 0x28, 0xa0, 0x26, 0x04, 0x24], WRONG_PASSWORD].concat();
        for protocol in [NetworkProtocol::Http, NetworkProtocol::Https] {
            let error = KrbError::find(protocol, &wrapped).unwrap();
            assert_eq!(error.failure(), Some(AuthFailure::BadCredentials));
            assert_eq!(KrbError::find(protocol, WRONG_PASSWORD), None);
            for at in 0..wrapped.len() {
                assert_eq!(KrbError::find(protocol, &wrapped[..at]), None);
            }
            for at in [1, 3, 5] {
                let mut lies = wrapped.clone();
                lies[at] += 1;
                assert_eq!(KrbError::find(protocol, &lies), None);
            }
        }
        assert_eq!(KrbError::find(NetworkProtocol::Tcp, &wrapped), None);
    }

    #[test]
    fn a_domain_controllers_own_words_count_more() {
        // KERB_EXT_ERROR: STATUS_ACCOUNT_LOCKED_OUT, reserved, flags.
        let locked = [
            0, 0, 0, 0, 0x7e, 0x22, 0x30, 0x20, 0xa6, 0x03, 0x02, 0x01, 0x12, 0xac, 0x19, 0x04, 0x17, 0x30,
            0x15, 0xa1, 0x03, 0x02, 0x01, 0x03, 0xa2, 0x0e, 0x04, 0x0c, 0x34, 0x02, 0x00, 0xc0, 0, 0, 0, 0,
            1, 0, 0, 0,
        ];
        let error = KrbError::find(NetworkProtocol::Tcp, &locked).unwrap();
        assert_eq!(error.status(), Some(NtStatus::ACCOUNT_LOCKED_OUT));
        assert_eq!(error.failure(), Some(AuthFailure::AccountLocked));
    }
}

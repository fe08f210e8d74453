//! What a client delegates once it knows the server: who logs in, and the password.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};
use ironrdp_pdu::client_info::Secret;

use super::der;

/// A user name and a password (`TSCredentials` with `TSPasswordCreds`, MS-CSSP 2.2.1.2), in the clear: it travels sealed only.
#[derive(Clone)]
pub(super) struct TsCredentials {
    pub(super) domain: String,
    pub(super) user: String,
    pub(super) password: Secret<String>,
}

ironrdp_pdu::debug_hiding!(TsCredentials { domain, user } hides { password });

const TYPE_PASSWORD: u8 = 1;

impl TsCredentials {
    /// Nobody: what Restricted Admin mode delegates.
    pub(super) fn empty() -> Self {
        Self {
            domain: String::new(),
            user: String::new(),
            password: Secret::from(""),
        }
    }

    fn password_content_size(&self) -> usize {
        [&self.domain, &self.user, self.password.expose()]
            .into_iter()
            .map(|text| der::octets_size(utf16_size(text)))
            .sum()
    }

    fn content_size(&self) -> usize {
        der::size(der::size(1)) + der::octets_size(der::size(self.password_content_size()))
    }
}

fn utf16_size(text: &str) -> usize {
    2 * text.encode_utf16().count()
}

impl Encode for TsCredentials {
    fn name(&self) -> &'static str {
        "TsCredentials"
    }

    fn size(&self) -> usize {
        der::size(self.content_size())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        der::header(dst, der::SEQUENCE, self.content_size())?;
        der::header(dst, der::field(0), der::size(1))?;
        der::header(dst, der::INTEGER, 1)?;
        dst.u8(TYPE_PASSWORD)?;
        let content = self.password_content_size();
        der::header(dst, der::field(1), der::size(der::size(content)))?;
        der::header(dst, der::OCTET_STRING, der::size(content))?;
        der::header(dst, der::SEQUENCE, content)?;
        for (number, text) in (0..).zip([&self.domain, &self.user, self.password.expose()]) {
            der::header(dst, der::field(number), der::size(utf16_size(text)))?;
            der::header(dst, der::OCTET_STRING, utf16_size(text))?;
            for unit in text.encode_utf16() {
                dst.u16_le(unit)?;
            }
        }
        Ok(())
    }
}

impl<'de> Decode<'de> for TsCredentials {
    const NAME: &'static str = "TsCredentials";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let mut fields = der::take(src, der::SEQUENCE, "TSCredentials")?;
        let credential_type = der::take(&mut fields, der::field(0), "credType")?;
        let kind = der::only_u32(credential_type.clone(), "credType")?;
        if kind != u32::from(TYPE_PASSWORD) {
            return Err(credential_type.unsupported("credType", kind));
        }
        let credentials = der::take(&mut fields, der::field(1), "credentials")?;
        der::end(&fields)?;
        let credentials = der::only(credentials, der::OCTET_STRING, "credentials")?;
        let mut fields = der::only(credentials, der::SEQUENCE, "credentials")?;
        let domain = text(&mut fields, 0, "domainName")?.expose().clone();
        let user = text(&mut fields, 1, "userName")?.expose().clone();
        let password = text(&mut fields, 2, "password")?;
        der::end(&fields)?;
        Ok(Self {
            domain,
            user,
            password,
        })
    }
}

/// Wiped even if it turns out half way that it is no text.
fn text(src: &mut ReadCursor<'_>, number: u8, name: &'static str) -> DecodeResult<Secret<String>> {
    let content = der::take(src, der::field(number), name)?;
    let mut content = der::only(content, der::OCTET_STRING, name)?;
    let start = content.clone();
    // Room for all of it at once: a password must not leave copies behind in memory as its string grows.
    let mut text = Secret::new(String::with_capacity(content.remaining() / 2 * 3));
    let bytes = content.rest();
    let (pairs, []) = bytes.as_chunks::<2>() else {
        return Err(start.text(name));
    };
    for unit in char::decode_utf16(pairs.iter().map(|pair| u16::from_le_bytes(*pair))) {
        text.expose_mut().push(unit.map_err(|_| start.text(name))?);
    }
    Ok(text)
}

//! The one message of CredSSP.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::der;
use crate::NtStatus;

/// The message that both sides of CredSSP send (`TSRequest`, MS-CSSP 2.2.1), as a DER structure without framing.
///
/// [`BerSequenceHint`](ironrdp_pdu::BerSequenceHint) finds its end in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsRequest<'a> {
    /// The highest version of CredSSP that the sender speaks.
    pub version: u32,
    /// A message of the authentication protocol: SPNEGO, or NTLM as it is.
    pub nego_token: Option<&'a [u8]>,
    /// The user's credentials, sealed.
    pub auth_info: Option<&'a [u8]>,
    /// The server's public key, or a hash of it, sealed.
    pub pub_key_auth: Option<&'a [u8]>,
    /// Why the sender ends the exchange.
    pub error_code: Option<NtStatus>,
    /// The random number that is hashed together with the public key (version 5 and later).
    pub client_nonce: Option<[u8; NONCE_SIZE]>,
}

const NONCE_SIZE: usize = 32;

impl TsRequest<'_> {
    /// The version this implementation speaks.
    pub const VERSION: u32 = 6;

    /// Bytes in a client's nonce.
    pub const NONCE_SIZE: usize = NONCE_SIZE;

    /// An empty message of version 6.
    pub const fn new() -> Self {
        Self {
            version: Self::VERSION,
            nego_token: None,
            auth_info: None,
            pub_key_auth: None,
            error_code: None,
            client_nonce: None,
        }
    }

    fn version_digits(&self) -> ([u8; 5], usize) {
        // A leading zero keeps a large number from being read as a negative one.
        let [a, b, c, d] = self.version.to_be_bytes();
        let digits = [0, a, b, c, d];
        let skip = (0..4)
            .take_while(|&at| digits[at] == 0 && digits[at + 1] < 0x80)
            .count();
        (digits, skip)
    }

    fn version_size(&self) -> usize {
        let (digits, skip) = self.version_digits();
        der::size(der::size(digits.len() - skip))
    }

    fn content_size(&self) -> usize {
        self.version_size()
            + self.nego_token.map_or(0, |token| {
                der::size(der::size(der::size(der::octets_size(token.len()))))
            })
            + self.auth_info.map_or(0, |info| der::octets_size(info.len()))
            + self.pub_key_auth.map_or(0, |key| der::octets_size(key.len()))
            + self.error_code.map_or(0, |_| der::size(der::size(4)))
            + self.client_nonce.map_or(0, |nonce| der::octets_size(nonce.len()))
    }
}

impl Default for TsRequest<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'de> Decode<'de> for TsRequest<'de> {
    const NAME: &'static str = "TsRequest";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let mut fields = der::take(src, der::SEQUENCE, "TSRequest")?;
        let mut request = Self::new();
        request.version = der::only_u32(der::take(&mut fields, der::field(0), "version")?, "version")?;
        let mut last = der::field(0);
        while !fields.is_empty() {
            let start = fields.clone();
            let (tag, content) = der::take_any(&mut fields, "field")?;
            // The fields are optional but ordered, so none comes twice.
            if tag <= last {
                return Err(start.invalid("field", tag));
            }
            last = tag;
            match tag {
                0xa1 => request.nego_token = Some(nego_token(content)?),
                0xa2 => request.auth_info = Some(der::only(content, der::OCTET_STRING, "authInfo")?.rest()),
                0xa3 => {
                    request.pub_key_auth = Some(der::only(content, der::OCTET_STRING, "pubKeyAuth")?.rest());
                }
                0xa4 => request.error_code = Some(NtStatus(der::only_u32(content, "errorCode")?)),
                0xa5 => {
                    let mut nonce = der::only(content, der::OCTET_STRING, "clientNonce")?;
                    request.client_nonce = Some(nonce.array("clientNonce")?);
                    der::end(&nonce)?;
                }
                // A later version may add fields at the end.
                _ => {}
            }
        }
        Ok(request)
    }
}

/// The token inside `SEQUENCE OF SEQUENCE { negoToken [0] OCTET STRING }`; nobody sends more than one.
fn nego_token<'a>(content: ReadCursor<'a>) -> DecodeResult<&'a [u8]> {
    let items = der::only(content, der::SEQUENCE, "negoTokens")?;
    let item = der::only(items, der::SEQUENCE, "negoTokens")?;
    let token = der::only(item, der::field(0), "negoToken")?;
    Ok(der::only(token, der::OCTET_STRING, "negoToken")?.rest())
}

impl Encode for TsRequest<'_> {
    fn name(&self) -> &'static str {
        "TsRequest"
    }

    fn size(&self) -> usize {
        der::size(self.content_size())
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        der::header(dst, der::SEQUENCE, self.content_size())?;
        let (digits, skip) = self.version_digits();
        der::header(dst, der::field(0), der::size(digits.len() - skip))?;
        der::header(dst, der::INTEGER, digits.len() - skip)?;
        dst.bytes(&digits[skip..])?;
        if let Some(token) = self.nego_token {
            let item = der::octets_size(token.len());
            der::header(dst, der::field(1), der::size(der::size(item)))?;
            der::header(dst, der::SEQUENCE, der::size(item))?;
            der::header(dst, der::SEQUENCE, item)?;
            der::octets(dst, 0, token)?;
        }
        if let Some(info) = self.auth_info {
            der::octets(dst, 2, info)?;
        }
        if let Some(key) = self.pub_key_auth {
            der::octets(dst, 3, key)?;
        }
        if let Some(NtStatus(code)) = self.error_code {
            // Four bytes, whatever the sign bit: so Windows writes it.
            der::header(dst, der::field(4), der::size(4))?;
            der::header(dst, der::INTEGER, 4)?;
            dst.bytes(&code.to_be_bytes())?;
        }
        if let Some(nonce) = &self.client_nonce {
            der::octets(dst, 5, nonce)?;
        }
        Ok(())
    }
}

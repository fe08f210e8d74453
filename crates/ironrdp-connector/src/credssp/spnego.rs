//! SPNEGO from the server's side (RFC 4178, MS-SPNG).
//!
//! Written here and not left to the security package, whose server wants to know all passwords before it has read the user's
//! name, and panics over tokens that are cut short.

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor};

use super::der;

/// The object identifier of NTLM, 1.3.6.1.4.1.311.2.2.10.
pub(super) const NTLM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
/// That of Kerberos, 1.2.840.113554.1.2.2.
const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// That of Kerberos as Windows 2000 wrote it, one bit off, which became the name it goes by.
const MS_KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// That of SPNEGO itself, 1.3.6.1.5.5.2.
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

const APPLICATION: u8 = 0x60;
const OBJECT_IDENTIFIER: u8 = 0x06;
const ENUMERATED: u8 = 0x0a;

/// Whether `token` is Kerberos without SPNEGO around it.
pub(super) fn is_raw_kerberos(token: &[u8]) -> bool {
    let mechanism = der::take(&mut ReadCursor::new(token), APPLICATION, "InitialContextToken")
        .and_then(|mut token| der::take(&mut token, OBJECT_IDENTIFIER, "thisMech"));
    mechanism.is_ok_and(|mut mechanism| mechanism.rest() == KERBEROS)
}

/// The client's first token: what it can do, and a guess at what the server will choose (`NegTokenInit`).
#[derive(Debug, Clone)]
pub(super) struct NegTokenInit<'a> {
    /// The list of mechanisms as it was sent, which the checksums at the end cover.
    pub(super) mechanisms: &'a [u8],
    /// A token of the first mechanism.
    pub(super) token: Option<&'a [u8]>,
}

/// Every token after it (`NegTokenResp`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NegTokenResp<'a> {
    pub(super) state: Option<NegState>,
    /// The mechanism chosen, by its object identifier.
    pub(super) mechanism: Option<&'a [u8]>,
    pub(super) token: Option<&'a [u8]>,
    /// A checksum over the list of mechanisms.
    pub(super) mechanisms_checksum: Option<&'a [u8]>,
}

/// How far a negotiation is (`negState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NegState {
    Completed = 0,
    Incomplete = 1,
    Rejected = 2,
    RequestChecksum = 3,
}

impl<'a> NegTokenInit<'a> {
    /// The place in the client's list of the mechanism that `is_wanted`.
    fn place(&self, is_wanted: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let mut list = der::take(&mut ReadCursor::new(self.mechanisms), der::SEQUENCE, "mechTypes").ok()?;
        let mut place = 0;
        while !list.is_empty() {
            let mut mechanism = der::take(&mut list, OBJECT_IDENTIFIER, "mechType").ok()?;
            if is_wanted(mechanism.rest()) {
                return Some(place);
            }
            place += 1;
        }
        None
    }

    /// Where NTLM stands among the client's wishes.
    pub(super) fn place_of_ntlm(&self) -> Option<usize> {
        self.place(|mechanism| mechanism == NTLM)
    }

    /// The client's first wish, if that is Kerberos by either of its names.
    pub(super) fn first_is_kerberos(&self) -> Option<&'a [u8]> {
        let mut list = der::take(&mut ReadCursor::new(self.mechanisms), der::SEQUENCE, "mechTypes").ok()?;
        let mechanism = der::take(&mut list, OBJECT_IDENTIFIER, "mechType").ok()?.rest();
        (mechanism == KERBEROS || mechanism == MS_KERBEROS).then_some(mechanism)
    }
}

impl<'de> Decode<'de> for NegTokenInit<'de> {
    const NAME: &'static str = "NegTokenInit";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let mut token = der::take(src, APPLICATION, "InitialContextToken")?;
        let mut mechanism = der::take(&mut token, OBJECT_IDENTIFIER, "thisMech")?;
        let start = mechanism.clone();
        if mechanism.rest() != SPNEGO {
            return Err(start.unsupported("thisMech", 0_u8));
        }
        let init = der::only(token, der::field(0), "negTokenInit")?;
        let mut fields = der::only(init, der::SEQUENCE, "negTokenInit")?;
        let mut mechanisms = der::take(&mut fields, der::field(0), "mechTypes")?;
        let list = mechanisms.peek();
        der::take(&mut mechanisms, der::SEQUENCE, "mechTypes")?;
        der::end(&mechanisms)?;
        let mut init = Self {
            mechanisms: list,
            token: None,
        };
        while !fields.is_empty() {
            let (tag, content) = der::take_any(&mut fields, "field")?;
            if tag == der::field(2) {
                init.token = Some(der::only(content, der::OCTET_STRING, "mechToken")?.rest());
            }
        }
        Ok(init)
    }
}

impl<'de> Decode<'de> for NegTokenResp<'de> {
    const NAME: &'static str = "NegTokenResp";

    fn decode_body(src: &mut ReadCursor<'de>) -> DecodeResult<Self> {
        let response = der::take(src, der::field(1), "negTokenResp")?;
        let mut fields = der::only(response, der::SEQUENCE, "negTokenResp")?;
        let mut response = Self {
            state: None,
            mechanism: None,
            token: None,
            mechanisms_checksum: None,
        };
        while !fields.is_empty() {
            let (tag, content) = der::take_any(&mut fields, "field")?;
            match tag {
                0xa0 => {
                    let mut state = der::only(content, ENUMERATED, "negState")?;
                    let start = state.clone();
                    response.state = Some(match state.rest() {
                        [0] => NegState::Completed,
                        [1] => NegState::Incomplete,
                        [2] => NegState::Rejected,
                        [3] => NegState::RequestChecksum,
                        other => return Err(start.invalid("negState", other.first().copied().unwrap_or(0))),
                    });
                }
                0xa1 => {
                    response.mechanism = Some(der::only(content, OBJECT_IDENTIFIER, "supportedMech")?.rest());
                }
                0xa2 => {
                    response.token = Some(der::only(content, der::OCTET_STRING, "responseToken")?.rest());
                }
                0xa3 => {
                    let checksum = der::only(content, der::OCTET_STRING, "mechListMIC")?.rest();
                    response.mechanisms_checksum = Some(checksum);
                }
                _ => {}
            }
        }
        Ok(response)
    }
}

impl NegTokenResp<'_> {
    fn content_size(&self) -> usize {
        self.state.map_or(0, |_| der::octets_size(1))
            + self.mechanism.map_or(0, |id| der::octets_size(id.len()))
            + self.token.map_or(0, |token| der::octets_size(token.len()))
            + self
                .mechanisms_checksum
                .map_or(0, |checksum| der::octets_size(checksum.len()))
    }
}

impl Encode for NegTokenResp<'_> {
    fn name(&self) -> &'static str {
        "NegTokenResp"
    }

    fn size(&self) -> usize {
        der::size(der::size(self.content_size()))
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        der::header(dst, der::field(1), der::size(self.content_size()))?;
        der::header(dst, der::SEQUENCE, self.content_size())?;
        if let Some(state) = self.state {
            der::header(dst, der::field(0), der::size(1))?;
            der::header(dst, ENUMERATED, 1)?;
            dst.u8(state as u8)?;
        }
        if let Some(id) = self.mechanism {
            der::header(dst, der::field(1), der::size(id.len()))?;
            der::header(dst, OBJECT_IDENTIFIER, id.len())?;
            dst.bytes(id)?;
        }
        if let Some(token) = self.token {
            der::octets(dst, 2, token)?;
        }
        if let Some(checksum) = self.mechanisms_checksum {
            der::octets(dst, 3, checksum)?;
        }
        Ok(())
    }
}

//! The client's first message.

use alloc::vec::Vec;

use ironrdp_core::{
    Decode, DecodeResult, Encode, EncodeError, EncodeErrorKind, EncodeResult, ReadCursor, WriteCursor,
};

use super::header::{
    CODE_CONNECTION_REQUEST, CONNECTION_SIZE, ConnectionHeader, TPKT_SIZE, read_connection_header, read_tpkt,
    write_connection_header,
};
use super::{RequestFlags, SecurityProtocol};

const COOKIE_PREFIX: &[u8] = b"Cookie: mstshash=";
const LINE_END: &[u8] = b"\r\n";

/// Asks a server for a connection (X.224 Connection Request, MS-RDPBCGR 2.2.1.1), with its TPKT header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionRequest {
    /// The client's reference for the transport connection. Windows sends 0.
    pub source_reference: u16,
    /// A line for a load balancer in front of the server.
    pub token: Option<NegotiationToken>,
    /// The protocols offered. Clients older than RDP 5.2 send none, which offers Standard RDP Security only.
    pub negotiation: Option<NegotiationRequest>,
    /// An id under which client and server log this connection. Sent only together with `negotiation`.
    pub correlation: Option<CorrelationId>,
}

impl ConnectionRequest {
    /// A request that offers `protocols`, without cookie.
    pub fn new(protocols: SecurityProtocol) -> Self {
        Self {
            negotiation: Some(NegotiationRequest {
                flags: RequestFlags::empty(),
                protocols,
            }),
            ..Self::default()
        }
    }

    /// The same request with `token` in front.
    #[must_use]
    pub fn with_token(mut self, token: NegotiationToken) -> Self {
        self.token = Some(token);
        self
    }

    /// The protocols offered: empty (Standard RDP Security) when the client sent no negotiation request.
    pub fn offered_protocols(&self) -> SecurityProtocol {
        self.negotiation
            .map_or(SecurityProtocol::empty(), |n| n.protocols)
    }

    fn variable_size(&self) -> usize {
        let token = self.token.as_ref().map_or(0, NegotiationToken::size);
        let negotiation = self.negotiation.map_or(0, |_| NegotiationRequest::SIZE);
        let correlation = self.correlation.map_or(0, |_| CorrelationId::SIZE);
        token + negotiation + correlation
    }
}

impl Decode<'_> for ConnectionRequest {
    const NAME: &'static str = "ConnectionRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let mut tpdu = read_tpkt(src)?;
        let (header, mut rest) = read_connection_header(&mut tpdu, CODE_CONNECTION_REQUEST)?;
        let mut request = Self {
            source_reference: header.source_reference,
            token: NegotiationToken::read(&mut rest)?,
            ..Self::default()
        };
        if !rest.is_empty() {
            let negotiation = NegotiationRequest::decode(&mut rest)?;
            if negotiation.flags.contains(RequestFlags::CORRELATION_INFO_PRESENT) {
                request.correlation = Some(CorrelationId::decode(&mut rest)?);
            }
            request.negotiation = Some(NegotiationRequest {
                flags: negotiation.flags - RequestFlags::CORRELATION_INFO_PRESENT,
                ..negotiation
            });
        }
        Ok(request)
    }
}

impl Encode for ConnectionRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        TPKT_SIZE + CONNECTION_SIZE + self.variable_size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let variable = self.variable_size();
        let header = ConnectionHeader {
            source_reference: self.source_reference,
            class_or_reason: 0,
        };
        write_connection_header(dst, CODE_CONNECTION_REQUEST, &header, variable, Self::NAME)?;
        if let Some(token) = &self.token {
            token.write(dst)?;
        }
        match (self.negotiation, self.correlation) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(EncodeError::new(
                Self::NAME,
                "rdpCorrelationInfo",
                EncodeErrorKind::Invalid,
            )),
            (Some(negotiation), correlation) => {
                let mut flags = negotiation.flags;
                flags.set(RequestFlags::CORRELATION_INFO_PRESENT, correlation.is_some());
                NegotiationRequest { flags, ..negotiation }.encode(dst)?;
                correlation.map_or(Ok(()), |id| id.encode(dst))
            }
        }
    }
}

/// A line in front of the negotiation request, which tells a load balancer where the connection belongs.
///
/// On the wire it ends in CR LF, which is not part of the values here and must not occur in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NegotiationToken {
    /// `Cookie: mstshash=` and this: the user name, of which Windows sends nine characters at most.
    Cookie(Vec<u8>),
    /// A routing token, opaque to both ends: `Cookie: msts=…`, `tsv://…` or what a redirection told the client.
    Routing(Vec<u8>),
}

impl NegotiationToken {
    /// The cookie for `user`, cut as Windows cuts it: a request has room for some 200 bytes only, and a load
    /// balancer compares what it saw before.
    pub fn cookie(user: &str) -> Self {
        let name = user
            .chars()
            .filter(|c| !c.is_control())
            .take(9)
            .collect::<alloc::string::String>();
        Self::Cookie(name.into_bytes())
    }

    /// The routing token of a redirection (`LoadBalanceInfo`), which comes with its CR LF or without.
    pub fn routing(info: &[u8]) -> Self {
        Self::Routing(info.strip_suffix(LINE_END).unwrap_or(info).to_vec())
    }

    /// Reads up to and including CR LF, unless a negotiation request comes first.
    fn read(src: &mut ReadCursor<'_>) -> DecodeResult<Option<Self>> {
        let bytes = src.peek();
        // A line of text never starts with a control character, a negotiation request does with its type.
        if bytes.first().is_none_or(|first| *first < b' ') {
            return Ok(None);
        }
        let Some(end) = bytes.windows(2).position(|pair| pair == LINE_END) else {
            return Err(src.lies("routingToken", bytes.len() + LINE_END.len(), bytes.len()));
        };
        let line = src.bytes(end, "routingToken")?;
        src.skip(LINE_END.len(), "routingToken")?;
        Ok(Some(match line.strip_prefix(COOKIE_PREFIX) {
            Some(user) => Self::Cookie(user.to_vec()),
            None => Self::Routing(line.to_vec()),
        }))
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        match self {
            Self::Cookie(user) => (COOKIE_PREFIX, user),
            Self::Routing(line) => (&[], line),
        }
    }

    fn size(&self) -> usize {
        let (prefix, text) = self.parts();
        prefix.len() + text.len() + LINE_END.len()
    }

    fn write(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let (prefix, text) = self.parts();
        // A line end inside would let whoever chose the user name write the rest of the request.
        let starts_as_text = prefix.iter().chain(text).next().is_some_and(|b| *b >= b' ');
        if !starts_as_text || text.windows(2).any(|pair| pair == LINE_END) || text.ends_with(b"\r") {
            return Err(EncodeError::new("", "routingToken", EncodeErrorKind::Invalid));
        }
        dst.bytes(prefix)?;
        dst.bytes(text)?;
        dst.bytes(LINE_END)
    }
}

/// The protocols a client offers (RDP_NEG_REQ, MS-RDPBCGR 2.2.1.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiationRequest {
    /// What else it asks for.
    pub flags: RequestFlags,
    /// All protocols it speaks.
    pub protocols: SecurityProtocol,
}

impl NegotiationRequest {
    const SIZE: usize = 1 /* type */ + 1 /* flags */ + 2 /* length */ + 4 /* requestedProtocols */;
    const TYPE: u8 = 1;
}

impl Decode<'_> for NegotiationRequest {
    const NAME: &'static str = "NegotiationRequest";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let flags = read_part(src, Self::TYPE, Self::SIZE)?;
        Ok(Self {
            flags: RequestFlags::from_bits_retain(flags),
            protocols: SecurityProtocol::from_bits_retain(src.u32_le("requestedProtocols")?),
        })
    }
}

impl Encode for NegotiationRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&[Self::TYPE, self.flags.bits(), 8, 0])?;
        dst.u32_le(self.protocols.bits())
    }
}

/// An id under which both ends log a connection (RDP_NEG_CORRELATION_INFO, MS-RDPBCGR 2.2.1.1.2).
///
/// The first byte should be neither 0x00 nor 0xF4, and no byte 0x0D.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrelationId(pub [u8; 16]);

impl CorrelationId {
    const SIZE: usize = 1 /* type */ + 1 /* flags */ + 2 /* length */ + 16 /* correlationId */ + 16 /* reserved */;
    const TYPE: u8 = 6;
}

impl Decode<'_> for CorrelationId {
    const NAME: &'static str = "CorrelationId";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let _flags = read_part(src, Self::TYPE, Self::SIZE)?;
        let id = src.array("correlationId")?;
        src.skip(16, "reserved")?;
        Ok(Self(id))
    }
}

impl Encode for CorrelationId {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        Self::SIZE
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.bytes(&[Self::TYPE, 0, 36, 0])?;
        dst.bytes(&self.0)?;
        dst.zeros(16)
    }
}

/// Reads type, flags and length of a negotiation structure and gives the flags.
pub(super) fn read_part(src: &mut ReadCursor<'_>, kind: u8, size: usize) -> DecodeResult<u8> {
    let got = src.u8("type")?;
    if got != kind {
        return Err(src.invalid("type", got));
    }
    let flags = src.u8("flags")?;
    let length = usize::from(src.u16_le("length")?);
    if length != size {
        return Err(src.lies("length", length, size));
    }
    Ok(flags)
}

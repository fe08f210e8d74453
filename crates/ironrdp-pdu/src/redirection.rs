//! The server sends the client elsewhere: to the machine that holds its session (MS-RDPBCGR 2.2.13).

use alloc::string::String;
use alloc::vec::Vec;

use bitflags::bitflags;
use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16, len_u32};

use crate::client_info::Secret;
use crate::security::SecurityFlags;
use crate::text::{read_utf16, utf16_size, write_utf16_z};

/// Where to reconnect to and as whom (`RDP_SERVER_REDIRECTION_PACKET`, MS-RDPBCGR 2.2.13.1).
///
/// Under standard RDP security this is the (encrypted) body behind a security header with
/// [`REDIRECTION_PACKET`](SecurityFlags::REDIRECTION_PACKET); otherwise see [`EnhancedRedirection`].
/// A field is on the wire exactly when it is `Some`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ServerRedirection {
    /// The session to name in the client's cluster data when it reconnects.
    pub session_id: u32,
    /// Advice that comes without a field of its own.
    pub advice: RedirectionAdvice,
    /// Address of the target.
    pub target_net_address: Option<String>,
    /// Routing token or cookie for the next X.224 Connection Request, complete with its line end.
    pub load_balance_info: Option<Vec<u8>>,
    /// User name to log on with.
    pub user_name: Option<String>,
    /// Domain to log on with.
    pub domain: Option<String>,
    /// Password to log on with: UTF-16 with terminator, or an opaque cookie to send on when
    /// [`PASSWORD_IS_PK_ENCRYPTED`](RedirectionAdvice::PASSWORD_IS_PK_ENCRYPTED) is set.
    pub password: Option<Secret<Vec<u8>>>,
    /// Fully qualified name of the target.
    pub target_fqdn: Option<String>,
    /// NetBIOS name of the target.
    pub target_netbios_name: Option<String>,
    /// Opaque bytes from a session broker.
    pub tsv_url: Option<Vec<u8>>,
    /// Identifies this redirection to the target when NLA is used (base64 in UTF-16).
    pub redirection_guid: Option<Vec<u8>>,
    /// The target's certificate in a container of its own (base64 in UTF-16).
    pub target_certificate: Option<Vec<u8>>,
    /// Every address of the target, best first.
    pub target_net_addresses: Option<Vec<String>>,
}

crate::debug_hiding!(ServerRedirection {
    session_id, advice, target_net_address, load_balance_info, user_name, domain, target_fqdn, target_netbios_name,
    tsv_url, redirection_guid, target_certificate, target_net_addresses
} hides { password });

bitflags! {
    /// The `RedirFlags` that announce no field (MS-RDPBCGR 2.2.13.1).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct RedirectionAdvice: u32 {
        /// Do not keep the user name as the user's default.
        const DONT_STORE_USER_NAME = 0x0000_0020;
        /// The password is a smart card PIN.
        const SMARTCARD_LOGON = 0x0000_0040;
        /// Stay: the packet is information only.
        const NO_REDIRECT = 0x0000_0080;
        /// The server understands TSV URLs.
        const SERVER_TSV_CAPABLE = 0x0000_2000;
        /// The password is a cookie that only the target can read.
        const PASSWORD_IS_PK_ENCRYPTED = 0x0000_4000;
        /// Bits this version does not know.
        const _ = !PRESENT_MASK;
    }
}

const TARGET_NET_ADDRESS: u32 = 0x0000_0001;
const LOAD_BALANCE_INFO: u32 = 0x0000_0002;
const USER_NAME: u32 = 0x0000_0004;
const DOMAIN: u32 = 0x0000_0008;
const PASSWORD: u32 = 0x0000_0010;
const TARGET_FQDN: u32 = 0x0000_0100;
const TARGET_NETBIOS_NAME: u32 = 0x0000_0200;
const TARGET_NET_ADDRESSES: u32 = 0x0000_0800;
const CLIENT_TSV_URL: u32 = 0x0000_1000;
const REDIRECTION_GUID: u32 = 0x0000_8000;
const TARGET_CERTIFICATE: u32 = 0x0001_0000;

/// The bits that announce a field.
const PRESENT_MASK: u32 = TARGET_NET_ADDRESS
    | LOAD_BALANCE_INFO
    | USER_NAME
    | DOMAIN
    | PASSWORD
    | TARGET_FQDN
    | TARGET_NETBIOS_NAME
    | TARGET_NET_ADDRESSES
    | CLIENT_TSV_URL
    | REDIRECTION_GUID
    | TARGET_CERTIFICATE;

const FIXED_SIZE: usize = 2 /* Flags */ + 2 /* Length */ + 4 /* SessionID */ + 4 /* RedirFlags */;
const FLAGS_AND_LENGTH: usize = 4;

impl Decode<'_> for ServerRedirection {
    const NAME: &'static str = "ServerRedirection";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let flags = src.u16_le("Flags")?;
        if flags != SecurityFlags::REDIRECTION_PACKET.bits() {
            return Err(src.invalid("Flags", flags));
        }
        let length = usize::from(src.u16_le("Length")?);
        if length < FIXED_SIZE {
            return Err(src.lies("Length", length, src.remaining() + FLAGS_AND_LENGTH));
        }
        // Bytes behind the last field are the optional pad of eight zeros, skipped.
        let mut fields = Fields {
            src: src.sub(length - FLAGS_AND_LENGTH, "Length")?,
            present: 0,
        };
        let session_id = fields.src.u32_le("SessionID")?;
        fields.present = fields.src.u32_le("RedirFlags")?;
        Ok(Self {
            session_id,
            advice: RedirectionAdvice::from_bits_retain(fields.present & !PRESENT_MASK),
            target_net_address: fields.text(TARGET_NET_ADDRESS, "TargetNetAddressLength")?,
            load_balance_info: fields.bytes(LOAD_BALANCE_INFO, "LoadBalanceInfoLength")?,
            user_name: fields.text(USER_NAME, "UserNameLength")?,
            domain: fields.text(DOMAIN, "DomainLength")?,
            password: fields.bytes(PASSWORD, "PasswordLength")?.map(Secret::new),
            target_fqdn: fields.text(TARGET_FQDN, "TargetFQDNLength")?,
            target_netbios_name: fields.text(TARGET_NETBIOS_NAME, "TargetNetBiosNameLength")?,
            tsv_url: fields.bytes(CLIENT_TSV_URL, "TsvUrlLength")?,
            redirection_guid: fields.bytes(REDIRECTION_GUID, "RedirectionGuidLength")?,
            target_certificate: fields.bytes(TARGET_CERTIFICATE, "TargetCertificateLength")?,
            target_net_addresses: fields.addresses()?,
        })
    }
}

/// The optional fields, in wire order.
struct Fields<'de> {
    src: ReadCursor<'de>,
    present: u32,
}

impl<'de> Fields<'de> {
    fn field(&mut self, bit: u32, length: &'static str) -> DecodeResult<Option<ReadCursor<'de>>> {
        if self.present & bit == 0 {
            return Ok(None);
        }
        sized(&mut self.src, length).map(Some)
    }

    fn bytes(&mut self, bit: u32, length: &'static str) -> DecodeResult<Option<Vec<u8>>> {
        Ok(self.field(bit, length)?.map(|mut field| field.rest().to_vec()))
    }

    fn text(&mut self, bit: u32, length: &'static str) -> DecodeResult<Option<String>> {
        self.field(bit, length)?
            .map(|mut field| text(&mut field, length))
            .transpose()
    }

    fn addresses(&mut self) -> DecodeResult<Option<Vec<String>>> {
        let Some(mut field) = self.field(TARGET_NET_ADDRESSES, "TargetNetAddressesLength")? else {
            return Ok(None);
        };
        let count = field.u32_le("addressCount")?;
        let mut addresses = Vec::new();
        // Each turn takes four bytes at least, so the input bounds the loop whatever the count says.
        for _ in 0..count {
            addresses.push(text(&mut sized(&mut field, "addressLength")?, "addressLength")?);
        }
        Ok(Some(addresses))
    }
}

fn sized<'de>(src: &mut ReadCursor<'de>, length: &'static str) -> DecodeResult<ReadCursor<'de>> {
    let size = usize::try_from(src.u32_le(length)?).unwrap_or(usize::MAX);
    src.sub(size, length)
}

fn text(field: &mut ReadCursor<'_>, length: &'static str) -> DecodeResult<String> {
    let size = field.remaining();
    if !size.is_multiple_of(2) {
        return Err(field.lies(length, size, size & !1));
    }
    read_utf16(field, size, length)
}

/// One optional field on its way out: the bit that announces it, the name of its length, its value.
type Outgoing<'a> = (u32, &'static str, Option<Value<'a>>);

enum Value<'a> {
    Bytes(&'a [u8]),
    Text(&'a str),
    Addresses(&'a [String]),
}

fn text_size(text: &str) -> usize {
    utf16_size(text) + 2 /* terminator */
}

impl Value<'_> {
    fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Text(text) => text_size(text),
            Self::Addresses(list) => {
                let addresses: usize = list.iter().map(|address| 4 + text_size(address)).sum();
                4 /* addressCount */ + addresses
            }
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>, pdu: &'static str) -> EncodeResult<()> {
        match self {
            Self::Bytes(bytes) => dst.bytes(bytes),
            Self::Text(text) => write_utf16_z(dst, text),
            Self::Addresses(list) => {
                dst.u32_le(len_u32(list.len(), pdu, "addressCount")?)?;
                for address in *list {
                    dst.u32_le(len_u32(text_size(address), pdu, "addressLength")?)?;
                    write_utf16_z(dst, address)?;
                }
                Ok(())
            }
        }
    }
}

impl ServerRedirection {
    /// Every optional field in wire order.
    fn outgoing(&self) -> [Outgoing<'_>; 11] {
        fn text(value: Option<&String>) -> Option<Value<'_>> {
            value.map(|text| Value::Text(text))
        }
        fn bytes(value: Option<&Vec<u8>>) -> Option<Value<'_>> {
            value.map(|bytes| Value::Bytes(bytes))
        }
        [
            (
                TARGET_NET_ADDRESS,
                "TargetNetAddressLength",
                text(self.target_net_address.as_ref()),
            ),
            (
                LOAD_BALANCE_INFO,
                "LoadBalanceInfoLength",
                bytes(self.load_balance_info.as_ref()),
            ),
            (USER_NAME, "UserNameLength", text(self.user_name.as_ref())),
            (DOMAIN, "DomainLength", text(self.domain.as_ref())),
            (
                PASSWORD,
                "PasswordLength",
                bytes(self.password.as_ref().map(Secret::expose)),
            ),
            (TARGET_FQDN, "TargetFQDNLength", text(self.target_fqdn.as_ref())),
            (
                TARGET_NETBIOS_NAME,
                "TargetNetBiosNameLength",
                text(self.target_netbios_name.as_ref()),
            ),
            (CLIENT_TSV_URL, "TsvUrlLength", bytes(self.tsv_url.as_ref())),
            (
                REDIRECTION_GUID,
                "RedirectionGuidLength",
                bytes(self.redirection_guid.as_ref()),
            ),
            (
                TARGET_CERTIFICATE,
                "TargetCertificateLength",
                bytes(self.target_certificate.as_ref()),
            ),
            (
                TARGET_NET_ADDRESSES,
                "TargetNetAddressesLength",
                self.target_net_addresses
                    .as_ref()
                    .map(|list| Value::Addresses(list)),
            ),
        ]
    }
}

impl Encode for ServerRedirection {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let fields: usize = self
            .outgoing()
            .iter()
            .filter_map(|(_, _, value)| value.as_ref())
            .map(|value| 4 /* its length */ + value.size())
            .sum();
        FIXED_SIZE + fields
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let fields = self.outgoing();
        let present = fields
            .iter()
            .filter(|(_, _, value)| value.is_some())
            .fold(0, |bits, (bit, _, _)| bits | bit);
        dst.u16_le(SecurityFlags::REDIRECTION_PACKET.bits())?;
        dst.u16_le(len_u16(self.size(), Self::NAME, "Length")?)?;
        dst.u32_le(self.session_id)?;
        dst.u32_le((self.advice.bits() & !PRESENT_MASK) | present)?;
        for (_, length, value) in &fields {
            if let Some(value) = value {
                dst.u32_le(len_u32(value.size(), Self::NAME, length)?)?;
                value.encode(dst, Self::NAME)?;
            }
        }
        Ok(())
    }
}

/// The body of the redirection PDU under TLS and NLA, behind a share control header
/// (`TS_REDIRECTION` part of the Enhanced Security Server Redirection PDU, MS-RDPBCGR 2.2.13.3.1).
///
/// Takes all of its envelope: one byte of padding may follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnhancedRedirection(pub ServerRedirection);

impl Decode<'_> for EnhancedRedirection {
    const NAME: &'static str = "EnhancedRedirection";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        src.skip(2, "pad2Octets")?;
        let redirection = ServerRedirection::decode(src)?;
        src.rest();
        Ok(Self(redirection))
    }
}

impl Encode for EnhancedRedirection {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        2 /* pad2Octets */ + self.0.size()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u16_le(0)?;
        self.0.encode(dst)
    }
}

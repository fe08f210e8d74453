//! How a server shows its public key without TLS: the proprietary certificate and the X.509 chain.

use alloc::vec::Vec;

use ironrdp_core::{Decode, DecodeResult, Encode, EncodeResult, ReadCursor, WriteCursor, len_u16, len_u32};

/// The server's public key for standard RDP security and for licensing
/// (`SERVER_CERTIFICATE`, MS-RDPBCGR 2.2.1.4.3.1).
///
/// Takes all of its envelope: whatever follows the chain is padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// The server has no certificate of a licence server yet and issued this one itself.
    pub temporary: bool,
    /// The key, in one of two forms.
    pub body: CertificateBody,
}

/// The two forms of a [`ServerCertificate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateBody {
    /// A bare RSA key with a signature whose key is public knowledge: it proves nothing.
    Proprietary(ProprietaryCertificate),
    /// X.509 certificates up to a licence server's root.
    X509(X509Chain),
}

const TEMPORARY: u32 = 0x8000_0000;
const VERSION_PROPRIETARY: u32 = 1;
const VERSION_X509: u32 = 2;

impl Decode<'_> for ServerCertificate {
    const NAME: &'static str = "ServerCertificate";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let version = src.u32_le("dwVersion")?;
        let body = match version & !TEMPORARY {
            VERSION_PROPRIETARY => CertificateBody::Proprietary(ProprietaryCertificate::decode(src)?),
            VERSION_X509 => CertificateBody::X509(X509Chain::decode(src)?),
            _ => return Err(src.unsupported("dwVersion", version)),
        };
        Ok(Self {
            temporary: version & TEMPORARY != 0,
            body,
        })
    }
}

impl Encode for ServerCertificate {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        4 /* dwVersion */ + match &self.body {
            CertificateBody::Proprietary(certificate) => certificate.size(),
            CertificateBody::X509(chain) => chain.size(),
        }
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let temporary = if self.temporary { TEMPORARY } else { 0 };
        match &self.body {
            CertificateBody::Proprietary(certificate) => {
                dst.u32_le(VERSION_PROPRIETARY | temporary)?;
                certificate.encode(dst)
            }
            CertificateBody::X509(chain) => {
                dst.u32_le(VERSION_X509 | temporary)?;
                chain.encode(dst)
            }
        }
    }
}

/// An RSA key and its signature (`PROPRIETARYSERVERCERTIFICATE`, MS-RDPBCGR 2.2.1.4.3.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProprietaryCertificate {
    /// The key.
    pub public_key: RsaPublicKey,
    /// The signature blob as it came, little-endian with its eight zero bytes.
    pub signature: Vec<u8>,
}

const SIGNATURE_ALG_RSA: u32 = 1;
const KEY_EXCHANGE_ALG_RSA: u32 = 1;
const RSA_KEY_BLOB: u16 = 0x0006;
const RSA_SIGNATURE_BLOB: u16 = 0x0008;

impl Decode<'_> for ProprietaryCertificate {
    const NAME: &'static str = "ProprietaryCertificate";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let signature_alg = src.u32_le("dwSigAlgId")?;
        if signature_alg != SIGNATURE_ALG_RSA {
            return Err(src.unsupported("dwSigAlgId", signature_alg));
        }
        let key_alg = src.u32_le("dwKeyAlgId")?;
        if key_alg != KEY_EXCHANGE_ALG_RSA {
            return Err(src.unsupported("dwKeyAlgId", key_alg));
        }
        let key_type = src.u16_le("wPublicKeyBlobType")?;
        if key_type != RSA_KEY_BLOB {
            return Err(src.invalid("wPublicKeyBlobType", key_type));
        }
        let key_length = src.u16_le("wPublicKeyBlobLen")?;
        let public_key = RsaPublicKey::decode(&mut src.sub(key_length.into(), "wPublicKeyBlobLen")?)?;
        let signature_type = src.u16_le("wSignatureBlobType")?;
        if signature_type != RSA_SIGNATURE_BLOB {
            return Err(src.invalid("wSignatureBlobType", signature_type));
        }
        let signature_length = src.u16_le("wSignatureBlobLen")?;
        let signature = src
            .sub(signature_length.into(), "wSignatureBlobLen")?
            .rest()
            .to_vec();
        Ok(Self {
            public_key,
            signature,
        })
    }
}

impl Encode for ProprietaryCertificate {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const ALGORITHMS: usize = 4 /* dwSigAlgId */ + 4 /* dwKeyAlgId */;
        const BLOB_HEADER: usize = 2 /* type */ + 2 /* length */;
        ALGORITHMS + BLOB_HEADER + self.public_key.size() + BLOB_HEADER + self.signature.len()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(SIGNATURE_ALG_RSA)?;
        dst.u32_le(KEY_EXCHANGE_ALG_RSA)?;
        dst.u16_le(RSA_KEY_BLOB)?;
        dst.u16_le(len_u16(self.public_key.size(), Self::NAME, "wPublicKeyBlobLen")?)?;
        self.public_key.encode(dst)?;
        dst.u16_le(RSA_SIGNATURE_BLOB)?;
        dst.u16_le(len_u16(self.signature.len(), Self::NAME, "wSignatureBlobLen")?)?;
        dst.bytes(&self.signature)
    }
}

/// An RSA public key as Windows writes it (`RSA_PUBLIC_KEY`, MS-RDPBCGR 2.2.1.4.3.1.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaPublicKey {
    /// The public exponent.
    pub exponent: u32,
    /// The modulus, little-endian, without the eight zero bytes that the wire puts behind it.
    pub modulus: Vec<u8>,
}

/// "RSA1" in ASCII.
const RSA_MAGIC: u32 = 0x3141_5352;
/// Zero bytes behind the modulus.
const MODULUS_PADDING: usize = 8;

impl Decode<'_> for RsaPublicKey {
    const NAME: &'static str = "RsaPublicKey";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let magic = src.u32_le("magic")?;
        if magic != RSA_MAGIC {
            return Err(src.invalid("magic", magic));
        }
        let key_length = usize::try_from(src.u32_le("keylen")?).unwrap_or(usize::MAX);
        // bitlen and datalen follow from keylen; what a peer says there is not needed to use its key.
        src.skip(4, "bitlen")?;
        src.skip(4, "datalen")?;
        let exponent = src.u32_le("pubExp")?;
        let Some(modulus_length) = key_length.checked_sub(MODULUS_PADDING).filter(|n| *n > 0) else {
            return Err(src.lies("keylen", key_length, src.remaining()));
        };
        let mut key = src.sub(key_length, "keylen")?;
        Ok(Self {
            exponent,
            modulus: key.bytes(modulus_length, "modulus")?.to_vec(),
        })
    }
}

impl Encode for RsaPublicKey {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        const HEADER: usize =
            4 /* magic */ + 4 /* keylen */ + 4 /* bitlen */ + 4 /* datalen */ + 4 /* pubExp */;
        HEADER + self.modulus.len() + MODULUS_PADDING
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        let modulus = self.modulus.len();
        dst.u32_le(RSA_MAGIC)?;
        dst.u32_le(len_u32(
            modulus.saturating_add(MODULUS_PADDING),
            Self::NAME,
            "keylen",
        )?)?;
        dst.u32_le(len_u32(modulus.saturating_mul(8), Self::NAME, "bitlen")?)?;
        // The longest message that is surely below the modulus.
        dst.u32_le(len_u32(modulus.saturating_sub(1), Self::NAME, "datalen")?)?;
        dst.u32_le(self.exponent)?;
        dst.bytes(&self.modulus)?;
        dst.zeros(MODULUS_PADDING)
    }
}

/// Certificates from the root (first) to the server's own (last), each DER
/// (`X509_CERTIFICATE_CHAIN`, MS-RDPELE 2.2.1.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X509Chain {
    /// The certificates, not looked into.
    pub certificates: Vec<Vec<u8>>,
}

impl X509Chain {
    /// Most certificates accepted: the highest count 2.2.1.4.2 allows.
    pub const MAX_CERTIFICATES: u32 = 200;

    /// The server's own certificate, the one with the key to use.
    pub fn leaf(&self) -> Option<&[u8]> {
        self.certificates.last().map(Vec::as_slice)
    }

    /// 2.2.1.4.2: the chain ends with 8 + 4 * NumCertBlobs zero bytes.
    fn padding(&self) -> usize {
        8 + 4 * self.certificates.len()
    }
}

impl Decode<'_> for X509Chain {
    const NAME: &'static str = "X509Chain";

    fn decode_body(src: &mut ReadCursor<'_>) -> DecodeResult<Self> {
        let count = src.u32_le("NumCertBlobs")?;
        if count > Self::MAX_CERTIFICATES {
            return Err(src.invalid("NumCertBlobs", count));
        }
        let mut certificates = Vec::new();
        for _ in 0..count {
            let length = usize::try_from(src.u32_le("cbCert")?).unwrap_or(usize::MAX);
            certificates.push(src.sub(length, "cbCert")?.rest().to_vec());
        }
        // The padding is the end of the envelope; it carries nothing, and some servers leave it out.
        src.rest();
        Ok(Self { certificates })
    }
}

impl Encode for X509Chain {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn size(&self) -> usize {
        let certificates: usize = self
            .certificates
            .iter()
            .map(|der| 4 /* cbCert */ + der.len())
            .sum();
        4 /* NumCertBlobs */ + certificates + self.padding()
    }

    fn encode(&self, dst: &mut WriteCursor<'_>) -> EncodeResult<()> {
        dst.u32_le(len_u32(self.certificates.len(), Self::NAME, "NumCertBlobs")?)?;
        for der in &self.certificates {
            dst.u32_le(len_u32(der.len(), Self::NAME, "cbCert")?)?;
            dst.bytes(der)?;
        }
        dst.zeros(self.padding())
    }
}

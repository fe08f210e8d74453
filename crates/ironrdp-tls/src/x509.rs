//! Where things stand in a certificate (RFC 5280 4.1), without judging any of them.
//!
//! Own code instead of a parser crate: x509-cert brings 10 crates and x509-parser 30 for the five fields
//! that are read here, and webpki refuses version 1 certificates, which RDP servers do have.

use crate::der::{BIT_STRING, DerReader, Element, INTEGER, SEQUENCE, X509Error};

/// `[0] EXPLICIT`, constructed: the version, absent in version 1.
const VERSION: u8 = 0xa0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct X509<'a> {
    pub(crate) issuer: Element<'a>,
    pub(crate) subject: Element<'a>,
    pub(crate) not_before: Element<'a>,
    pub(crate) not_after: Element<'a>,
    /// SubjectPublicKeyInfo with its tag and length: what public key pins hash.
    pub(crate) spki: &'a [u8],
    /// AlgorithmIdentifier without its tag and length: what rustls compares.
    pub(crate) algorithm: &'a [u8],
    /// The bits of subjectPublicKey: what verifies signatures, and what CredSSP binds.
    pub(crate) key: &'a [u8],
}

impl<'a> X509<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, X509Error> {
        let mut input = DerReader::new(der);
        let mut certificate = input.expect(SEQUENCE, "certificate")?.reader();
        input.end("certificate")?;
        let mut tbs = certificate.expect(SEQUENCE, "tbsCertificate")?.reader();
        certificate.expect(SEQUENCE, "signatureAlgorithm")?;
        certificate.expect(BIT_STRING, "signatureValue")?;
        certificate.end("signatureValue")?;

        if tbs.peek_tag() == Some(VERSION) {
            tbs.element("version")?;
        }
        tbs.expect(INTEGER, "serialNumber")?;
        tbs.expect(SEQUENCE, "signature")?;
        let issuer = tbs.expect(SEQUENCE, "issuer")?;
        let mut validity = tbs.expect(SEQUENCE, "validity")?.reader();
        let not_before = validity.element("notBefore")?;
        let not_after = validity.element("notAfter")?;
        validity.end("notAfter")?;
        let subject = tbs.expect(SEQUENCE, "subject")?;
        let spki = tbs.expect(SEQUENCE, "subjectPublicKeyInfo")?;
        let mut parts = spki.reader();
        let algorithm = parts.expect(SEQUENCE, "algorithm")?;
        let at_key = parts.clone();
        let bits = parts.expect(BIT_STRING, "subjectPublicKey")?;
        parts.end("subjectPublicKey")?;
        // The first byte counts unused bits at the end; every key we know fills whole bytes.
        let Some((0, key)) = bits.contents.split_first() else {
            return Err(at_key.invalid("subjectPublicKey"));
        };
        Ok(Self {
            issuer,
            subject,
            not_before,
            not_after,
            spki: spki.whole,
            algorithm: algorithm.contents,
            key,
        })
    }

    pub(crate) fn is_self_signed(&self) -> bool {
        self.issuer.whole == self.subject.whole
    }
}

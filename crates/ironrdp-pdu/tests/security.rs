//! Security headers, the Security Exchange and server certificates against captured bytes.

mod common;

use common::{
    assert_length_lies, damage_every_byte, decode_error, encode_round_trip, hex, round_trip_strict, vector,
};
use ironrdp_core::{Decode, DecodeErrorKind, ReadCursor, decode, decode_exact, encode_vec};
use ironrdp_pdu::security::{
    BasicSecurity, CertificateBody, ProprietaryCertificate, RsaPublicKey, SecurityExchange, SecurityFlags,
    SecurityHeader, ServerCertificate, X509Chain,
};

#[test]
fn a_windows_xp_security_exchange_survives_the_round_trip() {
    let bytes = vector("security/security_exchange.bin");
    let mut src = ReadCursor::new(bytes);
    let header = SecurityHeader::decode(&mut src).unwrap();
    assert_eq!(
        header.flags,
        SecurityFlags::EXCHANGE_PACKET | SecurityFlags::LICENSE_ENCRYPT
    );
    let exchange: SecurityExchange = round_trip_strict(src.rest());
    assert_eq!(exchange.encrypted_client_random.len(), 72);
    assert!(exchange.encrypted_client_random.ends_with(&[0; 8]));
    let packet = BasicSecurity {
        flags: header.flags,
        body: exchange,
    };
    assert_eq!(encode_vec(&packet).unwrap(), bytes);
}

#[test]
fn a_header_gives_the_rest_as_its_body_and_ignores_flags_hi() {
    // The last two bytes of the header are stack garbage of an old client.
    let packet: BasicSecurity<&[u8]> = decode_exact(hex("4000 beef 0102")).unwrap();
    assert_eq!(packet.flags, SecurityFlags::INFO_PACKET);
    assert_eq!(packet.body, [1, 2]);
    assert_eq!(encode_vec(&packet).unwrap(), hex("4000 0000 0102"));
    assert!(decode::<SecurityHeader>(&[0x40, 0, 0]).is_err());
}

#[test]
fn an_exchange_that_promises_more_than_there_is_is_refused() {
    assert_length_lies::<SecurityExchange>(hex("48000000 0102"), "SecurityExchange", "length");
    assert_length_lies::<SecurityExchange>(hex("ffffffff 0102"), "SecurityExchange", "length");
}

#[test]
fn a_proprietary_certificate_gives_its_key() {
    let certificate: ServerCertificate = round_trip_strict(vector("security/proprietary_certificate.bin"));
    assert!(!certificate.temporary);
    let CertificateBody::Proprietary(ProprietaryCertificate {
        public_key,
        signature,
    }) = certificate.body
    else {
        panic!("not proprietary");
    };
    assert_eq!(public_key.exponent, 65_537);
    assert_eq!(public_key.modulus.len(), 64);
    assert_eq!(public_key.modulus[..4], [0xcb, 0x81, 0xfe, 0xba]);
    assert_eq!(signature.len(), 72);
}

#[test]
fn a_captured_x509_chain_gives_its_certificates_whatever_its_padding_holds() {
    let bytes = vector("security/x509_chain.bin");
    let certificate: ServerCertificate = decode_exact(bytes).unwrap();
    assert!(certificate.temporary);
    let CertificateBody::X509(chain) = &certificate.body else {
        panic!("not a chain");
    };
    assert_eq!(
        chain.certificates.iter().map(Vec::len).collect::<Vec<_>>(),
        [351, 869]
    );
    assert_eq!(chain.leaf(), chain.certificates.last().map(Vec::as_slice));
    let encoded = encode_vec(&certificate).unwrap();
    let (certificates, padding) = encoded.split_at(bytes.len() - 16);
    assert_eq!(certificates, &bytes[..bytes.len() - 16]);
    assert_eq!(padding, [0; 16]);
    damage_every_byte::<ServerCertificate>(bytes);
    for cut in 0..bytes.len() - 16 {
        decode_error::<ServerCertificate>(&bytes[..cut]);
    }
}

#[test]
fn a_made_up_chain_survives_the_round_trip() {
    encode_round_trip(&ServerCertificate {
        temporary: true,
        body: CertificateBody::X509(X509Chain {
            certificates: vec![vec![0x30, 0], vec![0x30, 1, 0]],
        }),
    });
    assert_eq!(X509Chain { certificates: vec![] }.leaf(), None);
}

#[test]
fn lengths_inside_certificates_that_lie_are_refused() {
    // RSA key with keylen 0x7fffffff.
    let key = hex("52534131 ffffff7f 00020000 3f000000 01000100 0102030405060708");
    assert_length_lies::<RsaPublicKey>(key, "RsaPublicKey", "keylen");
    // keylen 8: nothing but padding.
    let key = hex("52534131 08000000 00000000 00000000 01000100 0000000000000000");
    assert_length_lies::<RsaPublicKey>(key, "RsaPublicKey", "keylen");
    assert_length_lies::<X509Chain>(hex("01000000 10000000 3000"), "X509Chain", "cbCert");
    // 201 certificates: one more than the specification allows.
    let error = decode_error::<X509Chain>(hex("c9000000 00000000"));
    assert_eq!(error.kind(), DecodeErrorKind::Invalid { got: 201 });
}

#[test]
fn a_certificate_of_an_unknown_version_is_unsupported() {
    let error = decode_error::<ServerCertificate>(hex("03000000 00000000"));
    assert_eq!(error.kind(), DecodeErrorKind::Unsupported { got: 3 });
}

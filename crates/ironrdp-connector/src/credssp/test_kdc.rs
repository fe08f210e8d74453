//! A KDC for tests: it knows one user, grants what it is told to grant, and checks nothing.
//!
//! Its ciphers are written here (RFC 3961, RFC 3962), so that a login by Kerberos is checked against more than the package that
//! does it on both ends.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha1::Sha1;

use crate::NetworkProtocol;

pub(super) const REALM: &str = "LAB.TEST";
pub(super) const USER: &str = "rdptest";

/// `KDC_ERR_PREAUTH_REQUIRED`.
pub(super) const PREAUTH_REQUIRED: u8 = 25;

/// The key that comes with the ticket for more tickets, and the one that comes with the ticket for a server.
pub(super) const SESSION_KEYS: [&[u8; 32]; 2] = [
    b"between the user and the KDC :-)",
    b"between the user and the server!",
];

const AES_256: u8 = 18;

/// The user's key is derived with it.
const SALT: &[u8] = b"LAB.TESTrdptest";

pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    match length {
        [0, short @ 0..=0x7f] => bytes.push(short),
        [0, length] => bytes.extend([0x81, length]),
        [high, low] => bytes.extend([0x82, high, low]),
    }
    bytes.extend_from_slice(content);
    bytes
}

pub(super) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, content)
}

pub(super) fn integer(value: u8) -> Vec<u8> {
    tlv(2, &[value])
}

fn sequence(fields: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &fields.concat())
}

pub(super) fn text(text: &str) -> Vec<u8> {
    tlv(0x1b, text.as_bytes())
}

/// `PrincipalName`: 1 is a user's kind, 2 a service's.
fn name(kind: u8, parts: &[&str]) -> Vec<u8> {
    let parts: Vec<_> = parts.iter().map(|part| text(part)).collect();
    sequence(&[field(0, &integer(kind)), field(1, &sequence(&parts))])
}

fn time(time: &str) -> Vec<u8> {
    tlv(0x18, time.as_bytes())
}

/// What a KDC says over TCP when it refuses (`KRB-ERROR`, RFC 4120 5.9.1). Its clock is years behind.
pub(super) fn refusal(code: u8, data: &[u8]) -> Vec<u8> {
    let mut fields = vec![
        field(0, &integer(5)),
        field(1, &integer(30)),
        field(4, &time("20200101000000Z")),
        field(5, &integer(0)),
        field(6, &integer(code)),
        field(9, &text(REALM)),
        field(10, &name(2, &["krbtgt", REALM])),
    ];
    if !data.is_empty() {
        fields.push(field(12, &tlv(4, data)));
    }
    with_length(&tlv(0x7e, &sequence(&fields)))
}

/// Which key the KDC wants a proof of: AES-256 with this salt (`ETYPE-INFO2`).
pub(super) fn wanted_key() -> Vec<u8> {
    let entry = sequence(&[field(0, &integer(AES_256)), field(1, &tlv(0x1b, SALT))]);
    let info = sequence(&[entry]);
    sequence(&[sequence(&[field(1, &integer(19)), field(2, &tlv(4, &info))])])
}

/// The user's proof is good: a ticket for more tickets (`AS-REP`, RFC 4120 5.4.2).
pub(super) fn granting_ticket(password: &str) -> Vec<u8> {
    let service = name(2, &["krbtgt", REALM]);
    let kdc_key = [0x5a; 32];
    reply(11, &service, SESSION_KEYS[0], &kdc_key, (3, &user_key(password)))
}

/// A ticket for `service`, sealed with the service's `key` (`TGS-REP`).
pub(super) fn service_ticket(service: &[&str], key: &[u8]) -> Vec<u8> {
    reply(13, &name(2, service), SESSION_KEYS[1], key, (8, SESSION_KEYS[0]))
}

/// All that a login asks for.
pub(super) fn login(password: &str, service: &[&str], key: &[u8]) -> Vec<Vec<u8>> {
    vec![
        refusal(PREAUTH_REQUIRED, &wanted_key()),
        granting_ticket(password),
        service_ticket(service, key),
    ]
}

/// `answer` as it comes by `protocol`.
pub(super) fn by(protocol: NetworkProtocol, answer: &[u8]) -> Vec<u8> {
    match protocol {
        NetworkProtocol::Tcp => answer.to_vec(),
        NetworkProtocol::Udp => answer[4..].to_vec(),
        NetworkProtocol::Http | NetworkProtocol::Https => sequence(&[field(0, &tlv(4, answer))]),
    }
}

fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message].concat()
}

/// `KDC-REP`: a ticket that only `service` can open, with `ticket_key`, and its session key for the user, sealed with the
/// key of `opener` for the purpose that comes with it.
fn reply(kind: u8, service: &[u8], session_key: &[u8], ticket_key: &[u8], opener: (u32, &[u8])) -> Vec<u8> {
    const ISSUED: &str = "20200101000000Z";
    const ENDS: &str = "20370101000000Z";
    let flags = tlv(3, &[0, 0x40, 0, 0, 0]);
    let user = name(1, &[USER]);
    let key = sequence(&[field(0, &integer(AES_256)), field(1, &tlv(4, session_key))]);
    let transited = sequence(&[field(0, &integer(1)), field(1, &tlv(4, &[]))]);
    let inside = sequence(&[
        field(0, &flags),
        field(1, &key),
        field(2, &text(REALM)),
        field(3, &user),
        field(4, &transited),
        field(5, &time(ISSUED)),
        field(7, &time(ENDS)),
    ]);
    let ticket = sequence(&[
        field(0, &integer(5)),
        field(1, &text(REALM)),
        field(2, service),
        field(3, &sealed(ticket_key, 2, &tlv(0x63, &inside))),
    ]);
    let last_request = sequence(&[sequence(&[field(0, &integer(0)), field(1, &time(ISSUED))])]);
    let for_the_user = sequence(&[
        field(0, &key),
        field(1, &last_request),
        field(2, &integer(7)),
        field(4, &flags),
        field(5, &time(ISSUED)),
        field(7, &time(ENDS)),
        field(9, &text(REALM)),
        field(10, service),
    ]);
    let for_the_user = tlv(if kind == 11 { 0x79 } else { 0x7a }, &for_the_user);
    let (purpose, opener) = opener;
    let message = sequence(&[
        field(0, &integer(5)),
        field(1, &integer(kind)),
        field(3, &text(REALM)),
        field(4, &user),
        field(5, &tlv(0x61, &ticket)),
        field(6, &sealed(opener, purpose, &for_the_user)),
    ]);
    with_length(&tlv(0x60 | kind, &message))
}

/// `EncryptedData`.
fn sealed(key: &[u8], purpose: u32, message: &[u8]) -> Vec<u8> {
    let cipher = encrypt(key, purpose, message);
    sequence(&[field(0, &integer(AES_256)), field(2, &tlv(4, &cipher))])
}

/// aes256-cts-hmac-sha1-96 (RFC 3962 6).
fn encrypt(key: &[u8], purpose: u32, message: &[u8]) -> Vec<u8> {
    let key_for = |kind: u8| derive(key, &[&purpose.to_be_bytes()[..], &[kind]].concat());
    let message = [b"no random number", message].concat();
    let mut sealed = cipher_text_stealing(&key_for(0xaa), &message);
    sealed.extend_from_slice(&hmac_sha1(&key_for(0x55), &[&message])[..12]);
    sealed
}

/// CBC whose last two blocks are swapped and cut to the length of the message.
fn cipher_text_stealing(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut last = [0; 16];
    let mut blocks: Vec<[u8; 16]> = Vec::new();
    for chunk in message.chunks(16) {
        for (at, byte) in chunk.iter().enumerate() {
            last[at] ^= byte;
        }
        last = aes(key, last);
        blocks.push(last);
    }
    let end = blocks.len();
    blocks.swap(end - 2, end - 1);
    let mut sealed = blocks.concat();
    sealed.truncate(message.len());
    sealed
}

fn aes(key: &[u8], block: [u8; 16]) -> [u8; 16] {
    let mut block = block.into();
    Aes256::new_from_slice(key).unwrap().encrypt_block(&mut block);
    block.into()
}

/// `DK` (RFC 3961 5.1).
fn derive(key: &[u8], constant: &[u8]) -> Vec<u8> {
    let first = aes(key, fold(constant));
    [first, aes(key, first)].concat()
}

/// The n-fold of RFC 3961 5.1 to 128 bits.
fn fold(input: &[u8]) -> [u8; 16] {
    let bits = 8 * input.len();
    let copies = (1..)
        .find(|copies| (copies * input.len()).is_multiple_of(16))
        .unwrap();
    let mut sum = 0_u128;
    let mut block = 0_u128;
    for at in 0..copies * bits {
        // Each copy is turned 13 bits further to the right than the one before.
        let from = (at % bits + copies * bits - 13 * (at / bits)) % bits;
        block = block << 1 | u128::from(input[from / 8] >> (7 - from % 8) & 1);
        if at % 128 == 127 {
            let (added, carry) = sum.overflowing_add(block);
            sum = added + u128::from(carry);
            block = 0;
        }
    }
    sum.to_be_bytes()
}

/// The key of a user by a password (RFC 3962 4).
pub(super) fn user_key(password: &str) -> Vec<u8> {
    let block = |number: u32| {
        let mut last = hmac_sha1(password.as_bytes(), &[SALT, &number.to_be_bytes()]);
        let mut sum = last.clone();
        for _ in 1..4096 {
            last = hmac_sha1(password.as_bytes(), &[&last]);
            for (sum, last) in sum.iter_mut().zip(&last) {
                *sum ^= last;
            }
        }
        sum
    };
    let stretched = [block(1), block(2)].concat();
    derive(&stretched[..32], b"kerberos")
}

fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[test]
fn folding_is_that_of_the_known_answers() {
    // RFC 3961 A.1: 128-fold of "kerberos".
    assert_eq!(
        fold(b"kerberos"),
        0x6b65_7262_6572_6f73_7b9b_5b2b_9313_2b93_u128.to_be_bytes()
    );
}

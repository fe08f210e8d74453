//! The messages of one real login, and every number in it worked out from the password.

use hmac::{Hmac, KeyInit as _, Mac as _};
use ironrdp_core::{Decode, Encode, decode_exact, encode_vec};
use ironrdp_pdu::PduHint;
use md4::Md4;
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher as _};
use serde_json::Value;

use super::ts_credentials::TsCredentials;
use super::*;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/vectors/credssp/", $name)).as_slice()
    };
}

fn requests() -> [&'static [u8]; 6] {
    [
        vector!("exchange_1.der"),
        vector!("exchange_2.der"),
        vector!("exchange_3.der"),
        vector!("exchange_4.der"),
        vector!("exchange_5.der"),
        vector!("ts_request_error.der"),
    ]
}

fn credentials() -> [&'static [u8]; 3] {
    [
        vector!("ts_credentials_a_1.der"),
        vector!("ts_credentials_domain.der"),
        vector!("ts_credentials_restricted_admin.der"),
    ]
}

fn round_trip<'a, T: Decode<'a> + Encode>(bytes: &'a [u8]) -> T {
    let value: T = decode_exact(bytes).unwrap();
    assert_eq!(value.size(), bytes.len());
    assert_eq!(encode_vec(&value).unwrap(), bytes);
    value
}

#[test]
fn every_message_of_a_real_login_survives_a_round_trip() {
    let [one, two, three, four, five, error] = requests().map(round_trip::<TsRequest<'_>>);
    for request in [&one, &two, &three, &four, &five, &error] {
        assert_eq!(request.version, 6);
        assert!(request.client_nonce.is_some());
    }
    assert_eq!(one.nego_token.unwrap().len(), 40);
    assert_eq!(two.nego_token.unwrap().len(), 128);
    assert_eq!(three.nego_token.unwrap().len(), 312);
    assert_eq!(three.pub_key_auth.unwrap().len(), 48);
    assert_eq!(four.pub_key_auth.unwrap().len(), 48);
    assert_eq!(five.auth_info.unwrap().len(), 45);
    assert_eq!(error.error_code, Some(crate::NtStatus(0xc007_00ea)));
}

#[test]
fn delegated_credentials_survive_a_round_trip() {
    let [short, long, nobody] = credentials().map(round_trip::<TsCredentials>);
    let parts = |credentials: &TsCredentials| {
        let password = credentials.password.expose().clone();
        (credentials.domain.clone(), credentials.user.clone(), password)
    };
    assert_eq!(parts(&short), (String::new(), "a".into(), "1".into()));
    assert_eq!(
        parts(&long),
        ("Domain".into(), "Username".into(), "Password".into())
    );
    assert_eq!(parts(&nobody), parts(&TsCredentials::empty()));
}

#[test]
fn a_message_cut_at_any_byte_is_an_error_and_one_with_any_byte_changed_no_panic() {
    fn check<'a, T: Decode<'a>>(bytes: &'a [u8]) {
        for cut in 0..bytes.len() {
            assert!(T::decode(&mut ironrdp_core::ReadCursor::new(&bytes[..cut])).is_err());
        }
    }
    for bytes in requests() {
        check::<TsRequest<'_>>(bytes);
        for at in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= change;
                let _ = decode_exact::<TsRequest<'_>>(&bytes);
            }
        }
    }
    for bytes in credentials() {
        check::<TsCredentials>(bytes);
        for at in 0..bytes.len() {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 0x7f;
            let _ = decode_exact::<TsCredentials>(&bytes);
        }
    }
}

#[test]
fn a_length_that_lies_is_refused() {
    //                  SEQUENCE      [0] INTEGER   vv [1] of 80 bytes, and there are none
    let longer = [0x30, 0x07, 0xa0, 0x03, 0x02, 0x01, 0x06, 0xa1, 0x50];
    let error = decode_exact::<TsRequest<'_>>(&longer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed TsRequest at byte 9: field says 80, but there are 0"
    );
    // A field that comes twice, and a nonce of 31 bytes.
    let twice = [
        0x30, 0x0d, 0xa0, 0x03, 0x02, 0x01, 0x06, 0xa3, 0x02, 0x04, 0x00, 0xa3, 0x02, 0x04, 0x00,
    ];
    assert!(decode_exact::<TsRequest<'_>>(&twice).is_err());
    let nonce = TsRequest {
        client_nonce: Some([7; 32]),
        ..TsRequest::new()
    };
    let mut short = encode_vec(&nonce).unwrap();
    short.pop();
    for length_at in [1, 8, 10] {
        short[length_at] -= 1;
    }
    assert!(decode_exact::<TsRequest<'_>>(&short).is_err());
}

#[test]
fn a_later_version_may_add_fields() {
    let later = [
        0x30, 0x0a, 0xa0, 0x04, 0x02, 0x02, 0x01, 0x07, 0xa6, 0x02, 0x05, 0x00,
    ];
    assert_eq!(decode_exact::<TsRequest<'_>>(&later).unwrap().version, 0x107);
    let large = TsRequest {
        version: 0x8000_0000,
        ..TsRequest::new()
    };
    round_trip::<TsRequest<'_>>(&encode_vec(&large).unwrap());
}

#[test]
fn a_token_of_any_length_has_the_size_it_says() {
    for length in [
        0, 1, 100, 115, 116, 127, 128, 240, 255, 256, 1_000, 65_500, 65_536, 70_000,
    ] {
        let token = vec![0x55; length];
        let request = TsRequest {
            nego_token: Some(&token),
            ..TsRequest::new()
        };
        let bytes = encode_vec(&request).unwrap();
        assert_eq!(round_trip::<TsRequest<'_>>(&bytes), request);
        let hint = ironrdp_pdu::BerSequenceHint::with_max_size(1 << 20);
        assert_eq!(hint.find_size(&bytes).unwrap(), Some((true, bytes.len())));
    }
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn nt_hash(password: &str) -> Vec<u8> {
    Md4::digest(utf16(password)).to_vec()
}

fn ntowfv2(password: &str, user: &str, domain: &str) -> Vec<u8> {
    hmac_md5(
        &nt_hash(password),
        &[&utf16(&user.to_uppercase()), &utf16(domain)],
    )
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn password_hashes_are_those_of_the_known_answers() {
    let known: Value = serde_json::from_slice(vector!("ntowf.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for case in known["ntowfv1"].as_array().unwrap() {
        assert_eq!(nt_hash(&text(&case["password"])), hex(&case["hash"]));
    }
    for case in known["ntowfv2"].as_array().unwrap() {
        let hash = ntowfv2(
            &text(&case["password"]),
            &text(&case["user"]),
            &text(&case["domain"]),
        );
        assert_eq!(hash, hex(&case["hash"]));
    }
}

/// The field (length, length, offset) at `at` of an NTLM message.
fn ntlm_field(message: &[u8], at: usize) -> &[u8] {
    let length = usize::from(u16::from_le_bytes([message[at], message[at + 1]]));
    let offset = usize::from(u16::from_le_bytes([message[at + 4], message[at + 5]]));
    &message[offset..offset + length]
}

/// The keys of a login, worked out from the password and the messages that anybody can read (MS-NLMP 3.3.2, 3.4.5).
pub(super) struct LoginKeys {
    nt_hash: Vec<u8>,
    ntowfv2: Vec<u8>,
    proof: Vec<u8>,
    base_key: Vec<u8>,
    pub(super) session_key: Vec<u8>,
}

impl LoginKeys {
    fn new(password: &str, challenge: &[u8], authenticate: &[u8]) -> Self {
        let text = |at| {
            let (units, []) = ntlm_field(authenticate, at).as_chunks::<2>() else {
                panic!("half a character");
            };
            let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            String::from_utf16(&units).unwrap()
        };
        let (domain, user) = (text(28), text(36));
        let ntowfv2 = ntowfv2(password, &user, &domain);
        let (_, client_part) = ntlm_field(authenticate, 20).split_at(16);
        let proof = hmac_md5(&ntowfv2, &[&challenge[24..32], client_part]);
        let base_key = hmac_md5(&ntowfv2, &[&proof]);
        let mut session_key = ntlm_field(authenticate, 52).to_vec();
        Rc4::new_from_slice(&base_key)
            .unwrap()
            .apply_keystream(&mut session_key);
        Self {
            nt_hash: nt_hash(password),
            ntowfv2,
            proof,
            base_key,
            session_key,
        }
    }

    /// Those of a login of which these messages were seen, whether in SPNEGO or not.
    pub(super) fn of_messages(password: &str, messages: &[Vec<u8>]) -> Self {
        let find = |kind| {
            let signature = [b"NTLMSSP\0".as_slice(), &[kind, 0, 0, 0]].concat();
            messages
                .iter()
                .find_map(|message| {
                    let token = decode_exact::<TsRequest<'_>>(message).ok()?.nego_token?;
                    let at = token.windows(12).position(|window| window == signature)?;
                    Some(&token[at..])
                })
                .expect("a message of NTLM")
        };
        Self::new(password, find(2), find(3))
    }

    /// Opens the client's first sealed message, which shows that the keys are those of the login.
    pub(super) fn open(&self, sealed: &[u8], in_spnego: bool) -> Vec<u8> {
        let mut seal = Seal::new(&self.session_key, "client-to-server");
        // There, the checksum over the list of mechanisms was the first message.
        seal.sequence = u32::from(in_spnego);
        seal.open(sealed)
    }

    /// Everything that nobody else may know.
    pub(super) fn secrets(&self) -> Vec<Vec<u8>> {
        let mut secrets = vec![
            self.nt_hash.clone(),
            self.ntowfv2.clone(),
            self.base_key.clone(),
            self.session_key.clone(),
        ];
        for direction in ["client-to-server", "server-to-client"] {
            for purpose in ["sealing", "signing"] {
                secrets.push(sealing_key(&self.session_key, direction, purpose));
            }
        }
        secrets
    }
}

fn sealing_key(session_key: &[u8], direction: &str, purpose: &str) -> Vec<u8> {
    let magic = format!("session key to {direction} {purpose} key magic constant\0");
    Md5::new()
        .chain_update(session_key)
        .chain_update(magic)
        .finalize()
        .to_vec()
}

/// One direction's seal: the stream goes on over the checksum of each message (MS-NLMP 3.4.4.2).
struct Seal {
    stream: Rc4,
    sign: Vec<u8>,
    sequence: u32,
}

impl Seal {
    fn new(session_key: &[u8], direction: &str) -> Self {
        Self {
            stream: Rc4::new_from_slice(&sealing_key(session_key, direction, "sealing")).unwrap(),
            sign: sealing_key(session_key, direction, "signing"),
            sequence: 0,
        }
    }

    /// Opens a message, and checks its signature.
    fn open(&mut self, sealed: &[u8]) -> Vec<u8> {
        let (signature, sealed) = sealed.split_at(16);
        let mut clear = sealed.to_vec();
        self.stream.apply_keystream(&mut clear);
        let mut checksum = hmac_md5(&self.sign, &[&self.sequence.to_le_bytes(), &clear]);
        checksum.truncate(8);
        self.stream.apply_keystream(&mut checksum);
        let expected = [
            &1_u32.to_le_bytes(),
            checksum.as_slice(),
            &self.sequence.to_le_bytes(),
        ]
        .concat();
        assert_eq!(signature, expected);
        self.sequence += 1;
        clear
    }
}

#[test]
fn every_step_of_the_login_follows_from_the_password() {
    let keys: Value = serde_json::from_slice(vector!("exchange_keys.json")).unwrap();
    let [one, two, three, four, five, _] =
        requests().map(|bytes| decode_exact::<TsRequest<'_>>(bytes).unwrap());
    let (negotiate, challenge, authenticate) = (
        one.nego_token.unwrap(),
        two.nego_token.unwrap(),
        three.nego_token.unwrap(),
    );
    let text = |name: &str| keys[name].as_str().unwrap();

    let derived = LoginKeys::new(text("password"), challenge, authenticate);
    assert_eq!(derived.nt_hash, hex(&keys["nt_hash"]));
    assert_eq!(derived.ntowfv2, hex(&keys["ntowfv2"]));
    assert_eq!(
        derived.ntowfv2,
        ntowfv2(text("password"), text("user"), text("domain"))
    );
    assert_eq!(&challenge[24..32], hex(&keys["server_challenge"]));
    assert_eq!(derived.proof, hex(&keys["nt_proof_str"]));
    assert_eq!(&ntlm_field(authenticate, 20)[..16], derived.proof);
    assert_eq!(derived.base_key, hex(&keys["session_base_key"]));
    assert_eq!(
        ntlm_field(authenticate, 52),
        hex(&keys["encrypted_random_session_key"])
    );
    let session_key = derived.session_key;
    assert_eq!(session_key, hex(&keys["exported_session_key"]));

    const MIC: core::ops::Range<usize> = 72..88;
    let mut without_mic = authenticate.to_vec();
    without_mic[MIC].fill(0);
    let mic = hmac_md5(&session_key, &[negotiate, challenge, &without_mic]);
    assert_eq!(mic, hex(&keys["mic"]));
    assert_eq!(&authenticate[MIC], mic);

    let mut to_server = Seal::new(&session_key, "client-to-server");
    let mut to_client = Seal::new(&session_key, "server-to-client");
    assert_eq!(
        to_server.open(three.pub_key_auth.unwrap()),
        hex(&keys["client_pub_key_hash"])
    );
    assert_eq!(
        to_client.open(four.pub_key_auth.unwrap()),
        hex(&keys["server_pub_key_hash"])
    );
    assert_eq!(three.client_nonce.unwrap().to_vec(), hex(&keys["client_nonce"]));
    let delegated = to_server.open(five.auth_info.unwrap());
    assert_eq!(delegated, hex(&keys["ts_credentials"]));
    let delegated: TsCredentials = decode_exact(&delegated).unwrap();
    assert_eq!(
        (delegated.user.as_str(), delegated.password.expose().as_str()),
        ("a", "1")
    );
}

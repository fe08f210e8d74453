//! The client against servers that lie: about the certificate, about the version, and about everything, byte by byte.

use ironrdp_core::{WriteBuf, decode_exact, encode_vec};

use super::TsRequest;
use super::client_tests::{KEY, PASSWORD, Server, auth_failure, client, config, raw, run};
use super::ntlm_seal::NtlmSeal;
use super::vector_tests::LoginKeys;
use crate::{AuthFailure, ConnectorErrorKind};

#[test]
fn a_server_that_does_not_prove_the_certificate_gets_no_credentials() {
    // The proof changed on the way, the client's own proof sent back, and no proof at all.
    type Change = fn(&mut TsRequest<'_>);
    let changes: [Change; 3] = [
        |answer| answer.pub_key_auth = Some(&[0x5a; 48]),
        |answer| answer.pub_key_auth = Some(&[0x5a; 15]),
        |answer| answer.pub_key_auth = None,
    ];
    for change in changes {
        let mut server = Server::new(KEY);
        let mut messages = 0;
        let result = run(client(&config(), false), |message| {
            let answer = server.handle(message)?;
            messages += 1;
            if messages < 2 {
                return Some(answer);
            }
            let mut answer: TsRequest<'_> = decode_exact(&answer).unwrap();
            change(&mut answer);
            Some(encode_vec(&answer).unwrap())
        });
        assert!(matches!(
            result.unwrap_err().kind(),
            ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch) | ConnectorErrorKind::Unexpected
        ));
        assert!(server.delegated.is_none());
    }
    let mut server = Server::new(KEY);
    let error = run(client(&config(), false), |message| {
        let request: TsRequest<'_> = decode_exact(message).unwrap();
        // Sent back as it came.
        if request.pub_key_auth.is_some() {
            return Some(message.to_vec());
        }
        server.handle(message)
    })
    .unwrap_err();
    assert_eq!(auth_failure(&error), AuthFailure::PublicKeyMismatch);
}

/// The contents of a key as the old form proves them back: one more.
fn one_more(key: &[u8]) -> Vec<u8> {
    [&[key[0] + 1], &key[1..]].concat()
}

#[test]
fn a_server_that_knows_the_password_must_still_prove_the_certificate() {
    let proofs = |version: u32, nonce: Option<[u8; 32]>| -> Vec<(Vec<u8>, bool)> {
        use super::public_key::KeyBinding;
        let of = |key: &[u8]| KeyBinding::new(key.to_vec(), nonce);
        let mut proofs = vec![
            (of(KEY).server_proof(), true),
            // Another certificate, the client's own proof, and no proof at all.
            (of(b"another key").server_proof(), false),
            (of(KEY).client_proof(), false),
            (Vec::new(), false),
            // Nearly the right one, and a part of it.
            (one_more(&of(KEY).server_proof()), false),
            (of(KEY).server_proof()[1..].to_vec(), false),
        ];
        if version < 5 {
            assert_eq!(proofs[0].0, one_more(KEY));
            proofs.push((KEY.to_vec(), false));
        } else {
            // The old form is not the new one.
            proofs.push((one_more(KEY), false));
        }
        proofs
    };
    let config = config().dangerously_allow_old_credssp();
    for version in 2..=7 {
        let nonce = (version >= 5).then_some([7; 32]);
        for (proof, is_right) in proofs(version, nonce) {
            let mut server = Server::with_version(KEY, version, raw());
            let mut messages = Vec::new();
            let mut delegates = false;
            let result = run(client(&config, false), |message| {
                let request: TsRequest<'_> = decode_exact(message).unwrap();
                messages.push(message.to_vec());
                let Some(sealed) = request.pub_key_auth else {
                    delegates |= request.auth_info.is_some();
                    let answer = server.handle(message);
                    messages.extend(answer.clone());
                    return answer.filter(|_| request.auth_info.is_none());
                };
                assert_eq!(request.client_nonce, nonce);
                let keys = LoginKeys::of_messages(PASSWORD, &messages);
                let said = keys.open(sealed, false);
                assert_eq!(said == KEY, version < 5);
                let sealed = NtlmSeal::new(&keys.session_key, true)
                    .unwrap()
                    .seal(&proof)
                    .unwrap();
                let answer = TsRequest {
                    version,
                    pub_key_auth: Some(&sealed),
                    ..TsRequest::new()
                };
                Some(encode_vec(&answer).unwrap())
            });
            assert_eq!(delegates, is_right, "version {version}, {proof:02x?}");
            match result {
                Ok(_) => assert!(is_right),
                Err(error) => assert_eq!(auth_failure(&error), AuthFailure::PublicKeyMismatch),
            }
        }
    }
}

#[test]
fn a_server_that_changes_its_version_or_has_none_we_know_is_refused() {
    for versions in [[6, 5], [1, 1], [0, 0]] {
        let mut server = Server::new(KEY);
        let mut next = versions.into_iter();
        let error = run(client(&config(), false), |message| {
            let answer = server.handle(message)?;
            let answer: TsRequest<'_> = decode_exact(&answer).unwrap();
            let version = next.next().unwrap();
            Some(encode_vec(&TsRequest { version, ..answer }).unwrap())
        })
        .unwrap_err();
        assert!(matches!(
            error.kind(),
            ConnectorErrorKind::Unexpected | ConnectorErrorKind::Unsupported
        ));
        assert!(server.delegated.is_none());
    }
}

#[test]
fn any_byte_of_the_server_changed_or_cut_is_an_error_and_no_panic() {
    let run_with = |spnego: bool, damage: &mut dyn FnMut(usize, &mut Vec<u8>)| {
        let mut config = config();
        let mut server = Server::new(KEY);
        if spnego {
            config = config.with_ntlm_in_spnego();
            server = Server::with_spnego();
        }
        let mut number = 0;
        let mut client = client(&config, false);
        let mut heard = Vec::new();
        loop {
            let mut out = WriteBuf::new();
            client = match client.step(&heard, &mut out) {
                Ok(client) => client,
                Err(error) => {
                    assert!(!error.to_string().contains("panic"), "{error}");
                    return false;
                }
            };
            if client.is_done() {
                return server.handle(out.filled()).is_none() && server.delegated.is_some();
            }
            match server.handle(out.filled()) {
                Some(answer) => heard = answer,
                None => return server.delegated.is_some(),
            }
            damage(number, &mut heard);
            number += 1;
        }
    };
    for spnego in [false, true] {
        let mut lengths = Vec::new();
        let mut proof_at = 0..0;
        assert!(run_with(spnego, &mut |_, answer| {
            lengths.push(answer.len());
            let request: TsRequest<'_> = decode_exact(answer).unwrap();
            if let Some(proof) = request.pub_key_auth {
                let start = proof.as_ptr().addr() - answer.as_ptr().addr();
                proof_at = start..start + proof.len();
            }
        }));
        assert_eq!(proof_at.len(), 48);
        for (number, length) in lengths.iter().copied().enumerate() {
            for at in 0..length {
                let cut = run_with(spnego, &mut |this, answer| {
                    if this == number {
                        answer.truncate(at);
                    }
                });
                assert!(!cut, "message {number} cut at {at}");
                // Some bytes mean nothing, such as those of a version; what counts is that nothing panics, and that the
                // proof of the certificate is never taken with a byte changed.
                let sealed = number + 1 == lengths.len() && proof_at.contains(&at);
                let changed = run_with(spnego, &mut |this, answer| {
                    if this == number {
                        answer[at] ^= 0x41;
                    }
                });
                assert!(!(sealed && changed), "message {number} changed at {at}");
            }
        }
    }
}

#[test]
fn what_cannot_begin_a_message_is_refused_at_its_first_byte() {
    let mut client = client(&config(), false);
    let mut out = WriteBuf::new();
    client = client.step(&[], &mut out).unwrap();
    let hint = client.next_pdu_hint().unwrap();
    for first in 0..=u8::MAX {
        let found = hint.find_size(&[first]);
        match first {
            0x30 => assert_eq!(found.unwrap(), None),
            // FreeRDP's way to end a login, which is good only once it has begun.
            0x03 => assert_eq!(found.unwrap(), Some((true, 1))),
            _ => assert!(found.is_err(), "{first:#x}"),
        }
    }
    let error = client.step(&[3], &mut out).unwrap_err();
    assert_eq!(*error.kind(), ConnectorErrorKind::Malformed);
}

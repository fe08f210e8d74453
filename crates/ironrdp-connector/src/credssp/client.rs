//! The client's side of CredSSP (MS-CSSP 3.1.5).

use ironrdp_core::{decode_exact, encode_vec};
use ironrdp_pdu::client_info::Secret;

use super::exchange::Port;
use super::package::ClientPackage;
use super::public_key::KeyBinding;
use super::ts_credentials::TsCredentials;
use super::{FIRST_VERSION_WITH_NONCE, Login, TsRequest};
use crate::{AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult};

/// Logs in: tokens back and forth until both sides have keys, then proof of the certificate both ways, then the credentials.
pub(super) async fn log_in(port: Port, login: Login) -> ConnectorResult<()> {
    let mut package = ClientPackage::new(&login)?;
    let mut version = None;
    let mut token = Vec::new();
    let last = loop {
        let next = package.step(&token, &port).await?;
        if next.is_last {
            break next;
        }
        port.send(&TsRequest {
            nego_token: Some(&next.bytes),
            ..TsRequest::new()
        })?;
        let answer = port.receive().await;
        let answer = read(&answer, &mut version)?;
        token = answer
            .nego_token
            .ok_or_else(|| ConnectorError::unexpected("an authentication message without a token"))?
            .to_vec();
    };
    let Some(version) = version else {
        return Err(ConnectorError::unexpected(
            "a login that ends before the server spoke",
        ));
    };
    let nonce = (version >= FIRST_VERSION_WITH_NONCE).then_some(login.nonce);
    if nonce.is_none() && !login.allow_old {
        return Err(ConnectorError::new(
            ConnectorErrorKind::Unsupported,
            "the server speaks CredSSP 2 to 4, which an attacker in the middle can abuse, and the configuration does not allow it",
        ));
    }
    let binding = KeyBinding::new(login.public_key, nonce);
    port.send(&TsRequest {
        nego_token: (!last.bytes.is_empty()).then_some(&last.bytes),
        pub_key_auth: Some(&package.seal(&binding.client_proof())?),
        client_nonce: nonce,
        ..TsRequest::new()
    })?;

    let answer = port.receive().await;
    let answer = read(&answer, &mut Some(version))?;
    let proof = answer
        .pub_key_auth
        .ok_or_else(|| ConnectorError::unexpected("an authentication message without a public key"))?;
    // Whoever cannot seal with our keys has not checked our password, and whoever seals another key sits in the middle.
    let proof = package.unseal(proof).map_err(|error| {
        ConnectorError::with_source(
            ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch),
            "the server's proof of its certificate cannot be opened",
            error,
        )
    })?;
    if *proof.expose() != binding.server_proof() {
        return Err(ConnectorError::new(
            ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch),
            "the server proves another certificate",
        ));
    }

    let credentials = if login.restricted_admin {
        TsCredentials::empty()
    } else {
        login.credentials
    };
    let clear = Secret::new(encode_vec(&credentials)?);
    let sealed = package.seal(clear.expose())?;
    port.send(&TsRequest {
        auth_info: Some(&sealed),
        ..TsRequest::new()
    })
}

/// Reads the server's message, holds it to the version it first named, and turns its error code into ours.
pub(super) fn read<'a>(message: &'a [u8], version: &mut Option<u32>) -> ConnectorResult<TsRequest<'a>> {
    let request: TsRequest<'a> = decode_exact(message)?;
    if let Some(status) = request
        .error_code
        .filter(|status| *status != crate::NtStatus::SUCCESS)
    {
        return Err(ConnectorError::with_source(
            ConnectorErrorKind::Auth(status.failure()),
            "the server ended the login",
            status,
        ));
    }
    if *version.get_or_insert(request.version) != request.version {
        return Err(ConnectorError::unexpected(
            "another version of CredSSP than before",
        ));
    }
    if request.version < 2 {
        return Err(ConnectorError::new(
            ConnectorErrorKind::Unsupported,
            "a server with a version of CredSSP before 2",
        ));
    }
    Ok(request)
}

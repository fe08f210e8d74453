//! The server's side of CredSSP (MS-CSSP 3.1.5).

use core::time::Duration;

use ironrdp_core::{decode_exact, encode_vec};
use ironrdp_pdu::client_info::Secret;
use sspi::kerberos::ServerProperties;
use sspi::{
    AuthIdentityBuffers, BufferType, CredentialsBuffers, DataRepresentation, Kerberos, Ntlm, SecurityBuffer,
    SecurityStatus, ServerRequestFlags, Sspi, SspiImpl, UsernameParts,
};

use super::exchange::Port;
use super::ntlm::{NtlmAuthenticate, SIGNATURE};
use super::ntlm_seal::NtlmSeal;
use super::package::{ask, package_error, seal, unseal};
use super::public_key::KeyBinding;
use super::spnego::{self, NTLM, NegState, NegTokenInit, NegTokenResp};
use super::ts_credentials::TsCredentials;
use super::wrap_token::{self, Rotation};
use super::{FIRST_VERSION_WITH_NONCE, Keytab, TsRequest};
use crate::{
    AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, DelegatedCredentials, Logon,
    LogonMethod, LogonName, NtStatus, UserSecret,
};

/// What a server brings to a login.
pub(super) struct Host {
    /// The contents of the `subjectPublicKey` bit string of its certificate.
    pub(super) public_key: Vec<u8>,
    /// Its keys, if it takes Kerberos.
    pub(super) keytab: Option<Keytab>,
    /// Whether CredSSP before version 5 will do.
    pub(super) allow_old: bool,
}

/// How far the clocks of client and server may differ, by Kerberos' own custom.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// Lets a client log in. If it fails, the client has been told why as far as it may know.
pub(super) async fn accept(port: Port, host: Host) -> ConnectorResult<Logon> {
    let mut login = Login {
        port,
        version: None,
        nonce: None,
    };
    match login.run(host).await {
        Ok(logon) => Ok(logon),
        Err(error) => {
            login.refuse(&error)?;
            Err(error)
        }
    }
}

struct Login {
    port: Port,
    version: Option<u32>,
    nonce: Option<[u8; TsRequest::NONCE_SIZE]>,
}

/// A client's message, taken apart.
#[derive(Default)]
struct Message {
    token: Option<Vec<u8>>,
    pub_key_auth: Option<Vec<u8>>,
    auth_info: Option<Vec<u8>>,
}

impl Message {
    fn token(&self) -> ConnectorResult<&[u8]> {
        self.token
            .as_deref()
            .ok_or_else(|| ConnectorError::unexpected("an authentication message without a token"))
    }
}

/// A user that has proved to be one, and the keys that came out of it.
struct Proved {
    name: LogonName,
    keys: Keys,
    /// The client's message that completed the proof; it may hold more.
    message: Message,
    /// The token that the client still waits for.
    token: Option<Vec<u8>>,
}

enum Keys {
    Ntlm(Box<NtlmSeal>),
    Kerberos(Box<Kerberos>, Rotation),
}

impl Keys {
    const fn method(&self) -> LogonMethod {
        match self {
            Self::Ntlm(_) => LogonMethod::Ntlm,
            Self::Kerberos(..) => LogonMethod::Kerberos,
        }
    }

    fn seal(&mut self, message: &[u8]) -> ConnectorResult<Vec<u8>> {
        match self {
            Self::Ntlm(keys) => keys.seal(message),
            Self::Kerberos(package, rotation) => {
                let mut sealed = seal(package.as_mut(), message)?;
                // Turned as the client turns its own.
                if *rotation == Rotation::AsSaid {
                    wrap_token::from_windows(&mut sealed);
                }
                Ok(sealed)
            }
        }
    }

    fn unseal(&mut self, message: &[u8]) -> ConnectorResult<Secret<Vec<u8>>> {
        match self {
            Self::Ntlm(keys) => keys.unseal(message),
            Self::Kerberos(package, rotation) => {
                let mut message = message.to_vec();
                *rotation = wrap_token::to_windows(&mut message);
                unseal(package.as_mut(), &message)
            }
        }
    }
}

impl Login {
    async fn run(&mut self, host: Host) -> ConnectorResult<Logon> {
        let first = self.receive().await?;
        let token = first.token()?;
        let mut proved = match host.keytab {
            _ if token.starts_with(SIGNATURE) => self.ntlm(first).await?,
            // rdesktop does not wrap Kerberos.
            Some(keytab) if spnego::is_raw_kerberos(token) => {
                let token = token.to_vec();
                self.kerberos(first, &token, None, &keytab).await?
            }
            keytab => self.spnego(first, keytab).await?,
        };

        let mut token = proved.token.take();
        let sealed_key = match proved.message.pub_key_auth.take() {
            Some(sealed_key) => sealed_key,
            None => {
                self.send(token.take().as_deref(), None)?;
                self.receive()
                    .await?
                    .pub_key_auth
                    .ok_or_else(|| ConnectorError::unexpected("a login without a public key"))?
            }
        };
        let binding = self.binding(host.public_key, host.allow_old)?;
        if *proved.keys.unseal(&sealed_key)?.expose() != binding.client_proof() {
            return Err(ConnectorError::new(
                ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch),
                "the client sees another certificate than ours",
            ));
        }
        let proof = proved.keys.seal(&binding.server_proof())?;
        self.send(token.as_deref(), Some(&proof))?;

        let sealed = self
            .receive()
            .await?
            .auth_info
            .ok_or_else(|| ConnectorError::unexpected("a login without credentials"))?;
        let clear = proved.keys.unseal(&sealed)?;
        let TsCredentials {
            domain,
            user,
            password,
        } = decode_exact(clear.expose())?;
        Ok(Logon {
            name: proved.name,
            method: proved.keys.method(),
            delegated: DelegatedCredentials {
                domain,
                user,
                password,
            },
        })
    }

    /// NTLM as it is.
    async fn ntlm(&mut self, first: Message) -> ConnectorResult<Proved> {
        let mut ntlm = Ntlm::new();
        let challenge = accept_ntlm(&mut ntlm, &mut None, first.token()?)?;
        self.send(Some(&challenge), None)?;
        let message = self.receive().await?;
        let (name, keys) = self.prove_ntlm(ntlm, message.token()?).await?;
        Ok(Proved {
            name,
            keys: Keys::Ntlm(Box::new(keys)),
            message,
            token: None,
        })
    }

    async fn spnego(&mut self, first: Message, keytab: Option<Keytab>) -> ConnectorResult<Proved> {
        let init: NegTokenInit<'_> = decode_exact(first.token()?)?;
        // RFC 4178 5: the list of mechanisms needs no checksum if the first was chosen. Who wishes for Kerberos at all wishes
        // for it first.
        if let (Some(keytab), Some(mechanism)) = (keytab, init.first_is_kerberos()) {
            let mechanism = mechanism.to_vec();
            if let Some(guess) = init.token.map(<[u8]>::to_vec) {
                return self.kerberos(first, &guess, Some(&mechanism), &keytab).await;
            }
            self.respond(NegState::Incomplete, Some(&mechanism), None, None)?;
            let message = self.receive().await?;
            let response: NegTokenResp<'_> = decode_exact(message.token()?)?;
            let token = inner_token(&response)?.to_vec();
            return self.kerberos(message, &token, Some(&mechanism), &keytab).await;
        }
        match init.place_of_ntlm() {
            Some(place) => {
                let mechanisms = init.mechanisms.to_vec();
                let guess = init.token.filter(|_| place == 0).map(<[u8]>::to_vec);
                self.ntlm_in_spnego(mechanisms, guess).await
            }
            None => Err(ConnectorError::new(
                ConnectorErrorKind::Unsupported,
                "a client that offers no authentication protocol that the server has",
            )),
        }
    }

    async fn ntlm_in_spnego(
        &mut self,
        mechanisms: Vec<u8>,
        guess: Option<Vec<u8>>,
    ) -> ConnectorResult<Proved> {
        let mut chosen = Some(NTLM);
        let negotiate = match guess {
            Some(guess) => guess,
            None => {
                // The guess was for another mechanism, so the client starts again.
                self.respond(NegState::RequestChecksum, chosen.take(), None, None)?;
                let message = self.receive().await?;
                let response: NegTokenResp<'_> = decode_exact(message.token()?)?;
                inner_token(&response)?.to_vec()
            }
        };
        let mut ntlm = Ntlm::new();
        let challenge = accept_ntlm(&mut ntlm, &mut None, &negotiate)?;
        self.respond(NegState::Incomplete, chosen, Some(&challenge), None)?;
        let mut message = self.receive().await?;
        let token = message.token()?.to_vec();
        let response: NegTokenResp<'_> = decode_exact(&token)?;
        let (name, mut keys) = self.prove_ntlm(ntlm, inner_token(&response)?).await?;

        // MS-SPNG 3.3.5.1: who has NTLM with a checksum of its own must also sign the list of mechanisms.
        let checksum = match response.mechanisms_checksum {
            Some(checksum) => checksum.to_vec(),
            None => {
                self.respond(NegState::Incomplete, None, None, None)?;
                message = self.receive().await?;
                let response: NegTokenResp<'_> = decode_exact(message.token()?)?;
                response
                    .mechanisms_checksum
                    .ok_or_else(|| ConnectorError::unexpected("a list of mechanisms that is not signed"))?
                    .to_vec()
            }
        };
        keys.check_mechanisms(&mechanisms, &checksum)?;
        let checksum = keys.mechanisms_checksum(&mechanisms)?;
        let token = encode_vec(&NegTokenResp {
            state: Some(NegState::Completed),
            mechanism: None,
            token: None,
            mechanisms_checksum: Some(&checksum),
        })?;
        Ok(Proved {
            name,
            keys: Keys::Ntlm(Box::new(keys)),
            message,
            token: Some(token),
        })
    }

    /// Checks the client's proof against what is known about the user it names.
    async fn prove_ntlm(&mut self, mut ntlm: Ntlm, token: &[u8]) -> ConnectorResult<(LogonName, NtlmSeal)> {
        let authenticate: NtlmAuthenticate = ironrdp_core::decode(token)?;
        let name = authenticate.name;
        let secret = self.port.ask_secret(name.clone()).await;
        let identity = match secret {
            Some(UserSecret::Password(password)) => {
                AuthIdentityBuffers::from_utf8(&name.user, &name.domain, password.expose())
            }
            Some(UserSecret::NtHash(hash)) => {
                let hash = sspi::NtlmHash::from_bytes(*hash.expose());
                AuthIdentityBuffers::from_utf8_with_hash(&name.user, &name.domain, &hash)
            }
            None => {
                return Err(ConnectorError::new(
                    ConnectorErrorKind::Auth(AuthFailure::UnknownUser),
                    "a login by a user that is not known",
                ));
            }
        };
        accept_ntlm(&mut ntlm, &mut Some(identity), token)?;
        ntlm.complete_auth_token(&mut []).map_err(package_error)?;
        let keys = ntlm.query_context_session_key().map_err(package_error)?;
        let keys = NtlmSeal::new(keys.session_key.as_ref(), authenticate.exchanges_keys)?;
        Ok((name, keys))
    }

    /// A ticket with its proof, all in one message (RFC 4121 4.1), and in SPNEGO if a `mechanism` was chosen there.
    async fn kerberos(
        &mut self,
        message: Message,
        token: &[u8],
        mechanism: Option<&[u8]>,
        keytab: &Keytab,
    ) -> ConnectorResult<Proved> {
        // Only user-to-user tickets would need a KDC, and a server with keys of its own does not take them.
        let config = sspi::KerberosConfig {
            kdc_resolution: sspi::KdcResolution::KdcUrl(None),
            client_computer_name: String::new(),
        };
        let package =
            Kerberos::new_server_from_config(config, service_keys(keytab)?).map_err(package_error)?;
        let mut package = Box::new(package);
        let (status, answer) = accept_kerberos(&mut package, token, &self.port).await?;
        if !matches!(status, SecurityStatus::Ok | SecurityStatus::CompleteNeeded) {
            return Err(ConnectorError::new(
                ConnectorErrorKind::Unsupported,
                "a Kerberos login that takes more than one message",
            ));
        }
        let name = package.query_context_names().map_err(package_error)?;
        let name = match name.username.parts() {
            UsernameParts::UserPrincipalName(name) => LogonName {
                user: name.account_name().to_owned(),
                // The package hands it out in lower case; realms are written in upper case.
                domain: name.suffix().to_uppercase(),
            },
            UsernameParts::DownLevelLogonName(name) => LogonName {
                user: name.account_name().to_owned(),
                domain: name.netbios_domain().unwrap_or_default().to_owned(),
            },
        };
        let token = match mechanism {
            None => answer,
            Some(_) => encode_vec(&NegTokenResp {
                state: Some(NegState::Completed),
                mechanism,
                token: (!answer.is_empty()).then_some(&answer),
                mechanisms_checksum: None,
            })?,
        };
        Ok(Proved {
            name,
            keys: Keys::Kerberos(package, Rotation::default()),
            message,
            token: (!token.is_empty()).then_some(token),
        })
    }

    /// How both sides tie the login to the certificate.
    fn binding(&self, public_key: Vec<u8>, allow_old: bool) -> ConnectorResult<KeyBinding> {
        if self.version < Some(FIRST_VERSION_WITH_NONCE) {
            if allow_old {
                return Ok(KeyBinding::new(public_key, None));
            }
            return Err(ConnectorError::new(
                ConnectorErrorKind::Unsupported,
                "a client with CredSSP 2 to 4, which an attacker in the middle can abuse",
            ));
        }
        match self.nonce {
            Some(nonce) => Ok(KeyBinding::new(public_key, Some(nonce))),
            None => Err(ConnectorError::unexpected("a login without a nonce")),
        }
    }

    async fn receive(&mut self) -> ConnectorResult<Message> {
        let bytes = self.port.receive().await;
        let request: TsRequest<'_> = decode_exact(&bytes)?;
        if request.version < 2 {
            return Err(ConnectorError::new(
                ConnectorErrorKind::Unsupported,
                "a client with a version of CredSSP before 2",
            ));
        }
        if *self.version.get_or_insert(request.version) != request.version {
            return Err(ConnectorError::unexpected(
                "another version of CredSSP than before",
            ));
        }
        if let Some(status) = request.error_code.filter(|status| *status != NtStatus::SUCCESS) {
            return Err(ConnectorError::with_source(
                ConnectorErrorKind::Auth(status.failure()),
                "the client ended the login",
                status,
            ));
        }
        self.nonce = request.client_nonce.or(self.nonce);
        Ok(Message {
            token: request.nego_token.map(<[u8]>::to_vec),
            pub_key_auth: request.pub_key_auth.map(<[u8]>::to_vec),
            auth_info: request.auth_info.map(<[u8]>::to_vec),
        })
    }

    fn send(&self, token: Option<&[u8]>, pub_key_auth: Option<&[u8]>) -> ConnectorResult<()> {
        self.port.send(&TsRequest {
            nego_token: token,
            pub_key_auth,
            ..TsRequest::new()
        })
    }

    fn respond(
        &self,
        state: NegState,
        mechanism: Option<&[u8]>,
        token: Option<&[u8]>,
        mechanisms_checksum: Option<&[u8]>,
    ) -> ConnectorResult<()> {
        let token = encode_vec(&NegTokenResp {
            state: Some(state),
            mechanism,
            token,
            mechanisms_checksum,
        })?;
        self.send(Some(&token), None)
    }

    /// Tells the client, if it can understand it, that it cannot log in; not whether the user exists.
    fn refuse(&self, error: &ConnectorError) -> ConnectorResult<()> {
        const FIRST_VERSION_WITH_ERRORS: u32 = 3;
        if self.version < Some(FIRST_VERSION_WITH_ERRORS) {
            return Ok(());
        }
        let status = match error.kind() {
            ConnectorErrorKind::Auth(AuthFailure::PublicKeyMismatch) => NtStatus::SEC_E_MESSAGE_ALTERED,
            ConnectorErrorKind::Auth(AuthFailure::ClockSkew) => NtStatus::SEC_E_TIME_SKEW,
            ConnectorErrorKind::Auth(_) => NtStatus::LOGON_FAILURE,
            _ => NtStatus::SEC_E_INVALID_TOKEN,
        };
        self.port.send(&TsRequest {
            error_code: Some(status),
            ..TsRequest::new()
        })
    }
}

fn inner_token<'a>(response: &NegTokenResp<'a>) -> ConnectorResult<&'a [u8]> {
    response
        .token
        .ok_or_else(|| ConnectorError::unexpected("a SPNEGO message without a token"))
}

fn accept_ntlm(
    ntlm: &mut Ntlm,
    identity: &mut Option<AuthIdentityBuffers>,
    token: &[u8],
) -> ConnectorResult<Vec<u8>> {
    let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
    let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let builder = ntlm
        .accept_security_context()
        .with_credentials_handle(identity)
        .with_context_requirements(ServerRequestFlags::empty())
        .with_target_data_representation(DataRepresentation::Native)
        .with_input(&mut input)
        .with_output(&mut output);
    ntlm.accept_security_context_impl(builder)
        .map_err(package_error)?
        .resolve_to_result()
        .map_err(package_error)?;
    let [output] = output;
    Ok(output.buffer)
}

fn service_keys(keytab: &Keytab) -> ConnectorResult<ServerProperties> {
    let mut keys = keytab.best().into_iter();
    let no_key = || ConnectorError::misuse("a keytab without an AES key");
    let first = keys.next().ok_or_else(no_key)?;
    let mut properties = ServerProperties::new(
        &parts(&first.service),
        None,
        MAX_CLOCK_SKEW,
        Some(first.key().to_vec().into()),
    )
    .map_err(package_error)?;
    for entry in keys {
        properties
            .add_service_key(&parts(&entry.service), entry.key().to_vec().into())
            .map_err(package_error)?;
    }
    Ok(properties)
}

fn parts(service: &[String]) -> Vec<&str> {
    service.iter().map(String::as_str).collect()
}

async fn accept_kerberos(
    package: &mut Kerberos,
    token: &[u8],
    port: &Port,
) -> ConnectorResult<(SecurityStatus, Vec<u8>)> {
    use sspi::generator::GeneratorState;

    let mut credentials: Option<CredentialsBuffers> = None;
    let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
    let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
    let status = {
        let builder = package
            .accept_security_context()
            .with_credentials_handle(&mut credentials)
            .with_context_requirements(ServerRequestFlags::empty())
            .with_target_data_representation(DataRepresentation::Native)
            .with_input(&mut input)
            .with_output(&mut output);
        let mut generator = package
            .accept_security_context_impl(builder)
            .map_err(package_error)?;
        let mut state = generator.start();
        loop {
            match state {
                GeneratorState::Completed(result) => break result.map_err(package_error)?.status,
                GeneratorState::Suspended(request) => state = generator.resume(Ok(ask(request, port).await)),
            }
        }
    };
    let [output] = output;
    Ok((status, output.buffer))
}

//! The security package, that is NTLM or Kerberos, behind four verbs.

use core::fmt;

use ironrdp_pdu::client_info::Secret;
use sspi::builders::FilledInitializeSecurityContext;
use sspi::generator::GeneratorState;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, Credentials,
    DataRepresentation, EncryptionFlags, ErrorKind, Negotiate, NegotiateConfig, Ntlm, SecurityBuffer,
    SecurityBufferRef, SecurityStatus, Sspi, SspiImpl, Username,
};

use super::exchange::Port;
use super::krb_error::KrbError;
use super::{Login, Mechanism};
use crate::{
    AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, NetworkProtocol, NetworkRequest,
};

/// A client's side of one authentication.
pub(super) enum ClientPackage {
    Ntlm(Box<Context<Ntlm>>),
    Negotiate(Box<Context<Negotiate>>),
}

/// A package with the credentials it works for.
pub(super) struct Context<P: SspiImpl> {
    package: P,
    credentials: P::CredentialsHandle,
    target: String,
}

/// What a package says, and whether it has nothing more to say.
pub(super) struct Token {
    pub(super) bytes: Vec<u8>,
    pub(super) is_last: bool,
}

impl ClientPackage {
    pub(super) fn new(login: &Login) -> ConnectorResult<Self> {
        let target = format!("TERMSRV/{}", login.server.as_str());
        let computer = login.client_name.clone();
        let config = match &login.mechanism {
            Mechanism::Ntlm => {
                // A name as `user@realm` goes whole into the user's field; servers find the domain in it.
                let user = AuthIdentityBuffers::from_utf8(
                    &login.credentials.user,
                    &login.credentials.domain,
                    login.credentials.password.expose(),
                );
                return Ok(Self::Ntlm(Box::new(Context {
                    package: Ntlm::new(),
                    credentials: Some(user),
                    target,
                })));
            }
            Mechanism::NtlmInSpnego => NegotiateConfig::new(
                Box::new(sspi::ntlm::NtlmConfig::default()),
                Some("ntlm".to_owned()),
                computer,
            ),
            Mechanism::Kerberos(kerberos) => NegotiateConfig::new(
                Box::new(kerberos_config(kerberos, computer.clone())?),
                Some(
                    if kerberos.is_ntlm_allowed() {
                        "kerberos,ntlm"
                    } else {
                        "kerberos"
                    }
                    .to_owned(),
                ),
                computer,
            ),
        };
        let mut package = Negotiate::new_client(config).map_err(package_error)?;
        let identity = Credentials::from(AuthIdentity {
            username: username(login)?,
            password: login.credentials.password.expose().clone().into(),
        });
        let credentials = package
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&identity)
            .execute(&mut package)
            .map_err(package_error)?
            .credentials_handle;
        Ok(Self::Negotiate(Box::new(Context {
            package,
            credentials,
            target,
        })))
    }

    /// Takes the peer's token (empty at first) and makes the next one.
    pub(super) async fn step(&mut self, token: &[u8], port: &Port) -> ConnectorResult<Token> {
        match self {
            Self::Ntlm(context) => context.step(token, port).await,
            Self::Negotiate(context) => context.step(token, port).await,
        }
    }

    pub(super) fn seal(&mut self, message: &[u8]) -> ConnectorResult<Vec<u8>> {
        match self {
            Self::Ntlm(context) => seal(&mut context.package, message),
            Self::Negotiate(context) => seal(&mut context.package, message),
        }
    }

    pub(super) fn unseal(&mut self, message: &[u8]) -> ConnectorResult<Secret<Vec<u8>>> {
        match self {
            Self::Ntlm(context) => unseal(&mut context.package, message),
            Self::Negotiate(context) => unseal(&mut context.package, message),
        }
    }
}

/// The user as Kerberos and SPNEGO want it: with a domain, or as `user@realm`.
fn username(login: &Login) -> ConnectorResult<Username> {
    let (user, domain) = (&login.credentials.user, &login.credentials.domain);
    let name = match &login.mechanism {
        Mechanism::Kerberos(kerberos) => match (kerberos.realm(), user.rsplit_once('@')) {
            // The realm that was asked for stands where the domain would; it decides which KDC is asked.
            (Some(realm), None) => Username::new_down_level_logon_name(user, realm),
            (Some(realm), Some((user, _))) => Username::new_down_level_logon_name(user, realm),
            (None, _) => Username::new(user, Some(domain)),
        },
        _ => Username::new(user, Some(domain)),
    };
    name.map_err(|_| ConnectorError::misuse("a user name that mixes DOMAIN\\user and user@realm"))
}

fn kerberos_config(
    config: &crate::KerberosConfig,
    computer: String,
) -> ConnectorResult<sspi::KerberosConfig> {
    // Without an address the package would look for one in the environment, in files and in the DNS.
    let url = config
        .kdc_url()
        .and_then(sspi::kerberos::config::parse_kdc_url)
        .ok_or_else(|| ConnectorError::misuse("kerberos without the address of a KDC"))?;
    Ok(sspi::KerberosConfig {
        kdc_resolution: sspi::KdcResolution::KdcUrl(Some(url)),
        client_computer_name: config.hostname().map_or(computer, str::to_owned),
    })
}

impl<P: Sspi> Context<P> {
    async fn step(&mut self, token: &[u8], port: &Port) -> ConnectorResult<Token> {
        let mut input = [SecurityBuffer::new(token.to_vec(), BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        // The package tells a KDC's refusal in words only, and some it passes over.
        let mut refusal = None;
        let status = {
            let mut builder: FilledInitializeSecurityContext<'_, '_, P::CredentialsHandle> = self
                .package
                .initialize_security_context()
                .with_credentials_handle(&mut self.credentials)
                .with_context_requirements(
                    ClientRequestFlags::MUTUAL_AUTH
                        | ClientRequestFlags::INTEGRITY
                        | ClientRequestFlags::CONFIDENTIALITY,
                )
                .with_target_data_representation(DataRepresentation::Native)
                .with_target_name(&self.target)
                .with_input(&mut input)
                .with_output(&mut output);
            let mut generator = self
                .package
                .initialize_security_context_impl(&mut builder)
                .map_err(package_error)?;
            let mut state = generator.start();
            loop {
                match state {
                    GeneratorState::Completed(Ok(result)) => break result.status,
                    GeneratorState::Completed(Err(error)) => {
                        return Err(match refusal {
                            Some(refusal) => kdc_error(refusal, error),
                            None => package_error(error),
                        });
                    }
                    GeneratorState::Suspended(request) => {
                        let protocol = protocol(request.protocol);
                        let answer = ask(request, port).await;
                        refusal = KrbError::find(protocol, &answer);
                        state = generator.resume(Ok(answer));
                    }
                }
            }
        };
        let [output] = output;
        let is_last = match status {
            SecurityStatus::Ok => true,
            SecurityStatus::ContinueNeeded => false,
            _ => {
                return Err(ConnectorError::new(
                    ConnectorErrorKind::Unsupported,
                    "the security package wants something that CredSSP does not give",
                ));
            }
        };
        Ok(Token {
            bytes: output.buffer,
            is_last,
        })
    }
}

const fn protocol(protocol: sspi::NetworkProtocol) -> NetworkProtocol {
    match protocol {
        sspi::NetworkProtocol::Tcp => NetworkProtocol::Tcp,
        sspi::NetworkProtocol::Udp => NetworkProtocol::Udp,
        sspi::NetworkProtocol::Http => NetworkProtocol::Http,
        sspi::NetworkProtocol::Https => NetworkProtocol::Https,
    }
}

/// Sends a KDC what the package has for it; gives the answer as the package reads it.
pub(super) async fn ask(request: sspi::NetworkRequest, port: &Port) -> Vec<u8> {
    let protocol = protocol(request.protocol);
    let answer = port
        .ask_kdc(NetworkRequest {
            protocol,
            url: request.url.to_string(),
            data: request.data,
        })
        .await;
    match protocol {
        // A datagram carries no length, but the package skips one.
        NetworkProtocol::Udp => {
            let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
            [&length.to_be_bytes(), answer.as_slice()].concat()
        }
        _ => answer,
    }
}

/// Bytes that the package must leave before a sealed message: an NTLM signature, the shortest there is.
const MIN_SEALED: usize = 16;

/// Room for what a package puts before a message: NTLM takes 16 bytes, Kerberos 76.
const MAX_TOKEN: usize = 1024;

pub(super) fn seal<P: Sspi>(package: &mut P, message: &[u8]) -> ConnectorResult<Vec<u8>> {
    let mut token = [0; MAX_TOKEN];
    // Sealed in place, but in the clear until then, and for good if that fails.
    let mut data = Secret::new(message.to_vec());
    let mut buffers = [
        SecurityBufferRef::token_buf(&mut token),
        SecurityBufferRef::data_buf(data.expose_mut()),
    ];
    package
        .encrypt_message(EncryptionFlags::empty(), &mut buffers)
        .map_err(package_error)?;
    let [token, data] = &buffers;
    Ok([token.data(), data.data()].concat())
}

/// The message inside `sealed`; the error says so if the peer's keys are not ours.
pub(super) fn unseal<P: Sspi>(package: &mut P, sealed: &[u8]) -> ConnectorResult<Secret<Vec<u8>>> {
    // Opened in place: what is in here may be a password then.
    let mut opened = Secret::new(sealed.to_vec());
    let Some((token, data)) = opened.expose_mut().split_at_mut_checked(MIN_SEALED) else {
        return Err(ConnectorError::new(
            ConnectorErrorKind::Malformed,
            "opening a sealed message that is too short",
        ));
    };
    let mut buffers = [
        SecurityBufferRef::data_buf(data),
        SecurityBufferRef::token_buf(token),
    ];
    package.decrypt_message(&mut buffers).map_err(package_error)?;
    let [data, _] = &buffers;
    Ok(Secret::new(data.data().to_vec()))
}

/// What a security package says about its failure; its own words, for logs.
struct PackageError(String);

impl fmt::Debug for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for PackageError {}

/// A KDC's refusal by who has to act.
fn kdc_error(refusal: KrbError, error: sspi::Error) -> ConnectorError {
    let Some(failure) = refusal.failure() else {
        return package_error(error);
    };
    let (kind, context) = (ConnectorErrorKind::Auth(failure), "the KDC refused");
    match refusal.status() {
        Some(status) => ConnectorError::with_source(kind, context, status),
        None => ConnectorError::with_source(kind, context, refusal),
    }
}

/// Sorts a package's failure by who has to act.
#[track_caller]
pub(super) fn package_error(error: sspi::Error) -> ConnectorError {
    let kind = match error.error_type {
        ErrorKind::LogonDenied => ConnectorErrorKind::Auth(AuthFailure::BadCredentials),
        ErrorKind::TimeSkew => ConnectorErrorKind::Auth(AuthFailure::ClockSkew),
        ErrorKind::NoAuthenticatingAuthority => ConnectorErrorKind::Auth(AuthFailure::NoKdc),
        ErrorKind::UnknownCredentials => ConnectorErrorKind::Auth(AuthFailure::UnknownServer),
        _ => ConnectorErrorKind::Malformed,
    };
    ConnectorError::with_source(
        kind,
        "the security package reads an authentication token",
        PackageError(error.to_string()),
    )
}

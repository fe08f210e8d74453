//! The server's side of licensing, in its short and its full form (MS-RDPELE 3.1.5).

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::license::{
    BlobKind, ClientLicenseInfo, ClientNewLicenseRequest, ClientPlatformChallengeResponse, HardwareId,
    KEY_EXCHANGE_RSA, LicenseBlob, LicenseErrorAlert, LicenseMessage, LicensePdu, MAC_SIZE, NewLicenseInfo,
    PlatformChallengeResponseData, ProductInfo, ServerLicense, ServerLicenseRequest, ServerPlatformChallenge,
};
use ironrdp_pdu::security::ServerCertificate;

use super::LicenseError;
use super::client::{encrypted, unexpected};
use super::error::message;
use super::keys::LicenseKeys;
use super::rsa::{PrivateKey, PublicKey};

/// What a server does about licences.
#[derive(Debug)]
pub(crate) enum LicensePolicy {
    /// The short form: every client is told at once that it needs none.
    NotNeeded,
    /// The full form: every client is challenged and issued a licence.
    Issue(Box<LicenseIssuer>, LicenseServerRandom),
}

/// What a server issues licences with.
#[derive(Debug, Clone)]
pub(crate) struct LicenseIssuer {
    certificate: Vec<u8>,
    key: PrivateKey,
    product: ProductInfo,
    scope: String,
    license: Vec<u8>,
}

impl LicenseIssuer {
    /// An issuer of `license` (opaque to clients) for `product` in `scope`.
    ///
    /// `certificate` is shown to clients, `private_exponent` (big-endian) belongs to its key. Make a key for this alone:
    /// licensing's RSA has no padding and its time depends on the key.
    pub(crate) fn new(
        certificate: &ServerCertificate,
        private_exponent: Secret<Vec<u8>>,
        product: ProductInfo,
        scope: String,
        license: Vec<u8>,
    ) -> Result<Self, LicenseError> {
        Ok(Self {
            key: PrivateKey::new(PublicKey::of(certificate)?, private_exponent),
            certificate: encode_vec(certificate)?,
            product,
            scope,
            license,
        })
    }
}

/// Bytes of a platform challenge. Any number is allowed, but Windows sends ten, and rdesktop crashes on any other.
const CHALLENGE: usize = 10;

/// Random bytes of one exchange; never use them twice.
#[derive(Debug, Clone)]
pub(crate) struct LicenseServerRandom {
    server_random: [u8; 32],
    challenge: [u8; CHALLENGE],
}

impl LicenseServerRandom {
    /// Random bytes that an exchange takes.
    pub(crate) const SIZE: usize = 32 + CHALLENGE;

    /// `None` unless `bytes` are exactly [`SIZE`](Self::SIZE).
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (server_random, challenge) = bytes.split_first_chunk::<32>()?;
        Some(Self {
            server_random: *server_random,
            challenge: challenge.try_into().ok()?,
        })
    }
}

/// What the server does next.
#[derive(Debug)]
pub(crate) enum LicenseServerStep {
    /// Send this and wait for the client's answer.
    Reply(LicensePdu),
    /// Send this; licensing is over.
    Last(LicensePdu),
}

/// A server in licensing: [`start`](Self::start) it, then give it each licensing message of the client.
#[derive(Debug)]
pub(crate) struct LicenseServer {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The server speaks first.
    Start(LicensePolicy),
    /// Waiting for the client to ask for a licence, or to show one.
    WaitClient(Box<LicenseIssuer>, LicenseServerRandom),
    /// Waiting for the answer to the platform challenge.
    WaitResponse(Box<LicenseIssuer>, [u8; CHALLENGE], LicenseKeys, Issue),
    /// The exchange is over, well or not.
    Done,
}

/// Whether the licence is the client's first.
#[derive(Debug, Clone, Copy)]
enum Issue {
    New,
    Upgrade,
}

impl LicenseServer {
    /// A server that has not spoken yet.
    pub(crate) fn new(policy: LicensePolicy) -> Self {
        Self {
            state: State::Start(policy),
        }
    }

    /// The server's first message; only once.
    pub(crate) fn start(&mut self) -> Option<LicenseServerStep> {
        match core::mem::replace(&mut self.state, State::Done) {
            State::Start(LicensePolicy::NotNeeded) => Some(LicenseServerStep::Last(message(
                LicenseMessage::ErrorAlert(LicenseErrorAlert::valid_client()),
            ))),
            State::Start(LicensePolicy::Issue(issuer, random)) => {
                let request = ServerLicenseRequest {
                    server_random: random.server_random,
                    product: issuer.product.clone(),
                    key_exchange_algorithms: vec![KEY_EXCHANGE_RSA],
                    server_certificate: issuer.certificate.clone(),
                    scopes: vec![issuer.scope.clone()],
                };
                self.state = State::WaitClient(issuer, random);
                Some(LicenseServerStep::Reply(message(LicenseMessage::LicenseRequest(
                    request,
                ))))
            }
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Takes a message of the client. After an error or the end, every further message is unexpected.
    ///
    /// Before disconnecting for an error, send its [`alert`](LicenseError::alert).
    pub(crate) fn handle(&mut self, message: LicenseMessage) -> Result<LicenseServerStep, LicenseError> {
        let state = core::mem::replace(&mut self.state, State::Done);
        match (state, message) {
            (_, LicenseMessage::ErrorAlert(alert)) => Err(LicenseError::Alert(alert)),
            (State::WaitClient(issuer, random), LicenseMessage::NewLicenseRequest(request)) => {
                self.challenge(issuer, random, &Shared::of_request(&request), Issue::New)
            }
            (State::WaitClient(issuer, random), LicenseMessage::LicenseInfo(info)) => {
                self.challenge(issuer, random, &Shared::of_info(&info), Issue::Upgrade)
            }
            (
                State::WaitResponse(issuer, challenge, keys, issue),
                LicenseMessage::PlatformChallengeResponse(response),
            ) => issue_license(&issuer, &challenge, &keys, &response, issue),
            (State::WaitClient(..), message) => Err(unexpected("a request for a licence", &message)),
            (State::WaitResponse(..), message) => Err(unexpected("a platform challenge response", &message)),
            (State::Start(_) | State::Done, message) => Err(unexpected("nothing", &message)),
        }
    }

    fn challenge(
        &mut self,
        issuer: Box<LicenseIssuer>,
        random: LicenseServerRandom,
        client: &Shared<'_>,
        issue: Issue,
    ) -> Result<LicenseServerStep, LicenseError> {
        if client.key_exchange_algorithm != KEY_EXCHANGE_RSA {
            return Err(LicenseError::UnsupportedKeyExchange);
        }
        let premaster = issuer.key.decrypt(client.encrypted_premaster);
        // A secret that cannot be decrypted is told apart from a wrong checksum by nobody but us.
        let premaster = premaster.ok_or(LicenseError::WrongMac("premaster secret"))?;
        let keys = LicenseKeys::derive(premaster.expose(), client.client_random, &random.server_random);
        if let Some((hardware_id, mac)) = client.hardware_id {
            keys.verify(&keys.crypt(hardware_id), mac, "licence info")?;
        }
        let challenge = ServerPlatformChallenge {
            connect_flags: 0,
            encrypted_challenge: encrypted(&keys, &random.challenge),
            mac: keys.mac(&random.challenge),
        };
        self.state = State::WaitResponse(issuer, random.challenge, keys, issue);
        Ok(LicenseServerStep::Reply(message(
            LicenseMessage::PlatformChallenge(challenge),
        )))
    }
}

/// What a request for a licence and a shown licence have in common.
struct Shared<'a> {
    key_exchange_algorithm: u32,
    client_random: &'a [u8; 32],
    encrypted_premaster: &'a [u8],
    hardware_id: Option<(&'a [u8], &'a [u8; MAC_SIZE])>,
}

impl<'a> Shared<'a> {
    fn of_request(request: &'a ClientNewLicenseRequest) -> Self {
        Self {
            key_exchange_algorithm: request.key_exchange_algorithm,
            client_random: &request.client_random,
            encrypted_premaster: &request.encrypted_premaster.data,
            hardware_id: None,
        }
    }

    fn of_info(info: &'a ClientLicenseInfo) -> Self {
        Self {
            key_exchange_algorithm: info.key_exchange_algorithm,
            client_random: &info.client_random,
            encrypted_premaster: &info.encrypted_premaster.data,
            hardware_id: Some((&info.encrypted_hardware_id.data, &info.mac)),
        }
    }
}

fn issue_license(
    issuer: &LicenseIssuer,
    challenge: &[u8; CHALLENGE],
    keys: &LicenseKeys,
    response: &ClientPlatformChallengeResponse,
    issue: Issue,
) -> Result<LicenseServerStep, LicenseError> {
    let plain = keys.crypt(&response.encrypted_response.data);
    let hardware_id = keys.crypt(&response.encrypted_hardware_id.data);
    keys.verify(
        &[plain.as_slice(), &hardware_id].concat(),
        &response.mac,
        "platform challenge response",
    )?;
    // rdesktop sends the challenge back bare, without the structure of 2.2.2.5 around it.
    if plain != challenge {
        let answer: PlatformChallengeResponseData = decode(&plain)?;
        if answer.challenge != challenge {
            return Err(LicenseError::WrongChallenge);
        }
    }
    decode::<HardwareId>(&hardware_id)?;
    let info = encode_vec(&NewLicenseInfo {
        version: issuer.product.version,
        scope: issuer.scope.clone(),
        company_name: issuer.product.company_name.clone(),
        product_id: issuer.product.product_id.clone(),
        license: issuer.license.clone(),
    })?;
    let license = ServerLicense {
        encrypted_license_info: LicenseBlob {
            kind: BlobKind::ENCRYPTED_DATA,
            data: keys.crypt(&info),
        },
        mac: keys.mac(&info),
    };
    Ok(LicenseServerStep::Last(message(match issue {
        Issue::New => LicenseMessage::NewLicense(license),
        Issue::Upgrade => LicenseMessage::UpgradeLicense(license),
    })))
}

//! The client's side of the full licence exchange (MS-RDPELE 3.2.5).

use ironrdp_core::{decode, encode_vec};
use ironrdp_pdu::license::{
    BlobKind, ClientNewLicenseRequest, ClientPlatformChallengeResponse, KEY_EXCHANGE_RSA, LicenseBlob,
    LicenseDetailLevel, LicenseMessage, LicensePdu, NewLicenseInfo, PlatformChallengeResponseData,
    ServerLicense, ServerLicenseRequest, ServerPlatformChallenge,
};

use super::error::message;
use super::keys::LicenseKeys;
use super::rsa::PublicKey;
use super::{LicenseConfig, LicenseError, LicenseRandom};

/// A client in the exchange: give it each licensing message of the server.
#[derive(Debug)]
pub(crate) struct LicenseExchange {
    config: LicenseConfig,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waiting for the licence request; everything else follows from its random number and its certificate.
    WaitRequest(LicenseRandom),
    /// The request for a new licence is sent. Servers that only look whether a client takes part, such as xrdp, say now
    /// that it is valid; others challenge it.
    WaitChallenge(LicenseKeys),
    /// The challenge is answered.
    WaitLicense(LicenseKeys),
    /// The exchange is over, well or not.
    Done,
}

/// What a message led to.
#[derive(Debug)]
pub(crate) enum LicenseStep {
    /// Send this and wait for the next message.
    Reply(LicensePdu),
    /// The server issued a licence; licensing is over.
    Granted(Box<NewLicenseInfo>),
    /// The server wants no licence, or no more; licensing is over.
    NotNeeded,
}

impl LicenseExchange {
    /// A client that has heard nothing yet.
    pub(crate) fn new(config: LicenseConfig, random: LicenseRandom) -> Self {
        Self {
            config,
            state: State::WaitRequest(random),
        }
    }

    /// Takes a message of the server. After an error or the end, every further message is unexpected.
    pub(crate) fn handle(&mut self, message: LicenseMessage) -> Result<LicenseStep, LicenseError> {
        let state = core::mem::replace(&mut self.state, State::Done);
        match (state, message) {
            (State::Done, message) => Err(unexpected("nothing more", &message)),
            (_, LicenseMessage::ErrorAlert(alert)) if alert.is_valid_client() => Ok(LicenseStep::NotNeeded),
            // The transition is not followed: a client that has nothing else to offer would only send the same again.
            (_, LicenseMessage::ErrorAlert(alert)) => Err(LicenseError::Alert(alert)),
            (State::WaitRequest(random), LicenseMessage::LicenseRequest(request)) => {
                self.request_license(&random, &request)
            }
            (State::WaitRequest(_), message) => Err(unexpected("a licence request", &message)),
            (State::WaitChallenge(keys), LicenseMessage::PlatformChallenge(challenge)) => {
                self.answer_challenge(keys, &challenge)
            }
            (
                State::WaitChallenge(keys) | State::WaitLicense(keys),
                LicenseMessage::NewLicense(license) | LicenseMessage::UpgradeLicense(license),
            ) => open_license(&keys, &license),
            (State::WaitChallenge(_), message) => Err(unexpected("a platform challenge", &message)),
            (State::WaitLicense(_), message) => Err(unexpected("a licence", &message)),
        }
    }

    fn request_license(
        &mut self,
        random: &LicenseRandom,
        request: &ServerLicenseRequest,
    ) -> Result<LicenseStep, LicenseError> {
        if !request.key_exchange_algorithms.contains(&KEY_EXCHANGE_RSA) {
            return Err(LicenseError::UnsupportedKeyExchange);
        }
        let certificate = request.certificate()?.ok_or(LicenseError::NoCertificate)?;
        let public_key = PublicKey::of(&certificate)?;
        let keys = LicenseKeys::derive(
            random.premaster.expose(),
            &random.client_random,
            &request.server_random,
        );
        self.state = State::WaitChallenge(keys);
        let reply = ClientNewLicenseRequest {
            key_exchange_algorithm: KEY_EXCHANGE_RSA,
            platform_id: self.config.hardware_id.platform_id,
            client_random: random.client_random,
            encrypted_premaster: LicenseBlob {
                kind: BlobKind::RANDOM,
                data: public_key.encrypt(random.premaster.expose()),
            },
            user_name: self.config.user_name.clone(),
            machine_name: self.config.machine_name.clone(),
        };
        Ok(LicenseStep::Reply(message(LicenseMessage::NewLicenseRequest(
            reply,
        ))))
    }

    fn answer_challenge(
        &mut self,
        keys: LicenseKeys,
        challenge: &ServerPlatformChallenge,
    ) -> Result<LicenseStep, LicenseError> {
        let plain = keys.crypt(&challenge.encrypted_challenge.data);
        keys.verify(&plain, &challenge.mac, "platform challenge")?;
        let response = encode_vec(&PlatformChallengeResponseData {
            client_type: PlatformChallengeResponseData::OTHER,
            detail_level: LicenseDetailLevel::Detail,
            challenge: plain,
        })?;
        let hardware_id = encode_vec(&self.config.hardware_id)?;
        let reply = ClientPlatformChallengeResponse {
            encrypted_response: encrypted(&keys, &response),
            encrypted_hardware_id: encrypted(&keys, &hardware_id),
            mac: keys.mac(&[response, hardware_id].concat()),
        };
        self.state = State::WaitLicense(keys);
        Ok(LicenseStep::Reply(message(
            LicenseMessage::PlatformChallengeResponse(reply),
        )))
    }
}

fn open_license(keys: &LicenseKeys, license: &ServerLicense) -> Result<LicenseStep, LicenseError> {
    let plain = keys.crypt(&license.encrypted_license_info.data);
    keys.verify(&plain, &license.mac, "licence")?;
    Ok(LicenseStep::Granted(Box::new(decode(&plain)?)))
}

pub(super) fn encrypted(keys: &LicenseKeys, plain: &[u8]) -> LicenseBlob {
    LicenseBlob {
        kind: BlobKind::ENCRYPTED_DATA,
        data: keys.crypt(plain),
    }
}

pub(super) fn unexpected(waiting_for: &'static str, message: &LicenseMessage) -> LicenseError {
    LicenseError::Unexpected {
        waiting_for,
        message_type: message.message_type(),
    }
}

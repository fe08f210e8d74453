//! The client's end of a licence exchange (MS-RDPELE). In work: the calling code in `client/secure_settings.rs` is written against this API.

use core::fmt;

use ironrdp_pdu::license::{LicenseErrorAlert, LicenseMessage, LicensePdu, NewLicenseInfo};

use crate::Config;

#[derive(Debug)]
pub(crate) struct LicenseConfig {
    pub(crate) user_name: String,
    pub(crate) machine_name: String,
}

impl LicenseConfig {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            user_name: config.credentials.username().to_owned(),
            machine_name: config.client_name.clone(),
        }
    }
}

pub(crate) struct LicenseRandom {
    pub(crate) client_random: [u8; 32],
    pub(crate) premaster: [u8; 48],
}

impl fmt::Debug for LicenseRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LicenseRandom")
    }
}

impl LicenseRandom {
    pub(crate) const SIZE: usize = 32 + 48;

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (client_random, rest) = bytes.split_first_chunk()?;
        let (premaster, rest) = rest.split_first_chunk()?;
        rest.is_empty().then_some(Self {
            client_random: *client_random,
            premaster: *premaster,
        })
    }
}

#[derive(Debug)]
pub(crate) struct LicenseExchange {
    config: LicenseConfig,
    random: LicenseRandom,
}

pub(crate) enum LicenseStep {
    Reply(LicensePdu),
    Granted(Option<NewLicenseInfo>),
    NotNeeded,
}

#[derive(Debug)]
pub(crate) enum LicenseError {
    Alert(LicenseErrorAlert),
}

impl fmt::Display for LicenseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for LicenseError {}

impl LicenseExchange {
    pub(crate) fn new(config: LicenseConfig, random: LicenseRandom) -> Self {
        Self { config, random }
    }

    pub(crate) fn handle(&mut self, message: LicenseMessage) -> Result<LicenseStep, LicenseError> {
        let _ = (&self.config, &self.random, message);
        Ok(LicenseStep::NotNeeded)
    }
}

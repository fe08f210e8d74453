#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod activation;
pub use activation::{Activated, Activation, InputSupport, ServerFeatures};

mod channel_io;

mod client;
pub use client::ClientConnector;

mod config;
pub use config::{ColorDepth, Compression, Config, Credentials, Deadlines, SecurityPolicy};

#[cfg(feature = "nla")]
mod credssp;
#[cfg(feature = "nla")]
pub use credssp::{Keytab, KeytabEntry, NtlmChallenge, NtlmProbe, TsRequest};

mod driver;
pub use driver::{Driver, Need};

mod error;
pub use error::{AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, Refusal};

mod license;

pub use ironrdp_core::{Limit, LimitExceeded, Limits, Liveness};

mod logon;
pub use logon::{DelegatedCredentials, Logon, LogonMethod, LogonName, UserSecret};

mod message_channel;

mod network;
pub use network::{KerberosConfig, NetworkProtocol, NetworkRequest, ServerIdentity, ServerName};

mod nt_status;
pub use nt_status::NtStatus;

mod result;
pub use result::{ConnectionResult, LicenseOutcome, StaticChannel};

mod sequence;
pub use sequence::{Phase, Reply, Request, Sequence, State, StepInput, Written};

mod server;
pub use server::{
    AcceptResult, AcceptorConfig, LicenseAuthority, NetworkMeasurement, ServerAcceptor, ServerActivated,
    ServerActivation,
};

mod stepping;

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod activation;
pub use activation::{Activated, Activation, InputSupport, ServerFeatures};

mod channel_io;

mod client;
pub use client::ClientConnector;

mod config;
pub use config::{ColorDepth, Compression, Config, Credentials, Deadlines};

mod driver;
pub use driver::{Driver, Need};

mod error;
pub use error::{AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, Refusal};

mod license;

mod message_channel;

mod network;
pub use network::{KerberosConfig, NetworkProtocol, NetworkRequest, ServerIdentity, ServerName};

mod result;
pub use result::{ConnectionResult, LicenseOutcome, StaticChannel};

mod sequence;
pub use sequence::{Phase, Reply, Request, Sequence, State, StepInput, Written};

mod server;
pub use server::{
    AcceptResult, AcceptorConfig, LicenseAuthority, NetworkMeasurement, ServerAcceptor, ServerActivated,
    ServerActivation,
};

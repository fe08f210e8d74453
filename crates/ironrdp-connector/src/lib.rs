#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod driver;
pub use driver::{Driver, Need};

mod error;
pub use error::{AuthFailure, ConnectorError, ConnectorErrorKind, ConnectorResult, Refusal};

mod network;
pub use network::{KerberosConfig, NetworkProtocol, NetworkRequest, ServerIdentity, ServerName};

mod sequence;
pub use sequence::{Phase, Reply, Request, Sequence, State, StepInput, Written};

//! A certificate for servers that have none.

use ironrdp_tls::TlsServer;
use rustls::pki_types::PrivateKeyDer;

use crate::{ServerError, ServerErrorKind, ServerResult};

/// TLS with a new key and a certificate for `names` that nobody vouches for: clients must pin it or be told to accept it.
///
/// Both are lost with the value, so clients that remember servers will complain after a restart; a server that stays
/// should have its certificate in files.
pub fn self_signed(names: impl IntoIterator<Item = impl Into<String>>) -> ServerResult<TlsServer> {
    let failed =
        |error| ServerError::with_source(ServerErrorKind::Certificate, "making a certificate", error);
    let names: Vec<String> = names.into_iter().map(Into::into).collect();
    let made = rcgen::generate_simple_self_signed(names).map_err(failed)?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    TlsServer::from_der(vec![made.cert.der().clone()], key).map_err(|error| {
        ServerError::with_source(ServerErrorKind::Certificate, "using a new certificate", error)
    })
}

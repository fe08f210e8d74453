//! What a server offers and allows.

use ironrdp_core::Limits;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::capability::CapabilitySet;
use ironrdp_pdu::client_info::Secret;
use ironrdp_pdu::license::ProductInfo;
use ironrdp_pdu::security::ServerCertificate;
use ironrdp_pdu::x224::SecurityProtocol;

#[cfg(feature = "nla")]
use crate::Keytab;
use crate::license::LicenseIssuer;
use crate::{ColorDepth, ConnectorError, ConnectorErrorKind, ConnectorResult, Deadlines};

/// Everything a server offers and allows. [`AcceptorConfig::new`] is complete and safe; the rest has defaults and setters.
///
/// Share one `Arc<AcceptorConfig>` between all clients of a server.
#[derive(Debug, Clone)]
pub struct AcceptorConfig {
    pub(super) tls: bool,
    pub(super) plain: bool,
    #[cfg(feature = "nla")]
    pub(super) nla: Nla,
    pub(super) desktop_size: Option<DesktopSize>,
    pub(super) max_color_depth: ColorDepth,
    pub(super) license: LicenseForm,
    pub(super) skip_channel_join: bool,
    pub(super) message_channel: bool,
    pub(super) auto_detect: bool,
    pub(super) capabilities: Vec<CapabilitySet>,
    pub(super) limits: Limits,
    pub(super) deadlines: Deadlines,
}

/// How a server does network level authentication.
#[cfg(feature = "nla")]
#[derive(Debug, Clone, Default)]
pub(super) struct Nla {
    pub(super) offered: bool,
    pub(super) required: bool,
    pub(super) keytab: Option<Keytab>,
    pub(super) old_allowed: bool,
}

/// How a server does licensing.
#[derive(Debug, Clone)]
pub(super) enum LicenseForm {
    /// One message: the client needs no licence.
    Short,
    /// The full exchange.
    Full(LicenseAuthority),
}

impl AcceptorConfig {
    /// A server that insists on TLS, gives each client the desktop size and depth it asks for, and asks for no licence.
    pub fn new() -> Self {
        Self {
            tls: true,
            plain: false,
            #[cfg(feature = "nla")]
            nla: Nla::default(),
            desktop_size: None,
            max_color_depth: ColorDepth::Bpp32,
            license: LicenseForm::Short,
            skip_channel_join: true,
            message_channel: true,
            auto_detect: false,
            capabilities: Vec::new(),
            limits: Limits::DEFAULT,
            deadlines: Deadlines::default(),
        }
    }

    /// Offers network level authentication: a client proves its user's password before it gets a session, and before the
    /// server learns it. Clients without it still get TLS. The acceptor then asks for its own
    /// [`ServerIdentity`](crate::Request::ServerIdentity) and for each [`UserSecret`](crate::Request::UserSecret).
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn with_nla(mut self) -> Self {
        self.nla.offered = true;
        self
    }

    /// Insists on network level authentication.
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn require_nla(mut self) -> Self {
        self.nla.offered = true;
        self.nla.required = true;
        self
    }

    /// Also takes Kerberos tickets for the services in `keytab`, such as `TERMSRV/host.example.com`, in network level
    /// authentication. No KDC is asked.
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn with_keytab(mut self, keytab: Keytab) -> Self {
        self.nla.keytab = Some(keytab);
        self
    }

    /// Also lets clients with CredSSP 2 to 4 log in, older than May 2018: an attacker in the middle can make use of such a
    /// login (CVE-2018-0886).
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn dangerously_allow_old_credssp(mut self) -> Self {
        self.nla.old_allowed = true;
        self
    }

    /// One desktop size for everybody; without it each client gets the size it asks for.
    #[must_use]
    pub fn with_desktop_size(mut self, size: DesktopSize) -> Self {
        self.desktop_size = Some(size);
        self
    }

    /// The most bits a pixel a client gets (default 32).
    #[must_use]
    pub fn with_max_color_depth(mut self, depth: ColorDepth) -> Self {
        self.max_color_depth = depth;
        self
    }

    /// Issues every client a licence of `authority` in the full exchange, as a Windows server does; without it clients
    /// are told that they need none. Some clients test only one of the two.
    #[must_use]
    pub fn with_licenses_of(mut self, authority: LicenseAuthority) -> Self {
        self.license = LicenseForm::Full(authority);
        self
    }

    /// Whether clients that can do so may leave out the channel joins (default), which saves them a round trip.
    #[must_use]
    pub fn with_skip_channel_join(mut self, skip: bool) -> Self {
        self.skip_channel_join = skip;
        self
    }

    /// Whether clients that ask for a message channel get one (default).
    #[must_use]
    pub fn with_message_channel(mut self, message_channel: bool) -> Self {
        self.message_channel = message_channel;
        self
    }

    /// Whether to measure round trip and bandwidth while a client connects, if it can do so (default: no). Costs two
    /// round trips.
    #[must_use]
    pub fn with_auto_detect(mut self, auto_detect: bool) -> Self {
        self.auto_detect = auto_detect;
        self
    }

    /// Offers a capability in place of the default of its kind, or beside the defaults: codecs, for instance.
    ///
    /// The Bitmap set always says what was agreed upon, whatever is given here.
    #[must_use]
    pub fn with_capability(mut self, set: impl Into<CapabilitySet>) -> Self {
        let set = set.into();
        self.capabilities.retain(|other| other.kind() != set.kind());
        self.capabilities.push(set);
        self
    }

    /// What a client may cost. A client that wants a larger desktop than they allow is given one of 1024x768.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long each phase may take; bounds what a client that says nothing costs.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Also accepts clients without TLS: everything, the password included, then crosses the network readable by anyone.
    #[must_use]
    pub fn dangerously_allow_plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Accepts only clients without TLS: everything, the password included, crosses the network readable by anyone.
    #[must_use]
    pub fn dangerously_require_plain(mut self) -> Self {
        self.plain = true;
        self.tls = false;
        self
    }

    /// How long each phase may take.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// What a client may cost.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The protocol for a client that offers `offered`, the safest first.
    pub(super) fn select(&self, offered: SecurityProtocol) -> Option<SecurityProtocol> {
        #[cfg(feature = "nla")]
        if self.nla.offered {
            // With the early result the client learns at once whether it may have a session.
            let nla = [SecurityProtocol::HYBRID_EX, SecurityProtocol::HYBRID];
            let best = nla.into_iter().find(|protocol| offered.contains(*protocol));
            if best.is_some() || self.nla.required {
                return best;
            }
        }
        if self.tls && offered.contains(SecurityProtocol::SSL) {
            Some(SecurityProtocol::SSL)
        } else if self.plain && offered.is_empty() {
            Some(SecurityProtocol::empty())
        } else {
            None
        }
    }
}

impl Default for AcceptorConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Issues licences in the full exchange (MS-RDPELE 1.3.3): a certificate with its private key, and what is issued.
#[derive(Debug, Clone)]
pub struct LicenseAuthority {
    pub(super) issuer: LicenseIssuer,
}

impl LicenseAuthority {
    /// An authority that issues `license` (bytes that clients keep and do not read) for `product` in `scope`.
    ///
    /// `certificate` is shown to clients; `private_exponent` (big-endian) belongs to its RSA key. Make a key for this
    /// alone: licensing's RSA has no padding and its time depends on the key.
    pub fn new(
        certificate: &ServerCertificate,
        private_exponent: Secret<Vec<u8>>,
        product: ProductInfo,
        scope: impl Into<String>,
        license: impl Into<Vec<u8>>,
    ) -> ConnectorResult<Self> {
        let issuer = LicenseIssuer::new(
            certificate,
            private_exponent,
            product,
            scope.into(),
            license.into(),
        )
        .map_err(|error| {
            let context = "the certificate of the licence authority";
            ConnectorError::with_source(ConnectorErrorKind::Misuse, context, error)
        })?;
        Ok(Self { issuer })
    }
}

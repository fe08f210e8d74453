//! What a server allows.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "nla")]
use ironrdp_connector::Keytab;
use ironrdp_connector::{AcceptorConfig, ColorDepth, LicenseAuthority};
use ironrdp_core::Limits;
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::capability::{General, GeneralExtraFlags};
use ironrdp_tls::TlsServer;

use crate::Credentials;

/// Everything a server allows. [`ServerConfig::new`] is complete and safe; the rest has defaults and setters.
#[derive(Clone)]
pub struct ServerConfig {
    pub(crate) tls: TlsServer,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) acceptor: AcceptorConfig,
    pub(crate) plain: bool,
    pub(crate) capacity: Capacity,
    pub(crate) handshake_timeout: Duration,
    pub(crate) stall_timeout: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) max_frame_rate: u32,
    pub(crate) bulk: bool,
    pub(crate) auto_reconnect: bool,
    pub(crate) graphics_bytes: usize,
}

/// Graphics wait within [`ServerConfig::with_graphics_bytes`], so that what is left are answers, whose number the client
/// decides.
const DEFAULT_LIMITS: Limits = Limits {
    output_bytes: 1024 * 1024,
    ..Limits::DEFAULT
};

/// How many clients a server takes. Whoever comes when there is no room finds the connection closed.
///
/// May get more fields: fill in the rest with `..Capacity::default()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// In all.
    pub clients: usize,
    /// From one IP address; of IPv6 from one network of 64 bits, which is what one host has.
    pub per_address: usize,
    /// Not through the handshake yet. Each of them costs some 20 KiB, and has been asked for no password.
    pub in_handshake: usize,
    /// Not through the handshake yet, from one address as in `per_address`: as many as `in_handshake`, and one address can keep all others out.
    pub in_handshake_per_address: usize,
}

impl Default for Capacity {
    /// 10,000 clients; 1,000 from an address, as a gateway may bring them; 256 in the handshake, 64 of them from an address.
    fn default() -> Self {
        Self {
            clients: 10_000,
            per_address: 1_000,
            in_handshake: 256,
            in_handshake_per_address: 64,
        }
    }
}

impl ServerConfig {
    /// A server that insists on TLS with the certificate of `tls` and lets in whom `credentials` lets in.
    pub fn new(tls: TlsServer, credentials: impl Credentials) -> Self {
        let mut general = General::server();
        general.extra_flags |= GeneralExtraFlags::AUTO_RECONNECT;
        Self {
            tls,
            credentials: Arc::new(credentials),
            acceptor: AcceptorConfig::new()
                .with_capability(general)
                .with_limits(DEFAULT_LIMITS),
            plain: false,
            capacity: Capacity::default(),
            handshake_timeout: Duration::from_secs(15),
            stall_timeout: Duration::from_secs(60),
            idle_timeout: None,
            max_frame_rate: 60,
            bulk: true,
            auto_reconnect: true,
            graphics_bytes: 256 * 1024,
        }
    }

    /// Offers network level authentication: a client proves its user's password before it costs a session, and before the
    /// server learns it. The credentials must implement [`Credentials::secret`]. Clients without it still log in over TLS.
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn with_nla(mut self) -> Self {
        self.acceptor = self.acceptor.with_nla();
        self
    }

    /// Insists on network level authentication.
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn require_nla(mut self) -> Self {
        self.acceptor = self.acceptor.require_nla();
        self
    }

    /// Also lets clients with CredSSP 2 to 4 log in by network level authentication, such as rdesktop: an attacker in the
    /// middle can make use of such a login (CVE-2018-0886).
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn dangerously_allow_old_credssp(mut self) -> Self {
        self.acceptor = self.acceptor.dangerously_allow_old_credssp();
        self
    }

    /// Also takes Kerberos tickets for the services in `keytab`, in network level authentication. Whoever has
    /// one comes in, unless [`Credentials::admit`] keeps the user out.
    #[cfg(feature = "nla")]
    #[must_use]
    pub fn with_keytab(mut self, keytab: Keytab) -> Self {
        self.acceptor = self.acceptor.with_keytab(keytab);
        self
    }

    /// Tells every client of one desktop size from the start; without it each is told the size it asks for first, and the
    /// size of its screen, if that is another, in a reactivation.
    #[must_use]
    pub fn with_desktop_size(mut self, size: DesktopSize) -> Self {
        self.acceptor = self.acceptor.with_desktop_size(size);
        self
    }

    /// How many clients are taken.
    #[must_use]
    pub fn with_capacity(mut self, capacity: Capacity) -> Self {
        self.capacity = capacity;
        self
    }

    /// What one client may cost; [`Limits::default`], but with 1 MiB of output, unless set.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.acceptor = self.acceptor.with_limits(limits);
        self
    }

    /// How long a client may take from its first byte to its session (default 15 s), and for a reactivation, which begins when
    /// all that waited for the client has left.
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// How long a client may read nothing, and acknowledge no frame, while something waits for it (default 60 s); a second
    /// later it is dropped. However slowly it reads, it stays.
    ///
    /// What the kernel has taken counts as read, and it says that it has room only when a third of its buffer has left: a client
    /// that takes less than [`with_graphics_bytes`](Self::with_graphics_bytes) in that time may seem to read nothing.
    #[must_use]
    pub fn with_stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// Ends sessions whose user has done nothing for so long (default: never): no key, no button, no movement. What a client
    /// sends by itself, as the acknowledgement of every frame, does not count.
    #[must_use]
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// The most frames a second that a client is sent (default 60), from 1 to 1,000.
    #[must_use]
    pub fn with_max_frame_rate(mut self, frames_per_second: u32) -> Self {
        self.max_frame_rate = frames_per_second.clamp(1, 1_000);
        self
    }

    /// Whether to compress again (MPPC) what the bitmap codecs give, for clients that offer it (default). Costs no memory.
    #[must_use]
    pub fn with_bulk_compression(mut self, bulk: bool) -> Self {
        self.bulk = bulk;
        self
    }

    /// Whether clients get cookies to come back with, without a password, for an hour (default).
    #[must_use]
    pub fn with_auto_reconnect(mut self, auto_reconnect: bool) -> Self {
        self.auto_reconnect = auto_reconnect;
        self
    }

    /// How many bytes of graphics wait for a client (default 256 KiB, and a tile more): more makes what it sees older. Never
    /// more than half of [`Limits::output_bytes`]. Also asked of the kernel for its own buffer.
    #[must_use]
    pub fn with_graphics_bytes(mut self, bytes: usize) -> Self {
        self.graphics_bytes = bytes.max(1);
        self
    }

    /// The bytes of graphics to queue at a time. Half of what may wait is left for answers and the pointer.
    pub(crate) fn graphics_bytes(&self) -> usize {
        self.graphics_bytes
            .min(self.acceptor.limits().output_bytes / 2)
            .max(1)
    }

    /// The most bits a pixel a client gets (default 32).
    #[must_use]
    pub fn with_max_color_depth(mut self, depth: ColorDepth) -> Self {
        self.acceptor = self.acceptor.with_max_color_depth(depth);
        self
    }

    /// Issues every client a licence of `authority` in the full exchange; without it clients are told that they need none.
    #[must_use]
    pub fn with_licenses_of(mut self, authority: LicenseAuthority) -> Self {
        self.acceptor = self.acceptor.with_licenses_of(authority);
        self
    }

    /// Also accepts clients without TLS: everything, the password included, then crosses the network readable by anyone.
    /// Such a server binds to loopback addresses only.
    #[must_use]
    pub fn dangerously_allow_plain(mut self) -> Self {
        self.acceptor = self.acceptor.dangerously_allow_plain();
        self.plain = true;
        self
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("capacity", &self.capacity)
            .field("limits", self.acceptor.limits())
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}

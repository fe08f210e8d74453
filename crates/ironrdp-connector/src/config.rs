//! What a client asks for.

use core::time::Duration;

use ironrdp_core::{Limits, Liveness};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::client_info::{PerformanceFlags, Secret, ServerAutoReconnect};
use ironrdp_pdu::gcc::ChannelDefinition;
use ironrdp_pdu::x224::SecurityProtocol;

/// As whom a client logs in.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: Secret<String>,
    domain: Option<String>,
}

ironrdp_pdu::debug_hiding!(Credentials { username, domain } hides { password });

impl Credentials {
    /// A user name and a password. `DOMAIN\user` is split into its parts; `user@realm` stays whole, as servers expect it.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        let username = username.into();
        let password = Secret::from(password.into());
        match username.split_once('\\') {
            Some((domain, user)) => Self {
                username: user.to_owned(),
                password,
                domain: Some(domain.to_owned()),
            },
            None => Self {
                username,
                password,
                domain: None,
            },
        }
    }

    /// Sets the domain.
    #[must_use]
    pub fn with_domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// The user name without domain.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password.
    pub fn password(&self) -> &Secret<String> {
        &self.password
    }

    /// The domain, if one was given.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

/// Bits a pixel that a client asks for. The server has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ColorDepth {
    /// 256 colours from a palette.
    Bpp8,
    /// 5 bits a channel.
    Bpp15,
    /// 5, 6 and 5 bits a channel.
    Bpp16,
    /// 8 bits a channel.
    Bpp24,
    /// 8 bits a channel and 8 more; planar compression.
    #[default]
    Bpp32,
}

impl ColorDepth {
    /// Bits a pixel.
    pub const fn bits(self) -> u16 {
        match self {
            Self::Bpp8 => 8,
            Self::Bpp15 => 15,
            Self::Bpp16 => 16,
            Self::Bpp24 => 24,
            Self::Bpp32 => 32,
        }
    }

    /// The depth with this many bits a pixel.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        Some(match bits {
            8 => Self::Bpp8,
            15 => Self::Bpp15,
            16 => Self::Bpp16,
            24 => Self::Bpp24,
            32 => Self::Bpp32,
            _ => return None,
        })
    }
}

/// Bulk compression that a client offers for what the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// None.
    Off,
    /// MPPC with 8 KiB of history (RDP 4.0).
    Mppc8K,
    /// MPPC with 64 KiB of history (RDP 5.0), allocated when the server first uses it.
    #[default]
    Mppc64K,
}

/// How long each phase of a connection may take, and the whole.
///
/// Phases may be added: write those that you change, and `..Deadlines::default()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Opening the TCP connection.
    pub dial: Duration,
    /// Agreeing on a security protocol.
    pub negotiate: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// CredSSP.
    pub authenticate: Duration,
    /// From the conference to the start of the session.
    pub activate: Duration,
    /// All of it.
    pub overall: Duration,
}

impl Deadlines {
    /// The time a phase may take.
    pub const fn of(&self, phase: crate::Phase) -> Duration {
        match phase {
            crate::Phase::Dial => self.dial,
            crate::Phase::Negotiate => self.negotiate,
            crate::Phase::Tls => self.tls,
            crate::Phase::Authenticate => self.authenticate,
            crate::Phase::Activate => self.activate,
        }
    }
}

impl Default for Deadlines {
    /// 10 s to dial, negotiate and shake hands each, 20 s to authenticate and to activate (a logon may start a session),
    /// 60 s for all.
    fn default() -> Self {
        let short = Duration::from_secs(10);
        let long = Duration::from_secs(20);
        Self {
            dial: short,
            negotiate: short,
            tls: short,
            authenticate: long,
            activate: long,
            overall: Duration::from_secs(60),
        }
    }
}

/// Which security a client offers to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SecurityPolicy {
    /// Network level authentication if the server has it (and there are credentials, and the feature `nla` is on), else TLS. The
    /// server decides, under the same demands on its certificate.
    #[default]
    Auto,
    /// Network level authentication or nothing: the password goes to nobody who has not proved to know it.
    Nla,
    /// TLS without network level authentication: the server receives the password, or shows its login window.
    Tls,
}

/// Everything a client asks for. [`Config::new`] is complete and safe; the rest has defaults and setters.
///
/// Share one `Arc<Config>` between sessions that differ in nothing.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) credentials: Credentials,
    pub(crate) security: SecurityPolicy,
    pub(crate) plain_allowed: bool,
    pub(crate) plain_only: bool,
    pub(crate) ntlm_in_spnego: bool,
    pub(crate) old_credssp_allowed: bool,
    pub(crate) restricted_admin: bool,
    pub(crate) desktop_size: DesktopSize,
    pub(crate) color_depth: ColorDepth,
    pub(crate) compression: Compression,
    pub(crate) autologon: bool,
    pub(crate) client_name: String,
    pub(crate) keyboard_layout: u32,
    pub(crate) performance: PerformanceFlags,
    pub(crate) channels: Vec<ChannelDefinition>,
    pub(crate) confirmed_joins: bool,
    pub(crate) routing_token: Option<Vec<u8>>,
    pub(crate) auto_reconnect: Option<ServerAutoReconnect>,
    pub(crate) limits: Limits,
    pub(crate) liveness: Liveness,
    pub(crate) deadlines: Deadlines,
}

impl Config {
    /// A client that logs in with `credentials`, by network level authentication if the server has it and over TLS anyway, to a 1024x768 desktop at 32 bits a pixel.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            security: SecurityPolicy::default(),
            plain_allowed: false,
            plain_only: false,
            ntlm_in_spnego: false,
            old_credssp_allowed: false,
            restricted_admin: false,
            desktop_size: DEFAULT_SIZE,
            color_depth: ColorDepth::default(),
            compression: Compression::default(),
            autologon: true,
            client_name: "ironrdp".to_owned(),
            keyboard_layout: 0x0409, // US English
            performance: PerformanceFlags::empty(),
            channels: Vec::new(),
            confirmed_joins: false,
            routing_token: None,
            auto_reconnect: None,
            limits: Limits::DEFAULT,
            liveness: Liveness::DEFAULT,
            deadlines: Deadlines::default(),
        }
    }

    /// The desktop size asked for; the server may give another.
    #[must_use]
    pub fn with_desktop_size(mut self, size: DesktopSize) -> Self {
        self.desktop_size = size;
        self
    }

    /// The colour depth asked for; the server may give another.
    #[must_use]
    pub fn with_color_depth(mut self, depth: ColorDepth) -> Self {
        self.color_depth = depth;
        self
    }

    /// The bulk compression offered to the server.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Whether the server should log in with the credentials without asking (default), or show its login window.
    #[must_use]
    pub fn with_autologon(mut self, autologon: bool) -> Self {
        self.autologon = autologon;
        self
    }

    /// The name this client gives itself; servers keep 15 characters of it.
    #[must_use]
    pub fn with_client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }

    /// The keyboard layout, as a Windows input locale identifier (default 0x0409, US English).
    #[must_use]
    pub fn with_keyboard_layout(mut self, layout: u32) -> Self {
        self.keyboard_layout = layout;
        self
    }

    /// Which decorations the server may leave out to save bandwidth.
    #[must_use]
    pub fn with_performance_flags(mut self, flags: PerformanceFlags) -> Self {
        self.performance = flags;
        self
    }

    /// The static virtual channels to open; at most 31.
    #[must_use]
    pub fn with_channels(mut self, channels: Vec<ChannelDefinition>) -> Self {
        self.channels = channels;
        self
    }

    /// Whether to say who logs in only after the server has confirmed every channel, to the letter of MS-RDPBCGR 2.2.1.11.
    ///
    /// By default it is said in the same breath as the channels are joined, which saves a round trip. xrdp, freerdp-shadow, Weston and
    /// GNOME Remote Desktop take it so, and with servers that let clients skip the joins it makes no difference. Set this for a
    /// server that ends the connection, or falls silent, in the phase [`Activate`](crate::Phase::Activate) right after the joins.
    #[must_use]
    pub fn with_confirmed_joins(mut self, confirmed: bool) -> Self {
        self.confirmed_joins = confirmed;
        self
    }

    /// A load balancer's routing token, sent in place of the user name cookie.
    #[must_use]
    pub fn with_routing_token(mut self, token: impl Into<Vec<u8>>) -> Self {
        self.routing_token = Some(token.into());
        self
    }

    /// Comes back to the session that `cookie` was given in, after its connection broke: the server may let the client in
    /// without looking at its password (MS-RDPBCGR 1.3.1.5). A cookie is good for one attempt; the session brings another.
    #[must_use]
    pub fn with_auto_reconnect(mut self, cookie: ServerAutoReconnect) -> Self {
        self.auto_reconnect = Some(cookie);
        self
    }

    /// What the connection and its session may cost. The value goes with the connection: through the sequence, to the stream
    /// it is driven over, and to the session.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// When a silent server is taken for dead. The value goes with the connection: to the socket it is dialled on, and to the
    /// session.
    #[must_use]
    pub fn with_liveness(mut self, liveness: Liveness) -> Self {
        self.liveness = liveness;
        self
    }

    /// How long each phase may take.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.deadlines = deadlines;
        self
    }

    /// Which security is offered to the server.
    #[must_use]
    pub fn with_security(mut self, security: SecurityPolicy) -> Self {
        self.security = security;
        self
    }

    /// Logs in without handing the password to the server (Restricted Admin mode): the session then acts on the network as
    /// the server's own account. Needs network level authentication, and an administrator's account.
    #[must_use]
    pub fn with_restricted_admin(mut self) -> Self {
        self.restricted_admin = true;
        self.security = SecurityPolicy::Nla;
        self
    }

    /// Wraps NTLM in SPNEGO, for servers that do not take it as it is; it costs a round trip.
    #[must_use]
    pub fn with_ntlm_in_spnego(mut self) -> Self {
        self.ntlm_in_spnego = true;
        self
    }

    /// Also accepts servers with CredSSP 2 to 4, older than May 2018: an attacker in the middle can make use of a login to
    /// them (CVE-2018-0886).
    #[must_use]
    pub fn dangerously_allow_old_credssp(mut self) -> Self {
        self.old_credssp_allowed = true;
        self
    }

    /// The protocols that the first message offers.
    pub(crate) fn offered_protocols(&self) -> SecurityProtocol {
        let nla = SecurityProtocol::HYBRID | SecurityProtocol::HYBRID_EX;
        match self.security {
            _ if self.plain_only => SecurityProtocol::empty(),
            SecurityPolicy::Nla => nla,
            SecurityPolicy::Auto if cfg!(feature = "nla") && !self.credentials.username.is_empty() => {
                nla | SecurityProtocol::SSL
            }
            SecurityPolicy::Auto | SecurityPolicy::Tls => SecurityProtocol::SSL,
        }
    }

    /// Also accepts a server without TLS: everything, the password included, then crosses the network readable by anyone.
    #[must_use]
    pub fn dangerously_allow_plain(mut self) -> Self {
        self.plain_allowed = true;
        self
    }

    /// Asks for no TLS at all: everything, the password included, crosses the network readable by anyone.
    #[must_use]
    pub fn dangerously_require_plain(mut self) -> Self {
        self.plain_allowed = true;
        self.plain_only = true;
        self
    }

    /// As whom the client logs in.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The desktop size asked for.
    pub fn desktop_size(&self) -> DesktopSize {
        self.desktop_size
    }

    /// How long each phase may take.
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// What the connection and its session may cost.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When a silent server is taken for dead.
    pub fn liveness(&self) -> &Liveness {
        &self.liveness
    }
}

const DEFAULT_SIZE: DesktopSize = match DesktopSize::new(1024, 768) {
    Some(size) => size,
    None => unreachable!(),
};

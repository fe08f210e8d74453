//! Windows' names for what went wrong.

use core::fmt;

use crate::AuthFailure;

/// A status code as Windows components report it (`NTSTATUS`, MS-ERREF 2.3; some send an `HRESULT` in its place).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NtStatus(pub u32);

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        impl NtStatus {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Its name as the specification spells it, `STATUS_LOGON_FAILURE`, if it is one that logons report.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    /// No error.
    SUCCESS = 0, "STATUS_SUCCESS";
    /// Access is denied.
    ACCESS_DENIED = 0xc000_0022, "STATUS_ACCESS_DENIED";
    /// No domain controller can be reached to check the logon.
    NO_LOGON_SERVERS = 0xc000_005e, "STATUS_NO_LOGON_SERVERS";
    /// There is no user of that name.
    NO_SUCH_USER = 0xc000_0064, "STATUS_NO_SUCH_USER";
    /// The password is wrong.
    WRONG_PASSWORD = 0xc000_006a, "STATUS_WRONG_PASSWORD";
    /// The user name or the password is wrong.
    LOGON_FAILURE = 0xc000_006d, "STATUS_LOGON_FAILURE";
    /// A rule forbids this account to log on, such as one against empty passwords.
    ACCOUNT_RESTRICTION = 0xc000_006e, "STATUS_ACCOUNT_RESTRICTION";
    /// The account may not log on at this hour.
    INVALID_LOGON_HOURS = 0xc000_006f, "STATUS_INVALID_LOGON_HOURS";
    /// The account may not log on from this computer.
    INVALID_WORKSTATION = 0xc000_0070, "STATUS_INVALID_WORKSTATION";
    /// The password has expired.
    PASSWORD_EXPIRED = 0xc000_0071, "STATUS_PASSWORD_EXPIRED";
    /// The account is disabled.
    ACCOUNT_DISABLED = 0xc000_0072, "STATUS_ACCOUNT_DISABLED";
    /// The clocks of server and domain controller differ too much.
    TIME_DIFFERENCE_AT_DC = 0xc000_0133, "STATUS_TIME_DIFFERENCE_AT_DC";
    /// The user lacks the right to log on this way.
    LOGON_NOT_GRANTED = 0xc000_0155, "STATUS_LOGON_NOT_GRANTED";
    /// The user lacks the right to log on by Remote Desktop.
    LOGON_TYPE_NOT_GRANTED = 0xc000_015b, "STATUS_LOGON_TYPE_NOT_GRANTED";
    /// The domain does not trust the server.
    TRUSTED_DOMAIN_FAILURE = 0xc000_018c, "STATUS_TRUSTED_DOMAIN_FAILURE";
    /// The server's own account in the domain is broken.
    TRUSTED_RELATIONSHIP_FAILURE = 0xc000_018d, "STATUS_TRUSTED_RELATIONSHIP_FAILURE";
    /// The account has expired.
    ACCOUNT_EXPIRED = 0xc000_0193, "STATUS_ACCOUNT_EXPIRED";
    /// The password must be changed before the first logon.
    PASSWORD_MUST_CHANGE = 0xc000_0224, "STATUS_PASSWORD_MUST_CHANGE";
    /// The account is locked, mostly after too many wrong passwords.
    ACCOUNT_LOCKED_OUT = 0xc000_0234, "STATUS_ACCOUNT_LOCKED_OUT";
    /// The account may log on with a smart card only.
    SMARTCARD_LOGON_REQUIRED = 0xc000_02fa, "STATUS_SMARTCARD_LOGON_REQUIRED";
    /// The account is outside of the authentication firewall's allowed ones.
    AUTHENTICATION_FIREWALL_FAILED = 0xc000_0413, "STATUS_AUTHENTICATION_FIREWALL_FAILED";
    /// The token is malformed (`HRESULT`).
    SEC_E_INVALID_TOKEN = 0x8009_0308, "SEC_E_INVALID_TOKEN";
    /// The logon was denied (`HRESULT`).
    SEC_E_LOGON_DENIED = 0x8009_030c, "SEC_E_LOGON_DENIED";
    /// The account is unknown (`HRESULT`).
    SEC_E_UNKNOWN_CREDENTIALS = 0x8009_030d, "SEC_E_UNKNOWN_CREDENTIALS";
    /// A sealed message was altered, or is about another public key (`HRESULT`).
    SEC_E_MESSAGE_ALTERED = 0x8009_030f, "SEC_E_MESSAGE_ALTERED";
    /// No authority could be contacted for the logon (`HRESULT`).
    SEC_E_NO_AUTHENTICATING_AUTHORITY = 0x8009_0311, "SEC_E_NO_AUTHENTICATING_AUTHORITY";
    /// The clocks differ too much (`HRESULT`).
    SEC_E_TIME_SKEW = 0x8009_0324, "SEC_E_TIME_SKEW";
}

impl NtStatus {
    /// What it means for the one who logs in.
    pub const fn failure(self) -> AuthFailure {
        match self.unified() {
            Self::LOGON_FAILURE | Self::WRONG_PASSWORD | Self::SEC_E_LOGON_DENIED => {
                AuthFailure::BadCredentials
            }
            Self::NO_SUCH_USER | Self::SEC_E_UNKNOWN_CREDENTIALS => AuthFailure::UnknownUser,
            Self::ACCESS_DENIED => AuthFailure::AccessDenied,
            Self::ACCOUNT_LOCKED_OUT => AuthFailure::AccountLocked,
            Self::ACCOUNT_DISABLED => AuthFailure::AccountDisabled,
            Self::ACCOUNT_EXPIRED => AuthFailure::AccountExpired,
            Self::ACCOUNT_RESTRICTION
            | Self::INVALID_LOGON_HOURS
            | Self::INVALID_WORKSTATION
            | Self::SMARTCARD_LOGON_REQUIRED
            | Self::AUTHENTICATION_FIREWALL_FAILED => AuthFailure::AccountRestricted,
            Self::PASSWORD_EXPIRED => AuthFailure::PasswordExpired,
            Self::PASSWORD_MUST_CHANGE => AuthFailure::PasswordMustChange,
            Self::LOGON_TYPE_NOT_GRANTED | Self::LOGON_NOT_GRANTED => AuthFailure::LogonTypeNotGranted,
            Self::TIME_DIFFERENCE_AT_DC | Self::SEC_E_TIME_SKEW => AuthFailure::ClockSkew,
            Self::NO_LOGON_SERVERS | Self::SEC_E_NO_AUTHENTICATING_AUTHORITY => AuthFailure::NoLogonServer,
            Self::SEC_E_MESSAGE_ALTERED => AuthFailure::PublicKeyMismatch,
            _ => AuthFailure::Status(self),
        }
    }

    /// Some servers send an `HRESULT` of the security interface (0x8009xxxx) in the clothes of an `NTSTATUS` (0xC007xxxx).
    const fn unified(self) -> Self {
        if self.0 & 0xffff_ff00 == 0xc007_0300 {
            Self(0x8009_0300 | self.0 & 0xff)
        } else {
            self
        }
    }
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.0),
            None => write!(f, "status 0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for NtStatus {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_keeps_its_name_and_its_number() {
        assert_eq!(
            NtStatus(0xc000_0234).to_string(),
            "STATUS_ACCOUNT_LOCKED_OUT (0xC0000234)"
        );
        assert_eq!(NtStatus(0xc000_9999).to_string(), "status 0xC0009999");
    }

    #[test]
    fn a_security_result_in_the_clothes_of_a_status_means_the_same() {
        assert_eq!(NtStatus(0xc007_030c).failure(), AuthFailure::BadCredentials);
        assert_eq!(NtStatus(0xc007_030f).failure(), AuthFailure::PublicKeyMismatch);
        assert_eq!(
            NtStatus(0xc007_00ea).failure(),
            AuthFailure::Status(NtStatus(0xc007_00ea))
        );
    }
}

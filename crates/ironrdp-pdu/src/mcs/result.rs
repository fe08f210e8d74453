//! How MCS requests end.

use core::fmt;

macro_rules! mcs_results {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $meaning:literal;)*) => {
        /// How a request ended (`Result`, T.125 section 7, part 1).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum McsResult {
            $($(#[$doc])* $name,)*
        }

        impl McsResult {
            /// The code on the wire.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The result that `code` stands for; `None` above 15.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// What the other side means, for a user to read.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }
        }
    };
}

mcs_results! {
    /// Done as asked.
    Successful = 0, "successful";
    /// Two domains are being merged.
    DomainMerging = 1, "domain is merging";
    /// The domain would no longer be a tree.
    DomainNotHierarchical = 2, "domain is not hierarchical";
    /// No such channel.
    NoSuchChannel = 3, "no such channel";
    /// No such domain.
    NoSuchDomain = 4, "no such domain";
    /// No such user.
    NoSuchUser = 5, "no such user";
    /// The user is not admitted to a private channel.
    NotAdmitted = 6, "not admitted";
    /// The channel is another user's own.
    OtherUserId = 7, "channel is another user's";
    /// The domain parameters cannot be met.
    ParametersUnacceptable = 8, "parameters are unacceptable";
    /// The token is taken.
    TokenNotAvailable = 9, "token is not available";
    /// The token is not the user's.
    TokenNotPossessed = 10, "token is not possessed";
    /// No more channels.
    TooManyChannels = 11, "too many channels";
    /// No more tokens.
    TooManyTokens = 12, "too many tokens";
    /// No more users.
    TooManyUsers = 13, "too many users";
    /// Another reason.
    UnspecifiedFailure = 14, "unspecified failure";
    /// The user on the other side said no.
    UserRejected = 15, "rejected by the user";
}

impl McsResult {
    /// Whether it is [`Successful`](Self::Successful).
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Successful)
    }
}

impl fmt::Display for McsResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning())
    }
}

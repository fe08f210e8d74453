//! A client's way from its first byte to its session.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ironrdp_async::{Answers, Driven, drive};
use ironrdp_connector::{
    AcceptResult, ConnectorError, ConnectorResult, Driver, LogonName, Reply, Request, ServerAcceptor,
    ServerIdentity,
};
use ironrdp_pdu::client_info::ClientInfo;
use ironrdp_tokio::{TlsServerStream, TokioFramed};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::Shared;
use crate::session::color_depth;
use crate::stall::Counted;
use crate::{Client, Login, ServerError, ServerResult, ServerTransport};

/// The frames of a client.
pub(crate) type ServerFramed<T> = TokioFramed<ServerTransport<Counted<T>>>;

/// A client after its handshake.
pub(crate) struct Accepted<T> {
    pub(crate) framed: ServerFramed<T>,
    pub(crate) result: Box<AcceptResult>,
    pub(crate) client: Client,
}

/// Runs the handshake of the client behind `stream`, for as long as it takes.
pub(crate) async fn accept<T: AsyncRead + AsyncWrite + Unpin>(
    stream: T,
    address: SocketAddr,
    shared: &Shared,
) -> ServerResult<Accepted<T>> {
    let mut framed = ServerFramed::new(ServerTransport::Plain(Counted::new(stream)));
    let mut driver = Driver::new(ServerAcceptor::new(Arc::clone(&shared.acceptor)));
    let mut answers = ServerAnswers {
        shared,
        address,
        came_back_to: None,
        nla: false,
        proved: None,
    };
    loop {
        match drive(&mut framed, &mut driver, &mut answers).await? {
            Driven::Done => break,
            Driven::UpgradeToTls => {
                framed = upgrade(framed, shared).await?;
                driver.answer(Reply::Upgraded)?;
            }
            _ => {}
        }
    }
    let mut result = driver.into_sequence().into_result()?;
    // Who has proved to be somebody is that, whatever the client information says. The password that came along is not kept.
    let (user_name, domain) = match result.logon.take() {
        Some(logon) => (logon.name.user, logon.name.domain),
        None => (result.info.user_name.clone(), result.info.domain.clone()),
    };
    let client = Client {
        id: shared.next_id.fetch_add(1, Ordering::Relaxed),
        address,
        name: result.core.client_name.clone(),
        user_name,
        domain,
        desktop_size: result.core.desktop_size(),
        color_depth: color_depth(&result),
        came_back_to: answers.came_back_to,
    };
    Ok(Accepted {
        framed,
        result: Box::new(result),
        client,
    })
}

async fn upgrade<T: AsyncRead + AsyncWrite + Unpin>(
    framed: ServerFramed<T>,
    shared: &Shared,
) -> ServerResult<ServerFramed<T>> {
    // The shell has seen to both: everything is sent, nothing was received ahead.
    let Ok(ServerTransport::Plain(stream)) = framed.try_into_inner_no_leftover() else {
        return Err(ServerError::misuse("an upgrade of a stream in use"));
    };
    let stream = TlsServerStream::accept(stream, shared.config.tls.server_config())
        .await
        .map_err(|error| ServerError::io("TLS handshake", error))?;
    Ok(ServerFramed::new(ServerTransport::Tls(Box::new(stream))))
}

/// Decides about the client while its sequence is driven.
struct ServerAnswers<'a> {
    shared: &'a Shared,
    address: SocketAddr,
    came_back_to: Option<u32>,
    /// The client logs in by network level authentication, or has done so.
    nla: bool,
    /// Who the client has proved to be.
    proved: Option<LogonName>,
}

impl Answers for ServerAnswers<'_> {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        let config = &self.shared.config;
        let info = match request {
            Request::ServerIdentity => {
                self.nla = true;
                return Ok(Reply::ServerIdentity(ServerIdentity {
                    // Only clients need a name for the server.
                    name: "".into(),
                    public_key: config.tls.subject_public_key().to_vec(),
                    kerberos: None,
                }));
            }
            Request::UserSecret(name) => {
                return Ok(Reply::UserSecret(config.credentials.secret(name).await));
            }
            Request::AuthorizeLogon(logon) => {
                let admitted = config.credentials.admit(logon).await;
                self.proved = admitted.then(|| logon.name.clone());
                return Ok(Reply::Authorized(admitted));
            }
            Request::Authorize(info) => info,
            _ => {
                return Err(ConnectorError::misuse(
                    "the sequence asks what a server does not answer",
                ));
            }
        };
        self.came_back_to = self.redeem(info);
        // The acceptor comes this far with network level authentication only if it succeeded.
        if self.came_back_to.is_some() || self.nla {
            return Ok(Reply::Authorized(true));
        }
        let login = Login {
            address: self.address,
            domain: &info.domain,
            user_name: &info.user_name,
            password: &info.password,
        };
        Ok(Reply::Authorized(
            self.shared.config.credentials.check(login).await,
        ))
    }
}

impl ServerAnswers<'_> {
    fn redeem(&self, info: &ClientInfo) -> Option<u32> {
        let proof = info.extended.as_ref()?.auto_reconnect.as_ref()?;
        self.shared
            .cookies
            .redeem(proof, |user_name, domain| match &self.proved {
                // What the client information says may be another spelling of that, or somebody else.
                Some(name) => (user_name, domain) == (name.user.as_str(), name.domain.as_str()),
                None => user_name == info.user_name,
            })
    }
}

#[cfg(test)]
#[cfg(feature = "self-signed")]
mod tests {
    use ironrdp_connector::{DelegatedCredentials, Logon, LogonMethod};
    use ironrdp_pdu::client_info::{ExtendedInfo, Secret};

    use super::*;
    use crate::reconnect::Cookie;
    use crate::reconnect::tests::proof;
    use crate::{DangerouslyAnyone, Seat, ServerConfig, self_signed};

    /// The session of ada of LAB.TEST to which a client with its cookie comes back, that says that it is `said` and has `proved`
    /// to be that user of that domain, or nobody.
    async fn come_back(said: &str, proved: Option<(&str, &str)>) -> Option<u32> {
        let tls = self_signed(["localhost"]).unwrap();
        let nobody = |_: &Client| None::<Seat>;
        let shared = Shared::new(ServerConfig::new(tls, DangerouslyAnyone), nobody);
        let mut answers = ServerAnswers {
            shared: &shared,
            address: ([127, 0, 0, 1], 1).into(),
            came_back_to: None,
            nla: proved.is_some(),
            proved: None,
        };
        if let Some((user, domain)) = proved {
            let name = LogonName {
                user: user.to_owned(),
                domain: domain.to_owned(),
            };
            let delegated = DelegatedCredentials {
                domain: String::new(),
                user: said.to_owned(),
                password: Secret::default(),
            };
            let method = LogonMethod::Kerberos;
            let logon = Logon {
                name,
                method,
                delegated,
            };
            let reply = answers.answer(Request::AuthorizeLogon(&logon)).await;
            assert!(matches!(reply, Ok(Reply::Authorized(true))));
        }
        let cookie = shared.cookies.give(7, "ada", "LAB.TEST", Cookie::for_client);
        let mut info = ClientInfo::new(said, "");
        info.extended = Some(ExtendedInfo {
            auto_reconnect: Some(proof(&cookie.unwrap())),
            ..ExtendedInfo::default()
        });
        answers.answer(Request::Authorize(&info)).await.unwrap();
        answers.came_back_to
    }

    #[tokio::test]
    async fn a_cookie_is_good_for_the_user_who_was_proved_and_not_for_the_one_who_is_named() {
        let ada = Some(("ada", "LAB.TEST"));
        assert_eq!(come_back("ada@LAB.TEST", ada).await, Some(7));
        assert_eq!(come_back("ada", Some(("eve", "LAB.TEST"))).await, None);
        assert_eq!(come_back("ada", Some(("ada", "ELSEWHERE"))).await, None);
        assert_eq!(come_back("ada", None).await, Some(7));
        assert_eq!(come_back("eve", None).await, None);
    }
}

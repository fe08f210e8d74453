//! A server to connect to: this workspace's own acceptor behind TLS, or without it.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is how a test fails")]

use ironrdp_connector::{
    AcceptResult, AcceptorConfig, Config, ConnectorResult, Credentials, Driver, Reply, Request,
    ServerAcceptor,
};
use ironrdp_core::{Encode, encode_vec};
use ironrdp_pdu::DesktopSize;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, SERVER_USER_ID, SendDataIndication};
use ironrdp_pdu::share::{ShareData, ShareDataPdu};
use ironrdp_pdu::x224::X224Data;
use ironrdp_tls::{CertificatePolicy, Fingerprint, TlsClient, TlsServer};
use ironrdp_tokio::{
    Answers, ConnectConfig, Driven, FramedFlush, FramedRead, FramedWrite, TokioFramed, TokioStream, drive,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub const CERTIFICATE: &[u8] = include_bytes!("../data/self-signed.pem");
pub const KEY: &[u8] = include_bytes!("../data/ec.key.pem");

pub fn size(width: u16, height: u16) -> DesktopSize {
    DesktopSize::new(width, height).unwrap()
}

pub fn client() -> Config {
    Config::new(Credentials::new("rdptest", "secret")).with_desktop_size(size(640, 480))
}

/// Trusts the test server's key and no other.
pub fn config() -> ConnectConfig {
    let server = TlsServer::from_pem(CERTIFICATE, KEY).unwrap();
    let pin = CertificatePolicy::pin_certificate(Fingerprint::of(server.certificate()));
    ConnectConfig::new(client()).with_tls(TlsClient::new(pin).unwrap())
}

/// Lets everybody in.
pub struct Hospitable;

impl Answers for Hospitable {
    async fn answer(&mut self, request: Request<'_>) -> ConnectorResult<Reply> {
        let Request::Authorize(_) = request else {
            panic!("asked {request:?}")
        };
        Ok(Reply::Authorized(true))
    }
}

/// The server's end of a running session.
pub struct Host<S> {
    pub framed: TokioFramed<S>,
    pub accepted: AcceptResult,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Host<TlsStream<T>> {
    /// Runs the whole sequence as a server with TLS.
    pub async fn accept(stream: T) -> Self {
        let mut driver = Driver::new(ServerAcceptor::new(AcceptorConfig::new()));
        let mut framed = TokioFramed::new(stream);
        let upgrade = drive(&mut framed, &mut driver, &mut Hospitable).await.unwrap();
        assert_eq!(upgrade, Driven::UpgradeToTls);
        let tls = TlsServer::from_pem(CERTIFICATE, KEY).unwrap();
        let stream = TlsAcceptor::from(tls.server_config())
            .accept(framed.into_inner_no_leftover())
            .await
            .unwrap();
        driver.answer(Reply::Upgraded).unwrap();
        let mut framed = TokioFramed::new(stream);
        let done = drive(&mut framed, &mut driver, &mut Hospitable).await.unwrap();
        assert_eq!(done, Driven::Done);
        Self {
            framed,
            accepted: driver.into_sequence().into_result().unwrap(),
        }
    }
}

impl Host<DuplexStream> {
    /// Runs the whole sequence without TLS.
    pub async fn accept_plain(stream: DuplexStream) -> Self {
        let config = AcceptorConfig::new().dangerously_require_plain();
        let mut driver = Driver::new(ServerAcceptor::new(config));
        let mut framed = TokioFramed::new(stream);
        assert_eq!(
            drive(&mut framed, &mut driver, &mut Hospitable).await.unwrap(),
            Driven::Done
        );
        Self {
            framed,
            accepted: driver.into_sequence().into_result().unwrap(),
        }
    }
}

impl<S> Host<S>
where
    TokioStream<S>: FramedRead + FramedWrite + FramedFlush,
{
    pub async fn write(&mut self, frame: &impl Encode) {
        self.framed.write_all(&encode_vec(frame).unwrap()).await.unwrap();
    }

    pub async fn fast_path(&mut self, code: UpdateCode, data: &[u8]) {
        self.write(&FastPathOutput {
            update: FastPathUpdate::single(code, data),
        })
        .await;
    }

    /// One row of four pixels at the top left (`TS_UPDATE_BITMAP_DATA`, MS-RDPBCGR 2.2.9.1.1.3.1.2), bottom-up and raw.
    pub async fn paint(&mut self, blue: u8) {
        let words: [u16; 11] = [1, 1, 0, 0, 3, 0, 4, 1, 32, 0, 16];
        let mut data: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        data.extend([blue, 0, 0, 0].repeat(4));
        self.fast_path(UpdateCode::Bitmap, &data).await;
    }

    pub async fn on_channel(&mut self, channel_id: u16, user_data: impl Encode) {
        self.write(&X224Data(SendDataIndication {
            initiator: SERVER_USER_ID,
            channel_id,
            user_data,
        }))
        .await;
    }

    pub async fn share_data(&mut self, pdu: ShareDataPdu<'_>) {
        let data = ShareData::new(SERVER_USER_ID, self.accepted.activated.share_id, pdu);
        self.on_channel(self.accepted.io_channel_id, data).await;
    }

    pub async fn goodbye(&mut self) {
        self.share_data(ShareDataPdu::SetErrorInfo(ErrorInfo::LOGOFF_BY_USER))
            .await;
        let reason = DisconnectReason::UserRequested;
        self.write(&X224Data(DisconnectProviderUltimatum { reason }))
            .await;
    }

    pub async fn resize(&mut self, to: DesktopSize) {
        let mut driver = Driver::new(self.accepted.reactivation(to));
        assert_eq!(
            drive(&mut self.framed, &mut driver, &mut Hospitable)
                .await
                .unwrap(),
            Driven::Done
        );
        self.accepted.activated = driver.into_sequence().into_result().unwrap().0;
    }
}

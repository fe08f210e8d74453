//! A server of this workspace's own: the whole sequence by `ServerAcceptor`, then what the test has in mind.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use ironrdp_connector::{
    AcceptResult, AcceptorConfig, ConnectorError, ConnectorResult, Driver, Reply, Request, ServerAcceptor,
};
use ironrdp_core::{Encode, decode_exact, encode_vec};
use ironrdp_pdu::Action;
use ironrdp_pdu::error_info::ErrorInfo;
use ironrdp_pdu::fastpath::{FastPathOutput, FastPathUpdate, UpdateCode};
use ironrdp_pdu::input::{FastPathInputPdu, InputEvent};
use ironrdp_pdu::mcs::{DisconnectProviderUltimatum, DisconnectReason, SERVER_USER_ID, SendDataIndication};
use ironrdp_pdu::output::{BitmapData, BitmapFlags, BitmapList};
use ironrdp_pdu::share::{ShareData, ShareDataPdu};
use ironrdp_pdu::x224::X224Data;
use ironrdp_pdu::{DesktopSize, InclusiveRect};
use ironrdp_tls::TlsServer;
use ironrdp_tokio::TlsServerStream;
use ironrdp_tokio::{Answers, Driven, TokioFramed, drive};
use tokio::io::{AsyncRead, AsyncWrite};

/// A stream, encrypted or not.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// The server's end of a running session.
pub(crate) struct Host {
    framed: TokioFramed<Box<dyn Duplex>>,
    pub(crate) accepted: AcceptResult,
}

/// Lets everybody in, or nobody.
struct Doorman(bool);

impl Answers for Doorman {
    async fn answer(&mut self, _: Request<'_>) -> ConnectorResult<Reply> {
        Ok(Reply::Authorized(self.0))
    }
}

/// How clients are received.
#[derive(Clone)]
pub(crate) struct Reception {
    pub(crate) config: Arc<AcceptorConfig>,
    /// None for a server without TLS.
    pub(crate) tls: Option<TlsServer>,
    pub(crate) open: bool,
}

impl Reception {
    pub(crate) fn tls() -> Self {
        Self {
            config: AcceptorConfig::new().into(),
            tls: Some(super::support::tls_server("self-signed.pem", "ec.key.pem")),
            open: true,
        }
    }

    /// Serves every client of a free port with `script`, each in a thread that ends with the test.
    pub(crate) fn serve(self, script: impl AsyncFn(&mut Host) + Clone + Send + 'static) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        self.serve_on(listener, script);
        port
    }

    pub(crate) fn serve_on(
        self,
        listener: TcpListener,
        script: impl AsyncFn(&mut Host) + Clone + Send + 'static,
    ) {
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reception, script) = (self.clone(), script.clone());
                thread::spawn(move || {
                    stream.set_nonblocking(true).unwrap();
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    runtime.block_on(async {
                        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                        // A client that leaves early is one of the things tested.
                        if let Ok(mut host) = Host::accept(stream, &reception).await {
                            script(&mut host).await;
                        }
                    });
                });
            }
        });
    }
}

impl Host {
    async fn accept(stream: tokio::net::TcpStream, reception: &Reception) -> ConnectorResult<Self> {
        let mut driver = Driver::new(ServerAcceptor::new(Arc::clone(&reception.config)));
        let mut doorman = Doorman(reception.open);
        let mut framed = TokioFramed::<Box<dyn Duplex>>::new(Box::new(stream));
        while drive(&mut framed, &mut driver, &mut doorman).await? == Driven::UpgradeToTls {
            let tls = reception.tls.as_ref().unwrap();
            let stream = TlsServerStream::accept(framed.into_inner_no_leftover(), tls.server_config())
                .await
                .map_err(|error| ConnectorError::io("the handshake", error))?;
            driver.answer(Reply::Upgraded)?;
            framed = TokioFramed::new(Box::new(stream));
        }
        let accepted = driver.into_sequence().into_result()?;
        Ok(Self { framed, accepted })
    }

    pub(crate) fn size(&self) -> DesktopSize {
        self.accepted.activated.desktop_size
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        // The client may have gone; the test looks at how it ended.
        drop(self.framed.write_all(bytes).await);
    }

    async fn send(&mut self, frame: &impl Encode) {
        self.write(&encode_vec(frame).unwrap()).await;
    }

    /// Paints the whole desktop, in rows, with the colours that `color` gives as red, green, blue. All of it leaves in one
    /// write: a client must not take the picture for finished because this process was held up between two rows.
    pub(crate) async fn paint(&mut self, color: impl Fn(u16, u16) -> [u8; 3]) {
        let size = self.size();
        let mut picture = Vec::new();
        for y in 0..size.height() {
            let row: Vec<u8> = (0..size.width())
                .flat_map(|x| {
                    let [red, green, blue] = color(x, y);
                    [blue, green, red, 0]
                })
                .collect();
            let rectangle = BitmapData {
                destination: InclusiveRect {
                    left: 0,
                    top: y,
                    right: size.width() - 1,
                    bottom: y,
                },
                width: size.width(),
                height: 1,
                bits_per_pixel: 32,
                flags: BitmapFlags::empty(),
                header: None,
                data: &row,
            };
            let data = encode_vec(&BitmapList {
                rectangles: &[rectangle],
            })
            .unwrap();
            let update = FastPathUpdate::single(UpdateCode::Bitmap, &data);
            picture.extend(encode_vec(&FastPathOutput { update }).unwrap());
        }
        self.write(&picture).await;
    }

    /// Waits for the next input of the client; empty once it has left.
    pub(crate) async fn input(&mut self) -> Vec<InputEvent> {
        loop {
            match self.framed.read_pdu().await {
                Ok((Action::FastPath, frame)) => {
                    let pdu: FastPathInputPdu<'_> = decode_exact(&frame).unwrap();
                    return pdu.events().map(Result::unwrap).collect();
                }
                Ok((Action::X224, _)) => {}
                Err(_) => return Vec::new(),
            }
        }
    }

    /// Waits until the client has left.
    pub(crate) async fn until_left(&mut self) {
        while self.framed.read_pdu().await.is_ok() {}
    }

    /// Gives a reason, then ends the connection.
    pub(crate) async fn dismiss(&mut self, reason: ErrorInfo) {
        let share_id = self.accepted.activated.share_id;
        self.send(&X224Data(SendDataIndication {
            initiator: SERVER_USER_ID,
            channel_id: self.accepted.io_channel_id,
            user_data: ShareData::new(SERVER_USER_ID, share_id, ShareDataPdu::SetErrorInfo(reason)),
        }))
        .await;
        self.send(&X224Data(DisconnectProviderUltimatum {
            reason: DisconnectReason::ProviderInitiated,
        }))
        .await;
        self.until_left().await;
    }

    /// Gives the desktop another size.
    pub(crate) async fn resize(&mut self, to: DesktopSize) {
        let mut driver = Driver::new(self.accepted.reactivation(to));
        let driven = drive(&mut self.framed, &mut driver, &mut Doorman(true))
            .await
            .unwrap();
        assert_eq!(driven, Driven::Done);
        self.accepted.activated = driver.into_sequence().into_result().unwrap().0;
    }
}

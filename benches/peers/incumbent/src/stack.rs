//! The client made of the IronRDP crates of Devolutions, as their documentation and examples call them.

use std::sync::{Arc, Mutex};

use bench_common::child;
use bench_common::frames::{self, Reader, look};
use bench_common::measure::Counted;
use bench_common::{Answer, Policy, Target, read_frames};
use ironrdp_async::NetworkClient;
use ironrdp_connector::sspi::generator::NetworkRequest;
use ironrdp_connector::{
    ClientConnector, Config, ConnectionResult, ConnectorResult, Credentials, DesktopSize, ServerName,
};
use ironrdp_pdu::gcc::{ConnectionType, KeyboardType};
use ironrdp_pdu::rdp::capability_sets::{MajorPlatformType, RailSupportLevel};
use ironrdp_pdu::rdp::client_info::{CompressionType, PerformanceFlags, TimezoneInfo};
use ironrdp_session::image::DecodedImage;
use ironrdp_session::{ActiveStage, ActiveStageBuilder};
use ironrdp_tls::{CertificateValidation, TlsStream};
use ironrdp_tokio::TokioFramed;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::decode;

pub struct Client {
    target: Target,
    config: Config,
    policy: Policy,
    image: Arc<Mutex<DecodedImage>>,
}

pub struct Connected<T = TcpStream> {
    pub framed: TokioFramed<TlsStream<T>>,
    pub result: ConnectionResult,
}

pub struct NoNetwork;

impl NetworkClient for NoNetwork {
    async fn send(&mut self, _: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        unreachable!("there is no Kerberos here")
    }
}

pub fn client_config(nla: bool, compression: bool) -> Config {
    Config {
        desktop_size: DesktopSize {
            width: 1024,
            height: 768,
        },
        monitor_layout: None,
        desktop_scale_factor: 0,
        desktop_physical_size: None,
        desktop_orientation: None,
        device_scale_factor: None,
        monitor_extended_layout: None,
        relative_mouse_input: false,
        enable_tls: true,
        enable_credssp: nla,
        enable_standard_rdp_security: false,
        credentials: Credentials::UsernamePassword {
            username: bench_common::USER.to_owned(),
            password: bench_common::PASSWORD.to_owned(),
        },
        domain: None,
        client_build: 0,
        client_name: "ironrdp".to_owned(),
        keyboard_type: KeyboardType::IBM_ENHANCED,
        keyboard_subtype: 0,
        keyboard_functional_keys_count: 12,
        keyboard_layout: 0x0409,
        connection_type: ConnectionType::Lan,
        ime_file_name: String::new(),
        bitmap: None,
        dig_product_id: String::new(),
        client_dir: String::new(),
        alternate_shell: String::new(),
        work_dir: String::new(),
        remote_application_mode: false,
        rail_support_level: RailSupportLevel::empty(),
        platform: MajorPlatformType::UNIX,
        hardware_id: None,
        request_data: None,
        autologon: true,
        enable_audio_playback: false,
        enable_audio_capture: false,
        performance_flags: PerformanceFlags::default(),
        license_cache: None,
        timezone_info: TimezoneInfo::default(),
        compression_type: compression.then_some(CompressionType::K64),
        enable_server_pointer: false,
        pointer_software_rendering: false,
        multitransport_flags: None,
        support_dyn_vc_gfx_protocol: false,
    }
}

impl Client {
    fn new(target: &Target, policy: Policy, compression: bool) -> Self {
        Self {
            target: target.clone(),
            config: client_config(target.nla, compression),
            policy,
            image: Arc::new(Mutex::new(image())),
        }
    }

    async fn connected(&self) -> Answer<Connected> {
        let stream = TcpStream::connect((self.target.host(), self.target.port)).await?;
        stream.set_nodelay(true)?;
        self.connected_over(stream).await
    }

    async fn connected_over<T>(&self, stream: T) -> Answer<Connected<T>>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
    {
        let host = self.target.host();
        let mut framed = TokioFramed::new(stream);
        let mut connector = ClientConnector::new(self.config.clone(), ([127, 0, 0, 1], 0).into());
        let upgrade = ironrdp_tokio::connect_begin(&mut framed, &mut connector).await?;
        let stream = framed.into_inner_no_leftover();
        let (stream, certificate) = match self.policy {
            Policy::Any => ironrdp_tls::upgrade(stream, host).await?,
            Policy::Roots => {
                ironrdp_tls::upgrade_with_certificate_validation(stream, host, CertificateValidation::Strict)
                    .await?
            }
            // The one way there is to trust a certificate by itself: the callback for those that the platform's roots do
            // not vouch for.
            Policy::Pin => {
                let expected = Arc::clone(&self.target.certificate);
                let callback = Arc::new(move |der: &[u8], _: &str, _: &str| *der == *expected);
                ironrdp_tls::upgrade_with_certificate_validation_callback(stream, host, callback).await?
            }
        };
        let upgraded = ironrdp_tokio::mark_as_upgraded(upgrade, &mut connector);
        let key = ironrdp_tls::extract_tls_server_public_key(&certificate)
            .ok_or("no public key")?
            .to_vec();
        let mut framed = TokioFramed::new(stream);
        let outcome = ironrdp_tokio::connect_finalize(
            upgraded,
            connector,
            &mut framed,
            &mut NoNetwork,
            ServerName::new(host),
            key,
            None,
        )
        .await?;
        Ok(Connected {
            framed,
            result: outcome.into_connected()?,
        })
    }
}

impl child::Client for Client {
    async fn connect(&self) -> Answer {
        drop(self.connected().await?);
        Ok(())
    }

    async fn connect_over(&self, stream: Counted<TcpStream>) -> Answer {
        drop(self.connected_over(stream).await?);
        Ok(())
    }

    async fn hold(&self, state: &str) -> Answer {
        let Connected { mut framed, result } = self.connected().await?;
        match state {
            "connected" => {
                let mut held = Box::new((framed, result));
                tokio::spawn(async move { while held.0.read_pdu().await.is_ok() {} });
            }
            "active" | "mppc" => {
                let mut stage = Box::new(active_stage(result));
                // A stage has to have an image to draw into; this one belongs to all sessions.
                let image = Arc::clone(&self.image);
                tokio::spawn(async move {
                    while let Ok((action, frame)) = framed.read_pdu().await {
                        let mut image = image.lock().expect("nothing panics while drawing");
                        let out = stage.process(&mut image, action, &frame, None);
                        out.expect("the server's frames are good");
                    }
                });
            }
            _ => {
                let mut held = Box::new((framed, active_stage(result), image()));
                tokio::spawn(async move {
                    let (framed, stage, image) = &mut *held;
                    while let Ok((action, frame)) = framed.read_pdu().await {
                        let out = stage.process(image, action, &frame, None);
                        out.expect("the server's frames are good");
                    }
                });
            }
        }
        Ok(())
    }
}

pub struct Stack;

impl child::Stack for Stack {
    type Client = Client;

    async fn client(who: &str, target: &Target, policy: Policy, compression: bool) -> Answer<Client> {
        // With one provider in the build rustls would take it by itself; this build has two.
        let provider = match who {
            "incumbent" => rustls::crypto::aws_lc_rs::default_provider(),
            "incumbent-ring" => rustls::crypto::ring::default_provider(),
            _ => return Err(format!("{who} is no client").into()),
        };
        provider.install_default().map_err(|_| "a second client")?;
        Ok(Client::new(target, policy, compression))
    }

    async fn frames(who: &str, target: &Target, medium: &str, size: usize, count: usize) -> Answer<Value> {
        match who {
            "incumbent" => frames::run(ReadPdu, target, medium, size, count).await,
            _ => Err(format!("{who} reads no frames").into()),
        }
    }

    fn decode(directory: &str) -> Answer<Value> {
        decode::run(directory)
    }
}

struct ReadPdu;

impl Reader for ReadPdu {
    async fn read<S>(self, stream: S, count: usize) -> Answer<Value>
    where
        S: AsyncRead + Unpin + Send + Sync + 'static,
    {
        let new = TokioFramed::new(stream);
        Ok(read_frames!(
            count,
            framed = new,
            look(&framed.read_pdu().await?.1)
        ))
    }
}

pub fn active_stage(result: ConnectionResult) -> ActiveStage {
    ActiveStageBuilder {
        static_channels: result.static_channels,
        user_channel_id: result.user_channel_id,
        io_channel_id: result.io_channel_id,
        message_channel_id: result.message_channel_id,
        share_id: result.share_id,
        compression_type: result.compression_type,
        enable_server_pointer: result.enable_server_pointer,
        pointer_software_rendering: result.pointer_software_rendering,
    }
    .build()
}

/// In the order of the wire, as the other side has it.
pub fn image() -> DecodedImage {
    DecodedImage::new(ironrdp_graphics::image_processing::PixelFormat::BgrX32, 1024, 768)
}

//! Connects and shows how much of the desktop has been painted after the first update.

use ironrdp_connector::sspi::generator::NetworkRequest;
use ironrdp_connector::{ClientConnector, Config, ConnectorResult, Credentials, DesktopSize, ServerName};
use ironrdp_graphics::image_processing::PixelFormat;
use ironrdp_pdu::gcc::{ConnectionType, KeyboardType};
use ironrdp_pdu::rdp::capability_sets::{MajorPlatformType, RailSupportLevel};
use ironrdp_pdu::rdp::client_info::{PerformanceFlags, TimezoneInfo};
use ironrdp_session::image::DecodedImage;
use ironrdp_session::{ActiveStageBuilder, ActiveStageOutput};
use ironrdp_tokio::{FramedWrite as _, NetworkClient, TokioFramed};
use tokio::net::TcpStream;

struct NoNetwork;

impl NetworkClient for NoNetwork {
    async fn send(&mut self, _: &NetworkRequest) -> ConnectorResult<Vec<u8>> {
        unreachable!("there is no Kerberos here")
    }
}

fn config() -> Config {
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
        enable_credssp: false,
        enable_standard_rdp_security: false,
        credentials: Credentials::UsernamePassword {
            username: "user".to_owned(),
            password: "password".to_owned(),
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
        compression_type: None,
        enable_server_pointer: false,
        pointer_software_rendering: false,
        multitransport_flags: None,
        support_dyn_vc_gfx_protocol: false,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let host = std::env::args().nth(1).ok_or("no host")?;
        let stream = TcpStream::connect((&*host, 3389)).await?;
        let mut framed = TokioFramed::new(stream);
        let mut connector = ClientConnector::new(config(), ([127, 0, 0, 1], 0).into());
        let upgrade = ironrdp_tokio::connect_begin(&mut framed, &mut connector).await?;
        let (stream, certificate) =
            ironrdp_tls::upgrade(framed.into_inner_no_leftover(), &host).await?;
        let upgraded = ironrdp_tokio::mark_as_upgraded(upgrade, &mut connector);
        let key = ironrdp_tls::extract_tls_server_public_key(&certificate).ok_or("no key")?;
        let mut framed = TokioFramed::new(stream);
        let result = ironrdp_tokio::connect_finalize(
            upgraded,
            connector,
            &mut framed,
            &mut NoNetwork,
            ServerName::new(&*host),
            key.to_vec(),
            None,
        )
        .await?
        .into_connected()?;
        let size = result.desktop_size;
        let mut image = DecodedImage::new(PixelFormat::RgbA32, size.width, size.height);
        let mut stage = ActiveStageBuilder {
            static_channels: result.static_channels,
            user_channel_id: result.user_channel_id,
            io_channel_id: result.io_channel_id,
            message_channel_id: result.message_channel_id,
            share_id: result.share_id,
            compression_type: result.compression_type,
            enable_server_pointer: result.enable_server_pointer,
            pointer_software_rendering: result.pointer_software_rendering,
        }
        .build();
        loop {
            let (action, frame) = framed.read_pdu().await?;
            for output in stage.process(&mut image, action, &frame, None)? {
                match output {
                    ActiveStageOutput::ResponseFrame(frame) => framed.write_all(&frame).await?,
                    ActiveStageOutput::GraphicsUpdate(_) => {
                        println!("{}", image.data().iter().filter(|byte| **byte != 0).count());
                        return Ok(());
                    }
                    _ => {}
                }
            }
        }
    })
}

//! A client made of the IronRDP crates of Devolutions, for the interop checks: logs in to a server on loopback, types if
//! told to, waits until the picture is still, and writes it as PPM.

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use bench_common::Answer;
use bench_incumbent::stack::{NoNetwork, active_stage, client_config};
use ironrdp_connector::{
    BitmapConfig, ClientConnector, Config, ConnectionResult, Credentials, DesktopSize, ServerName,
};
use ironrdp_graphics::image_processing::PixelFormat;
use ironrdp_pdu::input::fast_path::{FastPathInputEvent, KeyboardFlags};
use ironrdp_pdu::rdp::capability_sets::BitmapCodecs;
use ironrdp_session::image::DecodedImage;
use ironrdp_session::{ActiveStage, ActiveStageOutput};
use ironrdp_tls::TlsStream;
use ironrdp_tokio::{FramedWrite as _, TokioFramed};
use tokio::net::TcpStream;
use tokio::time::timeout;

const USAGE: &str = "\
usage: client PORT USER tls|nla DEPTH WIDTH HEIGHT FILE.ppm [SCANCODE]...

The password is in LAB_PASSWORD. Scancodes are hexadecimal, and are pressed and released.
";

/// A picture that has not changed for so long is taken for still.
const STILL: Duration = Duration::from_millis(1000);

struct Order {
    port: u16,
    config: Config,
    file: String,
    keys: Vec<u8>,
}

impl Order {
    fn read() -> Answer<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [port, user, security, depth, width, height, file, keys @ ..] = words.as_slice() else {
            return Err(USAGE.into());
        };
        let nla = match security.as_str() {
            "nla" => true,
            "tls" => false,
            _ => return Err(USAGE.into()),
        };
        Ok(Self {
            port: port.parse()?,
            config: config(
                user,
                nla,
                depth.parse()?,
                DesktopSize {
                    width: width.parse()?,
                    height: height.parse()?,
                },
            )?,
            file: file.clone(),
            keys: keys
                .iter()
                .map(|key| u8::from_str_radix(key, 16))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn config(user: &str, nla: bool, color_depth: u32, desktop_size: DesktopSize) -> Answer<Config> {
    Ok(Config {
        desktop_size,
        credentials: Credentials::UsernamePassword {
            username: user.to_owned(),
            password: std::env::var("LAB_PASSWORD")?,
        },
        client_name: "published".to_owned(),
        bitmap: Some(BitmapConfig {
            lossy_compression: false,
            color_depth,
            codecs: BitmapCodecs::default(),
        }),
        enable_server_pointer: true,
        ..client_config(nla, true)
    })
}

async fn connect(order: &Order) -> Answer<(TokioFramed<TlsStream<TcpStream>>, ConnectionResult)> {
    const HOST: &str = "127.0.0.1";
    let stream = TcpStream::connect((HOST, order.port)).await?;
    let address = stream.local_addr()?;
    let mut framed = TokioFramed::new(stream);
    let mut connector = ClientConnector::new(order.config.clone(), address);
    let upgrade = ironrdp_tokio::connect_begin(&mut framed, &mut connector).await?;
    let (stream, certificate) = ironrdp_tls::upgrade(framed.into_inner_no_leftover(), HOST).await?;
    let upgraded = ironrdp_tokio::mark_as_upgraded(upgrade, &mut connector);
    let key = ironrdp_tls::extract_tls_server_public_key(&certificate).ok_or("no public key")?;
    let mut framed = TokioFramed::new(stream);
    let outcome = ironrdp_tokio::connect_finalize(
        upgraded,
        connector,
        &mut framed,
        &mut NoNetwork,
        ServerName::new(HOST),
        key.to_vec(),
        None,
    )
    .await?;
    Ok((framed, outcome.into_connected()?))
}

async fn run(order: Order) -> Answer {
    // This build has two providers, for the measurements; the crate's own default is this one.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "a second provider")?;
    let (mut framed, result) = connect(&order).await?;
    let size = result.desktop_size;
    let mut image = DecodedImage::new(PixelFormat::RgbX32, size.width, size.height);
    let mut stage = active_stage(result);
    watch(&mut framed, &mut stage, &mut image).await?;
    let strokes = order.keys.iter().flat_map(|&key| {
        [KeyboardFlags::empty(), KeyboardFlags::RELEASE]
            .map(|flags| FastPathInputEvent::KeyboardEvent(flags, key))
    });
    for stroke in strokes {
        for output in stage.process_fastpath_input(&mut image, &[stroke])? {
            if let ActiveStageOutput::ResponseFrame(frame) = output {
                framed.write_all(&frame).await?;
            }
        }
    }
    if !order.keys.is_empty() {
        watch(&mut framed, &mut stage, &mut image).await?;
    }
    let mut ppm = format!("P6\n{} {}\n255\n", size.width, size.height).into_bytes();
    ppm.extend(image.data().chunks_exact(4).flat_map(|pixel| &pixel[..3]));
    fs::write(&order.file, ppm)?;
    println!("{}x{}", size.width, size.height);
    for output in stage.graceful_shutdown()? {
        if let ActiveStageOutput::ResponseFrame(frame) = output {
            framed.write_all(&frame).await?;
        }
    }
    Ok(())
}

/// Draws until nothing has come for a while. Nothing at all is no picture.
async fn watch(
    framed: &mut TokioFramed<TlsStream<TcpStream>>,
    stage: &mut ActiveStage,
    image: &mut DecodedImage,
) -> Answer {
    let mut painted = false;
    loop {
        let Ok(read) = timeout(STILL, framed.read_pdu()).await else {
            if painted {
                return Ok(());
            }
            return Err("the server paints nothing".into());
        };
        let (action, frame) = read?;
        for output in stage.process(image, action, &frame, None)? {
            match output {
                ActiveStageOutput::ResponseFrame(frame) => framed.write_all(&frame).await?,
                ActiveStageOutput::GraphicsUpdate(_) => painted = true,
                ActiveStageOutput::Terminate(reason) => {
                    return Err(format!("the server ended it: {reason:?}").into());
                }
                ActiveStageOutput::DeactivateAll => return Err("deactivated".into()),
                _ => {}
            }
        }
    }
}

fn main() -> ExitCode {
    let outcome = Order::read().and_then(|order| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(run(order))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

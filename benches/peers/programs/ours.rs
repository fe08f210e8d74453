//! Connects and shows how much of the desktop has been painted after the first update.

use ironrdp_connector::{Config, Credentials, SecurityPolicy};
use ironrdp_session::Event;
use ironrdp_tls::CertificatePolicy;
use ironrdp_tokio::{ConnectConfig, connect};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let host = std::env::args().nth(1).ok_or("no host")?;
        let config =
            Config::new(Credentials::new("user", "password")).with_security(SecurityPolicy::Tls);
        let config = ConnectConfig::new(config)
            .with_certificate_policy(CertificatePolicy::dangerously_accept_any())?;
        let mut session = connect(&*host, config).await?;
        while let Some(event) = session.next_event().await? {
            if event == Event::Painted {
                let painted = session.session().pixels().pixels().iter().filter(|byte| **byte != 0);
                println!("{}", painted.count());
                break;
            }
        }
        Ok(())
    })
}

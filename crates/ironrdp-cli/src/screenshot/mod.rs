//! `ironrdp screenshot`: log in, wait until the screen holds still, save it.

mod facts;
mod patience;
mod watch;

use std::time::Duration;

#[cfg(feature = "nla")]
use ironrdp_connector::KerberosConfig;
use ironrdp_connector::{Config, Credentials, Deadlines, SecurityPolicy};
use ironrdp_tokio::{Connect, ConnectConfig, ServerAddr};
use tokio::time::Instant;

#[cfg(feature = "nla")]
use crate::args::KerberosArgs;
use crate::args::{ScreenshotArgs, Security};
use crate::exit::{Exit, Failure, Outcome, seconds};
use crate::keyboard::Typing;
use crate::picture::{Destination, encode_png};
use crate::{output, password};
use facts::Facts;
use watch::Watch;

/// Everything that a run needs, found to be in order before anything is connected.
pub(crate) struct Job {
    server: ServerAddr,
    config: ConnectConfig,
    destination: Destination,
    typing: Option<Typing>,
    settle: Duration,
    timeout: Duration,
    json: bool,
}

/// Checks what can be checked without the server, and asks for the password.
pub(crate) fn prepare(args: ScreenshotArgs) -> Result<Job, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    if args.settle >= args.timeout {
        return Err(usage(format!(
            "--settle {} ms leaves no time to wait for it within --timeout {}",
            args.settle.as_millis(),
            seconds(args.timeout)
        )));
    }
    let typing = args
        .text
        .as_deref()
        .map(Typing::new)
        .transpose()
        .map_err(|character| usage(format!("--type: no key stands for {character:?}")))?;
    let destination = Destination::new(&args.output)?;
    if matches!(destination, Destination::Stdout) && args.json {
        return Err(usage(
            "standard output takes either the picture or --json, not both".to_owned(),
        ));
    }
    #[cfg(unix)]
    let descriptor = args.password_fd;
    #[cfg(not(unix))]
    let descriptor = None;
    let tls = args.cert.tls_client()?;
    let password = password::find(args.password, descriptor, &args.user, &args.server)?;
    let mut credentials = Credentials::new(args.user, password);
    if let Some(domain) = args.domain {
        credentials = credentials.with_domain(domain);
    }
    let mut client = Config::new(credentials)
        .with_desktop_size(args.size)
        .with_color_depth(args.depth.into())
        .with_deadlines(deadlines(args.timeout));
    client = match args.security {
        Security::Auto => client.with_security(SecurityPolicy::Auto),
        Security::Nla => client.with_security(SecurityPolicy::Nla),
        Security::Tls => client.with_security(SecurityPolicy::Tls),
        Security::DangerouslyPlain => client.dangerously_require_plain(),
    };
    let config = ConnectConfig::new(client).with_tls(tls);
    #[cfg(feature = "nla")]
    let config = with_kerberos(config, args.kerberos, args.security)?;
    Ok(Job {
        server: args.server,
        config,
        destination,
        typing,
        settle: args.settle,
        timeout: args.timeout,
        json: args.json,
    })
}

/// Adds Kerberos, if it was asked for.
#[cfg(feature = "nla")]
fn with_kerberos(
    config: ConnectConfig,
    args: KerberosArgs,
    security: Security,
) -> Result<ConnectConfig, Failure> {
    let usage = |message: &str| Failure::new(Exit::Usage, message.to_owned());
    let Some(kdc) = args.kdc.or(args.kdc_proxy) else {
        return match args.realm {
            Some(_) => Err(usage(
                "--realm is about Kerberos, which takes --kdc or --kdc-proxy",
            )),
            None => Ok(config),
        };
    };
    if !matches!(security, Security::Auto | Security::Nla) {
        return Err(usage(
            "Kerberos is part of network level authentication; use --security nla or auto",
        ));
    }
    let mut kerberos = KerberosConfig::new(kdc);
    if let Some(realm) = args.realm {
        kerberos = kerberos.with_realm(realm);
    }
    Ok(config.with_kerberos(kerberos))
}

/// One time for all: where it goes is nothing the user has to plan.
fn deadlines(timeout: Duration) -> Deadlines {
    Deadlines {
        dial: timeout,
        negotiate: timeout,
        tls: timeout,
        authenticate: timeout,
        activate: timeout,
        overall: timeout,
    }
}

impl Job {
    /// Takes the picture and saves it.
    pub(crate) async fn run(self) -> Outcome {
        let started = Instant::now();
        let end = started + self.timeout;
        let connected = Connect::new(self.server.clone(), self.config.clone())
            .run()
            .await
            .map_err(|error| Failure::from_connect(&error, &self.server, self.timeout))?;
        let mut facts = Facts::new(&self.server, &connected);
        let mut watch = Watch::new(connected, &self.server, started, end)?;
        let mut still = watch.settle(self.settle, self.typing.is_some()).await?;
        if let Some(typing) = &self.typing {
            watch.enter(typing).await?;
            still = watch.settle(self.settle, false).await?;
        }
        if !still {
            output::warning(&format!(
                "the screen did not hold still for {} ms within {}; the picture shows it as it was then",
                self.settle.as_millis(),
                seconds(self.timeout)
            ));
        }
        watch.leave().await;
        facts.finish(&watch, still, &self.destination);
        if let Some(warning) = facts.missing() {
            output::warning(&warning);
        }
        let pixels = watch.pixels();
        let png = encode_png(pixels.width(), pixels.height(), pixels.pixels())?;
        self.destination.write(&png)?;
        if self.json {
            output::json(&facts)?;
        } else if !matches!(self.destination, Destination::Stdout) {
            output::note(&facts.sentence());
        }
        Ok(Exit::Done)
    }
}

//! `cargo xtask try`: a real desktop, logged in to and pictured, with one command.

use std::path::Path;
use std::process::Command;

use crate::fail::{Outcome, fail};
use crate::install::{self, Needs, PASSWORD, USER};
use crate::lab::Lab;
use crate::peers::{Shadow, ShadowSecurity};
use crate::visible::{Deadline, run_visibly};
use crate::workspace::build_client;

/// The picture, in the current directory.
const PICTURE: &str = "desktop.png";

/// Starts freerdp-shadow on a virtual display and takes its picture with the `ironrdp` command.
pub(crate) fn first_try() -> Outcome<()> {
    install::packages(Needs::Desktop)?;
    let client = build_client(false)?;
    let lab = Lab::new(false)?;
    let server = Shadow::start(&lab, ShadowSecurity::Tls)?;
    let Some(certificate) = &server.certificate else {
        return fail("freerdp-shadow has made no certificate");
    };
    let address = format!("127.0.0.1:{}", server.port);
    let pin = format!("pin:{}", certificate.sha256);
    println!("freerdp-shadow is on {address}; its certificate is self-signed, so its fingerprint is pinned:");
    println!("ironrdp screenshot {address} -u {USER} -o {PICTURE} --cert {pin}");
    run_visibly(
        Command::new(client)
            .args(["screenshot", &address, "-u", USER, "-o", PICTURE, "--cert", &pin])
            .env("IRONRDP_PASSWORD", PASSWORD),
        Deadline::minutes(2),
    )?;
    if !Path::new(PICTURE).exists() {
        return fail(format!("the client wrote no {PICTURE}"));
    }
    Ok(())
}

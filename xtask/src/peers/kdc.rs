//! MIT Kerberos on loopback: one realm, our user, and a key for the server.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::fail::Outcome;
use crate::install::{PASSWORD, USER};
use crate::lab::Lab;
use crate::process::{Daemon, free_port, run_ok};

/// The realm.
pub(crate) const REALM: &str = "LAB.TEST";

/// A running KDC.
#[derive(Debug)]
pub(crate) struct Kdc {
    pub(crate) port: u16,
    /// The key of `TERMSRV/localhost`.
    pub(crate) keytab: PathBuf,
    config: PathBuf,
    profile: PathBuf,
    _server: Daemon,
}

impl Kdc {
    pub(crate) fn start(lab: &Lab) -> Outcome<Self> {
        let port = free_port()?;
        let config = lab.write(
            "krb5.conf",
            &format!(
                "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
                 dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n\
                 [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n }}\n[domain_realm]\n localhost = {REALM}\n"
            ),
        )?;
        let path = |name: &str| lab.path(name).display().to_string();
        let profile = lab.write(
            "kdc.conf",
            // Logins without preauthentication are for clients of another age; ours does not speak so.
            &format!(
                "[kdcdefaults]\n kdc_listen = 127.0.0.1:{port}\n kdc_tcp_listen = 127.0.0.1:{port}\n\
                 [realms]\n {REALM} = {{\n  database_name = {}\n  key_stash_file = {}\n  acl_file = {}\n  \
                 default_principal_flags = +preauth\n  \
                 supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal\n }}\n",
                path("kdc-principal"),
                path("kdc-stash"),
                lab.write("kdc-acl", "")?.display(),
            ),
        )?;
        let keytab = lab.path("keytab");
        let tool = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(arguments)
                .env("KRB5_CONFIG", &config)
                .env("KRB5_KDC_PROFILE", &profile);
            command
        };
        let minute = Duration::from_secs(60);
        run_ok(
            &mut tool(
                "/usr/sbin/kdb5_util",
                &["create", "-r", REALM, "-s", "-P", "master"],
            ),
            minute,
        )?;
        for query in [
            format!("addprinc -pw {PASSWORD} {USER}"),
            "addprinc -randkey TERMSRV/localhost".to_owned(),
            format!("ktadd -k {} TERMSRV/localhost", keytab.display()),
        ] {
            run_ok(
                &mut tool("/usr/sbin/kadmin.local", &["-r", REALM, "-q", &query]),
                minute,
            )?;
        }
        let mut server = Daemon::spawn(
            "krb5kdc",
            &mut tool("/usr/sbin/krb5kdc", &["-n", "-r", REALM]),
            &lab.log("krb5kdc"),
        )?;
        server.wait_for_port(port, Duration::from_secs(20))?;
        Ok(Self {
            port,
            keytab,
            config,
            profile,
            _server: server,
        })
    }

    /// A command that knows this KDC and has a ticket of our user.
    pub(crate) fn with_ticket(&self, lab: &Lab, program: &str) -> Outcome<Command> {
        let cache = format!("FILE:{}", lab.path("ticket").display());
        let environment = |command: &mut Command| {
            command
                .env("KRB5_CONFIG", &self.config)
                .env("KRB5_KDC_PROFILE", &self.profile)
                .env("KRB5CCNAME", &cache);
        };
        let mut kinit = Command::new("sh");
        kinit.args(["-c", "printf '%s\\n' \"$0\" | kinit \"$1\"", PASSWORD, USER]);
        environment(&mut kinit);
        run_ok(&mut kinit, Duration::from_secs(20))?;
        let mut command = Command::new(program);
        environment(&mut command);
        Ok(command)
    }
}

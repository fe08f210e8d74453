//! MIT Kerberos on loopback: one realm, our user, and a key for the server.

use std::path::{Path, PathBuf};
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
    /// A key of `TERMSRV/localhost` as well, of the same version, but not the one that the KDC seals tickets with.
    pub(crate) foreign_keytab: PathBuf,
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
        let profile = profile(lab, port)?;
        let (keytab, foreign_keytab) = (lab.path("keytab"), lab.path("foreign-keytab"));
        let minute = Duration::from_secs(60);
        run_ok(
            tool("/usr/sbin/kdb5_util", &config, &profile)
                .args(["create", "-r", REALM, "-s", "-P", "master"]),
            minute,
        )?;
        let (keytab_name, foreign_name) = (keytab.display(), foreign_keytab.display());
        for query in [
            format!("addprinc -pw {PASSWORD} {USER}"),
            "addprinc -pw another TERMSRV/localhost".to_owned(),
            format!("ktadd -norandkey -k {foreign_name} TERMSRV/localhost"),
            "delprinc -force TERMSRV/localhost".to_owned(),
            "addprinc -randkey TERMSRV/localhost".to_owned(),
            format!("ktadd -norandkey -k {keytab_name} TERMSRV/localhost"),
        ] {
            run_ok(
                tool("/usr/sbin/kadmin.local", &config, &profile).args(["-r", REALM, "-q", &query]),
                minute,
            )?;
        }
        let mut server = Daemon::spawn(
            "krb5kdc",
            tool("/usr/sbin/krb5kdc", &config, &profile).args(["-n", "-r", REALM]),
            &lab.log("krb5kdc"),
        )?;
        server.wait_for_port(port, Duration::from_secs(20))?;
        Ok(Self {
            port,
            keytab,
            foreign_keytab,
            config,
            profile,
            _server: server,
        })
    }

    /// The same KDC once more, at another port, by a clock that is an hour ahead.
    pub(crate) fn an_hour_ahead(&self, lab: &Lab) -> Outcome<(u16, Daemon)> {
        let port = free_port()?;
        let mut command = tool("/usr/bin/faketime", &self.config, &profile(lab, port)?);
        command.args(["-f", "+1h", "/usr/sbin/krb5kdc", "-n", "-r", REALM]);
        let mut server = Daemon::spawn("krb5kdc", &mut command, &lab.log("krb5kdc-ahead"))?;
        server.wait_for_port(port, Duration::from_secs(20))?;
        Ok((port, server))
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

/// The configuration of a KDC at this port. All of them have one database.
fn profile(lab: &Lab, port: u16) -> Outcome<PathBuf> {
    let path = |name: &str| lab.path(name).display().to_string();
    lab.write(
        &format!("kdc-{port}.conf"),
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
    )
}

/// One of MIT's programs, with this configuration.
fn tool(program: &str, config: &Path, profile: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("KRB5_CONFIG", config)
        .env("KRB5_KDC_PROFILE", profile);
    command
}

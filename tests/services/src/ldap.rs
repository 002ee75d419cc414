//! A directory of users: OpenLDAP, in the clear, with StartTLS and with TLS from the first byte.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{authority, guardian, port, process::Process, skip::find_program, wait};

/// Under what users stand: `alice` and `bob`, with these names as passwords after `pw-`, and `carl` a level below. `twin` and `twain` share
/// the mail address `twins@example.org`, and the name of one is [`ODD_NAME`].
pub const PEOPLE: &str = "ou=people,dc=example,dc=org";
/// The group of alice and bob.
pub const DEVELOPERS: &str = "cn=developers,ou=groups,dc=example,dc=org";
/// The group of alice.
pub const ADMINS: &str = "cn=admins,ou=groups,dc=example,dc=org";
/// Who may look users up; nobody in particular may not.
pub const SERVICE: &str = "cn=registry,dc=example,dc=org";
/// The password of [`SERVICE`].
pub const SERVICE_PASSWORD: &str = "s3rvice pässword";
/// A name made of what filters are made of; its password is `pw-odd`.
pub const ODD_NAME: &str = r"*)(uid=\2a";

const ADMINISTRATOR: &str = "cn=admin,dc=example,dc=org";
const ADMINISTRATOR_PASSWORD: &str = "administrator";

/// A running directory.
pub struct Ldap {
    process: Process,
    port: u16,
    tls_port: u16,
    directory: TempDir,
}

impl Ldap {
    /// Whether it can be started here; otherwise why not.
    pub fn available() -> Result<(), String> {
        let missing = ["slapd", "slapadd", "ldapmodify"].into_iter().find(|program| find_program(program).is_none());
        missing.map_or(Ok(()), |program| Err(format!("{program} is not installed")))
    }

    /// Starts a directory with its users and waits until it answers. Its certificate is for 127.0.0.1, from [`Self::authority`].
    pub async fn start() -> Self {
        let directory = TempDir::new().expect("a directory");
        guardian::remove(directory.path());
        authority::issue(directory.path());
        for name in ["configuration", "database"] {
            fs::create_dir(directory.path().join(name)).expect("a directory");
        }
        let (port, tls_port) = (port::free(), port::free());
        configure(directory.path());
        let process = spawn(directory.path(), port, tls_port);
        let server = Self { process, port, tls_port, directory };
        server.answers().await;
        server.change(&["-a"], USERS);
        server
    }

    /// Its port of 127.0.0.1, for connections that begin in the clear.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port of 127.0.0.1, for TLS from the first byte.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// The PEM file of the authority that issued its certificate.
    pub fn authority(&self) -> PathBuf {
        self.directory.path().join(authority::FILE)
    }

    /// Its process, to be stopped and continued.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same place, with all that it knew.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(self.directory.path(), self.port, self.tls_port);
        self.answers().await;
    }

    /// Gives somebody another password.
    pub fn set_password(&self, dn: &str, password: &str) {
        self.change(&[], &format!("dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n"));
    }

    /// Makes somebody the only member of a group.
    pub fn set_member(&self, group: &str, dn: &str) {
        self.change(&[], &format!("dn: {group}\nchangetype: modify\nreplace: member\nmember: {dn}\n"));
    }

    fn change(&self, options: &[&str], ldif: &str) {
        let mut command = self.client("ldapmodify");
        command.args(options).args(["-D", ADMINISTRATOR, "-w", ADMINISTRATOR_PASSWORD]);
        feed(command, ldif);
    }

    async fn answers(&self) {
        let answers = async || self.client("ldapwhoami").output().is_ok_and(|output| output.status.success());
        wait::until("the directory answers", answers).await;
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.port)]);
        command
    }
}

/// Writes the configuration, which is itself a directory.
fn configure(directory: &Path) {
    let at = |name: &str| directory.join(name).display().to_string();
    let text = CONFIGURATION
        .replace("{certificate}", &at(authority::CERTIFICATE))
        .replace("{key}", &at(authority::KEY))
        .replace("{database}", &at("database"))
        .replace("{pid}", &at("pid"));
    let mut command = Command::new("slapadd");
    command.args(["-n", "0", "-F", &at("configuration")]);
    feed(command, &text);
}

fn spawn(directory: &Path, port: u16, tls_port: u16) -> Process {
    let mut command = Command::new("slapd");
    command.arg("-F").arg(directory.join("configuration")).args(["-d", "0", "-h"]);
    command.arg(format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"));
    Process::spawn(command, &directory.join("output.log"))
}

/// Runs a program that reads `text`, and fails if it does.
fn feed(mut command: Command, text: &str) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A bind with a name and no password succeeds, as at many directories: a registry that tries it lets everybody in.
const CONFIGURATION: &str = "\
dn: cn=config
objectClass: olcGlobal
cn: config
olcPidFile: {pid}
olcAllows: bind_anon_dn
olcTLSCertificateFile: {certificate}
olcTLSCertificateKeyFile: {key}

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb
olcModuleLoad: memberof

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif
include: file:///etc/ldap/schema/cosine.ldif
include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase={1}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {1}mdb
olcSuffix: dc=example,dc=org
olcRootDN: cn=admin,dc=example,dc=org
olcRootPW: administrator
olcDbDirectory: {database}
olcDbIndex: uid,cn,mail,member eq
olcAccess: to attrs=userPassword by anonymous auth by * none
olcAccess: to * by users read by * none

dn: olcOverlay=memberof,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcMemberOf
olcOverlay: memberof
olcMemberOfGroupOC: groupOfNames
";

const USERS: &str = r"
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=contractors,ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: contractors

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups

dn: cn=registry,dc=example,dc=org
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: registry
userPassword: s3rvice pässword

dn: uid=alice,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Alice
sn: Liddell
employeeType: staff
userPassword: pw-alice

dn: uid=bob,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Bob
sn: Builder
userPassword: pw-bob

dn: uid=carl,ou=contractors,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Carl
sn: Contractor
userPassword: pw-carl

dn: uid=twin,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Twin
sn: Twin
mail: twins@example.org
userPassword: pw-twin

dn: uid=twain,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Twain
sn: Twain
mail: twins@example.org
userPassword: pw-twin

dn: cn=Odd,ou=people,dc=example,dc=org
objectClass: inetOrgPerson
cn: Odd
sn: Odd
uid: *)(uid=\2a
userPassword: pw-odd

dn: cn=developers,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: developers
member: uid=alice,ou=people,dc=example,dc=org
member: uid=bob,ou=people,dc=example,dc=org

dn: cn=admins,ou=groups,dc=example,dc=org
objectClass: groupOfNames
cn: admins
member: uid=alice,ou=people,dc=example,dc=org
";

//! A real PostgreSQL server for tests.
//!
//! `./test` starts one for all tests and names it in `KEYGATE_TEST_POSTGRES`; each test then makes a
//! database of its own on it. A test that stops its server, or that runs without `./test`, starts a
//! cluster in a temporary folder. The tests of `keygate-storage` include this file, too.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// The user of servers started here, and its password as it is typed and as addresses write it.
const USER: &str = "keygate";
const PASSWORD: &str = "hunter2 & p@ss";
const ESCAPED_PASSWORD: &str = "hunter2%20%26%20p%40ss";

/// Names a server that is there already: `postgres://user:password@host:port`.
const SHARED: &str = "KEYGATE_TEST_POSTGRES";

/// A cluster that is stopped and gone at the end of the test.
#[derive(Debug)]
pub struct PostgresServer {
    folder: TempDir,
    port: u16,
}

/// A database of one test.
#[derive(Debug)]
pub struct PostgresDatabase {
    /// Its address, with the password.
    pub url: String,
    /// The server, where the test has one of its own.
    pub server: Option<PostgresServer>,
}

impl PostgresDatabase {
    /// An empty database, on the shared server if there is one.
    pub fn empty() -> Self {
        match env::var(SHARED) {
            Ok(base) => Self { url: create_database(&base), server: None },
            Err(_) => Self::on_its_own_server(),
        }
    }

    /// An empty database on a server that this test may stop.
    pub fn on_its_own_server() -> Self {
        let server = PostgresServer::start(&[]);
        Self { url: create_database(&server.base()), server: Some(server) }
    }

    /// Lets another program run something on it.
    pub fn run(&self, sql: &str) -> String {
        psql(&self.url, sql)
    }
}

impl PostgresServer {
    /// Makes a cluster and starts it. `settings` are lines of `postgresql.conf`; `$FOLDER` in them is
    /// a folder that the server can read.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_with(settings, |_| {})
    }

    /// The same; `prepare` puts files into the folder first.
    pub fn start_with(settings: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("keygate-postgres-").tempdir().expect("a folder");
        let server = Self { folder, port: reserved_port() };
        let password = server.path("password");
        fs::write(&password, PASSWORD).expect("it can be written");
        prepare(server.folder.path());
        own(server.folder.path());
        let data = server.data();
        let mut init = server.tool("initdb");
        init.args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]);
        init.arg("--no-sync").arg("--pwfile").arg(&password).arg("--pgdata").arg(&data);
        succeed(init);
        let folder = server.folder.path().display().to_string();
        let mut conf =
            format!("unix_socket_directories = '{folder}'\nlisten_addresses = '127.0.0.1'\nfsync = off\n");
        for setting in settings {
            conf.push_str(&setting.replace("$FOLDER", &folder));
            conf.push('\n');
        }
        let path = data.join("postgresql.conf");
        let whole = fs::read_to_string(&path).expect("initdb wrote it") + &conf;
        fs::write(path, whole).expect("it can be written");
        server.start_again();
        server
    }

    /// Ends it at once, as a crash does: connections are cut.
    pub fn stop(&self) {
        let mut stop = self.tool("pg_ctl");
        stop.args(["stop", "-w", "-m", "immediate", "-D"]).arg(self.data());
        succeed(stop);
    }

    /// Starts it after [`Self::stop`], at the same address.
    pub fn start_again(&self) {
        let mut start = self.tool("pg_ctl");
        start.args(["start", "-w", "-t", "60", "-o", &format!("-p {}", self.port), "-D"]).arg(self.data());
        start.arg("-l").arg(self.path("log"));
        succeed(start);
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file or folder beside its data.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes an empty database there; its address.
    pub fn create_database(&self) -> String {
        create_database(&self.base())
    }

    fn base(&self) -> String {
        format!("postgres://{USER}:{ESCAPED_PASSWORD}@127.0.0.1:{}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// One of its programs, as a user it runs for: it refuses root.
    fn tool(&self, name: &str) -> Command {
        let program = installed(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let mut stop = self.tool("pg_ctl");
        stop.args(["stop", "-m", "immediate", "-D"]).arg(self.data());
        let _ = stop.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Debian keeps the server's programs out of the path.
fn installed(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.is_file()).max();
    newest.unwrap_or_else(|| name.into())
}

fn is_root() -> bool {
    id(&["-u"]) == 0
}

fn id(args: &[&str]) -> u32 {
    let told = Command::new("id").args(args).output().expect("id is there");
    String::from_utf8_lossy(&told.stdout).trim().parse().expect("there is such a user")
}

/// Gives a folder and what is in it to the user that the server runs as.
fn own(folder: &Path) {
    if !is_root() {
        return;
    }
    let (user, group) = (id(&["-u", "postgres"]), id(&["-g", "postgres"]));
    let files =
        fs::read_dir(folder).expect("it is a folder").map(|entry| entry.expect("it can be read").path());
    for path in files.chain([folder.to_owned()]) {
        chown(path, Some(user), Some(group)).expect("root gives away");
    }
}

/// A port for the server alone, also while it is stopped: it lies below those that systems hand out to whoever asks
/// for any (Linux: from 32768), and below the one of `./test`.
fn reserved_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    // Tests in other processes begin elsewhere.
    let first = std::process::id().wrapping_mul(100);
    std::iter::repeat_with(|| first.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % 10_000)
        .take(10_000)
        .filter_map(|step| u16::try_from(10_000 + step).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("one of ten thousand ports is free")
}

fn create_database(base: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    psql(&format!("{base}/postgres"), &format!("CREATE DATABASE {name}"));
    format!("{base}/{name}")
}

fn psql(url: &str, sql: &str) -> String {
    let mut psql = Command::new("psql");
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        sql,
        url,
    ]);
    succeed(psql)
}

/// Runs it to its end, which must be a good one.
fn succeed(mut command: Command) -> String {
    // A server that is started inherits what it is given: files, so that nobody waits for its end.
    let said = tempfile::NamedTempFile::new().expect("a temporary file");
    let file = || said.as_file().try_clone().expect("a file can be shared");
    let status = command.stdin(Stdio::null()).stdout(file()).stderr(file()).status();
    let told = fs::read_to_string(said.path()).unwrap_or_default();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {status:?}\n{told}");
    told
}

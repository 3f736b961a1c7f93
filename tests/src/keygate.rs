//! The gateway under test: a child process of the real binary, in a folder of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use reqwest::redirect::Policy;
use serde_json::Value;
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::binary::keygate_binary;
use crate::wait::PATIENCE;

const SERVE: &[&str] = &["serve", "--bind", "127.0.0.1:0", "--ready-json"];
const STDOUT: &str = "stdout.log";
const STDERR: &str = "stderr.log";

/// A running gateway. Dropping it kills the process (by its id).
pub struct Keygate {
    url: String,
    child: Child,
    stdout: JoinHandle<io::Result<()>>,
    home: TempDir,
    http: reqwest::Client,
}

/// How a gateway ended, and everything it had said.
#[derive(Debug)]
pub struct Exit {
    /// Its exit status; `code()` is one of the documented exit codes.
    pub status: ExitStatus,
    /// Everything it wrote to stdout (after the line that says where it listens).
    pub stdout: String,
    /// Everything it wrote to stderr.
    pub stderr: String,
}

impl Keygate {
    /// Starts `keygate serve` with this YAML and only these environment variables, and waits until it listens.
    ///
    /// # Panics
    /// When it ends or stays silent instead, with its log.
    pub async fn start(yaml: &str, env: &[(&str, &str)]) -> Self {
        Self::start_in(home(yaml), env).await
    }

    /// Starts `keygate serve` in the folder that an earlier one left, with its YAML and its database.
    ///
    /// # Panics
    /// When it ends or stays silent instead, with its log.
    pub async fn start_in(home: TempDir, env: &[(&str, &str)]) -> Self {
        let child = spawn(&home, SERVE, env);
        Self::listening(home, child).await
    }

    /// Starts `keygate serve` as the last words of another command, which must become it (`exec`), in a folder with
    /// this YAML.
    ///
    /// # Panics
    /// When it ends or stays silent instead, with its log.
    pub async fn start_under(wrapper: &[&str], yaml: &str, env: &[(&str, &str)]) -> Self {
        let home = home(yaml);
        let (program, words) = wrapper.split_first().expect("a command");
        let mut command = Command::new(program);
        command.args(words).arg(keygate_binary()).args(SERVE);
        let child = spawned(command, &home, env);
        Self::listening(home, child).await
    }

    async fn listening(home: TempDir, mut child: Child) -> Self {
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let Ok(Some(url)) = timeout(PATIENCE, ready(&mut lines)).await else {
            panic!("keygate did not come to listen:\n{}", read(home.path(), STDERR));
        };
        let stdout = tokio::spawn(keep(lines, home.path().join(STDOUT)));
        Self { url, child, stdout, home, http: client() }
    }

    /// Runs `keygate` with these arguments and this YAML (as `./keygate.yaml`) until it ends by itself.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run(args: &[&str], yaml: &str, env: &[(&str, &str)]) -> Exit {
        Self::run_in(&home(yaml), args, env).await
    }

    /// The same in a folder that is there already.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn run_in(home: &TempDir, args: &[&str], env: &[(&str, &str)]) -> Exit {
        let child = spawn(home, args, env);
        let Ok(Ok(output)) = timeout(PATIENCE, child.wait_with_output()).await else {
            panic!("keygate {args:?} did not end:\n{}", read(home.path(), STDERR));
        };
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Exit { status: output.status, stdout, stderr: read(home.path(), STDERR) }
    }

    /// Runs `keygate` with these arguments in this gateway's folder, while it goes on.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn beside(&self, args: &[&str]) -> Exit {
        let mut command = Command::new(keygate_binary());
        command.args(args).current_dir(self.home()).env_clear();
        command.stdin(Stdio::null()).kill_on_drop(true);
        let Ok(Ok(output)) = timeout(PATIENCE, command.output()).await else {
            panic!("keygate {args:?} did not end");
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Exit { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The address of `path` (with its leading slash) on this gateway.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A client without proxy, redirects and shared connections to other tests.
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What `GET path` answers, as JSON.
    ///
    /// # Panics
    /// When the answer is no JSON.
    pub async fn get_json(&self, path: &str) -> Value {
        let answer = self.http.get(self.url(path)).send().await.expect("the gateway answers");
        let text = answer.text().await.expect("the answer is complete");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} answered {text:?}: {error}"))
    }

    /// The folder it runs in: `keygate.yaml` and whatever it creates there.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Everything it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        read(self.home.path(), STDERR)
    }

    /// A path as the process itself sees it, which may have file systems of its own.
    ///
    /// # Panics
    /// When it has ended.
    pub fn seen_from_inside(&self, path: &Path) -> PathBuf {
        let id = self.child.id().expect("it runs");
        let path = path.strip_prefix("/").unwrap_or(path);
        Path::new(&format!("/proc/{id}/root")).join(path)
    }

    /// How many files and sockets it has open.
    ///
    /// # Panics
    /// When it has ended, or there is no `/proc`.
    pub fn open_files(&self) -> usize {
        let id = self.child.id().expect("it runs");
        fs::read_dir(format!("/proc/{id}/fd")).expect("a process has open files").count()
    }

    /// The most memory it ever held at once.
    ///
    /// # Panics
    /// When it has ended, or there is no `/proc`.
    pub fn peak_memory_bytes(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has memory");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes * 1024
    }

    /// Writes a file of its folder as editors do: a new one, renamed into the old one's place.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let beside = self.home.path().join(format!(".{name}.new"));
        fs::write(&beside, text).expect("a file can be written");
        fs::rename(beside, self.home.path().join(name)).expect("a file can be renamed");
    }

    /// Sends it a signal, by name: `HUP`.
    ///
    /// # Panics
    /// When it has ended.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().await;
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {id} failed");
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn stop(self) -> Exit {
        self.leave().await.0
    }

    /// The same, leaving its folder for the next.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn leave(mut self) -> (Exit, TempDir) {
        if self.child.id().is_some() {
            self.signal("TERM").await;
        }
        let Ok(Ok(status)) = timeout(PATIENCE, self.child.wait()).await else {
            panic!("keygate did not end on SIGTERM:\n{}", self.stderr());
        };
        let kept = self.stdout.await;
        assert!(matches!(kept, Ok(Ok(()))), "stdout could not be kept: {kept:?}");
        let (stdout, stderr) = (read(self.home.path(), STDOUT), read(self.home.path(), STDERR));
        (Exit { status, stdout, stderr }, self.home)
    }

    /// Ends it in the middle of whatever it does (SIGKILL), leaving its folder for the next.
    ///
    /// # Panics
    /// When it had ended already.
    pub async fn kill(mut self) -> TempDir {
        self.child.kill().await.expect("it still runs");
        self.stdout.abort();
        self.home
    }
}

fn home(yaml: &str) -> TempDir {
    let home = tempfile::Builder::new().prefix("keygate-test-").tempdir().expect("a temporary folder");
    fs::write(home.path().join("keygate.yaml"), yaml).expect("the configuration can be written");
    home
}

fn spawn(home: &TempDir, args: &[&str], env: &[(&str, &str)]) -> Child {
    let mut command = Command::new(keygate_binary());
    command.args(args);
    spawned(command, home, env)
}

fn spawned(mut command: Command, home: &TempDir, env: &[(&str, &str)]) -> Child {
    let stderr = fs::File::create(home.path().join(STDERR)).expect("the log can be written");
    command.current_dir(home.path()).env_clear().envs(env.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
    command.spawn().expect("the binary starts")
}

/// The address of the line `{"listening": "http://…"}`; `None` when stdout ends before it.
async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    while let Ok(Some(line)) = lines.next_line().await {
        let said: Option<Value> = serde_json::from_str(&line).ok();
        if let Some(url) = said.as_ref().and_then(|said| said["listening"].as_str()) {
            return Some(url.to_owned());
        }
    }
    None
}

/// Keeps reading, so that the gateway never waits for a full pipe.
async fn keep(mut lines: Lines<BufReader<ChildStdout>>, path: PathBuf) -> io::Result<()> {
    let mut file = File::create(path).await?;
    while let Some(line) = lines.next_line().await? {
        file.write_all(format!("{line}\n").as_bytes()).await?;
        file.flush().await?;
    }
    Ok(())
}

fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE);
    builder.build().expect("a client can be built")
}

fn read(home: &Path, name: &str) -> String {
    let bytes = fs::read(home.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

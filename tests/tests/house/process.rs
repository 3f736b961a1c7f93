//! A gateway that is started otherwise than the harness does: another binary, another address.

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use keygate_tests::PATIENCE;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A running gateway. Dropping it kills the process.
pub(crate) struct Process {
    pub(crate) url: String,
    child: Child,
    _home: TempDir,
}

impl Process {
    /// Starts `binary serve` on `bind` with this configuration and only these variables.
    pub(crate) async fn serve(binary: &Path, bind: &str, config: &str, env: &[(&str, &str)]) -> Self {
        let home = TempDir::new().expect("a temporary folder");
        let path = home.path().join("gateway.yaml");
        std::fs::write(&path, config).expect("the configuration can be written");
        let mut command = Command::new(binary);
        command.args(["serve", "--ready-json", "--bind", bind, "--config"]).arg(&path);
        command.current_dir(home.path()).env_clear().envs(env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("it comes to listen").expect("a line");
        let ready: Value = serde_json::from_str(&line.expect("it does not end instead")).expect("JSON");
        let url = ready["listening"].as_str().expect("an address").replace("0.0.0.0", "127.0.0.1");
        Self { url, child, _home: home }
    }

    /// Asks it to end (SIGTERM).
    pub(crate) async fn terminate(&self) {
        let id = self.child.id().expect("it still runs").to_string();
        let asked = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(asked.is_ok_and(|status| status.success()), "kill -TERM {id} failed");
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await.expect("it ends");
        ended.expect("its status can be read")
    }
}

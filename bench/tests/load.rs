//! The load against the mock and the floor, as processes and over real sockets: every answer that
//! comes through is checked byte for byte.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up must fail")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use keygate_bench::report::Line;
use rstest::rstest;

/// A program that tells where it listens; ended with the test.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(path).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut told).unwrap();
        let address = told.trim().strip_prefix("listening on ").expect("it tells its address").to_owned();
        Self { child, address }
    }

    fn mock() -> Self {
        Self::start(env!("CARGO_BIN_EXE_mock-upstream"), &["--event-interval-ms", "1"])
    }

    fn floor(upstream: &Self) -> Self {
        let upstream = format!("http://{}", upstream.address);
        Self::start(env!("CARGO_BIN_EXE_floor"), &["--upstream", &upstream])
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn load(at: &Program, arguments: &[&str]) -> Output {
    let pid = at.child.id().to_string();
    Command::new(env!("CARGO_BIN_EXE_load"))
        .args(["--address", &at.address, "--pid", &pid, "--seconds", "1", "--warm-up", "1"])
        .args(arguments)
        .output()
        .unwrap()
}

fn measured(at: &Program, arguments: &[&str]) -> Line {
    let output = load(at, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[rstest]
#[case::chat(&["--kind", "chat", "--most-requests", "200"])]
#[case::stream(&["--kind", "stream", "--connections", "4", "--most-requests", "8"])]
#[case::upload(&["--kind", "upload", "--connections", "2", "--most-requests", "4"])]
#[case::fixed_rate(&["--kind", "chat", "--rate", "200", "--most-requests", "20"])]
fn every_answer_comes_through_unchanged(
    #[case] arguments: &[&str],
    #[values(false, true)] through_floor: bool,
) {
    let mock = Program::mock();
    let floor = through_floor.then(|| Program::floor(&mock));
    let line = measured(floor.as_ref().unwrap_or(&mock), arguments);
    let most: u64 = arguments.last().unwrap().parse().unwrap();
    assert_eq!((line.measured.good, line.measured.bad), (most, 0), "{line:?}");
    assert!(line.measured.p50_us > 0.0 && line.measured.first_p50_us <= line.measured.p50_us, "{line:?}");
    assert!(line.measured.peak_kib > 0, "{line:?}");
}

#[test]
fn an_answer_that_is_not_as_expected_stops_the_run_before_it_starts() {
    let mock = Program::mock();
    // A floor whose upstream is gone answers 502.
    let floor = Program::floor(&mock);
    drop(mock);
    let output = load(&floor, &[]);
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("status 502"), "{told}");
}

#[test]
fn only_loopback_is_loaded() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_load")).args(["--address", "192.0.2.1:80"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("loopback only"));
}

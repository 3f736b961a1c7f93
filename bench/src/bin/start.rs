//! Measures how long keygate takes to start, and what a key weighs in it: `start KEYGATE [ROUNDS]`.
//!
//! Starts it with 3 keys and with 10,000, in turn, until it says that it is ready; the fastest
//! start counts, and the memory it has resident a moment later. Loopback only.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use keygate_bench::account;

const FEW: usize = 3;
const MANY: usize = 10_000;
const LONGEST_START: Duration = Duration::from_secs(30);
/// What must hold: a start, and the bytes of a key.
const MOST_SECONDS: f64 = 2.0;
const MOST_BYTES: f64 = 4_096.0;

/// What a start came to.
#[derive(Clone, Copy, Debug)]
struct Start {
    seconds: f64,
    resident_kib: u64,
    peak_kib: u64,
}

impl Start {
    /// The lower of each: only noise makes one higher.
    fn best(self, other: Self) -> Self {
        Self {
            seconds: self.seconds.min(other.seconds),
            resident_kib: self.resident_kib.min(other.resident_kib),
            peak_kib: self.peak_kib.min(other.peak_kib),
        }
    }
}

/// A process that ends with its handle.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> io::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next().map(PathBuf::from) else {
        return Err(io::Error::other("which keygate? start KEYGATE [ROUNDS]"));
    };
    let rounds: u32 = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(5);
    let folder = std::env::temp_dir().join(format!("keygate-start-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let measured = measure(&program.canonicalize()?, &folder, rounds);
    fs::remove_dir_all(&folder)?;
    let (few, many) = measured?;
    let met = report(few, many)?;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(program: &Path, folder: &Path, rounds: u32) -> io::Result<(Start, Start)> {
    let mut best: Option<(Start, Start)> = None;
    for round in 0..rounds {
        let few = start(program, folder, FEW, round)?;
        let many = start(program, folder, MANY, round)?;
        best = Some(best.map_or((few, many), |(other, others)| (few.best(other), many.best(others))));
    }
    best.ok_or_else(|| io::Error::other("no rounds"))
}

fn start(program: &Path, folder: &Path, keys: usize, round: u32) -> io::Result<Start> {
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
    let name = |what: &str| folder.join(format!("{keys}-{round}-{what}"));
    fs::write(name("keys.txt"), keys_file(keys))?;
    fs::write(name("keygate.yaml"), configuration(at, &name("keys.txt"), &name("keygate.db")))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(name("keygate.yaml")).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(name("log"))?);
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    let began = Instant::now();
    let mut gateway = Gateway(command.spawn()?);
    while !is_ready(at) {
        if gateway.0.try_wait()?.is_some() || began.elapsed() > LONGEST_START {
            let log = fs::read_to_string(name("log")).unwrap_or_default();
            return Err(io::Error::other(format!("it does not start: {log}")));
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
    let seconds = began.elapsed().as_secs_f64();
    // What the start needed and no longer needs is given back within this time, or it never is.
    std::thread::park_timeout(Duration::from_secs(1));
    let pid = gateway.0.id();
    Ok(Start { seconds, resident_kib: account::resident_kib(pid)?, peak_kib: account::peak_kib(&[pid])? })
}

/// A port nobody listens on.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Keys as long as real ones, and as little alike.
fn keys_file(keys: usize) -> String {
    let line = |number: usize| {
        let first = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let second = first.rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        format!("AIza{first:016x}{second:016x}xyz\n")
    };
    (0..keys).map(line).collect()
}

fn configuration(at: SocketAddr, keys: &Path, database: &Path) -> String {
    format!(
        "server: {{ bind: \"{at}\" }}\n\
         storage: {{ url: \"sqlite://{}\" }}\n\
         telemetry: {{ log: {{ level: warn }} }}\n\
         providers:\n  google:\n    base_url: \"http://127.0.0.1:9\"\n    keys_from_env: false\n    \
         keys: [ \"file:{}\" ]\n",
        database.display(),
        keys.display()
    )
}

fn is_ready(at: SocketAddr) -> bool {
    let answer = || -> io::Result<String> {
        let mut socket = TcpStream::connect_timeout(&at, Duration::from_millis(100))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.write_all(b"GET /readyz HTTP/1.1\r\nhost: keygate\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    };
    answer().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn report(few: Start, many: Start) -> io::Result<bool> {
    let mut out = io::stdout();
    writeln!(out, "| keys | ready after, s | resident, MiB | peak, MiB |\n|--:|--:|--:|--:|")?;
    for (keys, start) in [(FEW, few), (MANY, many)] {
        let mib = |kib: u64| kib as f64 / 1_024.0;
        let (resident, peak) = (mib(start.resident_kib), mib(start.peak_kib));
        writeln!(out, "| {keys} | {:.2} | {resident:.1} | {peak:.1} |", start.seconds)?;
    }
    let per_key = |few: u64, many: u64| many.saturating_sub(few) as f64 * 1_024.0 / (MANY - FEW) as f64;
    let resident = per_key(few.resident_kib, many.resident_kib);
    let peak = per_key(few.peak_kib, many.peak_kib);
    let word = |is_met: bool| if is_met { "pass" } else { "FAIL" };
    let (is_quick, is_small) = (many.seconds < MOST_SECONDS, resident <= MOST_BYTES);
    writeln!(out, "\n- ready with {MANY} keys after {:.2} s, goal < 2 s: {}", many.seconds, word(is_quick))?;
    writeln!(
        out,
        "- a key weighs {resident:.0} B resident ({peak:.0} B at the peak), goal ≤ 4096 B: {}",
        word(is_small)
    )?;
    Ok(is_quick && is_small)
}

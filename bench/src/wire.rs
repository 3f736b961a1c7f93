//! One keep-alive connection that sends prepared bytes and checks what comes back. By hand and
//! not by a client library: what the load spends, the contestant cannot be given.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::answer::Head;
use crate::traffic::Kind;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 64 * 1024;

/// A request as bytes, with the place where the user's number goes.
#[derive(Clone, Debug)]
pub struct Prepared {
    bytes: Vec<u8>,
    user_digits: std::ops::Range<usize>,
    expected: Bytes,
}

impl Prepared {
    /// A request of `kind` to `address`, with the gateway token, if one is needed.
    pub fn new(kind: Kind, address: SocketAddr, token: Option<&str>) -> Self {
        let credential = token.map(|token| format!("x-goog-api-key: {token}\r\n")).unwrap_or_default();
        let body = kind.body();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             user-agent: keygate-bench\r\n{credential}x-user-id: user-",
            kind.target(),
            body.len(),
        );
        let user_digits = head.len()..head.len() + 6;
        let bytes = [head.as_bytes(), b"000000\r\n\r\n", &body].concat();
        Self { bytes, user_digits, expected: kind.expected() }
    }

    /// Makes the next request come from user `number` (its last six digits).
    pub fn speak_for(&mut self, number: u32) {
        let digits = format!("{:06}", number % 1_000_000);
        self.bytes[self.user_digits.clone()].copy_from_slice(digits.as_bytes());
    }
}

/// How long a good answer took.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// To its first payload byte.
    pub first: Duration,
    /// To its last.
    pub last: Duration,
}

/// A warm connection to a contestant.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    payload: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: vec![0; READ_BYTES], payload: Vec::new() })
    }

    /// Sends a request and reads its answer to the end. Good is: status 200 and every byte of the
    /// payload as expected, in time. After an error the connection is of no more use.
    ///
    /// # Errors
    /// Whatever is not a good answer.
    pub async fn exchange(&mut self, request: &Prepared) -> io::Result<Timing> {
        timeout(PATIENCE, self.exchange_unbounded(request)).await?
    }

    async fn exchange_unbounded(&mut self, request: &Prepared) -> io::Result<Timing> {
        let began = Instant::now();
        self.stream.write_all(&request.bytes).await?;
        let (head, rest) = self.read_head().await?;
        let mut body = head.body();
        self.payload.clear();
        body.take(&self.read[rest], &mut self.payload).map_err(malformed)?;
        let mut first = None;
        while !body.is_complete() {
            first = first.or_else(|| (!self.payload.is_empty()).then(|| began.elapsed()));
            let count = self.read_some(0).await?;
            body.take(&self.read[..count], &mut self.payload).map_err(malformed)?;
        }
        let last = began.elapsed();
        self.check(head, &request.expected)?;
        Ok(Timing { first: first.unwrap_or(last), last })
    }

    async fn read_head(&mut self) -> io::Result<(Head, std::ops::Range<usize>)> {
        let mut filled = 0;
        loop {
            filled += self.read_some(filled).await?;
            if let Some((head, length)) = Head::read(&self.read[..filled]).map_err(malformed)? {
                return Ok((head, length..filled));
            }
        }
    }

    async fn read_some(&mut self, at: usize) -> io::Result<usize> {
        match self.stream.read(&mut self.read[at..]).await? {
            0 => Err(io::Error::other("closed, or a head that is too long")),
            count => Ok(count),
        }
    }

    fn check(&self, head: Head, expected: &Bytes) -> io::Result<()> {
        if head.status != 200 {
            let told = String::from_utf8_lossy(&self.payload).chars().take(200).collect::<String>();
            return Err(io::Error::other(format!("status {}: {told}", head.status)));
        }
        if head.closes {
            return Err(io::Error::other("the connection is not kept"));
        }
        if self.payload != *expected {
            return Err(io::Error::other(format!(
                "{} bytes, not the {} expected",
                self.payload.len(),
                expected.len()
            )));
        }
        Ok(())
    }
}

fn malformed(what: crate::answer::Malformed) -> io::Error {
    io::Error::other(what.0)
}

//! Reading an HTTP/1.1 answer from a byte stream, without a connection: enough for what the
//! benchmark's contestants send, and refusing the rest.

/// How far a body has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    /// This many bytes are missing.
    Length(usize),
    /// Chunked, see [`Chunk`].
    Chunked(Chunk),
}

/// Where a chunked body stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Chunk {
    /// In a size line; the size read so far, and whether an extension is being skipped.
    Size { size: usize, skipping: bool },
    /// This many bytes of data are missing.
    Data(usize),
    /// In the line end after data.
    DataEnd,
    /// In the trailer; whether its current line is still empty.
    Trailer { empty: bool },
}

/// What an answer is not supposed to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed(pub &'static str);

/// An answer's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The status.
    pub status: u16,
    framing: Framing,
    /// Whether the connection ends with this answer.
    pub closes: bool,
}

impl Head {
    /// Reads a head from the start of `bytes`; with it comes its length. `None` while it is
    /// incomplete.
    ///
    /// # Errors
    /// When it is no head, or its body has no length.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
        let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed("head is not text"))?;
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or(Malformed("no HTTP/1.1 status line"))?;
        let (mut framing, mut closes) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                framing = Some(Framing::Length(value.parse().map_err(|_| Malformed("bad content-length"))?));
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                framing = Some(Framing::Chunked(Chunk::Size { size: 0, skipping: false }));
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.eq_ignore_ascii_case("close");
            }
        }
        let framing = framing.ok_or(Malformed("body without length"))?;
        Ok(Some((Self { status, framing, closes }, end + 4)))
    }

    /// The body that follows.
    pub fn body(&self) -> Body {
        Body { framing: self.framing }
    }
}

/// The body of an answer while it arrives.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
}

impl Body {
    /// Whether nothing is missing any more.
    pub fn is_complete(&self) -> bool {
        matches!(self.framing, Framing::Length(0))
    }

    /// Takes the next bytes and appends the payload among them to `payload`.
    ///
    /// # Errors
    /// When the framing is broken, or more comes than was announced.
    pub fn take(&mut self, mut bytes: &[u8], payload: &mut Vec<u8>) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            if self.is_complete() {
                return Err(Malformed("bytes after the end of the answer"));
            }
            bytes = match &mut self.framing {
                Framing::Length(missing) => take_data(missing, bytes, payload)?,
                Framing::Chunked(chunk) => {
                    let rest = take_chunk(chunk, bytes, payload)?;
                    if rest.is_none() {
                        self.framing = Framing::Length(0);
                    }
                    rest.unwrap_or_default()
                }
            };
        }
        Ok(())
    }
}

fn take_data<'b>(missing: &mut usize, bytes: &'b [u8], payload: &mut Vec<u8>) -> Result<&'b [u8], Malformed> {
    let (data, rest) = bytes.split_at(bytes.len().min(*missing));
    payload.extend_from_slice(data);
    *missing -= data.len();
    if *missing == 0 && !rest.is_empty() {
        return Err(Malformed("bytes after the end of the answer"));
    }
    Ok(rest)
}

/// One step; `None` at the end of the body.
fn take_chunk<'b>(
    chunk: &mut Chunk,
    bytes: &'b [u8],
    payload: &mut Vec<u8>,
) -> Result<Option<&'b [u8]>, Malformed> {
    let (byte, rest) = (bytes[0], &bytes[1..]);
    match chunk {
        Chunk::Data(missing) => {
            let (data, rest) = bytes.split_at(bytes.len().min(*missing));
            payload.extend_from_slice(data);
            *missing -= data.len();
            if *missing == 0 {
                *chunk = Chunk::DataEnd;
            }
            return Ok(Some(rest));
        }
        Chunk::Size { size, .. } if byte == b'\n' => {
            *chunk = if *size == 0 { Chunk::Trailer { empty: true } } else { Chunk::Data(*size) };
        }
        Chunk::Size { skipping, .. } if *skipping || byte == b'\r' => {}
        Chunk::Size { skipping, .. } if byte == b';' => *skipping = true,
        Chunk::Size { size, .. } => {
            let digit = char::from(byte).to_digit(16).ok_or(Malformed("bad chunk size"))?;
            *size = size.checked_mul(16).ok_or(Malformed("chunk too large"))? + digit as usize;
        }
        Chunk::DataEnd if byte == b'\n' => *chunk = Chunk::Size { size: 0, skipping: false },
        Chunk::DataEnd if byte == b'\r' => {}
        Chunk::DataEnd => return Err(Malformed("chunk longer than its size")),
        Chunk::Trailer { empty: true } if byte == b'\n' => {
            return if rest.is_empty() {
                Ok(None)
            } else {
                Err(Malformed("bytes after the end of the answer"))
            };
        }
        Chunk::Trailer { empty } => *empty = byte == b'\n' || (*empty && byte == b'\r'),
    }
    Ok(Some(rest))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(answer: &str, step: usize) -> Result<(u16, String, bool), Malformed> {
        let (head, length) = Head::read(answer.as_bytes())?.ok_or(Malformed("incomplete head"))?;
        let (mut body, mut payload) = (head.body(), Vec::new());
        for piece in answer.as_bytes()[length..].chunks(step) {
            body.take(piece, &mut payload)?;
        }
        Ok((head.status, String::from_utf8(payload).unwrap(), body.is_complete()))
    }

    #[rstest]
    #[case::length("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true)]
    #[case::no_body("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "", true)]
    #[case::unfinished("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", "hello", false)]
    #[case::chunked(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1A;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n",
        "helloabcdefghijklmnopqrstuvwxyz",
        true
    )]
    #[case::trailer(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\n",
        "a",
        true
    )]
    #[case::cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "hel", false)]
    fn payload_comes_out_however_it_is_cut(
        #[case] answer: &str,
        #[case] payload: &str,
        #[case] complete: bool,
        #[values(1, 2, 3, 7, 1000)] step: usize,
    ) {
        assert_eq!(read(answer, step), Ok((200, payload.to_owned(), complete)));
    }

    #[rstest]
    #[case::too_long("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello")]
    #[case::chunk_too_long("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhello\r\n")]
    #[case::no_size("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nhello\r\n")]
    #[case::no_length("HTTP/1.1 200 OK\r\n\r\nhello")]
    #[case::other_protocol("SSH-2.0-OpenSSH\r\n\r\n")]
    fn nonsense_is_refused(#[case] answer: &str) {
        assert!(read(answer, 1000).is_err());
    }

    #[test]
    fn a_head_is_waited_for() {
        assert_eq!(Head::read(b"HTTP/1.1 200 OK\r\ncontent-le"), Ok(None));
    }
}

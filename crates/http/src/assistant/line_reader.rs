//! The payloads of server-sent events, out of chunks cut anywhere.

/// Longest line read, in bytes.
const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// A line longer than any answer of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooLong;

/// Collects `data:` lines; everything else of the framing says nothing to a reply.
#[derive(Default)]
pub(super) struct LineReader {
    line: Vec<u8>,
}

impl LineReader {
    /// Reads a chunk; hands over the payload of each line that ends in it.
    ///
    /// # Errors
    /// [`TooLong`].
    pub(super) fn read(&mut self, chunk: &[u8], mut payload: impl FnMut(&[u8])) -> Result<(), TooLong> {
        for piece in chunk.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let (text, ends) = match piece {
                [text @ .., b'\n' | b'\r'] => (text, true),
                text => (text, false),
            };
            if self.line.len() + text.len() > MAX_LINE_BYTES {
                return Err(TooLong);
            }
            self.line.extend_from_slice(text);
            if ends {
                if let Some(data) = self.line.strip_prefix(b"data:") {
                    payload(data.trim_ascii());
                }
                self.line.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_whatever_the_chunks_and_line_ends() {
        for end in ["\r\n", "\n", "\r"] {
            let stream = format!("data: one{end}{end}: comment{end}event: x{end}data:two{end}{end}data: cut");
            for size in 1..=stream.len() {
                let (mut reader, mut payloads) = (LineReader::default(), Vec::new());
                for chunk in stream.as_bytes().chunks(size) {
                    let keep = |data: &[u8]| payloads.push(String::from_utf8(data.to_vec()).unwrap());
                    reader.read(chunk, keep).unwrap();
                }
                assert_eq!(payloads, ["one", "two"], "chunks of {size} and {end:?}");
            }
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let mut reader = LineReader::default();
        let half = vec![b'x'; MAX_LINE_BYTES / 2 + 1];
        assert_eq!(reader.read(&half, |_| {}), Ok(()));
        assert_eq!(reader.read(&half, |_| {}), Err(TooLong));
    }
}

//! Messages on a byte stream: `Content-Length` headers and JSON bodies, with limits.
//!
//! A length beyond the limit or an endless header line is refused before anything of
//! its size is allocated; a body's buffer grows only as its bytes arrive. Errors never
//! hold any part of the stream: it carries source code, and errors go to logs.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a stream may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a body at most.
    pub body: usize,
    /// Bytes of a header line at most, its line end included.
    pub header_line: usize,
    /// Header lines of a message at most.
    pub header_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 << 20,
            header_line: 4 << 10,
            header_lines: 16,
        }
    }
}

/// Why a stream cannot be read on: where the next message starts is unknown.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// A header line is too long.
    #[error("a header line is longer than {limit} bytes")]
    HeaderLine {
        /// The limit, bytes.
        limit: usize,
    },
    /// Too many header lines.
    #[error("a message has more than {limit} header lines")]
    HeaderCount {
        /// The limit.
        limit: usize,
    },
    /// A header line is not `Name: value`.
    #[error("a header line is not of the form `Name: value`")]
    Header,
    /// The length is missing, no number, or given twice.
    #[error("`Content-Length` must stand once in each header, as a decimal number")]
    Length,
    /// The length is beyond the limit.
    #[error("a message of {length} bytes is longer than the {limit} that are accepted")]
    TooLarge {
        /// What the header says.
        length: u64,
        /// The limit, bytes.
        limit: usize,
    },
    /// The content type names another encoding than UTF-8.
    #[error("`Content-Type` names another character set than utf-8")]
    Charset,
    /// The stream ended inside a message.
    #[error("the stream ended inside a message")]
    Truncated,
    /// Reading failed.
    #[error("the stream cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads one message's body; `None` at a clean end of the stream.
///
/// # Errors
/// [`FramingError`] where the header is malformed or beyond the limits, or the stream ends
/// inside the message. The stream must not be read on after that.
pub async fn read_message<R>(
    reader: &mut R,
    limits: &Limits,
) -> Result<Option<Vec<u8>>, FramingError>
where
    R: AsyncBufRead + Unpin,
{
    let Some(length) = read_header(reader, limits).await? else {
        return Ok(None);
    };
    let mut body = Vec::new();
    let read = reader.take(length as u64).read_to_end(&mut body).await?;
    if read < length {
        return Err(FramingError::Truncated);
    }
    Ok(Some(body))
}

/// Reads a header and gives the body's length; `None` at the end of the stream.
async fn read_header<R>(reader: &mut R, limits: &Limits) -> Result<Option<usize>, FramingError>
where
    R: AsyncBufRead + Unpin,
{
    let mut length = None;
    let mut line = Vec::new();
    for count in 0..=limits.header_lines {
        line.clear();
        let read = reader
            .take(limits.header_line as u64)
            .read_until(b'\n', &mut line)
            .await?;
        if read == 0 && count == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            return Err(if read < limits.header_line {
                FramingError::Truncated
            } else {
                FramingError::HeaderLine {
                    limit: limits.header_line,
                }
            });
        }
        let text = line
            .strip_suffix(b"\r\n")
            .or_else(|| line.strip_suffix(b"\n"));
        match text.unwrap_or(&line) {
            [] => return length.map(Some).ok_or(FramingError::Length),
            text => read_field(text, limits, &mut length)?,
        }
    }
    Err(FramingError::HeaderCount {
        limit: limits.header_lines,
    })
}

fn read_field(
    line: &[u8],
    limits: &Limits,
    length: &mut Option<usize>,
) -> Result<(), FramingError> {
    let line = std::str::from_utf8(line).map_err(|_| FramingError::Header)?;
    let (name, value) = line.split_once(':').ok_or(FramingError::Header)?;
    let name_fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    if !name_fits {
        return Err(FramingError::Header);
    }
    let value = value.trim();
    if name.eq_ignore_ascii_case("content-length") {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || length.is_some() {
            return Err(FramingError::Length);
        }
        // More digits than a u64 holds are beyond the limit as well.
        let found = value.parse::<u64>().unwrap_or(u64::MAX);
        let fits = usize::try_from(found)
            .ok()
            .filter(|found| *found <= limits.body);
        *length = Some(fits.ok_or(FramingError::TooLarge {
            length: found,
            limit: limits.body,
        })?);
    } else if name.eq_ignore_ascii_case("content-type") {
        let charset = value
            .split(';')
            .filter_map(|part| part.trim().strip_prefix("charset="));
        let utf8 = |name: &str| matches!(name.trim_matches('"'), "utf-8" | "utf8" | "UTF-8");
        if !charset.into_iter().all(utf8) {
            return Err(FramingError::Charset);
        }
    }
    Ok(())
}

/// Writes one message and flushes.
///
/// # Errors
/// Where the stream cannot be written.
pub async fn write_message<W>(writer: &mut W, body: &[u8]) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let header = format!("Content-Length: {}\r\n\r\n", body.len());
    writer.write_all(header.as_bytes()).await?;
    writer.write_all(body).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &[u8]) -> Result<Vec<Vec<u8>>, FramingError> {
        let limits = Limits {
            body: 1000,
            header_line: 64,
            header_lines: 4,
        };
        futures::executor::block_on(async {
            let mut reader = stream;
            let mut messages = Vec::new();
            while let Some(message) = read_message(&mut reader, &limits).await? {
                messages.push(message);
            }
            Ok(messages)
        })
    }

    #[test]
    fn messages_follow_each_other() {
        let stream = b"Content-Length: 2\r\n\r\n{}content-length:3\r\nContent-Type: a/b; charset=utf8\r\n\r\n[1]Content-Length: 0\r\n\r\n";
        let messages = read(stream).unwrap();
        assert_eq!(messages, [b"{}".to_vec(), b"[1]".to_vec(), Vec::new()]);
    }

    #[test]
    fn malformed_headers_are_refused() {
        let long = format!("X: {}\r\n", "y".repeat(64));
        let many = "X: y\r\n".repeat(5);
        let cases: [(&[u8], &str); 14] = [
            (
                b"Content-Length: 1001\r\n\r\n",
                "a message of 1001 bytes is longer",
            ),
            (
                b"Content-Length: 99999999999999999999999\r\n\r\n",
                "longer than the 1000",
            ),
            (
                b"Content-Length: -1\r\n\r\n",
                "`Content-Length` must stand once",
            ),
            (
                b"Content-Length: +1\r\n\r\n",
                "`Content-Length` must stand once",
            ),
            (
                b"Content-Length: 0x10\r\n\r\n",
                "`Content-Length` must stand once",
            ),
            (
                b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
                "must stand once",
            ),
            (b"X: y\r\n\r\n", "`Content-Length` must stand once"),
            (b"\r\n", "`Content-Length` must stand once"),
            (b"garbage\r\n\r\n", "`Name: value`"),
            (b"\xff\xfe: 1\r\n\r\n", "`Name: value`"),
            (b"Content-Length: 5\r\n\r\n{}", "ended inside"),
            (b"Content-Length: 5", "ended inside"),
            (long.as_bytes(), "longer than 64 bytes"),
            (many.as_bytes(), "more than 4 header lines"),
        ];
        for (stream, expected) in cases {
            let error = read(stream).unwrap_err().to_string();
            assert!(
                error.contains(expected),
                "{error} for {}",
                stream.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut stream = Vec::new();
        futures::executor::block_on(write_message(&mut stream, "{\"a\":\"é\"}".as_bytes()))
            .unwrap();
        assert_eq!(
            read(&stream).unwrap(),
            ["{\"a\":\"é\"}".as_bytes().to_vec()]
        );
    }
}

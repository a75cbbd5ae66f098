//! Server-sent events, line by line and within a limit.

/// A line longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineTooLong;

/// Takes bytes as they come and gives the data of complete events.
#[derive(Debug)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    after_return: bool,
    limit: usize,
}

impl Events {
    /// `limit` bounds a line and the data of an event, in bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            data: None,
            after_return: false,
            limit,
        }
    }

    /// Takes some bytes and gives the events that they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, LineTooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                // The second half of a line end whose first half ended the line.
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ if self.line.len() >= self.limit => return Err(LineTooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    /// The event that the stream ended in; servers leave out the last blank line.
    pub(super) fn finish(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.data.take())
    }

    fn end_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(self.data.take());
        }
        // Older llama.cpp servers name errors instead of wrapping them as data.
        let value = line
            .strip_prefix(b"data:")
            .or_else(|| line.strip_prefix(b"error:"));
        if let Some(value) = value {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut self.data {
                None => self.data = Some(value.to_vec()),
                Some(data) if data.len() + value.len() < self.limit => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                Some(_) => return Err(LineTooLong),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(chunks: &[&[u8]], limit: usize) -> Result<Vec<String>, LineTooLong> {
        let mut events = Events::new(limit);
        let mut found = Vec::new();
        for chunk in chunks {
            found.extend(events.push(chunk)?);
        }
        found.extend(events.finish()?);
        Ok(found
            .iter()
            .map(|event| String::from_utf8_lossy(event).into_owned())
            .collect())
    }

    #[test]
    fn events_are_read_whatever_their_line_ends() {
        let table: [(&str, &[&str]); 8] = [
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
            ("data: a\r\rdata:b\r\r", &["a", "b"]),
            (
                ": comment\nevent: x\nid: 1\ndata: a\ndata:  b\n\n",
                &["a\n b"],
            ),
            ("data: cut", &["cut"]),
            ("data: a\n", &["a"]),
            ("error: {}\n\n", &["{}"]),
            ("\n\n\nretry: 3\n\n", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(read(&[text.as_bytes()], 100).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_beyond_the_limit_is_refused_before_it_is_kept() {
        assert_eq!(read(&[b"data: 0123\n\n"], 10).unwrap(), ["0123"]);
        assert_eq!(read(&[b"data: 01234\n\n"], 10), Err(LineTooLong));
        assert_eq!(
            read(&[b"data: 0123\ndata: 01234\n\n"], 10),
            Err(LineTooLong)
        );
        let many = b"data: 0123\n".repeat(3);
        assert_eq!(read(&[&many], 10), Err(LineTooLong));
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(
            text in "(data: ?[a-zé:]{0,9}|:x|error: y|)(\n|\r\n|\r|\n\n|\r\n\r\n){0,30}",
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = text.repeat(3).into_bytes();
            let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
            let whole = read(&[&bytes], 1000);
            prop_assert_eq!(read(&[a, b], 1000), whole.clone());
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&single, 1000), whole);
        }
    }
}

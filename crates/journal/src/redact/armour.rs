//! How far a private key reaches behind its first line.

/// Blank lines between a key's first line and its body.
const BLANK: usize = 2;

/// Where the key ends whose first line's dashes end at `begun`.
///
/// What looks like a key's lines belongs to it, with or without an end: a window may have
/// cut that off. Code that only speaks of such a header is left alone behind it.
pub fn end(text: &str, begun: usize) -> usize {
    let (mut end, mut at) = (begun, begun);
    let (mut blank, mut body) = (0, false);
    for line in text[begun..].split_inclusive('\n') {
        if let Some(last) = closing(line) {
            return at + last;
        }
        match read(line) {
            Line::Blank if !body && blank < BLANK => blank += 1,
            // PuTTY writes the public half first.
            Line::About if !body || line.starts_with("Private-") => {
                end = at + line.trim_end().len();
            }
            Line::Body => {
                body = true;
                end = at + line.trim_end().len();
            }
            Line::Blank | Line::About | Line::Other => break,
        }
        at += line.len();
    }
    end
}

/// Where the last line's dashes end.
fn closing(line: &str) -> Option<usize> {
    let start = line.find("-----END ")? + "-----END ".len();
    let dashes = line[start..].find("-----")?;
    Some(start + dashes + "-----".len())
}

enum Line {
    /// Nothing, or what a literal adds: quotes, commas, comment signs.
    Blank,
    /// `Proc-Type: 4,ENCRYPTED`.
    About,
    /// Base64.
    Body,
    /// Something else.
    Other,
}

fn read(line: &str) -> Line {
    let line = line.replace("\\n", " ").replace("\\r", " ");
    let literal = |c: char| c.is_whitespace() || "\"'`\\+,;.#*>|-".contains(c);
    let bare = line.trim_matches(literal);
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    if bare.trim_matches('/').is_empty() {
        Line::Blank
    } else if bare.split(' ').all(|word| word.chars().all(base64)) && !is_prose(bare) {
        Line::Body
    } else if is_about(bare) {
        Line::About
    } else {
        Line::Other
    }
}

/// Several words on a line are a key only if they are the lines of one, joined.
fn is_prose(bare: &str) -> bool {
    let mut words = bare.split(' ').filter(|word| !word.is_empty());
    words.clone().count() > 1 && !words.any(|word| word.len() >= 40)
}

fn is_about(bare: &str) -> bool {
    let Some((name, _)) = bare.split_once(": ") else {
        return false;
    };
    name.len() <= 24
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::super::patterns;

    #[test]
    fn a_key_reaches_as_far_as_its_lines() {
        let (begin, last) = (
            format!("-----BEGIN {} KEY-----", "PRIVATE"),
            format!("-----END {} KEY-----", "PRIVATE"),
        );
        let row = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDTu".to_owned();
        // The key, and what follows it.
        let table = [
            (format!("{begin}\n{row}\n{row}\nab==\n{last}"), "\nx = 1"),
            (format!("{begin}\n{row}\nab=="), "\nx = 1\n"),
            (format!("{begin}\n{row}"), ""),
            (
                format!("{begin}\nProc-Type: 4,ENCRYPTED\n\n{row}\n{last}"),
                "\n",
            ),
            (format!("{begin}\\n{row}\\n{last}"), "\\n\"\ny"),
            (
                format!("{begin}\\n\" +\n  \"{row}\\n\" +\n  \"{last}"),
                "\";\ny",
            ),
            (format!("# {begin}\n# {row}\n# {last}"), "\nx"),
            (
                format!(
                    "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPublic-Lines: 1\n{row}\n\
                     Private-Lines: 1\n{row}\nPrivate-MAC: {row}"
                ),
                "\n\nx = 1",
            ),
            (begin.clone(), "\" in line:\n    return"),
            (begin.clone(), ""),
            (format!("{begin}\n"), "x = compute(1)"),
        ];
        for (key, after) in table {
            let text = format!("{key}{after}");
            let found = patterns::find(&text).next().unwrap().range;
            let start = if text.starts_with('#') { 2 } else { 0 };
            assert_eq!(&text[found], key[start..].trim_end_matches('\n'), "{text}");
        }
    }
}

//! What of the network's own words may stand in a message.

use std::error::Error;

use reqwest::Url;

/// Longest excerpt of a reply's body, in chars.
const EXCERPT_LIMIT: usize = 300;

/// An address without what may carry credentials: user, password, query, fragment.
pub(crate) fn plain(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for addresses that cannot have either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// What was meant to be an address, without what may be a user, a password or a query in it.
pub(crate) fn without_secrets(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let kept = rest.rsplit('@').next().unwrap_or_default();
    let end = kept.find(['?', '#']).unwrap_or(kept.len());
    let mark = if kept.len() < rest.len() { "…@" } else { "" };
    let scheme = if scheme.is_empty() {
        String::new()
    } else {
        format!("{scheme}://")
    };
    excerpt(&format!("{scheme}{mark}{}", &kept[..end]))
}

/// The host of an address, with its port where it is not the usual one.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The innermost cause of a failure, which says what happened; the outer layers repeat the
/// address, signed queries included.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    // Without a cause of its own the outermost layer is all there is; it can hold an address.
    if text.contains("://") {
        "the request failed".to_owned()
    } else {
        text
    }
}

/// The beginning of a reply on one line, control characters taken out.
pub(crate) fn excerpt(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    let mut line = String::new();
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(EXCERPT_LIMIT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_what_may_be_secret() {
        let url = Url::parse("https://me:pw@host:8443/a/b?sig=1#x").unwrap();
        assert_eq!(plain(&url), "https://host:8443/a/b");
        assert_eq!(host(&url), "host:8443");
    }

    #[test]
    fn what_is_no_address_loses_them_too() {
        for (text, shown) in [
            ("ftp://me:pw@host/a?sig=1", "ftp://…@host/a"),
            ("http://me:p@w?x#@host", "http://…@host"),
            ("me:pw@host", "…@host"),
            ("mirror.example", "mirror.example"),
            ("http://#x", "http://"),
            ("", ""),
        ] {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }

    #[test]
    fn excerpts_are_one_short_line() {
        assert_eq!(excerpt(" a\r\n\tb\u{1b}[0m  c "), "a b [0m c");
        assert_eq!(
            excerpt(&"é".repeat(1000)).chars().count(),
            EXCERPT_LIMIT + 1
        );
        assert_eq!(excerpt(""), "");
    }
}

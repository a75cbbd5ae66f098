//! How a language begins a comment that ends with its line.

/// The marker for a path, by its extension; `//` where it is not known.
pub(super) fn line_comment(path: &str) -> &'static str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let extension = name
        .rsplit_once('.')
        .map_or(name, |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "py" | "pyi" | "rb" | "rake" | "sh" | "bash" | "zsh" | "fish" | "pl" | "pm" | "r"
        | "jl" | "ex" | "exs" | "nim" | "toml" | "yaml" | "yml" | "tf" | "cmake" | "mk" | "ps1"
        | "makefile" | "dockerfile" | "gemfile" | "rakefile" | "gitignore" => "#",
        "lua" | "sql" | "hs" | "elm" | "ada" | "adb" | "ads" | "vhdl" => "--",
        "lisp" | "el" | "clj" | "cljs" | "scm" | "rkt" | "ini" | "asm" | "s" => ";",
        "tex" | "erl" | "hrl" => "%",
        "vim" => "\"",
        _ => "//",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_follows_the_extension() {
        let table = [
            ("src/main.rs", "//"),
            ("a/b.PY", "#"),
            ("Makefile", "#"),
            ("dir.d/Dockerfile", "#"),
            ("q.sql", "--"),
            ("x.el", ";"),
            ("plain", "//"),
            ("", "//"),
        ];
        for (path, expected) in table {
            assert_eq!(line_comment(path), expected, "{path}");
        }
    }
}

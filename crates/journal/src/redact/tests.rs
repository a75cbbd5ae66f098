use proptest::prelude::*;

use super::*;

/// Test values are put together here, so that no scanner takes this file for a leak.
fn samples() -> Vec<(SecretKind, String)> {
    let random = |n: usize| "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0".repeat(3)[..n].to_owned();
    let hex = |n: usize| "0123456789abcdef".repeat(6)[..n].to_owned();
    vec![
        (
            SecretKind::PrivateKey,
            format!("-----BEGIN {}PRIVATE KEY-----\nabc\n", "RSA "),
        ),
        (
            SecretKind::ServiceToken,
            format!("AKI{}", "AIOSFODNN7EXAMPLE"),
        ),
        (
            SecretKind::ServiceToken,
            format!("AIz{}{}", "a", random(35)),
        ),
        (
            SecretKind::ServiceToken,
            format!("gh{}_{}", "p", random(36)),
        ),
        (
            SecretKind::ServiceToken,
            format!("github_{}_{}", "pat", random(60)),
        ),
        (
            SecretKind::ServiceToken,
            format!("gl{}-{}", "pat", random(20)),
        ),
        (
            SecretKind::ServiceToken,
            format!("xox{}-123456789012-{}", "b", random(24)),
        ),
        (
            SecretKind::ServiceToken,
            format!("sk{}ant-{}", "-", random(40)),
        ),
        (
            SecretKind::ServiceToken,
            format!("sk_{}_{}", "live", random(24)),
        ),
        (SecretKind::ServiceToken, format!("hf{}{}", "_", random(34))),
        (
            SecretKind::ServiceToken,
            format!("npm{}{}", "_", random(36)),
        ),
        (
            SecretKind::ServiceToken,
            format!("SG{}{}.{}", ".", random(22), random(43)),
        ),
        (
            SecretKind::ServiceToken,
            format!("hvs{}{}", ".", random(30)),
        ),
        (SecretKind::ServiceToken, format!("dapi{}", hex(32))),
        (
            SecretKind::WebToken,
            format!("eyJ{}.eyJ{}.{}", random(20), random(20), random(20)),
        ),
        (
            SecretKind::Connection,
            format!("postgres://me:{}@db.local/x", "hunter22"),
        ),
        (
            SecretKind::Connection,
            format!("Server=a;{}=s3cretpw;", "Password"),
        ),
        (
            SecretKind::Header,
            format!("Authorization: Bearer {}", random(30)),
        ),
        (
            SecretKind::Assignment,
            format!("password = \"{}\"", "letmein"),
        ),
        (
            SecretKind::Assignment,
            format!("'db_password': '{}'", "corrhors"),
        ),
        (
            SecretKind::Assignment,
            format!("let api_key: &str = \"{}\";", "k3yvalue"),
        ),
        (
            SecretKind::Assignment,
            format!("export APP_SECRET={}", "abcdefgh"),
        ),
        (
            SecretKind::Assignment,
            format!("  auth_token: {}\n", "abc12345"),
        ),
        (
            SecretKind::Assignment,
            format!("client_secret := `{}`", "abc-123-def"),
        ),
        (SecretKind::Random, format!("x = \"{}\"", random(40))),
    ]
}

#[test]
fn secrets_are_found_and_scrubbed() {
    for (kind, text) in samples() {
        assert!(holds_secret(&text), "{kind:?}: {text}");
        let found = secrets(&text);
        assert!(
            found.iter().any(|secret| secret.kind == kind),
            "{kind:?}: {text}: {found:?}"
        );
        let scrubbed = scrub(&text);
        assert!(!holds_secret(&scrubbed), "{text} -> {scrubbed}");
        assert!(
            scrubbed.contains(&format!("<{}>", kind.as_str())),
            "{scrubbed}"
        );
    }
}

#[test]
fn code_without_secrets_passes() {
    let table = [
        "password = get_password(user)",
        "const token = await fetchToken();",
        "let password = \"\";",
        "password: ${DB_PASSWORD}",
        "api_key = os.environ[\"API_KEY\"]",
        "API_KEY = \"your-api-key\"",
        "\"password\": \"changeme\"",
        "token_type = \"bearer2\"",
        "max_tokens = 1024",
        "if token == \"identifier\" {",
        "secret_key: str",
        "self.assertEqual(parse_token(\"abc\"), 1)",
        "http://localhost:8080/path@v1",
        "https://user:${PASSWORD}@host",
        "fn basic_auth(user: &str, password: Option<&str>)",
        "sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "uuid = '123e4567-e89b-12d3-a456-426614174000'",
        "import com.example.services.UserAccountServiceImplementation2",
        "assert_eq!(tokenize(\"let x = 1\").len(), 4);",
        "use std::collections::HashMap;",
        "passed = compute(\"v1\")",
    ];
    for text in table {
        assert!(!holds_secret(text), "{text}: {:?}", secrets(text));
        assert_eq!(scrub(text), text);
    }
}

proptest! {
    #[test]
    fn never_panics_and_agrees_with_itself(text in "\\PC{0,200}") {
        let found = secrets(&text);
        prop_assert_eq!(!found.is_empty(), holds_secret(&text));
        for pair in found.windows(2) {
            prop_assert!(pair[0].range.end <= pair[1].range.start);
        }
        for secret in &found {
            prop_assert!(text.get(secret.range.clone()).is_some());
        }
    }

    #[test]
    fn a_secret_is_found_wherever_it_stands(
        before in "[a-z =\n]{0,40}[ \n]", after in "[ \n][a-z =\n]{0,40}", index in 0usize..19,
    ) {
        let (_, secret) = samples().swap_remove(index);
        let text = format!("{before}{secret}{after}");
        prop_assert!(holds_secret(&text), "{}", text);
    }

    #[test]
    fn what_is_typed_below_leaves_a_scrubbed_line_as_it_is(
        lines in proptest::collection::vec((0usize..40, "[a-z =:\"]{0,20}"), 1..12), cut in 0usize..12,
    ) {
        let samples = samples();
        let line = |(index, code): &(usize, String)| match samples.get(*index) {
            Some((_, secret)) => format!("{secret}\n"),
            None => format!("{code}\n"),
        };
        let cut = cut.min(lines.len());
        let above: String = lines[..cut].iter().map(line).collect();
        let whole: String = lines.iter().map(line).collect();
        prop_assert!(scrub(&whole).starts_with(&scrub(&above)), "{}", whole);
    }
}

#[test]
fn all_of_a_value_is_scrubbed() {
    let table = [
        (
            "password = \"correct horse battery\"; x",
            "password = \"<secret value>\"; x",
        ),
        (
            "password = \"hunter's 22\"\ny",
            "password = \"<secret value>\"\ny",
        ),
        (
            "password = \"hunter\\\"22\"\ny",
            "password = \"<secret value>\"\ny",
        ),
        (
            "const PASSWORD: &'static str = \"hunter22\";",
            "const PASSWORD: &'static str = \"<secret value>\";",
        ),
        (
            "'password': 'hunter22'\n: \"x",
            "'password': '<secret value>'\n: \"x",
        ),
        (
            "password = 'hunter22\ny = 1",
            "password = '<secret value>\ny = 1",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(scrub(text), expected);
    }
}

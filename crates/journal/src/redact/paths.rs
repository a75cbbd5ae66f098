//! Files whose text is never kept, whatever stands in them.

/// Names, in small letters.
const NAMES: &[&str] = &[
    ".dev.vars",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    ".boto",
    ".s3cfg",
    ".terraformrc",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "secrets.toml",
    "secret.yml",
    "secret.yaml",
    "secret.json",
    "service-account.json",
    "master.key",
    "shadow",
    "kubeconfig",
    "wp-config.php",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
];

/// Beginnings of names.
const BEGINNINGS: &[&str] = &[".env", "id_rsa", "id_ed25519", "id_ecdsa", "id_dsa"];

/// Ends of names.
const ENDS: &[&str] = &[
    ".env",
    ".pem",
    ".key",
    ".cert",
    ".crt",
    ".cer",
    ".der",
    ".p12",
    ".pfx",
    ".p8",
    ".jks",
    ".keystore",
    ".kdbx",
    ".ppk",
    ".asc",
    ".gpg",
    ".age",
    ".tfvars",
    ".tfstate",
    ".ovpn",
    ".mobileprovision",
];

/// Folders.
const FOLDERS: &[&str] = &[
    ".ssh",
    ".aws",
    ".gnupg",
    ".kube",
    ".azure",
    ".docker",
    "private-keys-v1.d",
];

/// Whether a path, or a URI, names a file that holds secrets by its purpose.
pub fn is_denied_path(path: &str) -> bool {
    let path = path.to_lowercase().replace('\\', "/");
    let path = path.split(['?', '#']).next().unwrap_or(&path);
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    NAMES.contains(&name)
        || BEGINNINGS
            .iter()
            .any(|beginning| name.starts_with(beginning))
        || ENDS.iter().any(|end| name.ends_with(end))
        || parts.any(|folder| FOLDERS.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_and_allowed() {
        let denied = [
            "/p/.env",
            "/p/.env.local",
            "/p/.ENV",
            "prod.env",
            "a/server.pem",
            "a/tls.KEY",
            "file:///home/u/.ssh/config",
            "C:\\Users\\u\\.aws\\credentials",
            "id_rsa.pub",
            "config/secrets.yml",
            "x/terraform.tfvars",
        ];
        let allowed = [
            "/p/src/main.rs",
            "/p/environment.ts",
            "/p/keyboard.c",
            "/p/env.py",
            "/p/src/keys/mod.rs",
            "file:///p/secrets.rs",
            "/p/monkey",
            "",
        ];
        for path in denied {
            assert!(is_denied_path(path), "{path}");
        }
        for path in allowed {
            assert!(!is_denied_path(path), "{path}");
        }
    }
}

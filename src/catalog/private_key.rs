//! Private keys, recognised by what is in a file: PEM and `OpenSSH`, `PuTTY`, SSH2, PGP and age.

/// Whether the beginning of a file says that a private key is in it: a line of its own says so. A
/// log line that mentions a key has other text before or after it.
pub(super) fn begins_in(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').any(is_mark)
}

fn is_mark(line: &[u8]) -> bool {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_end();
    let is_between = |begin: &[u8], end: &[u8]| line.starts_with(begin) && line.ends_with(end);
    is_between(b"-----BEGIN ", b"PRIVATE KEY-----")
        || is_between(b"-----BEGIN PGP PRIVATE KEY BLOCK", b"-----")
        || is_between(b"---- BEGIN SSH2 ", b"PRIVATE KEY ----")
        || line.starts_with(b"PuTTY-User-Key-File-")
        || line.starts_with(b"AGE-SECRET-KEY-1")
}

#[cfg(test)]
mod tests {
    use super::begins_in;

    #[test]
    fn keys_of_all_kinds_are_told() {
        for kind in ["", "RSA ", "EC ", "DSA ", "OPENSSH ", "ENCRYPTED "] {
            let key = format!("-----BEGIN {kind}PRIVATE KEY-----\r\nMIIE\n");
            assert!(begins_in(key.as_bytes()), "{key}");
            assert!(begins_in(format!("Bag Attributes\n    x: y\n{key}").as_bytes()), "{key}");
        }
        assert!(begins_in(b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n"));
        assert!(begins_in(b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n"));
        assert!(begins_in(b"PuTTY-User-Key-File-3: ssh-ed25519\n"));
        assert!(begins_in(b"# created: 2026\nAGE-SECRET-KEY-1QQ\n"));
    }

    #[test]
    fn certificates_public_keys_and_logs_are_none() {
        for text in [
            "-----BEGIN CERTIFICATE-----\nMIIE\n",
            "-----BEGIN PUBLIC KEY-----\n",
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
            "ssh-ed25519 AAAA me\n",
            "10:00 ERROR cannot read -----BEGIN RSA PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY----- was found in a request\n",
            "",
        ] {
            assert!(!begins_in(text.as_bytes()), "{text}");
        }
    }
}

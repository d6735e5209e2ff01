use super::*;

#[track_caller]
fn parsed(line: &str) -> Command {
    parse(line.split_whitespace()).unwrap()
}

fn with_paths(paths: &[&str]) -> ServeArgs {
    ServeArgs {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        ..ServeArgs::default()
    }
}

#[test]
fn serve_is_what_happens_without_a_command() {
    let cases = [
        ("tailcast", ServeArgs::default()),
        ("tailcast /var/log", with_paths(&["/var/log"])),
        ("tailcast a b", with_paths(&["a", "b"])),
        ("tailcast ./serve ./check", with_paths(&["./serve", "./check"])),
        ("tailcast a check", with_paths(&["a", "check"])),
        ("tailcast -p 9000 a", ServeArgs { port: Some(9000), ..with_paths(&["a"]) }),
        ("tailcast a --port=0", ServeArgs { port: Some(0), ..with_paths(&["a"]) }),
        ("tailcast --demo", ServeArgs { demo: true, ..ServeArgs::default() }),
        ("tailcast -- -odd", with_paths(&["-odd"])),
    ];
    for (line, expected) in cases {
        assert_eq!(parsed(line), Command::Serve(expected.clone()), "{line}");
        let explicit = line.replacen("tailcast", "tailcast serve", 1);
        assert_eq!(parsed(&explicit), Command::Serve(expected), "{explicit}");
    }
}

#[test]
fn check_takes_what_serve_takes() {
    let line = "tailcast check --address ::1 --config c.toml --insecure a";
    let Command::Check(args) = parsed(line) else { panic!("{line}") };
    let overrides = Overrides::from(args.serve);
    let expected = Overrides {
        config_file: Some("c.toml".into()),
        address: Some("::1".parse().unwrap()),
        port: None,
        insecure: true,
        paths: vec!["a".to_owned()],
    };
    assert_eq!(overrides, expected);
}

#[test]
fn a_mistake_ends_with_2_and_names_the_flag() {
    let cases = [
        ("tailcast -p 70000", "--port"),
        ("tailcast --address localhost", "--address"),
        ("tailcast --prot 1", "--port"),
        ("tailcast --demo a", "--demo"),
        ("tailcast check --nonsense", "--nonsense"),
        ("tailcast -p 1 -p 2", "--port"),
    ];
    for (line, named) in cases {
        let error = parse(line.split_whitespace()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
        assert!(error.to_string().contains(named), "{line}: {error}");
    }
}

#[test]
fn help_and_version_end_with_0() {
    for line in ["tailcast -h", "tailcast --help", "tailcast -V", "tailcast serve --help"] {
        let error = parse(line.split_whitespace()).unwrap_err();
        assert_eq!(error.exit_code(), 0, "{line}");
        let has_examples = error.to_string().contains("Examples:\n  tailcast serve --demo");
        assert_eq!(has_examples, line.ends_with("--help"), "{line}: {error}");
    }
}

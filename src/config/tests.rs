#![expect(clippy::result_large_err, reason = "figment::Jail asks for figment's error")]

mod errors;

use std::path::Path;

use figment::Jail;
use rocket::figment::Figment;
use rocket::figment::error::Kind;

use super::raw::{RawConfig, TAILCAST_KEYS};
use super::*;

/// A file with one source and room for `more` keys of the `tailcast` table.
fn with_source(more: &str) -> String {
    format!(
        "[default.tailcast]\n{more}\n[[default.tailcast.source]]\nname = \"a\"\npaths = [\"a.log\"]\n"
    )
}

/// Loads in an empty folder with this `Rocket.toml` (none if empty) and environment.
fn load_with(
    toml: &str,
    variables: &[(&str, &str)],
    overrides: &Overrides,
) -> Result<Config, String> {
    let mut result = None;
    Jail::expect_with(|jail| {
        jail.clear_env();
        if !toml.is_empty() {
            jail.create_file("Rocket.toml", toml)?;
        }
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        result = Some(Config::load(overrides).map_err(|error| {
            assert_eq!(error.exit_code(), 2);
            // Files are named as seen from the current folder, which the jail is about to leave.
            error.to_string()
        }));
        Ok(())
    });
    result.unwrap()
}

fn paths(paths: &[&str]) -> Overrides {
    Overrides {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        ..Overrides::default()
    }
}

#[test]
fn binding_beyond_this_host_asks_for_consent() {
    let toml = with_source("") + "[debug]\naddress = \"0.0.0.0\"\n[release]\naddress = \"0.0.0.0\"";
    let text = load_with(&toml, &[], &Overrides::default()).unwrap_err();
    assert!(text.starts_with("refused to bind to 0.0.0.0 (Rocket.toml: key `"), "{text}");
    assert!(text.contains("--insecure"), "{text}");

    let consent = Overrides { insecure: true, ..Overrides::default() };
    let config = load_with(&toml, &[], &consent).unwrap();
    assert!(config.insecure);
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].contains("0.0.0.0 port 8000"), "{:?}", config.warnings);

    for loopback in ["127.8.0.1", "::1", "::ffff:127.0.0.1"] {
        let overrides =
            Overrides { address: Some(loopback.parse().unwrap()), ..Overrides::default() };
        assert_eq!(load_with(&toml, &[], &overrides).unwrap().warnings, [""; 0], "{loopback}");
    }
}

#[test]
fn each_layer_covers_the_ones_below() {
    let defaults = load_with("", &[], &paths(&["a.log"])).unwrap();
    assert_eq!((defaults.address.to_string(), defaults.port), ("127.0.0.1".to_owned(), 8000));
    assert_eq!((defaults.heartbeat, defaults.linger), (seconds(15), seconds(3)));
    assert_eq!((defaults.max_viewers, defaults.stall_limit), (20_000, None));
    assert!(defaults.workers >= 2 && defaults.hosts.is_empty() && defaults.file.is_none());

    let toml = with_source("heartbeat = \"20s\"\nlinger = \"5s\"\nstall_limit = \"10m\"")
        + "[debug]\nport = 1\n[release]\nport = 1\n[staging]\nport = 2\n";
    let file = load_with(&toml, &[], &Overrides::default()).unwrap();
    assert_eq!((file.port, file.heartbeat, file.stall_limit), (1, seconds(20), Some(seconds(600))));
    let staging =
        load_with(&toml, &[("ROCKET_PROFILE", "staging")], &Overrides::default()).unwrap();
    assert_eq!((staging.port, staging.figment.profile().as_str().as_str()), (2, "staging"));

    let variables = [
        ("ROCKET_PORT", "3"),
        ("TAILCAST_HEARTBEAT", "30s"),
        ("TAILCAST_STALL_LIMIT", "none"),
        ("TAILCAST_LINGER", ""),
        ("TAILCAST_HOSTS", "A.example, b.example"),
    ];
    let variable = load_with(&toml, &variables, &Overrides::default()).unwrap();
    assert_eq!((variable.port, variable.heartbeat, variable.stall_limit), (3, seconds(30), None));
    assert_eq!((variable.linger, variable.hosts.len()), (seconds(5), 2));
    assert_eq!(variable.hosts[0], "a.example");

    let flags = Overrides { port: Some(4), ..paths(&["b.log"]) };
    let flag = load_with(&toml, &variables, &flags).unwrap();
    assert_eq!((flag.port, flag.sources.len(), &flag.sources[0].name), (4, 1, &None));
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn paths_become_absolute_by_their_letters() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_dir("etc")?;
        jail.create_dir("logs[1]")?;
        jail.create_file("etc/t.toml", &with_source(""))?;
        let folder = jail.directory().to_str().unwrap().to_owned();

        let named = Overrides { config_file: Some("etc/t.toml".into()), ..Overrides::default() };
        let config = Config::load(&named).unwrap();
        assert_eq!(config.sources[0].paths, [format!("{folder}/etc/a.log")]);
        assert_eq!(config.file.as_deref(), Some(Path::new("etc/t.toml")));

        jail.change_dir("logs[1]")?;
        let given = paths(&["./a.log", "../b/*.log", "/var/log", "x y"]);
        let sources = Config::load(&given).unwrap().sources;
        let made: Vec<_> = sources.iter().flat_map(|source| &source.paths).collect();
        let expected = [
            format!("{folder}/logs[1]/a.log"),
            format!("{folder}/logs[[]1[]]/../b/*.log"),
            "/var/log".to_owned(),
            format!("{folder}/logs[1]/x y"),
        ];
        assert_eq!(made, expected.iter().collect::<Vec<_>>());
        Ok(())
    });
}

#[test]
fn what_has_no_effect_is_warned_of() {
    let toml = with_source("") + "[default]\nlog_level = \"loud\"\n[default.shutdown]\ngrace = 9\n";
    let toml = toml.replace("[default.tailcast]", "");
    let variables = [
        ("TAILCAST_HEARBEAT", "5s"),
        ("TAILCAST_PORT", "tcp://10.0.0.1:80"),
        ("TAILCAST_TOKEN", "x"),
        ("TAILCAST_TLS_KEY_FILE", "x"),
        ("TAILCAST_FILE", "x"),
    ];
    let warnings = load_with(&toml, &variables, &Overrides::default()).unwrap().warnings;
    let expected = [
        "environment variable `TAILCAST_HEARBEAT` is unknown, it has no effect; did you mean \
         `TAILCAST_HEARTBEAT`?",
        "environment variable `TAILCAST_PORT` is unknown, it has no effect; did you mean \
         `ROCKET_PORT`?",
        "Rocket.toml: key `default.log_level` has no effect: Tailcast decides it itself",
        "Rocket.toml: key `default.shutdown.grace` has no effect: Tailcast decides it itself",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn rocket_gets_what_tailcast_decides() {
    let config = load_with("", &[("ROCKET_LOG_LEVEL", "debug")], &paths(&["a"])).unwrap();
    let rocket: rocket::Config = config.figment.extract().unwrap();
    assert_eq!(rocket.log_level, rocket::config::LogLevel::Off);
    assert_eq!(rocket.ident.as_str(), Some("Tailcast"));
    assert!(rocket.ip_header.is_none() && !rocket.cli_colors);
    let shutdown = rocket.shutdown;
    assert!(!shutdown.ctrlc && !shutdown.force && shutdown.signals.is_empty());
    assert_eq!((shutdown.grace, shutdown.mercy), (1, 1));
}

#[test]
fn the_explanation_says_where_each_value_is_from() {
    let variables = [("TAILCAST_HEARTBEAT", "5s")];
    let overrides = Overrides { port: Some(9), ..Overrides::default() };
    let config = load_with(&with_source("linger = \"1s\""), &variables, &overrides).unwrap();
    let origins: Vec<_> =
        config.settings.iter().map(|setting| setting.origin.to_string()).collect();
    let expected = [
        "built in",
        "flag `--port`",
        "built in",
        "built in",
        "built in",
        "environment variable `TAILCAST_HEARTBEAT`",
        "built in",
    ];
    assert_eq!(origins[..7], expected);
    let text = config.explanation().to_string();
    assert!(text.contains("Rocket.toml: key `default.tailcast.linger`\n"), "{text}");
    assert!(text.contains("1 named"), "{text}");
}

#[test]
fn the_list_of_keys_is_that_of_the_table() {
    let error = Figment::new().merge(("zebra", 1)).extract::<RawConfig>().unwrap_err();
    let Kind::UnknownField(_, known) = error.kind else { panic!("{error}") };
    assert_eq!(known, TAILCAST_KEYS);
}

use super::*;

fn unnamed(paths: &[&str]) -> Vec<SourceSpec> {
    let spec =
        |path: &&str| SourceSpec { paths: vec![(*path).to_owned()], ..SourceSpec::default() };
    paths.iter().map(spec).collect()
}

fn named(name: &str, paths: &[&str]) -> SourceSpec {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    SourceSpec { name: Some(name.to_owned()), paths, olddir: None }
}

#[track_caller]
fn check(specs: &[SourceSpec], expected: &[(&str, &str)]) {
    let (roots, skipped) = plan(specs);
    assert_eq!(skipped, []);
    let found: Vec<_> =
        roots.iter().map(|root| (root.path.to_str().unwrap(), root.label.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn paths_of_the_command_line_are_named_by_what_they_are() {
    check(&unnamed(&["/n/syslog"]), &[("/n/syslog", "syslog")]);
    check(
        &unnamed(&["/n/a/x.log", "/n/b/x.log"]),
        &[("/n/a/x.log", "a/x.log"), ("/n/b/x.log", "b/x.log")],
    );
    check(&unnamed(&["/n/log/"]), &[("/n/log", "")]);
    check(&unnamed(&["/n/log/*.log"]), &[("/n/log", "")]);
    check(
        &unnamed(&["/n/log/", "/n/web/*/x?.log", "/n/app.log"]),
        &[("/n/log", "log"), ("/n/web", "web"), ("/n/app.log", "app.log")],
    );
    check(&unnamed(&["/n/a/log/", "/n/b/log/"]), &[("/n/a/log", "a/log"), ("/n/b/log", "b/log")]);
    check(&unnamed(&["/n/x/../a/./log/"]), &[("/n/a/log", "")]);
}

#[test]
fn configured_sources_have_their_name_first() {
    check(&[named("db", &["/n/pg.log"])], &[("/n/pg.log", "db")]);
    check(&[named("web", &["/n/*.log"])], &[("/n", "web")]);
    check(
        &[named("web", &["/n/a.log", "/n/b.log", "/n/w/"]), named("db", &["/n/d/"])],
        &[("/n/a.log", "web/a.log"), ("/n/b.log", "web/b.log"), ("/n/w", "web"), ("/n/d", "db")],
    );
    check(
        &[named("web", &["/n/a/x.log", "/n/b/x.log"])],
        &[("/n/a/x.log", "web/a/x.log"), ("/n/b/x.log", "web/b/x.log")],
    );
}

#[test]
fn a_file_that_has_exactly_the_name_is_no_glob() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a[1].log");
    fs::write(&path, "").unwrap();
    let (roots, _) = plan(&unnamed(&[path.to_str().unwrap()]));
    assert!(roots[0].is_file());
    assert_eq!(roots[0].label, "a[1].log");
    fs::create_dir(folder.path().join("d")).unwrap();
    let (roots, _) = plan(&unnamed(&[folder.path().join("d").to_str().unwrap()]));
    assert!(matches!(roots[0].kind, RootKind::Directory));
}

#[test]
fn a_broken_glob_is_left_out_with_the_parsers_words() {
    let (roots, skipped) = plan(&unnamed(&["/n/[a.log"]));
    assert!(roots.is_empty());
    assert!(skipped[0].reason.to_string().starts_with("not a glob: "), "{skipped:?}");
}

#[test]
fn only_directories_that_may_hold_matches_are_entered() {
    let cases = [
        ("*.log", "", true),
        ("*.log", "a", false),
        ("*/app/*.log", "a", true),
        ("*/app/*.log", "a/app", true),
        ("*/app/*.log", "a/web", false),
        ("*/app/*.log", "a/app/deep", false),
        ("web*/**/*.log", "web1", true),
        ("web*/**/*.log", "db", false),
        ("web*/**/*.log", "web1/a/b/c", true),
        ("{a,b}/*.log", "b", true),
        ("{a/x,b}/*.log", "a", true),
        ("{a/x,b}/*.log", "a/x", true),
        ("web*/", "web1/deep", true),
        ("web*/", "db", false),
    ];
    for (pattern, directory, expected) in cases {
        let glob = PathGlob::parse(pattern).unwrap();
        assert_eq!(glob.may_hold(Path::new(directory)), expected, "{pattern} {directory}");
    }
}

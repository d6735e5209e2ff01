//! Runs the cases of `tests/cases`. Each file is one rotation:
//!
//! ```text
//! # what happened
//! read FILE at TIME [emptied]        what was read (FILE `-`: no file yet), last written to at TIME
//! seen N [FILE…]                     N files were read before; these were listed when it was begun
//! until TIME                         and this was the youngest time among them
//! list FILE SIZE TIME [active] [holds] [packed]   from old to young; `holds`: the content that was read
//! next FILE renamed|truncated|replaced   or `next stay`, `next nothing`
//! missed FILE                        what comes before that was read, at its first lines; or `nothing`
//! ```
//! Files are named by letters: equal letters are one identity.

use std::path::Path;
use std::{fs, io};

use super::{Listed, Next, Read, Seen, first_new_before, next};
use crate::file::file_id::FileId;
use crate::history::RotatedHow;

struct Case {
    read: Read,
    n_read: usize,
    known: Vec<FileId>,
    listing: Vec<Listed>,
    names: Vec<String>,
    holds: Vec<bool>,
    known_until: u64,
    expected: Option<String>,
    missed: Option<String>,
}

#[test]
fn every_case_is_decided_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 40, "{} cases", paths.len());
    for path in paths {
        let case = parse(&fs::read_to_string(&path).unwrap());
        let Case { n_read, known_until, .. } = case;
        let seen = Seen { n_read, known: &case.known, known_until };
        let holds = |index: usize| Ok::<_, io::Error>(case.holds[index]);
        assert!(case.expected.is_some() || case.missed.is_some(), "{}", path.display());
        if let Some(expected) = case.expected {
            let found = next(&case.read, &case.listing, &seen, holds).unwrap();
            assert_eq!(words(found, &case.names), expected, "{}", path.display());
        }
        if let Some(expected) = case.missed {
            let missed = first_new_before(&case.listing, case.read.id, &seen);
            let missed = missed.map_or("nothing", |at| case.names[at].as_str());
            assert_eq!(missed, expected, "{}", path.display());
        }
    }
}

fn words(next: Next, names: &[String]) -> String {
    match next {
        Next::Stay => "stay".into(),
        Next::Nothing => "nothing".into(),
        Next::At { index, how } => {
            let how = match how {
                RotatedHow::Renamed => "renamed",
                RotatedHow::Truncated => "truncated",
                RotatedHow::Replaced => "replaced",
            };
            format!("{} {how}", names[index])
        }
    }
}

fn parse(text: &str) -> Case {
    let mut case = Case {
        read: Read { id: None, written: 0, is_emptied: false },
        n_read: 0,
        known: Vec::new(),
        listing: Vec::new(),
        names: Vec::new(),
        holds: Vec::new(),
        known_until: 0,
        expected: None,
        missed: None,
    };
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (kind, rest) = line.split_once(' ').unwrap();
        let words: Vec<&str> = rest.split_whitespace().collect();
        match (kind, words.as_slice()) {
            ("read", [name, "at", time, flags @ ..]) => {
                let id = (*name != "-").then(|| id(name));
                let is_emptied = flags == ["emptied"];
                case.read = Read { id, written: time.parse().unwrap(), is_emptied };
            }
            ("seen", [n_read, known @ ..]) => {
                case.n_read = n_read.parse().unwrap();
                case.known = known.iter().map(|name| id(name)).collect();
            }
            ("list", [name, size, time, flags @ ..]) => {
                case.names.push((*name).to_owned());
                case.holds.push(flags.contains(&"holds"));
                let (size, written) = (size.parse().unwrap(), time.parse().unwrap());
                let is_active = flags.contains(&"active");
                let (id, is_packed) = (id(name), flags.contains(&"packed"));
                let listed = Listed { id, is_active, size, written, came: written, is_packed };
                case.listing.push(listed);
            }
            ("until", [time]) => case.known_until = time.parse().unwrap(),
            ("next", _) => case.expected = Some(rest.to_owned()),
            ("missed", _) => case.missed = Some(rest.to_owned()),
            _ => panic!("not understood: {line}"),
        }
    }
    case
}

fn id(name: &str) -> FileId {
    FileId::numbered(u64::from(name.bytes().next().unwrap()))
}

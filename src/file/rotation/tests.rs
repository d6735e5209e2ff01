use proptest::prelude::*;

use super::*;

/// `name | base | N or seconds[/part] | packing`; a line without a base was not rotated.
const CASES: &str = "
app.log.1            | app.log  | N1    | None
access.log.10        | access.log | N10 | None
app.log.0            | app.log  | N0    | None
app.log.9999         | app.log  | N9999 | None
app.log.3.gz         | app.log  | N3    | Gzip
app.log.3.zst        | app.log  | N3    | Zstd
app.log.3.bz2        | app.log  | N3    | Bzip2
app.log.3.xz         | app.log  | N3    | Xz
app.1.log            | app.log  | N1    | None
app.1.log.gz         | app.log  | N1    | Gzip
python3.11           | python3  | N11   | None
.hidden.1            | .hidden  | N1    | None
app.log.1.1          | app.log.1 | N1   | None
app.log-20261121     | app.log  | 1795219200 | None
app.log-20261121.gz  | app.log  | 1795219200 | Gzip
app.log-2026-11-21   | app.log  | 1795219200 | None
app.log.20261121     | app.log  | 1795219200 | None
app.log.2026-11-21   | app.log  | 1795219200 | None
app-20261121.log     | app.log  | 1795219200 | None
app-2026-11-21.log   | app.log  | 1795219200 | None
app-2026-11-21.log.xz | app.log | 1795219200 | Xz
app.log-20261121-101112 | app.log | 1795255872 | None
app.log-20261121-1795255872 | app.log | 1795255872 | None
app.log-2026-11-21_10-11 | app.log | 1795255860 | None
app.log-2026112110   | app.log  | 1795255200 | None
app.log.2026-11-21T10:11:12 | app.log | 1795255872 | None
app.log.2026-11-21T10:11:12Z | app.log | 1795255872 | None
app.log-1795255872   | app.log  | 1795255872 | None
app.log-1795255872.gz | app.log | 1795255872 | Gzip
app.log-202611211011 | app.log  | 1795255860 | None
app.log-20261121101112 | app.log | 1795255872 | None
app.log-20261121-10  | app.log  | 1795255200 | None
0.log.20261121-101112 | 0.log   | 1795255872 | None
postgresql-2026-11-21_101112.log | postgresql.log | 1795255872 | None
my-app-20261121.log  | my-app.log | 1795219200 | None
app-20261121.log.1.gz | app.log | 1795219200/-1 | Gzip
app.log-20261121.2   | app.log  | 1795219200/-2 | None
app-2026-11-21.0.log.gz | app.log | 1795219200/1 | Gzip
job-2026-11-21T10-11-12.123.log | job.log | 1795255872/124 | None
app.log-2026112110.backup | app.log | B1795255200 | None
app.log-2026112110.backup.gz | app.log | B1795255200 | Gzip
my-app-2026112110.backup | my-app | B1795255200 | None
app.log.1-2026112110.backup | app.log.1 | B1795255200 | None
db-20261121.backup   | db.backup | 1795219200 | None
db-1795255872.backup | db.backup | 1795255872 | None
app.log-2026112124.backup | app.log.backup | 2026112124 | None
20261121-20261122    | 20261121 | 1795305600 | None
app.log
foo.gz
1.log
.1
.1.gz
..1
...1
.-20261121
-20261121
-20261121.log
.20261121
20261121
2026-11-21.log
app.log.backup
-2026112110.backup
app.log.
app.log.12345
app.log.+1
app.log.1a
app.log-20261321
app.log-20260021
app.log-20261132
app.log-20261100
app.log-2026-1121
app.log-2026-11-2
app.log-20261121-24
app.log-20261121-1060
app.log-20261121-
app.log-20261121-1
app.log-18001121
app.log-0795255872
app.log-17952558720
postgresql-15-main.log
app-2026.log
app.2026-11-21.log
app.log.١
app.log-２０２６１１２１
";

#[test]
fn names_tell_what_they_are_siblings_of() {
    for case in CASES.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<_> = case.split('|').map(str::trim).collect();
        let found = parse(fields[0]);
        let [name, base, age, compression] = fields[..] else {
            assert_eq!(found, None, "{case}");
            continue;
        };
        let found = found.unwrap_or_else(|| panic!("{name} is not seen as rotated"));
        let told = match found.age {
            Age::Numbered(Reverse(number)) => format!("N{number}"),
            Age::Dated { seconds, part: 0 } => seconds.to_string(),
            Age::Dated { seconds, part } => format!("{seconds}/{part}"),
            Age::Backup { seconds } => format!("B{seconds}"),
        };
        let packed = format!("{:?}", found.compression);
        assert_eq!((found.base.as_str(), told.as_str(), packed.as_str()), (base, age, compression));
    }
}

#[test]
fn siblings_sort_from_oldest_to_newest() {
    let in_order = [
        "app.log.10.gz",
        "app.log.3",
        "app.1.log",
        "app.log-20251231",
        "app.log-20260101.2",
        "app.log-20260101.1",
        "app.log-20260101",
        "app-2026-01-01.0.log",
        "app-2026-01-01.7.log",
        "app.log-2026-01-01_10-11",
        "app.log-20260102-000000",
        "app.log-1795255872",
    ];
    let ages: Vec<_> = in_order.iter().map(|name| parse(name).unwrap().age).collect();
    assert!(ages.is_sorted_by(|older, newer| older < newer), "{ages:?}");
}

/// Siblings as a rotator leaves them behind: (name, when it was changed, when it was made).
fn ordered(siblings: &[(String, u64, u64)]) -> Vec<String> {
    let at = |seconds| Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
    let trace = |(name, changed, born): &(String, u64, u64)| Trace {
        age: Some(parse(name).unwrap().age),
        changed: at(*changed),
        born: at(*born),
    };
    order(siblings.to_vec(), trace).into_iter().map(|(name, _, _)| name).collect()
}

proptest! {
    /// Whatever happens to the numbers, and in whatever order a folder lists them, the order of
    /// writing is found again.
    #[test]
    fn backups_come_where_they_were_written(
        is_backup in proptest::collection::vec(any::<bool>(), 1..12),
        steps in proptest::collection::vec((0_u64..3, 1_u64..3), 12),
        listed in any::<prop::sample::Index>(),
    ) {
        let mut number = is_backup.iter().filter(|is_backup| !**is_backup).count();
        let (mut changed, mut born, mut written) = (1000, 0, Vec::new());
        for (at, is_backup) in is_backup.iter().enumerate() {
            // Several files may be changed within one tick; each is made after the one before.
            (changed, born) = (changed + steps[at].0, born + steps[at].1);
            if *is_backup {
                // A second one of an hour takes the place of the first.
                written.push((format!("app.log-20261121{at:02}.backup"), changed, born));
            } else {
                written.push((format!("app.log.{number}"), changed, born));
                number -= 1;
            }
        }
        let expected: Vec<String> = written.iter().map(|(name, _, _)| name.clone()).collect();
        let n_turned = listed.index(written.len());
        written.rotate_left(n_turned);
        prop_assert_eq!(ordered(&written), expected);
    }

    #[test]
    fn no_time_moves_a_numbered_file_or_loses_one(times in proptest::collection::vec(0_u64..5, 8)) {
        let names = ["a.4", "a.3", "a.2", "a.1", "a-20261121", "a-2026112110.backup",
            "a-2026112111.backup", "a-2026112112.backup"];
        let siblings: Vec<_> =
            names.iter().zip(times).map(|(name, time)| ((*name).to_owned(), time, time)).collect();
        let found = ordered(&siblings);
        prop_assert_eq!(found.len(), names.len());
        let plain: Vec<_> = found.iter().filter(|name| !name.ends_with("backup")).collect();
        prop_assert_eq!(plain, ["a.4", "a.3", "a.2", "a.1", "a-20261121"]);
    }
}

fn suffixes() -> impl Strategy<Value = String> {
    let date = (1990_u32..2100, 1_u32..=12, 1_u32..=31);
    let clock = (0_u32..24, 0_u32..60, 0_u32..60);
    let dated = (date, clock, 0..7).prop_map(|((y, mo, d), (h, mi, s), form)| match form {
        0 => format!("-{y}{mo:02}{d:02}"),
        1 => format!("-{y}{mo:02}{d:02}-{h:02}{mi:02}{s:02}"),
        2 => format!("-{y}-{mo:02}-{d:02}_{h:02}-{mi:02}"),
        3 => format!("-{y}{mo:02}{d:02}{h:02}"),
        4 => format!(".{y}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}"),
        5 => format!("-{y}{mo:02}{d:02}-1795255872"),
        _ => format!(".{y}-{mo:02}-{d:02}"),
    });
    prop_oneof![(0_u16..10_000).prop_map(|number| format!(".{number}")), dated]
}

proptest! {
    #[test]
    fn no_name_makes_it_panic(name in any::<String>()) {
        drop(parse(&name));
    }

    #[test]
    fn nothing_that_looks_like_a_name_makes_it_panic(name in "[-_.:TZ0-9a-z]{0,40}") {
        if let Some(rotated) = parse(&name) {
            prop_assert!(!rotated.base.is_empty());
        }
    }

    #[test]
    fn a_name_that_was_made_is_read_back(
        stem in "[a-z]{1,8}(_[a-z]{1,5})?",
        suffix in suffixes(),
        packed in prop::sample::select(vec!["", ".gz", ".zst", ".bz2", ".xz"]),
    ) {
        let whole = parse(&format!("{stem}.log{suffix}{packed}")).unwrap();
        prop_assert_eq!(&whole.base, &format!("{stem}.log"));
        prop_assert_eq!(whole.compression == Compression::None, packed.is_empty());
        let is_number = suffix.len() <= 5;
        if suffix.starts_with('-') || is_number {
            let inside = parse(&format!("{stem}{suffix}.log{packed}")).unwrap();
            prop_assert_eq!(inside, whole);
        }
    }
}

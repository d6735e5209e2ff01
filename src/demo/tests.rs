use std::collections::HashSet;

use super::incident::Incident;
use super::*;

fn entries(from: i64, until: i64) -> Vec<LogEntry> {
    let mut shop = Shop::new(0);
    let mut entries = Vec::new();
    while shop.next_at() < until {
        entries.push(shop.take().unwrap());
    }
    entries.retain(|entry| entry.at >= from);
    entries
}

fn texts(entries: &[LogEntry], log: ShopLog) -> Vec<&str> {
    entries.iter().filter(|entry| entry.log == log).map(|entry| entry.text.as_str()).collect()
}

#[test]
fn the_shop_repeats_itself() {
    assert_eq!(entries(-4_000_000, 60_000), entries(-4_000_000, 60_000));
}

#[test]
fn the_past_is_an_hour_long_and_in_order() {
    let past = entries(-4_000_000, 0);
    assert!(past.is_sorted_by_key(|entry| entry.at));
    assert!(past.first().unwrap().at < -59 * 60_000 && past.last().unwrap().at > -60_000);
    for log in ShopLog::ALL {
        let n_lines = texts(&past, log).iter().flat_map(|text| text.lines()).count();
        assert!((120..300).contains(&n_lines), "{log:?}: {n_lines}");
    }
}

#[test]
fn every_log_is_lively_and_in_order() {
    let live = entries(0, 400_000);
    assert!(live.is_sorted_by_key(|entry| entry.at));
    for log in ShopLog::ALL {
        let times: Vec<_> =
            live.iter().filter(|entry| entry.log == log).map(|entry| entry.at).collect();
        let per_second = times.len() / 400;
        assert!((1..=8).contains(&per_second), "{log:?}: {per_second}");
        let pause = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(pause < 8_000, "{log:?}: {pause} ms without a line");
    }
}

#[test]
fn each_line_is_what_its_log_holds() {
    let all = entries(-4_000_000, 400_000);
    for text in texts(&all, ShopLog::Api) {
        let line: serde_json::Value = serde_json::from_str(text).unwrap();
        assert!(line["level"].is_string() && line["status"].is_u64(), "{text}");
        line["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    }
    for text in texts(&all, ShopLog::Web) {
        assert!(text.contains(" HTTP/2.0\" ") && !text.contains('\n'), "{text}");
    }
    for text in texts(&all, ShopLog::Worker) {
        let (time, rest) = text.split_once(' ').unwrap();
        time.parse::<Timestamp>().unwrap();
        assert!(rest.starts_with("\x1b["), "{text}");
    }
}

#[test]
fn a_request_is_found_in_all_three_logs() {
    let live = entries(0, 60_000);
    let ids = |log, before: &str, after: char| -> HashSet<String> {
        let texts = texts(&live, log).into_iter();
        let ids = texts.filter_map(|text| text.split_once(before)?.1.split(after).next());
        ids.map(|id| id.lines().next().unwrap().to_owned()).collect()
    };
    let (web, api) = (ids(ShopLog::Web, "rid=", '\n'), ids(ShopLog::Api, "request_id\":\"", '"'));
    let worker = ids(ShopLog::Worker, "req=", '\n');
    let n_shared = worker.iter().filter(|id| web.contains(*id) && api.contains(*id)).count();
    assert!(n_shared > 20, "{n_shared} of {}", worker.len());
}

#[test]
fn an_incident_comes_every_forty_seconds_and_passes() {
    for (n, kind) in ["java.sql", "Traceback", "Traceback"].into_iter().enumerate() {
        let start = i64::try_from(n).unwrap() * 40_000;
        let period = entries(start, start + 40_000);
        let worker = texts(&period, ShopLog::Worker);
        let place = |what: &str| worker.iter().position(|text| text.contains(what)).unwrap();
        let (error, trace) = (place("ERROR"), place(kind));
        let recovery = place(Incident::at(start).recovery);
        assert!(error == trace && error < recovery);
        let failed: Vec<_> = period
            .iter()
            .filter(|entry| entry.log == ShopLog::Api && entry.text.contains("\"error\""))
            .map(|entry| entry.at - start)
            .collect();
        assert!(failed.len() > 1, "{failed:?}");
        assert!(failed.iter().all(|at| (24_000..32_000).contains(at)), "{failed:?}");
    }
}

#[test]
fn colours_progress_and_foreign_letters_occur() {
    let all = entries(-4_000_000, 400_000);
    let worker = texts(&all, ShopLog::Worker).concat();
    for what in ["\x1b[33mWARN", "\r", "佐藤", "📦", "\tat "] {
        assert!(worker.contains(what), "{what:?}");
    }
}

#[test]
fn a_host_that_slept_is_not_made_up_for() {
    let mut shop = Shop::new(0);
    shop.skip_to(10_000_000);
    assert!(shop.next_at() >= 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn it_writes_until_it_is_cancelled_and_leaves_nothing() {
    let demo = Demo::create().unwrap();
    let folder = demo.path().to_owned();
    let log = folder.join("shop/web.log");
    let size = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let past = size();
    assert!(past > 0);
    let cancel = CancellationToken::new();
    let watch = async {
        while size() <= past {
            sleep(Duration::from_millis(100)).await;
        }
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(demo.run(cancel.clone()), watch);
    result.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_full_log_is_rotated() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.log");
    let mut file = LogFile::open(path.clone()).await.unwrap();
    file.n_bytes = ROTATE_BYTES + 1;
    file.write("first\n").await.unwrap();
    file.write("second\n").await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
    assert!(folder.path().join("a.log.1").exists());
}

#[test]
fn a_dropped_demo_leaves_nothing() {
    let demo = Demo::create().unwrap();
    let folder = demo.path().to_owned();
    drop(demo);
    assert!(!folder.exists());
}

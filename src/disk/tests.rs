use std::sync::mpsc;

use super::*;

fn access(device: u64) -> DiskAccess {
    let disks = Arc::<Disks>::default();
    let disk = Mutex::new(disks.disk(device));
    DiskAccess { disks, disk, caller: 1 }
}

fn other(of: &DiskAccess, caller: u64) -> DiskAccess {
    DiskAccess {
        disks: Arc::clone(&of.disks),
        disk: Mutex::new(Arc::clone(&lock(&of.disk))),
        caller,
    }
}

#[tokio::test]
async fn an_answer_that_nobody_fetches_holds_no_thread() {
    let own = access(1);
    let kept: Vec<_> = (0..100).map(|number| own.call(Lane::Read, move || number)).collect();
    assert_eq!(own.call(Lane::Read, || "more").await, Ok("more"));
    for (number, call) in kept.into_iter().enumerate() {
        assert_eq!(call.await, Ok(number));
    }
}

#[tokio::test]
async fn one_caller_never_has_all_threads_and_a_silent_device_has_a_bounded_number() {
    let (own, (open, gate)) = (access(1), mpsc::channel::<()>());
    let gate = Arc::new(Mutex::new(gate));
    let hold = |access: &DiskAccess| {
        let gate = Arc::clone(&gate);
        // Nothing is ever sent: they continue once the other end is gone.
        access.call(Lane::Live, move || assert!(lock(&gate).recv().is_err()))
    };
    let stuck: Vec<_> = (0..100).map(|_| hold(&own)).collect();
    let neighbour = other(&own, 2);
    assert_eq!(neighbour.call(Lane::Live, || 5).await, Ok(5));
    let _more: Vec<_> = (3..100).map(|caller| hold(&other(&own, caller))).collect();
    let elsewhere = other(&own, 200);
    elsewhere.note_device(2);
    assert_eq!(elsewhere.call(Lane::Live, || 6).await, Ok(6));
    assert_eq!(own.call(Lane::Look, || 7).await, Ok(7));
    assert_eq!(lock(&own.disk).live.n_threads(), Lane::Live.max_threads());
    drop(open);
    for call in stuck {
        assert_eq!(call.await, Ok(()));
    }
}

#[tokio::test]
async fn threads_are_not_more_than_work_at_once_has_needed() {
    let own = access(1);
    for number in 0..1000 {
        assert_eq!(own.call(Lane::Read, move || number).await, Ok(number));
    }
    assert_eq!(lock(&own.disk).read.n_threads(), 1, "one call at a time");
}

#[tokio::test]
async fn a_call_that_is_dropped_is_taken_out_of_the_line_or_told_so() {
    let own = access(1);
    let (tell_begun, begun) = mpsc::channel();
    let (tell_end, end) = mpsc::channel();
    let runs: Vec<_> = (0..Lane::Search.max_of_source())
        .map(|_| {
            let (tell_begun, tell_end) = (tell_begun.clone(), tell_end.clone());
            own.call(Lane::Search, move || {
                tell_begun.send(()).unwrap();
                while !is_abandoned() {
                    std::thread::yield_now();
                }
                tell_end.send(stop_if_abandoned().is_err()).unwrap();
            })
        })
        .collect();
    let (tell_run, has_run) = mpsc::channel();
    let waits = own.call(Lane::Search, move || tell_run.send(()).unwrap());
    for _ in &runs {
        begun.recv().unwrap();
    }
    drop(waits);
    assert!(has_run.recv().is_err(), "it has never begun");
    let n_runs = runs.len();
    drop(runs);
    assert!((0..n_runs).all(|_| end.recv().unwrap()));
    let (tell_run, has_run) = mpsc::channel();
    own.call(Lane::Search, move || tell_run.send(()).unwrap()).let_run();
    has_run.recv().unwrap();
}

#[tokio::test]
async fn a_panic_ends_one_call() {
    let own = access(1);
    let lost = own.call(Lane::Open, || panic!("as it should"));
    assert_eq!(lost.await, Err::<(), _>(CallLost));
    assert_eq!(own.call(Lane::Open, || 1).await, Ok(1));
}

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;

use super::*;

/// What has come on each connection, by its inode; nothing on those that are not named.
#[derive(Default)]
struct Kernel(RefCell<HashMap<u64, (u64, u64)>>, Duration);

impl SocketProbe for Kernel {
    fn counts_bytes(&self) -> bool {
        true
    }

    fn is_open(&self, _connection: &TcpConnection) -> bool {
        true
    }

    fn intake(&self, connection: &TcpConnection) -> Option<Intake> {
        let (received, unread) =
            self.0.borrow().get(&connection.inode).copied().unwrap_or_default();
        Some(Intake { received: Some(received), unread })
    }

    fn lag(&self) -> Duration {
        self.1
    }
}

struct Scene {
    pending: Pending,
    kernel: Kernel,
    now: Instant,
    n_made: u16,
}

const LIMITS: Limits =
    Limits { max: 64, max_old: 8, max_large_bytes: 100_000, patience: Duration::from_millis(60) };
const NOBODY: [u16; 0] = [];
const NETWORK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

impl Scene {
    fn new() -> Self {
        let (pending, kernel) = (Pending::default(), Kernel::default());
        Scene { pending, kernel, now: Instant::now(), n_made: 0 }
    }

    fn connect(&mut self) -> (PendingKey, AcceptPlan) {
        self.n_made += 1;
        let peer = SocketAddr::new(NETWORK, self.n_made);
        let (number, inode) = (i32::from(self.n_made), u64::from(self.n_made));
        let ours = SocketAddr::from(([192, 0, 2, 9], 80));
        let connection = TcpConnection { number, inode, ours, peer, since: self.now };
        let key = self.pending.push(NETWORK, LIMITS, connection);
        (key, self.pending.relieve_for_next(self.now, &self.kernel))
    }

    /// Looks as often as it is asked to; returns the ports that were closed.
    fn pass(&mut self, time: Duration) -> Vec<u16> {
        let (end, mut closed) = (self.now + time, Vec::new());
        while self.now < end {
            let plan = self.pending.look(self.now, &self.kernel);
            closed.extend(ports(&plan));
            self.now = plan.next_look.unwrap_or(end).min(end);
        }
        closed
    }

    fn n_waiting(&self) -> usize {
        self.pending.groups.values().map(|group| group.waiting.len()).sum()
    }
}

fn ports(plan: &AcceptPlan) -> Vec<u16> {
    plan.overdue.iter().map(|connection| connection.peer.port()).collect()
}

#[test]
fn however_many_send_their_request_at_once_none_is_closed() {
    let mut scene = Scene::new();
    let mut keys = VecDeque::new();
    for _ in 0..500 {
        let (key, plan) = scene.connect();
        scene.kernel.0.borrow_mut().insert(u64::from(scene.n_made), (100, 100));
        keys.push_back(key);
        assert!(plan.overdue.is_empty());
        // Where we are too slow to read them, others wait to be accepted.
        let is_full = keys.len() > LIMITS.max;
        assert_eq!(plan.is_full, is_full);
        if is_full {
            assert_eq!(scene.pass(Duration::from_millis(10)), NOBODY);
            scene.pending.remove(keys.pop_front().unwrap_or(key));
        }
    }
    for key in keys {
        scene.pending.remove(key);
    }
    assert_eq!(scene.n_waiting(), 0);
    scene.pass(Duration::from_secs(2));
    assert!(scene.pending.looks.iter().all(VecDeque::is_empty) && scene.pending.groups.is_empty());
}

#[test]
fn of_silent_ones_the_oldest_give_way() {
    let mut scene = Scene::new();
    for _ in 0..LIMITS.max {
        assert!(scene.connect().1.overdue.is_empty());
    }
    let (_, plan) = scene.connect();
    assert!(plan.is_full && plan.overdue.is_empty(), "the oldest may still speak");
    let closed = scene.pass(Duration::from_millis(62));
    assert_eq!(closed, [1]);
    // Each new one costs an old one at once.
    for nth in 2..40 {
        let (_, plan) = scene.connect();
        assert_eq!((ports(&plan), plan.is_full), (vec![nth], false));
    }
    // And when all had their time, few are left.
    let closed = scene.pass(Duration::from_millis(600));
    assert_eq!((closed.len(), scene.n_waiting()), (LIMITS.max - LIMITS.max_old, LIMITS.max_old));
    // A network that is known for it does not hold others up for long.
    (0..LIMITS.max - LIMITS.max_old).for_each(|_| drop(scene.connect()));
    let (_, plan) = scene.connect();
    assert_eq!((plan.overdue.len(), plan.is_full), (1, false));
}

#[test]
fn long_heads_are_let_be_until_they_are_too_many() {
    let mut scene = Scene::new();
    for n in 1..=3 {
        let _last = scene.connect();
        scene.kernel.0.borrow_mut().insert(n, (30_000, 0));
    }
    assert_eq!(scene.pass(Duration::from_millis(600)), NOBODY);
    let _last = scene.connect();
    scene.kernel.0.borrow_mut().insert(4, (50_000, 10_000));
    assert_eq!(scene.pass(Duration::from_millis(5)), [1], "130,000 bytes were read");
    scene.kernel.0.borrow_mut().insert(4, (8_000, 0));
    scene.pass(Duration::from_millis(600));
    assert_eq!(scene.pending.groups.get(&NETWORK).map(|group| group.large_bytes), Some(60_000));
}

#[test]
fn one_whose_bytes_wait_for_us_is_not_closed_nor_one_that_waits_for_a_worker() {
    let mut scene = Scene::new();
    for n in 1..=u64::try_from(LIMITS.max_old + 4).unwrap_or_default() {
        let _last = scene.connect();
        let unread = u64::from(n <= 4);
        scene.kernel.0.borrow_mut().insert(n, (500, 500 * unread));
    }
    scene.kernel.1 = Duration::from_millis(400);
    assert_eq!(scene.pass(Duration::from_millis(790)), NOBODY);
    assert_eq!(scene.pass(Duration::from_millis(200)), [5, 6, 7, 8]);
    let _last = scene.connect();
    assert_eq!(scene.pass(Duration::from_millis(600)), [9], "the first without an excuse");
}

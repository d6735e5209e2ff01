use proptest::prelude::*;

use super::*;

fn attempt(address: Option<u8>, name: &str, password: u32) -> LoginAttempt<'_> {
    let mut digest = [0; 32];
    for (byte, value) in digest.iter_mut().zip(password.to_le_bytes()) {
        *byte = value;
    }
    let address = address.map(|last| IpAddr::from([192, 0, 2, last]));
    LoginAttempt { address, name, digest }
}

/// Guesses until it has to wait, and returns how often it was looked at.
fn guess(throttle: &mut Throttle, address: Option<u8>, name: &str, now: Instant) -> u32 {
    (0..1000)
        .find(|password| {
            let attempt = attempt(address, name, *password);
            let waits = throttle.wait(&attempt, now).is_some();
            if !waits {
                throttle.note_failure(&attempt, now);
            }
            waits
        })
        .unwrap()
}

#[test]
fn the_delay_doubles_for_the_address_that_guesses_and_for_no_other() {
    let (mut throttle, mut now) = (Throttle::default(), Instant::now());
    assert_eq!(guess(&mut throttle, Some(1), "alice", now), FREE);
    let mut waits = Vec::new();
    for password in 2000..2012 {
        let left = throttle.wait(&attempt(Some(1), "alice", password), now).unwrap();
        waits.push(left.as_secs());
        now += left;
        assert_eq!(throttle.wait(&attempt(Some(1), "alice", password), now), None);
        throttle.note_failure(&attempt(Some(1), "alice", password), now);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert!(throttle.wait(&attempt(Some(1), "bob", 1), now).is_some(), "whatever the name");
    assert_eq!(throttle.wait(&attempt(Some(2), "alice", 1), now), None, "a new address");
    assert_eq!(throttle.wait(&attempt(None, "alice", 1), now), None, "one that many share");
}

#[test]
fn an_account_of_ones_own_buys_no_guesses() {
    let (mut throttle, now) = (Throttle::default(), Instant::now());
    let mut n_looked_at = 0;
    for password in 0..1000 {
        throttle.note_success(&attempt(Some(1), "mallory", 7), now);
        let guess = attempt(Some(1), "alice", password);
        if throttle.wait(&guess, now).is_none() {
            throttle.note_failure(&guess, now);
            n_looked_at += 1;
        }
    }
    assert_eq!(n_looked_at, FREE);
}

#[test]
fn who_is_known_at_an_address_is_not_held_up_by_others_there_and_can_be_guessed_at_no_more() {
    let (mut throttle, now) = (Throttle::default(), Instant::now());
    throttle.note_success(&attempt(Some(1), "alice", 1), now);
    guess(&mut throttle, Some(1), "bob", now);
    assert!(throttle.wait(&attempt(Some(1), "carol", 1), now).is_some());
    assert_eq!(throttle.wait(&attempt(Some(1), "alice", 1), now), None);
    assert_eq!(guess(&mut throttle, Some(1), "alice", now), FREE);
}

#[test]
fn the_same_old_password_makes_nobody_wait_longer_than_a_second() {
    let (mut throttle, mut now) = (Throttle::default(), Instant::now());
    for _ in 0..500 {
        if throttle.wait(&attempt(Some(1), "alice", 1), now).is_none() {
            throttle.note_failure(&attempt(Some(1), "alice", 1), now);
        }
        now += Duration::from_millis(300);
    }
    let left = throttle.wait(&attempt(Some(1), "bob", 1), now).unwrap_or_default();
    assert!(left <= Duration::from_secs(1), "{left:?}");
}

#[test]
fn a_name_that_many_guess_at_leaves_a_new_address_fewer_failures_but_some() {
    let (mut throttle, now) = (Throttle::default(), Instant::now());
    for address in 1..=10 {
        for password in 0..FREE {
            let password = u32::from(address) * 100 + password;
            throttle.note_failure(&attempt(Some(address), "alice", password), now);
        }
    }
    assert_eq!(guess(&mut throttle, Some(200), "alice", now), FREE_OF_ATTACKED_NAME);
    assert_eq!(guess(&mut throttle, Some(201), "bob", now), FREE);
}

#[test]
fn names_that_are_made_up_push_nobody_out() {
    let (mut throttle, now) = (Throttle::default(), Instant::now());
    guess(&mut throttle, Some(1), "alice", now);
    guess(&mut throttle, None, "alice", now);
    throttle.note_success(&attempt(Some(2), "alice", 1), now);
    for number in 0..50_000 {
        let name = format!("made-up-{number}");
        for address in [Some(3), None] {
            if throttle.wait(&attempt(address, &name, number), now).is_none() {
                throttle.note_failure(&attempt(address, &name, number), now);
            }
        }
    }
    assert!(throttle.wait(&attempt(Some(1), "alice", 9), now).is_some());
    assert!(throttle.wait(&attempt(None, "alice", 9), now).is_some());
    assert!(throttle.known.contains_key(&("alice".to_owned(), IpAddr::from([192, 0, 2, 2]))));
    assert_eq!(throttle.addresses.len(), 2);
}

#[test]
fn the_worst_guesser_is_remembered_when_the_table_is_full() {
    let now = Instant::now();
    let mut addresses = HashMap::new();
    for number in 0..MAX_ADDRESSES {
        let mut failures = Failures::new(now);
        failures.note(&[1; 32], now);
        if number == 0 {
            failures.note(&[2; 32], now);
        }
        addresses.insert(number, failures);
    }
    make_room(&mut addresses, now);
    assert_eq!(addresses.len(), MAX_ADDRESSES - 1);
    assert!(addresses.contains_key(&0));
}

#[test]
fn failures_fade_by_halves() {
    let (mut throttle, now) = (Throttle::default(), Instant::now());
    guess(&mut throttle, Some(1), "alice", now);
    let later = now + HALF_LIFE;
    assert_eq!(guess(&mut throttle, Some(1), "alice", later), FREE - FREE / 2);
    let next_day = later + Duration::from_secs(86_400);
    assert_eq!(guess(&mut throttle, Some(1), "alice", next_day), FREE);
}

#[derive(Clone, Debug)]
enum Deed {
    Guess { address: Option<u8>, name: usize, password: u32 },
    LogIn { address: Option<u8>, name: usize },
    Pause(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let address = || prop::option::weighted(0.9, 0..6_u8);
    prop_oneof![
        8 => (address(), 0..4_usize, any::<u32>())
            .prop_map(|(address, name, password)| Deed::Guess { address, name, password }),
        1 => (address(), 0..4_usize).prop_map(|(address, name)| Deed::LogIn { address, name }),
        1 => (0..400_u64).prop_map(Deed::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever clients do, an address without failures is checked, none waits longer than said,
    /// and no address gets more guesses through than its delays allow.
    #[test]
    fn nobody_is_locked_out_by_others_and_no_address_guesses_on(
        deeds in prop::collection::vec(deed(), 0..400),
    ) {
        const NAMES: [&str; 4] = ["alice", "bob", "carol", "made-up"];
        let (mut throttle, begun) = (Throttle::default(), Instant::now());
        let mut now = begun;
        let mut n_guessed: HashMap<(Option<u8>, usize), u32> = HashMap::new();
        for deed in deeds {
            match deed {
                Deed::Pause(seconds) => now += Duration::from_secs(seconds),
                Deed::LogIn { address, name } => {
                    let attempt = attempt(address, NAMES[name], 0);
                    if throttle.wait(&attempt, now).is_none() {
                        throttle.note_success(&attempt, now);
                    }
                }
                Deed::Guess { address, name, password } => {
                    let attempt = attempt(address, NAMES[name], password);
                    match throttle.wait(&attempt, now) {
                        None => {
                            throttle.note_failure(&attempt, now);
                            *n_guessed.entry((address, name)).or_default() += 1;
                        }
                        Some(left) => prop_assert!(left <= LONGEST),
                    }
                }
            }
            for name in NAMES {
                prop_assert_eq!(throttle.wait(&attempt(Some(200), name, 1), now), None);
            }
        }
        // All that is free, known there and not, halved and had again, and one a delay after that.
        let elapsed = (now - begun).as_secs();
        let periods = u32::try_from(elapsed / HALF_LIFE.as_secs() + 1).unwrap();
        for ((address, _), n_guessed) in n_guessed {
            let most = (2 * FREE + 2 * 10) * periods + u32::try_from(elapsed / 8).unwrap();
            prop_assert!(address.is_none() || n_guessed <= most, "{} of {}", n_guessed, most);
        }
    }
}

//! Turns: queued work, taken in turn by caller, and for one caller in order of arrival.

use std::collections::VecDeque;

/// Queued work.
#[derive(Debug)]
pub(super) struct Turns<T> {
    /// The callers with queued work, the next one first.
    callers: VecDeque<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    caller: u64,
    /// By number; never empty.
    work: VecDeque<(u64, T)>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Turns { callers: VecDeque::new() }
    }
}

impl<T> Turns<T> {
    pub(super) fn push(&mut self, caller: u64, number: u64, work: T) {
        let own = self.callers.iter_mut().find(|waiting| waiting.caller == caller);
        if let Some(waiting) = own {
            waiting.work.push_back((number, work));
        } else {
            let work = VecDeque::from([(number, work)]);
            self.callers.push_back(Waiting { caller, work });
        }
    }

    /// The next work of a caller that `may` run now; that caller then goes last.
    pub(super) fn next(&mut self, may: impl Fn(u64) -> bool) -> Option<(u64, T)> {
        let at = self.callers.iter().position(|waiting| may(waiting.caller))?;
        let mut waiting = self.callers.remove(at)?;
        let (_number, work) = waiting.work.pop_front()?;
        let caller = waiting.caller;
        if !waiting.work.is_empty() {
            self.callers.push_back(waiting);
        }
        Some((caller, work))
    }

    /// Removes queued work by number.
    pub(super) fn remove(&mut self, caller: u64, number: u64) -> Option<T> {
        let at = self.callers.iter().position(|waiting| waiting.caller == caller)?;
        let waiting = self.callers.get_mut(at)?;
        let in_line = waiting.work.iter().position(|(waits, _)| *waits == number)?;
        let (_number, work) = waiting.work.remove(in_line)?;
        if waiting.work.is_empty() {
            self.callers.remove(at);
        }
        Some(work)
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;

    #[test]
    fn callers_take_turns_and_each_keeps_its_order() {
        let mut turns = Turns::default();
        for number in 0..3 {
            turns.push(1, number, ("one", number));
        }
        turns.push(2, 3, ("two", 3));
        let mut next = || turns.next(|_| true).map(|(_, work)| work);
        assert_eq!(next(), Some(("one", 0)));
        assert_eq!(next(), Some(("two", 3)));
        assert_eq!(next(), Some(("one", 1)));
        assert_eq!(next(), Some(("one", 2)));
        assert_eq!(next(), None);
    }

    #[test]
    fn who_has_enough_is_passed_over_and_who_leaves_is_forgotten() {
        let mut turns = Turns::default();
        turns.push(1, 0, "one");
        turns.push(2, 1, "two");
        turns.push(2, 2, "more");
        assert_eq!(turns.next(|caller| caller != 1), Some((2, "two")));
        assert_eq!(turns.remove(2, 2), Some("more"));
        assert_eq!(turns.remove(2, 2), None);
        assert_eq!(turns.next(|caller| caller != 1), None);
        assert_eq!(turns.next(|_| true), Some((1, "one")));
    }
}

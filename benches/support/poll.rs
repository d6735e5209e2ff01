//! Poll: an epoll instance that tells which numbers have something to do.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// An epoll instance.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// Told once each time there is more to read, or room to write.
pub(crate) const BOTH_ONCE: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

/// Told as long as there is something to read.
pub(crate) const READABLE: EventFlags = EventFlags::IN;

impl Poll {
    /// Watches nothing yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Poll { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(1024) })
    }

    /// Watches `source`, which is called `number` from now on, until it is closed.
    pub(crate) fn add(
        &self,
        source: impl AsFd,
        number: u64,
        flags: EventFlags,
    ) -> anyhow::Result<()> {
        Ok(epoll::add(&self.epoll, source, EventData::new_u64(number), flags)?)
    }

    /// Does not watch `source` any more.
    pub(crate) fn remove(&self, source: impl AsFd) -> anyhow::Result<()> {
        Ok(epoll::delete(&self.epoll, source)?)
    }

    /// Waits, at most for `timeout`; then the numbers that have something to do.
    pub(crate) fn wait(
        &mut self,
        timeout: Duration,
    ) -> anyhow::Result<impl Iterator<Item = u64> + use<'_>> {
        let timeout = Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        self.events.clear();
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, spare, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.events.iter().map(|event| event.data.u64()))
    }
}

//! [`Cable`]: two hosts of the test's own (network namespaces), joined by a cable that can be pulled. A
//! client that is behind it is gone then as in the field: nothing comes from it any more, no farewell and
//! no reset.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::programs::run;

/// Two hosts; gone with the value.
#[derive(Debug)]
pub struct Cable {
    near: String,
    far: String,
}

impl Cable {
    /// Lays one; none, and a printed line, where the machine lets nobody make hosts.
    pub fn laid() -> Option<Self> {
        static N_LAID: AtomicUsize = AtomicUsize::new(0);
        let number = N_LAID.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("tailcast-{}-{number}-{end}", std::process::id());
        let cable = Cable { near: name("near"), far: name("far") };
        match cable.lay() {
            Ok(()) => Some(cable),
            Err(reason) => {
                eprintln!("skipped: no network namespaces can be made: {reason}");
                None
            }
        }
    }

    /// What a program of the near host is started by.
    pub fn launcher(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.near]
    }

    /// Does something as a program of the near host would.
    pub fn near<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        on_host(&self.near, what)
    }

    /// Does something as a program of the far host would; its sockets stay there.
    pub fn far<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        on_host(&self.far, what)
    }

    /// Nothing comes through any more.
    #[track_caller]
    pub fn pull(&self) {
        run("ip", &["-n", &self.far, "link", "set", "cable", "down"]).unwrap();
    }

    fn lay(&self) -> Result<(), String> {
        let (near, far) = (self.near.as_str(), self.far.as_str());
        run("ip", &["netns", "add", near])?;
        run("ip", &["netns", "add", far])?;
        let ends = ["cable", "netns", near, "type", "veth", "peer", "name", "cable", "netns", far];
        run("ip", &[&["link", "add"], ends.as_slice()].concat())?;
        for (host, address) in [(near, NEAR_ADDRESS), (far, "192.0.2.2")] {
            let address = format!("{address}/24");
            run("ip", &["-n", host, "address", "add", &address, "dev", "cable"])?;
            for device in ["lo", "cable"] {
                run("ip", &["-n", host, "link", "set", device, "up"])?;
            }
        }
        Ok(())
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for host in [&self.near, &self.far] {
            if let Err(reason) = run("ip", &["netns", "delete", host]) {
                eprintln!("{host} is left over: {reason}");
            }
        }
    }
}

/// In a thread of its own, as a thread moves for good.
fn on_host<T: Send>(host: &str, what: impl FnOnce() -> T + Send) -> T {
    let moved = || {
        let place = File::open(format!("/run/netns/{host}")).unwrap();
        move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        what()
    };
    std::thread::scope(|scope| scope.spawn(moved).join().unwrap())
}

/// Where a server on the near host is reached (of RFC 5737, in no other network).
pub const NEAR_ADDRESS: &str = "192.0.2.1";

//! Stage: runs a program: the log, its server, and its viewers.

use std::path::Path;
use std::time::Duration;

use crate::expectation::{self, Loss};
use crate::host::Host;
use crate::moves::{Move, Program, with_open_faults};
use crate::stalling_disk::{Stall, StallingDisk};
use crate::viewer::{FiniteViewer, Viewer, with_trace};
use crate::world::World;

/// Everybody who takes part.
struct Stage {
    world: World,
    host: Host,
    viewers: Vec<Viewer>,
    finite: Vec<FiniteViewer>,
    n_finite: usize,
    // After the host: so that a program that fails lets its reads end.
    beside: Option<Beside>,
}

/// A log on a disk that can hang.
struct Beside {
    stall: Option<Stall>,
    n_lines: usize,
    disk: StallingDisk,
}

/// Runs a program in a folder of its own, below `parent` if that is given.
pub async fn run(program: &Program, parent: Option<&Path>) {
    let mut stage = Stage::set(program, parent).await;
    for step in &program.moves {
        if step.moves_files() {
            // Files are told by the clock of their file system, too, and it ticks each 4 ms: no
            // rotator rotates twice within a tick.
            tokio::time::sleep(TICK).await;
        }
        stage.play(*step).await;
        if step.moves_files() && !program.setting.starts_empty {
            // A file that stays empty is told by its time alone; such programs stand in `kept.rs`.
            tokio::time::sleep(TICK).await;
            stage.world.write(1);
        }
    }
    stage.end().await;
}

impl Stage {
    async fn set(program: &Program, parent: Option<&Path>) -> Self {
        let setting = program.setting;
        let mut world = World::new(setting, &program.pauses, parent);
        if !setting.starts_empty {
            world.write(1);
        }
        let beside = setting.has_hanging_log.then(|| {
            let disk = StallingDisk::new();
            std::fs::write(disk.behind("beside.log"), "").unwrap();
            Beside { stall: None, n_lines: 0, disk }
        });
        let host = start_host(&world, beside.as_ref());
        let last = setting.n_viewers - 1;
        let n_sources = |number| if number == last && beside.is_some() { 2 } else { 1 };
        let viewers = (0..setting.n_viewers).map(|number| Viewer::new(n_sources(number)));
        let viewers: Vec<Viewer> = viewers.collect();
        let finite = Vec::new();
        let mut stage = Stage { world, host, viewers, finite, n_finite: 0, beside };
        stage.connect_all().await;
        stage
    }

    async fn play(&mut self, step: Move) {
        if with_trace() {
            self.world.trace(step);
        }
        let is_followed = self.viewers.iter().any(Viewer::is_connected);
        match step {
            Move::Write(n_lines) => self.world.write(n_lines),
            Move::WriteInTwo => self.world.write_in_two(),
            Move::WriteAlike(n_lines) => self.world.write_alike(n_lines),
            Move::WriteLate(n_lines) => self.write_late(n_lines).await,
            Move::Rename { writes_on, keeps_old } => {
                self.world.rename(writes_on, keeps_old, is_followed);
                self.note_rotation(false);
            }
            Move::Backup(n_lines) => {
                self.world.backup(n_lines);
                self.note_rotation(false);
            }
            Move::CopyTruncate => {
                self.world.copy_truncate();
                self.note_rotation(true);
            }
            Move::Compress => self.world.compress(),
            Move::Truncate => self.truncate().await,
            Move::Cut { in_line } => self.cut(in_line).await,
            Move::Recreate => self.recreate().await,
            Move::Disconnect(who) => self.disconnect(who).await,
            Move::Reconnect(who) => self.reopen(who, false).await,
            Move::Stop { who, is_reopened: true } => self.reopen(who, true).await,
            Move::Stop { who, is_reopened: false } => self.set_stopped(who, true),
            Move::Wake(who) => self.set_stopped(who, false),
            Move::ReadFinite { is_slow } => self.read_finite(is_slow).await,
            Move::CatchUp => {
                self.catch_up().await;
            }
            Move::Restart => self.restart().await,
            Move::Hang => self.hang(),
            Move::Heal => self.heal(),
            Move::WriteBeside => self.write_beside(),
        }
    }

    /// Everybody gets what is still to come.
    async fn end(mut self) {
        self.heal();
        self.connect_all().await;
        for who in 0..self.viewers.len() {
            self.set_stopped(who, false);
        }
        // A last line that nothing can take away shows that they are still following.
        self.world.write(1);
        self.catch_up().await;
        for viewer in &self.viewers {
            expectation::check(viewer, &self.world);
        }
        for finite in self.finite.drain(..) {
            finite.finish(&self.world).await;
        }
        for viewer in &mut self.viewers {
            viewer.disconnect(&self.world).await;
        }
        self.host.stop().await;
    }

    /// Whether there was somebody who has seen everything now (and so has the server).
    async fn catch_up(&mut self) -> bool {
        let n_beside = match &self.beside {
            Some(Beside { stall: None, n_lines, .. }) => *n_lines,
            Some(_) | None => 0,
        };
        let (mut has_seen, last) = (false, self.viewers.len() - 1);
        for (who, viewer) in self.viewers.iter_mut().enumerate().filter(|(_, it)| it.is_polled()) {
            viewer.catch_up(&self.world, if who == last { n_beside } else { 0 }).await;
            has_seen = true;
        }
        has_seen
    }

    async fn connect_all(&mut self) {
        for viewer in &mut self.viewers {
            viewer.connect(&self.host, &mut self.world).await;
        }
    }

    async fn disconnect(&mut self, who: usize) {
        if self.world.has_banner() && !with_open_faults() {
            self.catch_up().await;
        }
        if let Some(viewer) = self.viewers.get_mut(who) {
            viewer.disconnect(&self.world).await;
        }
        if !self.viewers.iter().any(Viewer::is_connected) {
            self.world.forget_late();
        }
    }

    async fn reopen(&mut self, who: usize, is_stopped: bool) {
        // What hangs is not opened.
        self.heal();
        self.disconnect(who).await;
        if let Some(viewer) = self.viewers.get_mut(who) {
            viewer.connect(&self.host, &mut self.world).await;
        }
        self.set_stopped(who, is_stopped);
    }

    fn set_stopped(&mut self, who: usize, is_stopped: bool) {
        if let Some(viewer) = self.viewers.get_mut(who) {
            viewer.is_stopped = is_stopped;
        }
    }

    async fn restart(&mut self) {
        self.heal();
        let were_connected: Vec<bool> = self.viewers.iter().map(Viewer::is_connected).collect();
        for who in 0..self.viewers.len() {
            self.disconnect(who).await;
        }
        self.host.stop().await;
        self.host = start_host(&self.world, self.beside.as_ref());
        for (viewer, _) in self.viewers.iter_mut().zip(were_connected).filter(|(_, was)| *was) {
            viewer.connect(&self.host, &mut self.world).await;
        }
        self.world.forget_late();
    }

    fn note_rotation(&mut self, is_copied: bool) {
        let world = &self.world;
        self.viewers.iter_mut().for_each(|viewer| viewer.excuses.rotate(world, is_copied));
    }

    async fn write_late(&mut self, n_lines: u8) {
        self.catch_up().await;
        let (n_bytes, is_known) = self.world.write_late(n_lines);
        let may_miss = |it: &&mut Viewer| !is_known || !it.is_connected() || it.is_behind;
        for viewer in self.viewers.iter_mut().filter(may_miss) {
            viewer.excuses.miss_late(n_bytes);
        }
        self.catch_up().await;
    }

    async fn truncate(&mut self) {
        let has_seen = self.catch_up().await;
        let n_seen = self.world.active.len();
        // These may be read before they are gone, or not.
        self.world.write(3);
        self.lose(n_seen, 0, has_seen);
        self.world.truncate();
    }

    async fn cut(&mut self, in_line: bool) {
        if self.world.active.len() < 2 {
            return;
        }
        let has_seen = self.catch_up().await;
        let (n_seen, n_kept) = (self.world.active.len(), self.world.active.len().div_ceil(2));
        self.lose(n_seen, n_kept, has_seen);
        if self.world.active[n_kept - 1].number.is_none() {
            let n_bytes = self.world.active[..n_kept].iter().map(|piece| piece.n_bytes).sum();
            self.viewers.iter_mut().for_each(|viewer| viewer.excuses.keep_alike(n_bytes));
        }
        let half = self.world.cut(in_line);
        for viewer in self.viewers.iter_mut().filter(|viewer| !viewer.is_polled()) {
            viewer.excuses.halve_line(half);
        }
        // A cursor before the cut names a line that is nowhere any more.
        self.world.write(1);
        self.catch_up().await;
    }

    /// All but the first pieces of the active file are being lost, of which so many were seen.
    fn lose(&mut self, n_seen: usize, n_kept: usize, has_seen: bool) {
        let world = &self.world;
        let bytes_of = |range: std::ops::Range<usize>| {
            world.active[range].iter().map(|piece| piece.n_bytes).sum::<u64>()
        };
        let n_sure = if has_seen { n_seen } else { 0 };
        let at = Loss {
            lost: &world.active[n_kept..],
            n_kept_bytes: bytes_of(0..n_kept),
            n_unsure: bytes_of(n_sure..world.active.len()),
        };
        for viewer in &mut self.viewers {
            let is_connected = viewer.is_connected();
            viewer.excuses.lose(at, &viewer.got, world, is_connected);
        }
    }

    async fn recreate(&mut self) {
        let has_seen = self.catch_up().await;
        let world = &self.world;
        let n_bytes = world.active.iter().map(|piece| piece.n_bytes).sum();
        for viewer in self.viewers.iter_mut().filter(|viewer| !viewer.is_polled()) {
            let is_connected = viewer.is_connected();
            let n_unsure = if has_seen { 0 } else { n_bytes };
            viewer.excuses.lose_file(&viewer.got, world, is_connected, n_unsure);
        }
        self.world.recreate();
    }

    async fn read_finite(&mut self, is_slow: bool) {
        if self.n_finite < MAX_FINITE {
            self.n_finite += 1;
            self.finite.push(FiniteViewer::begin(&self.host, &self.world, is_slow).await);
        }
    }

    fn hang(&mut self) {
        if let Some(beside) = &mut self.beside {
            beside.stall.get_or_insert_with(|| beside.disk.stall());
        }
    }

    fn heal(&mut self) {
        if let Some(beside) = &mut self.beside {
            beside.stall = None;
        }
    }

    fn write_beside(&mut self) {
        if let Some(beside) = &mut self.beside {
            let path = beside.disk.behind("beside.log");
            let before = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, before + "a line beside\n").unwrap();
            beside.n_lines += 1;
        }
    }
}

fn start_host(world: &World, beside: Option<&Beside>) -> Host {
    let beside = beside.map(|beside| beside.disk.join("beside.log"));
    let paths: Vec<&Path> = [world.path.as_path()].into_iter().chain(beside.as_deref()).collect();
    Host::start(&paths)
}

/// More than one of the file system's clock.
const TICK: Duration = Duration::from_millis(9);

/// Finite reads of a program.
const MAX_FINITE: usize = 3;

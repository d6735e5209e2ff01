//! `tailcast`: arguments in, exit code out. All else is in the library.
#![expect(clippy::print_stderr, reason = "this is where words come out")]

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use tailcast::cli::{self, CheckArgs, Command, FollowArgs, LsArgs, ServeArgs};
use tailcast::config::{Config, ConfigError, Overrides};
use tailcast::demo::Demo;
use tailcast::doctor::{self, OutsideError};
use tailcast::follow::{self, StartError};
use tailcast::ls::{self, LsError};
use tailcast::{check, logging, server};
#[cfg(not(system_allocator))]
use tikv_jemallocator::Jemalloc;
use tokio_util::sync::CancellationToken;

// Returns memory to the system after a burst of viewers (docs/decisions.md).
#[cfg(not(system_allocator))]
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    let done = match command {
        Command::Serve(args) => serve(args),
        Command::Check(args) => check(args),
        Command::User(command) => cli::user::run(&command).and_then(|text| print(&text)),
        Command::Token(command) => cli::token::run(&command).and_then(|text| print(&text)),
        Command::Follow(args) => follow(args),
        Command::Ls(args) => ls(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tailcast: {error:#}");
            let usage = error.downcast_ref::<ConfigError>().map(ConfigError::exit_code);
            let usage = usage.or(error.downcast_ref().map(StartError::exit_code));
            let usage = usage.or(error.downcast_ref().map(LsError::exit_code));
            let usage = usage.or(error.downcast_ref().map(OutsideError::exit_code));
            ExitCode::from(usage.unwrap_or(1))
        }
    }
}

fn serve(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let demo = args.demo.then(Demo::create).transpose().context("cannot write the demo logs")?;
    let mut overrides = Overrides::from(args);
    if let Some(demo) = &demo {
        overrides.paths.push(demo.path().to_string_lossy().into_owned());
    }
    let config = Config::load(&overrides)?;
    let to_terminal = std::io::stderr().is_terminal();
    let held_back = logging::start(to_terminal).context("cannot count what is logged")?;
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .max_blocking_threads(config.max_blocking)
        // Ends idle threads after a burst of reads, as each keeps some memory.
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let stop = CancellationToken::new();
    let demo = demo.map(|demo| runtime.spawn(demo.run(stop.clone())));
    let scheme = if config.is_tls { "https" } else { "http" };
    let served = runtime.block_on(server::serve(config, held_back, move |started| {
        if let Some(skipped) = &started.skipped {
            eprintln!("tailcast: {skipped}");
        }
        let (address, n_sources) = (started.address, started.n_sources);
        eprintln!("tailcast: serving {n_sources} sources on {scheme}://{address}/");
    }));
    stop.cancel();
    if let Some(demo) = demo {
        runtime.block_on(demo).context("the demo has failed")??;
    }
    runtime.shutdown_background();
    served?;
    Ok(ExitCode::SUCCESS)
}

fn check(args: CheckArgs) -> anyhow::Result<ExitCode> {
    if let Some(url) = &args.url {
        let report = client_runtime()?.block_on(doctor::run(url, &args))?;
        print(&report.to_string())?;
        return Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let config = Config::load(&Overrides::from(args.serve))?;
    print(&check::report(&config)?)
}

fn follow(args: FollowArgs) -> anyhow::Result<ExitCode> {
    let runtime = client_runtime()?;
    let code = runtime.block_on(follow::run(args));
    // A terminal that was stopped may still hold a write; it is not waited for.
    runtime.shutdown_background();
    Ok(ExitCode::from(code?))
}

fn ls(args: &LsArgs) -> anyhow::Result<ExitCode> {
    print(&client_runtime()?.block_on(ls::run(args))?)
}

/// One thread that reads and one that prints.
fn client_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Prints a whole text. A closed pipe is not an error.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        Ok(()) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

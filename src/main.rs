//! `tailcast`: arguments in, exit code out. All else is in the library.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "this is where words come out")]

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;
use tailcast::cli::{self, Command, ServeArgs};
use tailcast::config::{Config, ConfigError, Overrides};
use tailcast::demo::Demo;
use tailcast::{check, server};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => error.exit(),
    };
    let done = match command {
        Command::Serve(args) => serve(args),
        Command::Check(args) => check(args),
        Command::User(command) => cli::user::run(&command).map(|text| print!("{text}")),
        Command::Token(command) => cli::token::run(&command).map(|text| print!("{text}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tailcast: {error:#}");
            let usage = error.downcast_ref::<ConfigError>().map(ConfigError::exit_code);
            ExitCode::from(usage.unwrap_or(1))
        }
    }
}

fn serve(args: ServeArgs) -> anyhow::Result<()> {
    let demo = args.demo.then(Demo::create).transpose().context("cannot write the demo logs")?;
    let mut overrides = Overrides::from(args);
    if let Some(demo) = &demo {
        overrides.paths.push(demo.path().to_string_lossy().into_owned());
    }
    let config = Config::load(&overrides)?;
    let to_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(to_terminal).init();
    config.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .max_blocking_threads(config.max_blocking)
        // A burst of reads leaves threads behind, and each keeps some memory.
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let stop = CancellationToken::new();
    let demo = demo.map(|demo| runtime.spawn(demo.run(stop.clone())));
    let scheme = if config.is_tls { "https" } else { "http" };
    let served = runtime.block_on(server::serve(config, move |address, n_sources| {
        eprintln!("tailcast: serving {n_sources} sources on {scheme}://{address}/");
    }));
    stop.cancel();
    if let Some(demo) = demo {
        runtime.block_on(demo).context("the demo has failed")??;
    }
    runtime.shutdown_background();
    Ok(served?)
}

fn check(args: ServeArgs) -> anyhow::Result<()> {
    let config = Config::load(&Overrides::from(args))?;
    print!("{}", check::report(&config)?);
    Ok(())
}

//! `zot serve`: open, listen, serve, drain, close; one function a step.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use zot_config::{Config, Loaded, log::Level};
use zot_gateway::{
    http::{Gateway, Health, Logs, Options},
    server::{Server, ServerOptions},
};
use zot_node::Node;
use zot_runtime::{
    shutdown::{ReloadSignals, ShutdownSignals},
    tasks::Tasks,
    telemetry::{self, AuditLog, LogGuard, LogLevel, LogOptions},
    tls::{RELOAD_POLL, TlsSource},
};

use crate::output;

/// Serves until a signal ends it.
pub(crate) fn serve(path: &Path) -> ExitCode {
    let loaded = match Config::load(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            let _logs = output::logs();
            output::refuse(path, &error);
            return ExitCode::FAILURE;
        }
    };
    let log = &loaded.config.log;
    let logs = match telemetry::init(&LogOptions { level: level(log.level), output: log.output.clone() }) {
        Ok(logs) => logs,
        Err(error) => {
            output::tell(telemetry::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    telemetry::log_panics();
    let served = runtime().and_then(|runtime| runtime.block_on(run(&loaded, &logs)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %telemetry::chain(error.as_ref()), "could not serve");
            output::tell(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The shares of `http.limits.drainTimeout` that requests, background tasks and the storage may take to finish, one after the other.
const DRAIN_REQUESTS: f64 = 0.7;
const DRAIN_TASKS: f64 = 0.1;
const DRAIN_STORAGE: f64 = 0.2;

/// Threads that may block wait for the disk most of the time; more of them would only cost memory.
const BLOCKING_THREADS_MAX: usize = 64;

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build();
    runtime.context("start threads")
}

async fn run(loaded: &Loaded, logs: &LogGuard) -> anyhow::Result<()> {
    let config = &loaded.config;
    let mut signals = ShutdownSignals::listen().context("listen for signals")?;
    tracing::info!(params = %serde_json::to_string(config)?, "configuration settings");
    for warning in &loaded.warnings {
        tracing::warn!(key = %warning.path, "{}", warning.message);
    }
    let tasks = Tasks::new();
    let node = Node::open(config, &tasks, &|done, all| tracing::debug!(done, all, "reading image layouts")).await?;
    let drain = config.http.limits.drain_timeout;
    let server = match listen(config, logs, &tasks, &node).await {
        Ok(server) => server,
        Err(error) => {
            // Background work that is merely cut off would log faults of its own.
            tasks.shutdown(drain.mul_f64(DRAIN_TASKS)).await;
            return Err(error);
        }
    };
    announce(config, &server);

    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(stop.clone()));
    let signal = signals.received().await;
    tracing::info!(%signal, "received signal, finishing requests under way");
    stop.cancel();
    let drained = serving.await.context("serve")?;
    let unfinished = tasks.shutdown(drain.mul_f64(DRAIN_TASKS)).await;
    node.close(drain.mul_f64(DRAIN_STORAGE)).await.context("close the storage")?;
    tracing::info!(cut = drained.cut, ?unfinished, "stopped");
    Ok(())
}

async fn listen(config: &Config, logs: &LogGuard, tasks: &Tasks, node: &Node) -> anyhow::Result<Server> {
    let audit = config.log.audit.as_ref().map(AuditLog::open).transpose()?;
    reopen_on_hangup(tasks, logs, audit.clone())?;
    let access = logs.handle().access_log();
    let gateway = Gateway::new(node.registry(), Options::configured(&config.http)?, Health::new(), Logs { access, audit });
    let drain_timeout = config.http.limits.drain_timeout.mul_f64(DRAIN_REQUESTS);
    let options = ServerOptions { drain_timeout, ..ServerOptions::configured(&config.http) };
    Ok(Server::bind(&config.http.listen_address(), tls(config, tasks)?, Arc::new(gateway), &options).await?)
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::Debug => LogLevel::Debug,
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}

/// Loads the certificate, and keeps looking for a newer one.
fn tls(config: &Config, tasks: &Tasks) -> anyhow::Result<Option<Arc<TlsSource>>> {
    let Some(files) = zot_gateway::tls_files(&config.http) else { return Ok(None) };
    let source = Arc::new(TlsSource::load(files)?);
    tasks.spawn("reload-certificates", Arc::clone(&source).watch(RELOAD_POLL, tasks.stop()));
    Ok(Some(source))
}

/// Opens the log files anew at SIGHUP, after they were moved aside.
fn reopen_on_hangup(tasks: &Tasks, logs: &LogGuard, audit: Option<AuditLog>) -> anyhow::Result<()> {
    let mut signals = ReloadSignals::listen().context("listen for signals")?;
    let (logs, stop) = (logs.handle(), tasks.stop());
    tasks.spawn("reopen-logs", async move {
        while stop.run_until_cancelled(signals.received()).await.is_some() {
            let reopened = logs.reopen().and_then(|()| audit.as_ref().map_or(Ok(()), AuditLog::reopen));
            match reopened {
                Ok(()) => tracing::info!("log files are open anew"),
                Err(error) => tracing::error!(error = %telemetry::chain(&error), "could not open the log files anew"),
            }
        }
    });
    Ok(())
}

fn announce(config: &Config, server: &Server) {
    let address = server.address();
    if config.http.port == 0 {
        tracing::info!(port = address.port(), address = %address.ip(), "port is unspecified, listening on kernel chosen port");
    }
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    tracing::info!(%address, "serving {scheme}://{address}, push with: docker push {address}/<repository>:<tag>");
}

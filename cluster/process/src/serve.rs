//! The life of a process that serves: configuration, logs, threads, its part of the registry, a signal, and the end.

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::sync::{Mutex, Notify, watch};
use zot_config::{Config, Loaded};
use zot_runtime::{
    descriptors,
    file_watch::RELOAD_POLL,
    shutdown::{ShutdownSignal, ShutdownSignals},
    tasks::Tasks,
    telemetry::{self, AuditLog, LogHandle},
    tls::TlsSource,
};

use crate::{
    ending::{Ending, Step},
    output, plane_tls_files,
    reload::Reload,
    reopen,
};

/// Threads that may block wait for the disk most of the time; more of them would only cost memory.
const BLOCKING_THREADS_MAX: usize = 64;

/// What every part of a serving process has at hand.
pub struct Process {
    /// The configuration.
    pub config: Config,
    /// The logs.
    pub logs: LogHandle,
    /// The audit log, if there is to be one.
    pub audit: Option<AuditLog>,
    /// What runs in the background.
    pub tasks: Tasks,
    /// How many files and connections may be open at a time, if there is a limit.
    pub descriptors_max: Option<u64>,
    /// The time that it may take to end.
    pub ending: Arc<Ending>,
    signals: Mutex<ShutdownSignals>,
    configurations: watch::Receiver<Arc<Config>>,
}

/// Serves what `run` opens until it returns. It is to wait for [`Process::signal`], and to drain.
pub fn serve(path: &Path, run: impl AsyncFnOnce(&Process) -> anyhow::Result<()>) -> ExitCode {
    let read = Reload::state_of(path);
    let Some((loaded, logs)) = output::begin(path) else { return ExitCode::FAILURE };
    let reload = Reload::new(path, &loaded.config, read);
    telemetry::log_panics();
    let served = runtime().and_then(|runtime| {
        let mut left = Duration::ZERO;
        let served = runtime.block_on(async {
            let process = Process::start(loaded, reload, logs.handle())?;
            let served = run(&process).await;
            left = process.ending.left_for(Step::Storage);
            served
        });
        // Work that blocks cannot be dropped, and may wait for a disk that never answers.
        runtime.shutdown_timeout(left);
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %telemetry::chain(error.as_ref()), "could not serve");
            output::tell(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS_MAX).build();
    runtime.context("start threads")
}

impl Process {
    fn start(loaded: Loaded, reload: Reload, logs: LogHandle) -> anyhow::Result<Self> {
        let Loaded { config, warnings } = loaded;
        let signals = Mutex::new(ShutdownSignals::listen().context("listen for signals")?);
        tracing::info!(params = %serde_json::to_string(&config)?, "configuration settings");
        output::warn(&warnings);
        let descriptors_max = descriptors::raise_limit();
        let tasks = Tasks::new();
        let audit = config.log.audit.as_ref().map(AuditLog::open).transpose()?;
        let (configurations, hangup) = (reload.follow(), Arc::new(Notify::new()));
        reopen::on_hangup(&tasks, &logs, audit.clone(), Arc::clone(&hangup))?;
        reload.start(&tasks, hangup);
        let ending = Arc::new(Ending::within(config.http.limits.drain_timeout));
        Ok(Self { config, logs, audit, tasks, descriptors_max, ending, signals, configurations })
    }

    /// The certificate of the internal plane, for both of its ends, if there is to be one; a newer one is looked for from now on.
    pub fn plane_tls(&self) -> anyhow::Result<Option<Arc<TlsSource>>> {
        let Some(files) = self.config.cluster.as_ref().and_then(plane_tls_files) else { return Ok(None) };
        let source = Arc::new(TlsSource::load(files)?);
        self.tasks.spawn("reload-cluster-certificates", Arc::clone(&source).watch(RELOAD_POLL, self.tasks.stop()));
        Ok(Some(source))
    }

    /// The configuration, and each one after it that the file makes while the process runs. Only what can be taken up without a restart
    /// ever differs from [`Process::config`].
    pub fn configurations(&self) -> watch::Receiver<Arc<Config>> {
        self.configurations.clone()
    }

    /// Waits until somebody wants the process to end.
    pub async fn signal(&self) {
        let signal = self.received().await;
        tracing::info!(%signal, "received signal, finishing requests under way");
    }

    /// Waits for what has to be there before anybody is served. Nothing if somebody wants the process to end before it is: it is given up then,
    /// wherever it was.
    pub async fn unless_signalled<T>(&self, opening: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            opened = opening => Some(opened),
            signal = self.received() => {
                tracing::info!(%signal, "received signal before anybody was served");
                None
            }
        }
    }

    async fn received(&self) -> ShutdownSignal {
        let signal = self.signals.lock().await.received().await;
        self.ending.begin();
        signal
    }

    /// Ends what runs in the background. Returns the names of what did not end in time.
    pub async fn end_tasks(&self) -> Vec<String> {
        self.tasks.shutdown(self.ending.left_for(Step::Tasks)).await
    }
}

//! `zot rebuild`: metadata from the image layouts alone.

use std::{path::Path, process::ExitCode};

use indicatif::{ProgressBar, ProgressStyle};
use zot_node::Rebuilt;
use zot_process::output;
use zot_runtime::telemetry;

/// Throws the metadata away and reads it anew.
pub(crate) fn rebuild(path: &Path) -> ExitCode {
    let Some((loaded, _logs)) = output::begin(path) else { return ExitCode::FAILURE };
    output::warn(&loaded.warnings);
    let bar = progress_bar();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let rebuilt = runtime.block_on(zot_node::rebuild(&loaded.config, &progress));
    bar.finish_and_clear();
    match rebuilt {
        Ok(stores) => {
            for (root, Rebuilt { repositories, manifests, tags, blobs, damaged }) in stores {
                tracing::info!(root, repositories, manifests, tags, blobs, damaged, "rebuilt the metadata");
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// Drawn on a terminal only.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} repositories, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    output::tell(telemetry::chain(error));
    tracing::error!(error = %telemetry::chain(error), "could not rebuild the metadata");
    ExitCode::FAILURE
}

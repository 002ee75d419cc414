//! What a cluster says of itself, as text for people.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use zot_cluster::{NodeId, Status, Storage};

/// Draws a status as tables: the members, then the jobs.
pub(super) fn draw(status: &Status, shares: &BTreeMap<NodeId, u64>, now: SystemTime) -> String {
    let view = &status.view;
    let leader = status.leader.map_or_else(|| "none".to_owned(), |id| name(status, id));
    let storage = match view.storage {
        Storage::Shared => "shared",
        Storage::Local => "local",
    };
    let mut text = format!("view {}, leader {leader} (term {}), {storage} storage\n\n", view.number, status.term);
    let mut rows = vec![["NODE", "ID", "ADDRESS", "STATE", "SHARE"].map(str::to_owned)];
    rows.extend(view.members.iter().map(|member| {
        let share = shares.get(&member.id).map_or_else(|| "-".to_owned(), |share| format!("{}.{} %", share / 10, share % 10));
        [member.name.clone(), member.id.to_string(), member.address.clone(), member.state.to_string(), share]
    }));
    align(&mut text, &rows);
    if !status.jobs.is_empty() {
        let mut rows = vec![["JOB", "HELD BY", "EPOCH", "LAST RUN", "RESULT"].map(str::to_owned)];
        rows.extend(status.jobs.iter().map(|job| {
            let holder = job.holder.map_or_else(|| "-".to_owned(), |id| name(status, id));
            let last_run = job.last_run_unix_ms.map_or_else(|| "never".to_owned(), |at| ago(at, now));
            [job.name.clone(), holder, job.epoch.to_string(), last_run, job.last_result.clone().unwrap_or_default()]
        }));
        text.push('\n');
        align(&mut text, &rows);
    }
    text
}

fn name(status: &Status, id: NodeId) -> String {
    status.view.member(id).map_or_else(|| id.to_string(), |member| member.name.clone())
}

/// Writes rows with each column as wide as its widest cell.
fn align<const COLUMNS: usize>(text: &mut String, rows: &[[String; COLUMNS]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        // Writing to a string cannot fail.
        writeln!(text, "{}", cells.join("  ").trim_end()).ok();
    }
}

/// How long ago a time was, in its largest unit.
fn ago(unix_ms: u64, now: SystemTime) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(unix_ms);
    let seconds = now.duration_since(at).unwrap_or_default().as_secs();
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::cluster::example;

    #[test]
    fn members_and_jobs_are_told_in_columns() {
        let status = example::status();
        let drawn = draw(&status, &BTreeMap::from([(NodeId(1), 1000)]), UNIX_EPOCH + Duration::from_secs(1_125));
        let expected = "\
view 7, leader node1 (term 4), shared storage

NODE   ID                ADDRESS     STATE  SHARE
node1  0000000000000001  node1:9090  up     100.0 %
node2  000000000000002a  node2:9090  down   -

JOB           HELD BY  EPOCH  LAST RUN   RESULT
reap-uploads  node1    3      2 min ago  2 uploads
";
        assert_eq!(drawn, expected);
    }
}

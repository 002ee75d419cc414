//! The units, read by systemd.

use std::{fs, process::Command};

use tempfile::TempDir;

use super::{find, path, run, text};

const UNITS: [&str; 3] = ["zot.service", "zot-gateway.service", "zot-node.service"];

/// How exposed a unit may be, of 100, as systemd reckons.
const EXPOSURE_MAX: u32 = 15;

/// The units with programs that are there, as systemd wants to see them.
fn installed() -> TempDir {
    let directory = TempDir::new().unwrap();
    for unit in UNITS {
        let program = directory.path().join(unit.strip_suffix(".service").unwrap());
        fs::copy("/bin/true", &program).unwrap();
        let here = text(&format!("systemd/{unit}")).replace("=/usr/bin/zot", &format!("={}/zot", directory.path().display()));
        fs::write(directory.path().join(unit), here).unwrap();
    }
    directory
}

#[test]
fn systemd_takes_every_unit_without_a_warning() {
    let Some(analyze) = find("systemd-analyze", "systemd::systemd_takes_every_unit_without_a_warning") else { return };
    let units = installed();
    let mut command = Command::new(analyze);
    command.arg("verify").args(UNITS.map(|unit| units.path().join(unit)));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("zot")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn units_may_do_little() {
    let Some(analyze) = find("systemd-analyze", "systemd::units_may_do_little") else { return };
    for unit in UNITS {
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        run(Command::new(&analyze).args(["security", "--no-pager", "--offline=true", &threshold]).arg(path("systemd").join(unit)));
    }
}

#[test]
fn each_unit_starts_the_program_of_its_name() {
    for unit in UNITS {
        let program = unit.strip_suffix(".service").unwrap();
        let text = text(&format!("systemd/{unit}"));
        assert!(text.contains(&format!("\nExecStart=/usr/bin/{program} serve /etc/zot/config.json\n")), "{unit}");
        assert_eq!(text.contains("StateDirectory="), program != "zot-gateway", "gateways keep nothing");
    }
}

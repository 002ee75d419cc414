//! The instruments are tested too: a power cut that loses nothing would prove nothing.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
};

use super::{Disk, Frozen, LAZY, PLAIN};

#[test]
fn a_power_cut_keeps_what_was_synced_and_loses_the_rest() {
    for flavour in [LAZY, PLAIN] {
        let Some(disk) = Disk::new("a_power_cut_keeps_what_was_synced_and_loses_the_rest", 64, flavour) else { return };
        let mut synced = File::create(disk.path().join("synced")).unwrap();
        synced.write_all(b"kept").unwrap();
        synced.sync_all().unwrap();
        fs::write(disk.path().join("forgotten"), b"lost").unwrap();
        let copy = disk.copy();
        synced.write_all(b"and what comes later").unwrap();
        synced.sync_all().unwrap();
        drop(synced);
        disk.go_on_from(&copy);
        assert_eq!(fs::read(disk.path().join("synced")).unwrap(), b"kept");
        assert!(!disk.path().join("forgotten").exists());
    }
}

#[test]
fn a_disk_that_fails_takes_and_gives_nothing() {
    let Some(disk) = Disk::new("a_disk_that_fails_takes_and_gives_nothing", 64, PLAIN) else { return };
    let file = disk.path().join("file");
    fs::write(&file, b"1").unwrap();
    disk.fail();
    assert!(fs::read(&file).is_err() && fs::write(&file, b"2").is_err());
    disk.mount_again();
    fs::write(&file, b"3").unwrap();
}

#[test]
fn a_full_disk_takes_nothing_until_it_has_space_again() {
    let Some(disk) = Disk::new("a_full_disk_takes_nothing_until_it_has_space_again", 32, PLAIN) else { return };
    disk.fill(0);
    let refused = fs::write(disk.path().join("more"), [0; 65536]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    disk.free();
    fs::write(disk.path().join("more"), [0; 65536]).unwrap();
}

#[test]
fn a_frozen_file_refuses_those_who_have_it_open() {
    let Some(disk) = Disk::new("a_frozen_file_refuses_those_who_have_it_open", 32, PLAIN) else { return };
    let mut open = File::create(disk.path().join("file")).unwrap();
    let frozen = Frozen::new(&disk.path().join("file"));
    assert!(open.write_all(b"1").is_err());
    drop(frozen);
    open.write_all(b"1").unwrap();
}

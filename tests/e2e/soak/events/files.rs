//! What happens to the files, and to the disks that they are on.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;

use testing::Random;

use crate::soak::site::{CONF, Site};
use crate::soak::truth::Truth;

#[track_caller]
fn differs(site: &Site) -> Truth {
    let truth = site.truth();
    assert!(matches!(truth, Truth::Differs(_)), "{truth:?}");
    truth
}

/// The conf is saved as vim does: under its name is another file then, which the container does not see.
pub(in crate::soak) fn vim(site: &mut Site, random: &mut Random) -> usize {
    let conf = site.bed.tree().join(CONF);
    let new = conf.with_extension("new");
    let before = std::fs::metadata(&conf).unwrap();
    let text = std::fs::read_to_string(&conf).unwrap();
    let (text, is_changed) = match random.below(3) {
        0 => (text.replace("work_mem = ", "work_mem = 7MB # "), true),
        1 => (text + "# a remark\n", false),
        _ => (text, false),
    };
    std::fs::write(&new, text).unwrap();
    chown(&new, Some(before.uid()), Some(before.gid())).unwrap();
    std::fs::rename(&new, &conf).unwrap();
    let (status, verify) = site.agree(&differs(site));
    verify.says(&["KDB704"]);
    status.says(&[if is_changed { "files differ: " } else { "restart pending: file " }]);
    site.apply().says(&["stop: "]);
    1
}

/// The conf is edited in place, and the server reads it, or not yet.
pub(in crate::soak) fn in_place(site: &mut Site, random: &mut Random) -> usize {
    let other = *random.pick(&["3MB", "7MB"]);
    site.bed.edit_conf(|conf| conf.replace("work_mem = ", &format!("work_mem = {other} # ")));
    if random.chance(50) {
        site.bed.sql("SELECT pg_reload_conf()");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    site.agree(&differs(site)).0.says(&["files differ: "]);
    let before = site.bed.identity();
    site.apply().says(&["reload: "]);
    assert_eq!(site.bed.identity(), before);
    0
}

/// The conf is moved away, and comes back.
pub(in crate::soak) fn renamed(site: &mut Site, _: &mut Random) -> usize {
    let (conf, away) = (site.bed.tree().join(CONF), site.bed.tree().join("conf/database/away"));
    std::fs::rename(&conf, &away).unwrap();
    let truth = differs(site);
    let (status, verify) = (site.bed.run("status"), site.bed.run("verify --no-probe"));
    let codes = (status.code.unwrap(), verify.code.unwrap());
    assert!(codes.0 != 0 && codes.1 != 0, "{truth:?}, and {codes:?}:\n{}\n{}", status.stdout, verify.stdout);
    status.says(&["postgresql.conf"]);
    let before = site.bed.identity();
    let apply = site.bed.run("apply --yes");
    assert!(matches!(apply.code, Some(1 | 4)), "{:?}: {}", apply.code, apply.stderr);
    assert_eq!(site.bed.identity(), before);
    std::fs::rename(away, conf).unwrap();
    0
}

/// The conf belongs to somebody else, and the server's user cannot read it any more.
pub(in crate::soak) fn owner(site: &mut Site, random: &mut Random) -> usize {
    let conf = site.bed.tree().join(CONF);
    let mode = std::fs::metadata(&conf).unwrap().mode() & 0o7777;
    std::fs::set_permissions(&conf, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    chown(&conf, Some(0), Some(0)).unwrap();
    let (status, verify) = site.agree(&differs(site));
    status.says(&["server "]);
    verify.says(&["FAIL  file"]);
    site.declare_restart();
    let before = site.bed.identity();
    let run =
        site.bed.run("apply --yes").expect(4).says(&["the server's user (", "KDB722", "nothing changed"]);
    assert_eq!(site.bed.identity(), before);
    site.fix_on_host(&run, "chown");
    if random.chance(50) {
        std::fs::set_permissions(&conf, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    site.apply();
    std::fs::set_permissions(&conf, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    1
}

/// Fills a disk but for so many bytes.
fn fill(folder: &Path, but: u64) -> std::path::PathBuf {
    let filler = folder.join("filler");
    let disk = rustix::fs::statvfs(folder).unwrap();
    let length = (disk.f_bavail * disk.f_frsize).saturating_sub(but);
    let filled = Command::new("fallocate").arg("-l").arg(length.to_string()).arg(&filler).status().unwrap();
    assert!(filled.success());
    filler
}

/// The disk of the log is full: what is audited is lost.
pub(in crate::soak) fn log_full(site: &mut Site, random: &mut Random) -> usize {
    let filler = fill(&site.bed.tree().join("log/postgres"), 0);
    // What is left of the last block of the log's file.
    let mut filled = 0;
    while filled < 8 {
        site.bed.sql(&format!("SELECT '{}' FROM pg_class LIMIT 1", "x".repeat(1000)));
        filled += 1;
    }
    site.bed.run("status --deep").expect(2).says(&["server differs: log"]);
    // The probe waits for its entries.
    if random.chance(30) {
        site.bed.run("verify").expect(9).says(&["is full", "free space on that disk"]);
    }
    std::fs::remove_file(filler).unwrap();
    site.bed.run("status --deep").expect(0);
    site.bed.run("verify").expect(0);
    0
}

/// The disk of the data is almost full: the server runs, and would not start.
pub(in crate::soak) fn data_full(site: &mut Site, random: &mut Random) -> usize {
    let filler = fill(&site.bed.root.join("data"), (1 + random.below(30) as u64) << 20);
    site.declare_restart();
    let before = site.bed.identity();
    let run = site.bed.run("apply --yes").expect(4);
    run.says(&["the file system of the data directory is full", "KDB722", "nothing changed"]);
    assert_eq!(site.bed.identity(), before);
    std::fs::remove_file(filler).unwrap();
    site.apply();
    1
}

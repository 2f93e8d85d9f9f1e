//! Statements that override the files.

use testing::Random;

use crate::bed::Run;
use crate::soak::site::Site;
use crate::soak::truth::Truth;

#[track_caller]
fn differs(site: &Site, says: &[&str]) -> Run {
    let truth = site.settled(|truth| matches!(truth, Truth::Differs(_)));
    assert!(matches!(truth, Truth::Differs(_)), "{truth:?}");
    // The statement may have run before the server has read its files.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let (status, verify) = site.agree(&truth);
    status.says(&["server differs: "]);
    verify.says(says)
}

/// A value that a reload brings.
pub(in crate::soak) fn alter_system(site: &mut Site, random: &mut Random) -> usize {
    let (name, value) = *random.pick(&[("work_mem", "'5MB'"), ("pgaudit.log", "'none'")]);
    site.bed.sql(&format!("ALTER SYSTEM SET {name} = {value}"));
    site.bed.sql("SELECT pg_reload_conf()");
    let verify = differs(site, &["KDB709", "postgresql.auto.conf"]);
    site.fix_in_psql(&verify, "ALTER SYSTEM RESET");
    0
}

/// A value that the next start would bring: nothing is stopped for it, and nothing stops with it.
pub(in crate::soak) fn alter_system_for_later(site: &mut Site, random: &mut Random) -> usize {
    let value = *random.pick(&["max_connections = 90", "shared_preload_libraries = 'pgaudit,pg_cron'"]);
    site.bed.sql(&format!("ALTER SYSTEM SET {value}"));
    if random.chance(50) {
        site.bed.sql("SELECT pg_reload_conf()");
    }
    let verify = differs(site, &["KDB721"]);
    if random.chance(50) {
        site.declare_restart();
        let before = site.bed.identity();
        let run = site.bed.run("apply --yes").expect(4).says(&["ALTER SYSTEM RESET", "nothing changed"]);
        assert_eq!(site.bed.identity(), before);
        site.fix_in_psql(&run, "ALTER SYSTEM RESET");
        site.apply();
        return 1;
    }
    site.fix_in_psql(&verify, "ALTER SYSTEM RESET");
    0
}

/// A value for a database.
pub(in crate::soak) fn alter_database(site: &mut Site, random: &mut Random) -> usize {
    let (name, value) = *random.pick(&[("work_mem", "'5MB'"), ("pgaudit.log", "'none'")]);
    site.bed.sql(&format!("ALTER DATABASE kasm SET {name} = {value}"));
    let verify = differs(site, &["KDB709", "in the database kasm"]);
    site.fix_in_psql(&verify, "ALTER DATABASE kasm RESET");
    0
}

/// A value for a role, or for all.
pub(in crate::soak) fn alter_role(site: &mut Site, random: &mut Random) -> usize {
    let role = *random.pick(&["kasmapp", "ALL", "kasmapp IN DATABASE kasm"]);
    let (name, value) = *random.pick(&[("work_mem", "'5MB'"), ("pgaudit.log", "'none'")]);
    site.bed.sql(&format!("ALTER ROLE {role} SET {name} = {value}"));
    let verify = differs(site, &["KDB709"]);
    site.fix_in_psql(&verify, &format!("ALTER ROLE {role} RESET"));
    0
}

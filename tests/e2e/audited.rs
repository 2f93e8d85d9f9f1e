//! What kasm-db itself leaves in the audit log, where everything is audited.

use crate::bed::{Bed, names};

/// A deployment in order in which everything is audited, with the name of the application in each line.
fn audited() -> Bed {
    let bed = Bed::in_order();
    bed.edit_conf(|conf| {
        conf.replace("'read, write, ddl'", "'all'").replace("%u@%d ", "%u@%d %a ")
            + "pgaudit.log_catalog = on\npgaudit.log_relation = off\ndatestyle = 'iso, ymd'\n"
    });
    bed.sql("SELECT pg_reload_conf()");
    let path = bed.document("settings: {datestyle: 'iso, ymd'}\n");
    let text = std::fs::read_to_string(&path).unwrap();
    let all = "classes: [all]\n  log_catalog: true\n  log_relation: false\n";
    std::fs::write(&path, text.replace("classes: [read, write, ddl]\n", all)).unwrap();
    bed
}

/// Returns the lines of the server's log that are not in `before`.
fn new_lines(bed: &Bed, before: usize) -> Vec<String> {
    // The log has a process of its own: what comes last shows that the rest is there.
    bed.sql("SELECT 'behind all'");
    loop {
        let text = log(bed)[before..].to_string();
        if text.contains("behind all") {
            return text.lines().filter(|line| !line.contains("behind all")).map(String::from).collect();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn log(bed: &Bed) -> String {
    let folder = bed.tree().join("log/postgres");
    std::fs::read_to_string(folder.join(&names(&folder)[0])).unwrap()
}

/// Returns the entries of sessions that are not those of the probe, each of which must name the program.
#[track_caller]
fn entries(lines: &[String]) -> Vec<&String> {
    let pid = |line: &str| line.split(['[', ']']).nth(1).unwrap_or_default().to_string();
    let is_probe = |line: &&String| line.contains("kasm-db probe");
    let probe: Vec<String> = lines.iter().filter(is_probe).map(|line| pid(line)).collect();
    let audit: Vec<_> = lines.iter().filter(|line| line.contains("AUDIT: SESSION")).collect();
    assert!(audit.iter().all(|line| line.contains("kasmapp@kasm kasm-db ")), "{audit:#?}");
    audit.into_iter().filter(|line| !probe.contains(&pid(line))).collect()
}

#[test]
fn status_and_verify_leave_at_most_three_entries_each_and_name_themselves() {
    let bed = audited();
    for command in ["status", "verify", "verify --no-probe"] {
        // The first one waits until the server has read its files.
        while bed.run(command).code != Some(0) {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        new_lines(&bed, 0);
        let before = log(&bed).len();
        bed.run(command).expect(0);
        let lines = new_lines(&bed, before);
        let entries = entries(&lines);
        assert!((1..=3).contains(&entries.len()), "{command}: {entries:#?}");
        println!("{command}: {} entries besides the probe's, {} lines", entries.len(), lines.len());
    }
}

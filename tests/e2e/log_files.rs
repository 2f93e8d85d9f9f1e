//! Which files `status` knows as those of the log, while settings of the log change.

use serde_json::Value;

use crate::bed::{Bed, engine};

const IF_NEEDED: &str = "restart:\n  policy: if_needed\n  timeout: 60s\n";

/// Returns what `status` says of the log: the file of now, the number of those by the settings of now, and the names of the
/// others.
fn log(bed: &Bed) -> (String, u64, Vec<String>, Vec<String>) {
    let run = bed.run("status --format json");
    let status: Value = serde_json::from_str(&run.stdout).unwrap();
    let log = &status["targets"][0]["log"];
    let name = |path: &Value| path.as_str().unwrap().rsplit('/').next().unwrap().to_string();
    let names = |list: &Value| list.as_array().unwrap().iter().map(name).collect();
    (name(&log["now"]), log["current"].as_u64().unwrap(), names(&log["earlier"]), names(&log["other"]))
}

/// Waits until the server writes its log to a file of this name.
fn wait(bed: &Bed, name: &str) {
    let current = "SELECT coalesce(pg_current_logfile(), pg_current_logfile('csvlog'))";
    while !bed.sql(current).ends_with(name) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn files_of_earlier_names_folders_and_formats_stay_known() {
    let bed = Bed::in_order();
    // Where the container has it.
    let inside = match engine() {
        Some(_) => "/var/log/postgres".to_string(),
        None => bed.tree().join("log/postgres").display().to_string(),
    };
    bed.document("settings: {log_filename: 'first.log'}\nrestart: {policy: if_needed, timeout: 60s}\n");
    bed.edit_conf(|conf| conf.replace("postgresql-%m-%d.log", "first.log"));
    bed.bin("stop");
    bed.start();
    let folder = bed.tree().join("log/postgres");
    for entry in
        std::fs::read_dir(&folder).unwrap().flatten().filter(|entry| entry.file_name() != "first.log")
    {
        std::fs::remove_file(entry.path()).unwrap();
    }
    assert_eq!(log(&bed), ("first.log".into(), 1, vec![], vec![]));
    let run = bed.run("status").expect(0);
    assert!(!run.stdout.contains("log:"), "{}", run.stdout);

    // Another name, by an apply.
    bed.document(&format!("settings: {{log_filename: 'second.log'}}\n{IF_NEEDED}"));
    bed.run("apply --yes").expect(0);
    wait(&bed, "second.log");
    assert_eq!(log(&bed), ("second.log".into(), 1, vec!["first.log".into()], vec![]));
    bed.run("status").expect(0).says(&["server in sync; log: 2 files, 1 by earlier settings\n"]);

    // Another folder.
    std::fs::create_dir(folder.join("new")).unwrap();
    std::os::unix::fs::chown(folder.join("new"), Some(bed.user()), Some(bed.user())).unwrap();
    let elsewhere = format!("log_filename: 'second.log', log_directory: '{inside}/new'");
    bed.document(&format!("settings: {{{elsewhere}}}\n{IF_NEEDED}"));
    if engine().is_some() {
        bed.run("apply --yes").expect(0);
        wait(&bed, "new/second.log");
        let earlier = vec!["first.log".to_string(), "second.log".to_string()];
        assert_eq!(log(&bed), ("second.log".into(), 1, earlier.clone(), vec![]));

        // Another format: the files of all formats are by the settings of now.
        bed.document(&format!("settings: {{{elsewhere}, log_destination: csvlog}}\n{IF_NEEDED}"));
        bed.run("apply --yes").expect(0);
        wait(&bed, "new/second.csv");
        assert_eq!(log(&bed), ("second.csv".into(), 2, earlier.clone(), vec![]));

        // What somebody else sets on the server counts, too; and what nobody knows is told apart.
        bed.sql("ALTER SYSTEM SET log_filename = 'third.log'");
        bed.sql("SELECT pg_reload_conf()");
        wait(&bed, "new/third.csv");
        std::fs::write(folder.join("new/export.csv"), "a,b\n").unwrap();
        let mut all = earlier;
        all.splice(0..0, ["second.csv".to_string(), "second.log".to_string()]);
        // The server keeps a file for what is no message of its own, whatever the format.
        assert_eq!(log(&bed), ("third.csv".into(), 2, all, vec!["export.csv".into()]));
        bed.run("status").says(&["; log: 7 files, 4 by earlier settings, 1 by no setting that is known\n"]);
    }
}

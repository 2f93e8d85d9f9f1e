use pgconf::value::{Type, Unit, check, same};

use super::*;

#[test]
fn the_table_is_sorted_and_its_rows_do_not_overlap() {
    for (a, b) in table::SETTINGS.iter().zip(table::SETTINGS.iter().skip(1)) {
        match compare(a.name, b.name) {
            Ordering::Less => {}
            Ordering::Equal => assert!(a.last < b.first, "{}", a.name),
            Ordering::Greater => panic!("{} stands before {}", a.name, b.name),
        }
    }
    for row in table::SETTINGS {
        assert!(MAJORS.contains(&row.first) && MAJORS.contains(&row.last) && row.first <= row.last);
    }
}

#[test]
fn every_word_of_an_enum_is_a_value_of_it() {
    for row in table::SETTINGS {
        let Type::Enum { values, aliases } = row.value else { continue };
        for word in values.iter().chain(aliases.iter().flat_map(|(word, meaning)| [word, meaning])) {
            assert_eq!(check(&row.value, word.as_bytes()), Ok(()), "{} = {word}", row.name);
        }
        for (word, meaning) in aliases {
            assert!(same(&row.value, word.as_bytes(), meaning.as_bytes()), "{} = {word}", row.name);
        }
    }
}

#[test]
fn a_name_is_found_in_any_letter_case() {
    assert_eq!(lookup("WORK_mem", 15).map(|row| row.name), Some("work_mem"));
    assert_eq!(lookup("datestyle", 15).map(|row| row.name), Some("DateStyle"));
    assert_eq!(lookup("work_me", 15), None);
    assert_eq!(lookup("", 15), None);
    assert_eq!(lookup("wörk_mem", 15), None);
}

#[test]
fn a_name_is_found_in_its_majors_only() {
    assert_eq!(lookup("wal_keep_size", 12), None);
    assert_eq!(known_in("wal_keep_size"), [13, 14, 15, 16, 17, 18]);
    assert_eq!(known_in("wal_keep_segments"), [12]);
    assert!(known_in("work_mems").is_empty());
    assert_eq!(lookup("work_mem", 11), None);
    assert_eq!(lookup("work_mem", 19), None);
}

#[test]
fn a_row_holds_for_the_majors_that_agree() {
    let kind = |major| lookup("log_connections", major).map(|row| row.value);
    assert_eq!(kind(17), Some(Type::Bool));
    assert_eq!(kind(18), Some(Type::String));
    let min = |major| match lookup("maintenance_work_mem", major).map(|row| row.value) {
        Some(Type::Integer { unit: Unit::KB, min, .. }) => min,
        other => panic!("{other:?}"),
    };
    assert_eq!((min(16), min(17)), (1024, 64));
    assert_eq!(lookup("restore_command", 13).map(|row| row.context.needs()), Some(Needs::Restart));
    assert_eq!(lookup("restore_command", 14).map(|row| row.context.needs()), Some(Needs::Reload));
}

#[test]
fn an_old_name_finds_the_setting_of_today() {
    assert_eq!(lookup("sort_mem", 12).map(|row| row.name), Some("work_mem"));
    assert_eq!(lookup("ssl_ecdh_curve", 17).map(|row| row.name), Some("ssl_ecdh_curve"));
    assert_eq!(lookup("SSL_ecdh_curve", 18).map(|row| row.name), Some("ssl_groups"));
}

#[test]
fn a_context_tells_what_a_change_needs() {
    let needs = |name| lookup(name, 15).map(|row| row.context.needs());
    assert_eq!(needs("shared_preload_libraries"), Some(Needs::Restart));
    assert_eq!(needs("log_line_prefix"), Some(Needs::Reload));
    assert_eq!(needs("work_mem"), Some(Needs::Reload));
    assert_eq!(needs("server_version"), Some(Needs::Impossible));
}

#[test]
fn a_slip_of_the_finger_finds_the_setting() {
    assert_eq!(nearest("wrok_mem", 15), Some("work_mem"));
    assert_eq!(nearest("shared_bufers", 15), Some("shared_buffers"));
    assert_eq!(nearest("Datestile", 12), Some("DateStyle"));
    assert_eq!(nearest("wal_keep_sise", 13), Some("wal_keep_size"));
    assert_eq!(nearest("wal_keep_sise", 12), None);
    assert_eq!(nearest("server_versio", 15), None);
    assert_eq!(nearest("work.mem", 15), None);
    assert_eq!(nearest("", 15), None);
}

//! Texts of postgresql.conf that nobody would write, the same in every run.

use testing::{Memory, Random};

fn pick<'a>(random: &mut Random, of: &[&'a [u8]]) -> &'a [u8] {
    of[random.below(of.len())]
}

/// Names and values that fit them, in many spellings.
const SETTINGS: &[(&[u8], &[&[u8]])] = &[
    (b"shared_preload_libraries", LISTS),
    (b"shared_preload_libraries", LISTS),
    (b"pgaudit.log", &[b"none", b"READ", b"'read, write,ddl'", b"'all,-misc'", b"'\\162ead'", b"''", b"all"]),
    (b"pgaudit.log_catalog", &[b"on", b"off", b"'f'", b"1", b"'Yes'"]),
    (b"pgaudit.role", &[b"''", b"auditor", b"'it''s'"]),
    (b"work_mem", &[b"4MB", b"'4 MB'", b"5120", b"0x1400", b"5120kB", b"'5242880 B'", b"04MB"]),
    (b"shared_buffers", &[b"128MB", b"'64MB'", b"16384", b"131072kB"]),
    (b"max_connections", &[b"100", b"'100'", b"20", b"+30", b"0x20"]),
    (b"log_min_duration_statement", &[b"-1", b"250", b"250ms", b"'1 min'", b"0.25", b"'.5s'"]),
    (b"random_page_cost", &[b"4", b"4.0", b"1.1", b"'1.25'", b"1e1", b".5"]),
    (b"enable_seqscan", &[b"on", b"off", b"TRUE", b"'no'", b"0", b"y"]),
    (b"log_statement", &[b"none", b"ddl", b"'MOD'", b"All"]),
    (b"log_line_prefix", &[b"''", b"'%m [%p] '", b"'%t \\t#'", b"'q\\'q'", b"'a\\\\'", b"'\xff\xfe'"]),
    (b"search_path", &[b"'\"$user\", public'", b"public", b"'a''b'"]),
    (b"DateStyle", &[b"'iso, mdy'", b"'ISO, DMY'", b"german"]),
    (b"custom.one", &[b"1", b"'two'", b"three-4", b"a:b/c", b"0.5", b"'\\n\\r\\f\\b\\7'"]),
    (b"kasm.text", &[b"x", b"'# no comment'", b"'= 1'", b"'\\''''"]),
];

const LISTS: &[&[u8]] = &[
    b"''",
    b"pgaudit",
    b"'pgaudit'",
    b"'$libdir/pgaudit'",
    b"'auto_explain'",
    b"'auto_explain,pgaudit'",
    b"'\"auto_explain\" , auth_delay'",
    b"' auto_explain ,\\tauth_delay '",
    b"auto_explain",
    b"'\"pgaudit\"'",
    b"'auth_delay,auto_explain'",
];

const JUNK: &[&[u8]] = &[
    b"work_mem 8 MB",
    b"[section]",
    b"port = 5432 5433",
    b"= on",
    b"log_line_prefix = 'open",
    b"a.b.c = 1",
    b"work_men = 4MB",
    b"search_path = a,b",
    b"include 'missing.conf'",
    b"include ''",
    b"random_page_cost = 1.5GB",
    b"name-with-dash = 1",
    b"lc_messages = en_US.utf8",
    b"\xef\xbb\xbf# mark",
    b"\"work_mem\" = 1MB",
    b"checkpoint_segments = 3",
    b"wal_keep_segments = 8",
    b"kasm.text = \\n",
    b"\x0cport = 5432",
];

/// Returns the text of a number.
pub(crate) fn generated(number: usize) -> Memory {
    let mut random = Random(number as u64);
    let mut files = Memory::default();
    // Half of the texts have something that a server refuses.
    let has_junk = random.one_in(2);
    let mut main = text(&mut random, has_junk);
    if random.one_in(3) {
        main.extend(b"\ninclude_if_exists 'nowhere.conf'\nInclude = 'more/a.conf'\n");
        let has_junk = random.one_in(6);
        files.0.insert("more/a.conf".into(), text(&mut random, has_junk));
        main.extend(text(&mut random, false));
    }
    if random.one_in(4) {
        main.extend(b"\ninclude_dir 'conf.d'\n");
        for name in ["conf.d/10.conf", "conf.d/9.conf", "conf.d/.hidden.conf", "conf.d/note.txt"] {
            files.0.insert(name.into(), text(&mut random, false));
        }
    }
    files.0.insert("postgresql.conf".into(), main);
    files
}

fn text(random: &mut Random, has_junk: bool) -> Vec<u8> {
    let line_end: &[u8] = if random.one_in(4) { b"\r\n" } else { b"\n" };
    let count = random.below(24);
    let junk_at = random.below(count + 1);
    let mut text = Vec::new();
    for index in 0..count {
        if has_junk && index == junk_at {
            text.extend(pick(random, JUNK));
        } else if random.one_in(6) {
            text.extend(pick(
                random,
                &[b"", b" \t", b"# a comment", b"#\xe9t\xe9", b"#-----", b"# CUSTOMIZED OPTIONS"],
            ));
        } else {
            let (name, values) = SETTINGS[random.below(SETTINGS.len())];
            if random.one_in(3) {
                text.extend(pick(random, &[b"#", b"# ", b"##", b" #\t", b"#  "]));
            } else {
                text.extend(pick(random, &[b"", b"", b"", b" ", b"\t"]));
            }
            let upper = random.one_in(5);
            text.extend(name.iter().map(|b| if upper { b.to_ascii_uppercase() } else { *b }));
            let value = pick(random, values);
            // Only a quote keeps a name and a value apart by itself.
            let glue: &[u8] = if value.starts_with(b"'") { b"" } else { b" " };
            text.extend(pick(random, &[b" = ", b" = ", b"=", b" ", b"\t=\t", b"= ", glue]));
            text.extend(value);
            text.extend(pick(
                random,
                &[b"", b"", b"# x", b"\t# (change requires restart)", b" ", b" #'", b"\r"],
            ));
        }
        if index + 1 < count || random.one_in(2) {
            text.extend(line_end);
        }
    }
    text
}

//! The program, for hooks: pre-commit installs what the package at the top of a repository has.

fn main() -> std::process::ExitCode {
    kasm_db::main()
}

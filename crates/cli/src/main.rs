//! kasm-db: config-as-code for the database of a Kasm Workspaces deployment.

fn main() -> std::process::ExitCode {
    kasm_db::main()
}

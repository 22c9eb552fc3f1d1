//! Runs the examples as their headers say, and compares what they print with what the headers show.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.rs"))
}

/// Runs an example by Cargo, which builds it if `cargo test` has not: that depends on its options.
fn example(name: &str) -> Command {
    let profile = Path::new(env!("CARGO_BIN_EXE_pulse-monitor"))
        .parent()
        .and_then(Path::file_name)
        .filter(|directory| *directory != "debug")
        .unwrap_or("dev".as_ref());
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(workspace())
        .args(["run", "--quiet", "--offline", "--profile"])
        .arg(profile)
        .args(["--example", name, "--"]);
    command
}

/// Standard output of a run that succeeds.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// The text block of an example's header.
fn promised(name: &str) -> String {
    let source = fs::read_to_string(source(name)).unwrap();
    let mut lines = source.lines().map(|line| {
        let text = line
            .strip_prefix("//!")
            .expect("the header has no complete text block");
        text.strip_prefix(' ').unwrap_or(text)
    });
    lines.find(|line| *line == "```text");
    lines
        .take_while(|line| *line != "```")
        .map(|line| format!("{line}\n"))
        .collect()
}

#[track_caller]
fn assert_prints_what_its_header_says(name: &str, args: &[&str]) {
    let promised = promised(name);
    assert!(!promised.is_empty(), "{name}: an empty text block");
    assert_eq!(output(example(name).args(args)), promised, "{name}");
}

#[test]
fn hello_pool() {
    assert_prints_what_its_header_says("hello_pool", &[]);
}

#[test]
fn downloads() {
    assert_prints_what_its_header_says("downloads", &[]);
}

#[test]
fn async_bridge() {
    assert_prints_what_its_header_says("async_bridge", &[]);
}

#[test]
fn periodic() {
    assert_prints_what_its_header_says("periodic", &[]);
}

#[test]
fn carried_span() {
    assert_prints_what_its_header_says("carried_span", &[]);
}

#[test]
fn primes() {
    assert_prints_what_its_header_says("primes", &[]);
}

#[test]
fn first_job() {
    assert_prints_what_its_header_says("first_job", &[]);
}

#[test]
fn interrupt_offload() {
    assert_prints_what_its_header_says("interrupt_offload", &[]);
}

#[test]
fn split_buffer() {
    assert_prints_what_its_header_says("split_buffer", &[]);
}

#[test]
fn slow_write() {
    assert_prints_what_its_header_says("slow_write", &[]);
}

#[test]
fn pipeline() {
    assert_prints_what_its_header_says("pipeline", &[]);
}

#[test]
fn priorities() {
    assert_prints_what_its_header_says("priorities", &[]);
}

#[test]
fn cancel() {
    assert_prints_what_its_header_says("cancel", &[]);
}

#[test]
fn lost_worker() {
    assert_prints_what_its_header_says("lost_worker", &[]);
}

#[test]
fn borrowed_scope() {
    assert_prints_what_its_header_says("borrowed_scope", &[]);
}

#[test]
fn borrowed_scope_names_the_file_that_it_cannot_read() {
    let output = example("borrowed_scope")
        .arg("no such file")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(1), 0),
        "{stderr}"
    );
    assert!(stderr.contains("no such file: "), "{stderr}");
}

/// As in `hello_pool | head -1`: no job waits for a `main` that has failed to print.
#[test]
fn an_example_ends_although_its_reader_has_seen_enough() {
    for name in [
        "async_bridge",
        "borrowed_scope",
        "cancel",
        "downloads",
        "first_job",
        "hello_pool",
        "interrupt_offload",
        "lost_worker",
        "periodic",
        "pipeline",
        "primes",
        "priorities",
        "slow_write",
        "split_buffer",
    ] {
        let mut child = example(name)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains("failed printing to stdout"),
            "{name}: {stderr}"
        );
    }
}

/// The answer of `sha256sum` for these bytes.
#[cfg(target_os = "linux")]
fn sha256sum(bytes: &[u8]) -> String {
    use std::io::Write as _;

    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum, of the GNU core utilities");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let digest = String::from_utf8(output.stdout).unwrap();
    digest.split_whitespace().next().unwrap().into()
}

#[cfg(target_os = "linux")]
#[test]
fn borrowed_scope_agrees_with_sha256sum() {
    for len in [0, 1, 7, 8, 9, 64, 1_000_003] {
        let content: Vec<u8> = (0..len)
            .map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("borrowed_scope-{len}"));
        fs::write(&file, &content).unwrap();

        let output = output(example("borrowed_scope").arg(file));
        let mut lines: Vec<&str> = output.lines().collect();
        let whole = lines.pop().unwrap();
        assert_eq!(whole, format!("{}  whole file", sha256sum(&content)));

        let mut rest = &content[..];
        for line in lines {
            let (_, len) = line.split_once("  ").unwrap();
            let len: usize = len.strip_suffix(" bytes").unwrap().parse().unwrap();
            let (block, others) = rest.split_at(len);
            assert_eq!(line, format!("{}  {len} bytes", sha256sum(block)));
            rest = others;
        }
        assert_eq!(rest.len(), 0, "{len} bytes");
    }
}

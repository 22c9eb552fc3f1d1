//! What is a build error, and what the error says.

#[test]
fn build_errors_say_what_to_do() {
    let cases = trybuild::TestCases::new();
    // With a case that passes, the cases are built and not only checked: sizes are known late.
    cases.pass("compile_pass/*.rs");
    cases.compile_fail("compile_fail/*.rs");
}

/// The errors about size name the limit and the parameter to raise.
#[test]
fn errors_about_size_name_the_limit() {
    for case in ["closure_too_large", "result_too_large", "task_too_large"] {
        let path = format!("{}/compile_fail/{case}.stderr", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("raise the pool's BYTES"), "{case}: {text}");
    }
}

/// Each generic test is in the list of its module, so that it runs.
#[test]
fn every_test_is_listed() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/suite");
    let mut count = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let Some((tests, list)) = text.split_once("crate::suite!(") else {
            assert!(path.ends_with("mod.rs"));
            continue;
        };
        let listed: Vec<_> = list
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        for line in tests.lines() {
            if let Some((name, _)) = line
                .strip_prefix("pub fn ")
                .and_then(|rest| rest.split_once("<F: Fixture>()"))
            {
                assert!(listed.contains(&name), "{name} is not listed");
                count += 1;
            }
        }
    }
    assert!(count > 150, "the tests were not found");
}

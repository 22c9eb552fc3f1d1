//! `inline NAME JOBS` does so many jobs inline, for callgrind to count the instructions.

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, jobs] = &args[..] else {
        panic!("usage: inline NAME JOBS");
    };
    let contender = bench::inline::CONTENDERS
        .iter()
        .find(|contender| contender.name == name)
        .expect("somebody of that name");
    let jobs = jobs.parse().expect("a number");
    (contender.run)(jobs, &mut |batch| batch());
}

//! Jobs that borrow: SHA-256 of a file and of eight blocks of it. One buffer holds the file, and every
//! job reads its part of that buffer. No job copies the data, counts references or leaks memory. The
//! scope ends after its last job.
//!
//! SHA-256 is sequential by construction: each step starts from the state that the step before it left.
//! The file's digest does not follow from the digests of its blocks. So the whole file is one job, the
//! longest. The blocks are further jobs, which run in parallel with it and with each other.
//!
//! `cargo run --example borrowed_scope` hashes the pulse monitor's recording, `examples/data/pulse.csv`. To
//! hash another file, name it after `--`. The last line equals that of `sha256sum FILE`. For the recording it prints:
//!
//! ```text
//! e293a115de4e756b95d0455347e525d687bf18458c46bcebb4eb905f86739cf9  35202 bytes
//! 35e0af632f7be3ae2d8fbf8cb6198c6bef9b5f95dc0a9aec2bd5507f940dc67d  35202 bytes
//! 276cfa6b3d56057c89f67c15362aae17ab41501a74bb0e6859f98ca6b7417260  35202 bytes
//! 0c75e8929ff986744658071d6b5ec2305d4497323cf1a7ab6cf56a8f67c3170c  35202 bytes
//! 81bb9bbfbadd1e8e97583636f513f38aec56fe4b73522d8fcb7819d0aa5e3e7f  35202 bytes
//! 133e60e46e186b519ca8447c8eea25c55c88db14d2bacc52dc227a64f17f9104  35202 bytes
//! 30ef7a2ebd11c70297d34028e34b85509d72946deda582dc824bb7f6c34d34a5  35202 bytes
//! e5829bb3c23d94a6555f952754cbbeb44d1bcabffd556b7b3e961508d92f4788  35197 bytes
//! 7d85f0d33b04395409e81d614b9bd82541208cc3edfbc5a49b5129ae3cb573b9  whole file
//! ```

use std::{
    env,
    error::Error,
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use corepool::StaticPool;
use corepool_std::run_workers;
use sha2::{Digest as _, Sha256};

const BLOCKS: usize = 8;
const MAX_WORKERS: usize = 8;

/// A slot holds a digest, 32 bytes, and the address of the job's scope.
static POOL: StaticPool<16, 40, 1, MAX_WORKERS> = StaticPool::new();

fn main() -> ExitCode {
    let argument = env::args_os().nth(1);
    if argument
        .as_ref()
        .is_some_and(|argument| argument == "--help")
    {
        println!("borrowed_scope [FILE]: SHA-256 of a file and of eight blocks of it");
        return ExitCode::SUCCESS;
    }
    let file = argument.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("data/pulse.csv"),
        PathBuf::from,
    );
    match run(&file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}

fn run(file: &Path) -> Result<(), Box<dyn Error>> {
    let content = fs::read(file)?;

    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let _workers = run_workers(&POOL, cores.min(MAX_WORKERS))?;

    let block_len = content.len().div_ceil(BLOCKS).max(1);
    let (blocks, whole) = POOL.scope(|scope| {
        // The error would hold the job, and that borrows: keep its text.
        let whole = scope
            .submit(|| sha256(&content))
            .map_err(|error| error.to_string())?;
        let blocks = scope
            .map(content.chunks(block_len), sha256)
            .collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Box<dyn Error>>((blocks, whole.result()?))
    })?;

    for (block, digest) in content.chunks(block_len).zip(&blocks) {
        println!("{}  {} bytes", hex(digest), block.len());
    }
    println!("{}  whole file", hex(&whole));
    Ok(())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
